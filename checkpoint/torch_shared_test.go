package checkpoint_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/oracle"
)

func open(t *testing.T, path string) *checkpoint.File {
	t.Helper()
	f, err := checkpoint.Open(path, checkpoint.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func sameFiles(t *testing.T, what string, got, want *checkpoint.File) {
	t.Helper()
	if got.Len() != want.Len() {
		t.Errorf("%s: expected %d tensors, found %d", what, want.Len(), got.Len())
	}
	for x := range want.Tensors() {
		y, ok := got.Tensor(x.Name)
		if !ok || x.DType != y.DType || !slices.Equal(x.Shape, y.Shape) || !bytes.Equal(x.Bytes(), y.Bytes()) {
			t.Errorf("%s: %s: expected %s %v, found %v %s %v, or other bytes", what, x.Name, x.DType, x.Shape, ok, y.DType, y.Shape)
		}
	}
}

// TestDetectors compares the contents of published files with a hash of the contents that PyTorch reads.
func TestDetectors(t *testing.T) {
	shared := golden.SharedData(t)
	list, err := os.Open("testdata/torch/detectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	compared := 0
	for s := bufio.NewScanner(list); s.Scan(); compared++ {
		var name, want string
		var count int
		if _, err := fmt.Sscan(s.Text(), &name, &count, &want); err != nil {
			t.Fatal(err)
		}
		f := open(t, filepath.Join(shared, name))
		h := sha256.New()
		for x := range f.Tensors() {
			dtype := map[checkpoint.DType]string{checkpoint.F32: "float32", checkpoint.I64: "int64"}[x.DType]
			fmt.Fprintf(h, "%s %s %v\n", x.Name, dtype, x.Shape)
			h.Write(x.Bytes())
		}
		if got := fmt.Sprintf("%x", h.Sum(nil)); f.Len() != count || got != want {
			t.Errorf("%s: expected %d tensors of hash %s, found %d of %s", name, count, want, f.Len(), got)
		}
	}
	if compared != 5 {
		t.Errorf("expected to compare 5 files, compared %d", compared)
	}
}

// TestTorchShared compares published files with the contents that PyTorch reads, and a published model that PyTorch
// saves with its original safetensors file.
func TestTorchShared(t *testing.T) {
	shared, dir := golden.SharedData(t), t.TempDir()
	oracle.Run(t, "torch", "checkpoint_torch.py", "shared", dir, shared)
	files, err := filepath.Glob(filepath.Join(shared, "detectors", "*", "*.pt*"))
	if err != nil || len(files) != 5 {
		t.Fatalf("expected 5 files, found %q, %v", files, err)
	}
	for _, file := range files {
		base := filepath.Base(file)
		sameFiles(t, base, open(t, file), open(t, filepath.Join(dir, base+".safetensors")))
	}
	mini := filepath.Join(shared, "minilm", checkpoint.SafetensorsName)
	oracle.Run(t, "torch", "checkpoint_torch.py", "write", dir, mini)
	want := open(t, mini)
	for _, name := range []string{"zip.pt", "legacy.pt"} {
		f := open(t, filepath.Join(dir, name))
		sameFiles(t, name, f, want)
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
