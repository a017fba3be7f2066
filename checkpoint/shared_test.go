package checkpoint_test

import (
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
)

// A published checkpoint: all-MiniLM-L6-v2, a BERT of 6 layers and width 384.
func miniLM(t testing.TB, opts checkpoint.OpenOptions) *checkpoint.File {
	t.Helper()
	f, err := checkpoint.OpenFolder(os.DirFS(golden.SharedData(t, "minilm")), opts)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// fresh returns a model with the parameters that the file has.
func fresh(f *checkpoint.File) map[string]*weight {
	m := map[string]*weight{}
	for x := range f.Tensors() {
		if !strings.HasSuffix(x.Name, "position_ids") {
			m[x.Name] = &weight{x.Shape, make([]float32, x.Len())}
		}
	}
	return m
}

func TestPublished(t *testing.T) {
	f := miniLM(t, checkpoint.OpenOptions{})
	x, ok := f.Tensor("embeddings.word_embeddings.weight")
	if !ok || !slices.Equal(x.Shape, []int{30522, 384}) {
		t.Fatalf("found %v %v %s", ok, x.Shape, x.DType)
	}
	m := fresh(f)
	names := &checkpoint.Names{Ignore: []string{"*.position_ids"}}
	report, err := checkpoint.Load(f, names, maps.All(m), checkpoint.LoadOptions{})
	if err != nil || report.Loaded != len(m) || len(m) < 100 {
		t.Fatalf("%+v, %v", report, err)
	}
	for name, w := range m {
		if n := golden.Norm(w.values); (n == 0) != (name == "pooler.dense.bias") || math.IsNaN(n) { // the unused pooler was never trained
			t.Errorf("%s has norm %v", name, n)
		}
	}

	// Written and read back, nothing changes.
	path := filepath.Join(t.TempDir(), checkpoint.SafetensorsName)
	if err := checkpoint.Save(path, names, maps.All(m), checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	g, err := checkpoint.Open(path, checkpoint.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for y := range g.Tensors() {
		got := make([]float32, y.Len())
		if err := y.Floats(got); err != nil || !slices.Equal(got, m[y.Name].values) {
			t.Errorf("%s changed on the way, %v", y.Name, err)
		}
	}
}

// BenchmarkLoad fills a model of 90 MB from a file that the system has in memory.
func BenchmarkLoad(b *testing.B) {
	for name, opts := range map[string]checkpoint.OpenOptions{"mapped": {}, "read": {Unmapped: true}} {
		b.Run(name, func(b *testing.B) {
			m := fresh(miniLM(b, checkpoint.OpenOptions{}))
			size := 0
			for _, w := range m {
				size += 4 * len(w.values)
			}
			names := &checkpoint.Names{Ignore: []string{"*.position_ids"}}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := checkpoint.Load(miniLM(b, opts), names, maps.All(m), checkpoint.LoadOptions{}); err != nil {
					b.Fatal(err)
				}
				runtime.GC()
			}
		})
	}
}
