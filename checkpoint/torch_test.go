package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/fovea-ml/fovea/internal/test/oracle"
)

const torchData = "testdata/torch"

// sameTensors compares all names, types, shapes and bytes, and the numbers as they are converted.
func sameTensors(t *testing.T, what string, got, want *File) {
	t.Helper()
	if a, b := slices.Collect(got.Names()), slices.Collect(want.Names()); !slices.Equal(a, b) {
		t.Errorf("%s: expected tensors %q, found %q", what, b, a)
		return
	}
	for x := range want.Tensors() {
		y, _ := got.Tensor(x.Name)
		if x.DType != y.DType || !slices.Equal(x.Shape, y.Shape) || x.Len() != y.Len() {
			t.Errorf("%s: %s: expected %s %v, found %s %v", what, x.Name, x.DType, x.Shape, y.DType, y.Shape)
			continue
		}
		if !bytes.Equal(x.Bytes(), y.Bytes()) {
			t.Errorf("%s: %s: other bytes", what, x.Name)
		}
		switch {
		case x.DType.IsFloat():
			a, b := floatsOf(t, got, x.Name), floatsOf(t, want, x.Name)
			if !sameBits(a, b) {
				t.Errorf("%s: %s: expected %v, found %v", what, x.Name, b, a)
			}
			if v, ok := y.View(); ok && !sameBits(v, b) {
				t.Errorf("%s: %s: expected a view of %v, found %v", what, x.Name, b, v)
			}
		case x.DType.IsInt():
			a, b := make([]int64, x.Len()), make([]int64, x.Len())
			if ea, eb := y.Ints(a), x.Ints(b); fmt.Sprint(ea) != fmt.Sprint(eb) || !slices.Equal(a, b) {
				t.Errorf("%s: %s: expected %v, found %v, %v", what, x.Name, b, a, ea)
			}
		}
	}
}

// bare is a view of f with a prefix taken off the names.
func bare(f *File, prefix string) *File {
	g := &File{name: f.name, sources: f.sources}
	for _, t := range f.tensors {
		if name, ok := strings.CutPrefix(t.Name, prefix); ok {
			t.Name = name
			g.tensors = append(g.tensors, t)
		}
	}
	return g
}

// compareContainers reads all files that testdata/gen/checkpoint_torch.py wrote to dir.
func compareContainers(t *testing.T, dir string) {
	want := mustOpen(t, dir+"/expected.safetensors")
	if want.Len() < 30 {
		t.Fatalf("expected 30 tensors or more, found %d", want.Len())
	}
	for _, name := range []string{"zip.pt", "zip5.pt", "legacy.pt", "legacy4.pt", "deflated.pt", "sharded/" + TorchIndexName} {
		sameTensors(t, name, mustOpen(t, dir+"/"+name), want)
		sameTensors(t, name+", unmapped", openWith(t, dir+"/"+name, OpenOptions{Unmapped: true}), want)
	}
	folder, err := OpenFolder(os.DirFS(dir+"/sharded"), OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	sameTensors(t, "folder", folder, want)
	sameTensors(t, "script.pt", mustOpen(t, dir+"/script.pt"), mustOpen(t, dir+"/expected_script.safetensors"))

	training := mustOpen(t, dir+"/expected_training.safetensors")
	for _, name := range []string{"training.pt", "training_legacy.pt"} {
		sameTensors(t, name, mustOpen(t, dir+"/"+name), bare(training, "model_ema."))
		sameTensors(t, name, openWith(t, dir+"/"+name, OpenOptions{Root: []string{"model"}}), bare(training, "model."))
		sameTensors(t, name, openWith(t, dir+"/"+name, OpenOptions{Root: []string{"model_ema", "state_dict"}}), bare(training, "model_ema."))
		sameTensors(t, name, bare(openWith(t, dir+"/"+name, OpenOptions{Root: []string{"model_ema"}}), "state_dict."), bare(training, "model_ema."))
	}
}

func TestTorch(t *testing.T) { compareContainers(t, torchData) }

// TestTorchFresh compares files that PyTorch writes now, with other numbers each day.
func TestTorchFresh(t *testing.T) {
	dir, seed := t.TempDir(), time.Now().YearDay()
	oracle.Run(t, "torch", "checkpoint_torch.py", "fresh", dir, fmt.Sprint(seed))
	t.Logf("seed %d", seed)
	compareContainers(t, dir)
}

// TestTorchInPlace expects views of the file exactly where the data is dense and aligned.
func TestTorchInPlace(t *testing.T) {
	data, err := os.ReadFile(torchData + "/zip.pt")
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse("zip.pt", data, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	view := func(name string) []float32 {
		x, ok := f.Tensor(name)
		if !ok {
			t.Fatalf("no tensor %q", name)
		}
		v, _ := x.View()
		return v
	}
	base, again, slice := view("base"), view("base_again"), view("scalar_in_storage")
	if base == nil || &base[0] != &again[0] || &base[(3*6+2)*5+1] != &slice[0] {
		t.Error("expected one storage for base, base_again and scalar_in_storage")
	}
	if i := bytes.Index(data, f.tensors[slices.IndexFunc(f.tensors, func(x Tensor) bool { return x.Name == "base" })].Bytes()); i < 0 || i%64 != 0 {
		t.Errorf("expected base at a multiple of 64 in the file, found it at %d", i)
	}
	for _, name := range []string{"column", "permuted", "every_second", "expanded", "diagonal"} {
		if view(name) != nil {
			t.Errorf("%s: expected no view of a tensor with strides", name)
		}
	}
	x, _ := f.Tensor("permuted")
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	defer func() {
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "after its file was closed") {
			t.Errorf("reading after Close: %v", r)
		}
	}()
	x.Bytes()
}

// TestStrided reads pieces of tensors with strides from any element on.
func TestStrided(t *testing.T) {
	got, want := mustOpen(t, torchData+"/zip.pt"), mustOpen(t, torchData+"/expected.safetensors")
	for x := range got.Tensors() {
		if x.src.strided == nil {
			continue
		}
		y, _ := want.Tensor(x.Name)
		for first := range x.Len() {
			for n := range x.Len() - first + 1 {
				if !bytes.Equal(x.bytesAt(first, n), y.bytesAt(first, n)) {
					t.Fatalf("%s: elements [%d, %d) differ", x.Name, first, first+n)
				}
			}
		}
	}
}

func TestTorchRoots(t *testing.T) {
	base := floatsOf(t, mustOpen(t, torchData+"/expected.safetensors"), "base")
	for _, c := range []struct {
		file     string
		root     []string
		tensor   string
		metadata map[string]string
	}{
		{"nested.pt", nil, "module.a", map[string]string{"arch": "vit"}},
		{"twice.pt", nil, "a", map[string]string{"name": "inner"}},
		{"twice.pt", []string{"net"}, "state_dict.a", map[string]string{"name": "inner"}},
		{"twice.pt", []string{"net", "state_dict"}, "a", map[string]string{"name": "inner"}},
		{"list.pt", nil, "0", nil},
		{"single.pt", nil, "tensor", nil},
	} {
		f := openWith(t, torchData+"/"+c.file, OpenOptions{Root: c.root})
		if got := floatsOf(t, f, c.tensor); !slices.Equal(got, base) {
			t.Errorf("%s: %s: found %v", c.file, c.tensor, got)
		}
		if !maps.Equal(f.metadata, c.metadata) && len(f.metadata)+len(c.metadata) > 0 {
			t.Errorf("%s %q: expected metadata %q, found %q", c.file, c.root, c.metadata, f.metadata)
		}
	}
	for _, name := range []string{"training.pt", "training_legacy.pt"} {
		f := mustOpen(t, torchData+"/"+name)
		for key, want := range map[string]string{
			"epoch": "7", "args.lr": "0.0005", "args.model": "vit_tiny", "args.amp": "true", "args.best": "81.5", "args.count": "7",
			"args.device": "cpu", "args.output_dir": "out/run", "lr_scheduler.last_epoch": "1",
		} {
			if got, ok := f.Metadata(key); got != want {
				t.Errorf("%s: %s: expected %q, found %q, %v", name, key, want, got, ok)
			}
		}
		for key := range f.metadata {
			if strings.HasPrefix(key, "optimizer") || strings.HasPrefix(key, "model") {
				t.Errorf("%s: found %s among the metadata", name, key)
			}
		}
	}
	for _, c := range []struct {
		file string
		root []string
		want string
	}{
		{"training.pt", []string{"ema"}, `expected the key "ema" of the wanted root, found "model", "model_ema", "optimizer"`},
		{"training.pt", []string{"epoch", "x"}, "expected a dictionary with the key"},
		{"training.pt", []string{"epoch"}, "found an integer"},
		{"expected.safetensors", []string{"model"}, "found safetensors, which has no roots"},
	} {
		_, err := Open(torchData+"/"+c.file, OpenOptions{Root: c.root})
		checkMalformed(t, err, c.want)
	}
}

// TestTorchOdd expects an error that names the tensor for each kind of unsupported tensor.
func TestTorchOdd(t *testing.T) {
	for name, want := range map[string]string{
		"quantized":  "is a quantized tensor",
		"sparse":     "is a sparse tensor",
		"csr":        "is a sparse tensor",
		"conjugated": "conjugated",
		"complex128": "is of type torch.complex128",
		"array":      "found a numpy array",
		"meta":       "is a tensor without data",
	} {
		_, err := Open(torchData+"/odd_"+name+".pt", OpenOptions{})
		checkMalformed(t, err, want)
		var format *FormatError
		if errors.As(err, &format) && format.Tensor != name {
			t.Errorf("expected an error about %q, found %v", name, err)
		}
	}
}

func TestTorchFolder(t *testing.T) {
	zip, err := os.ReadFile(torchData + "/zip.pt")
	if err != nil {
		t.Fatal(err)
	}
	safe, err := os.ReadFile("testdata/timm.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		fsys fstest.MapFS
		len  int
	}{
		{fstest.MapFS{TorchName: {Data: zip}}, 36},
		{fstest.MapFS{TorchName: {Data: zip}, SafetensorsName: {Data: safe}}, 6},
		{fstest.MapFS{TorchName: {Data: safe}}, 6},       // the content decides, not the name
		{fstest.MapFS{SafetensorsName: {Data: zip}}, 36}, // either way
		{fstest.MapFS{TorchIndexName: {Data: []byte(`{"weight_map":{"base":"a/b.bin"}}`)}, "a/b.bin": {Data: zip}}, 1},
	} {
		f, err := OpenFolder(c.fsys, OpenOptions{})
		if err != nil || f.Len() != c.len {
			t.Errorf("%v: expected %d tensors, found %v, %v", slices.Collect(maps.Keys(c.fsys)), c.len, f, err)
		}
	}
	for _, shard := range []string{"../b.bin", "/b.bin", `a\..\b.bin`, "a/../../b.bin"} {
		fsys := fstest.MapFS{"m/" + TorchIndexName: {Data: []byte(fmt.Sprintf(`{"weight_map":{"base":%q}}`, shard))}, "b.bin": {Data: zip}}
		_, err := OpenFS(fsys, "m/"+TorchIndexName, OpenOptions{})
		checkMalformed(t, err, "inside the folder")
	}
	_, err = OpenFolder(fstest.MapFS{"x": {}}, OpenOptions{})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), TorchName) {
		t.Errorf("found %v", err)
	}
}
