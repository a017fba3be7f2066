package checkpoint

import (
	"fmt"
	"os"
	"slices"
	"testing"
)

func TestParts(t *testing.T) {
	for path, want := range map[string][]Part{
		"testdata/timm.safetensors":     {{"testdata/timm.safetensors", 0, Safetensors}},
		"testdata/torch/zip.pt":         {{"testdata/torch/zip.pt", 0, Torch}},
		"testdata/torch/deflated.pt":    {{"testdata/torch/deflated.pt", 0, Torch}},
		"testdata/torch/legacy.pt":      {{"testdata/torch/legacy.pt", 0, TorchLegacy}},
		"testdata/sharded/" + IndexName: {{"testdata/sharded/model-00001-of-00002.safetensors", 0, Safetensors}, {"testdata/sharded/model-00002-of-00002.safetensors", 0, Safetensors}},
	} {
		for i := range want {
			info, err := os.Stat(want[i].Name)
			if err != nil {
				t.Fatal(err)
			}
			want[i].Size = info.Size()
		}
		if got := mustOpen(t, path).Parts(); !slices.Equal(got, want) {
			t.Errorf("%s: found %v, expected %v", path, got, want)
		}
	}
	f, err := Parse("none", safetensors(`{}`, nil), OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Parts(); len(got) != 1 || got[0].Format != Safetensors {
		t.Errorf("found %v", got)
	}
}

func TestMetadataKeys(t *testing.T) {
	f := mustOpen(t, "testdata/timm.safetensors")
	if got := slices.Collect(f.MetadataKeys()); !slices.Equal(got, []string{"script", "seed", "versions"}) {
		t.Errorf("found %q", got)
	}
	f, _ = Parse("none", safetensors(`{}`, nil), OpenOptions{})
	if got := slices.Collect(f.MetadataKeys()); len(got) != 0 {
		t.Errorf("found %q", got)
	}
}

func TestTied(t *testing.T) {
	for path, want := range map[string]string{
		"testdata/torch/zip.pt":      "[[base base_again]]",
		"testdata/torch/legacy.pt":   "[[base base_again]]",
		"testdata/types.safetensors": "[]", // with empty tensors at one place
	} {
		if got := fmt.Sprint(mustOpen(t, path).Tied()); got != want {
			t.Errorf("%s: found %s, expected %s", path, got, want)
		}
	}
}

// TestRanges reads every tensor in ranges of every length.
func TestRanges(t *testing.T) {
	for _, path := range []string{"testdata/types.safetensors", "testdata/torch/zip.pt"} {
		for x := range mustOpen(t, path).Tensors() {
			n := x.Len()
			if n > 40 || x.DType == U64 { // some U64 values are beyond int64
				continue
			}
			floats, ints := make([]float32, n), make([]int64, n)
			if x.DType.IsFloat() && x.Floats(floats) != nil || x.DType.IsInt() && x.Ints(ints) != nil {
				t.Fatal(x.Name)
			}
			for first := range n + 1 {
				for end := first; end <= n; end++ {
					f, i := make([]float32, end-first), make([]int64, end-first)
					if err := x.FloatsAt(f, first); (err == nil) != x.DType.IsFloat() || err == nil && !sameBits(f, floats[first:end]) {
						t.Errorf("%s: floats [%d, %d): found %v, %v", x.Name, first, end, f, err)
					}
					if err := x.IntsAt(i, first); (err == nil) != x.DType.IsInt() || err == nil && !slices.Equal(i, ints[first:end]) {
						t.Errorf("%s: integers [%d, %d): found %v, %v", x.Name, first, end, i, err)
					}
				}
			}
			for _, first := range []int{-1, n + 1} {
				if x.FloatsAt(nil, first) == nil || x.IntsAt(nil, first) == nil {
					t.Errorf("%s: from %d on: expected an error", x.Name, first)
				}
			}
			if x.FloatsAt(make([]float32, n+1), 0) == nil || x.IntsAt(make([]int64, n), 1) == nil && n > 0 {
				t.Errorf("%s: a range past the end: expected an error", x.Name)
			}
		}
	}
}

// TestWrittenFromTorch writes a PyTorch file's tensors, of any strides, as safetensors: the bytes equal Python's.
func TestWrittenFromTorch(t *testing.T) {
	want := mustOpen(t, "testdata/torch/expected.safetensors")
	for _, path := range []string{"testdata/torch/zip.pt", "testdata/torch/legacy.pt", "testdata/torch/deflated.pt"} {
		var entries []Entry
		for x := range mustOpen(t, path).Tensors() {
			entries = append(entries, x.Entry())
		}
		f := encoded(t, entries, WriteOptions{})
		compared := 0
		for x := range f.Tensors() {
			y, ok := want.Tensor(x.Name)
			if !ok || y.DType != x.DType || !slices.Equal(x.Shape, y.Shape) || string(x.Bytes()) != string(y.Bytes()) {
				t.Errorf("%s: %s %s %v: not what was written by Python", path, x.Name, x.DType, x.Shape)
			}
			compared++
		}
		if compared < 15 {
			t.Errorf("%s: compared %d tensors", path, compared)
		}
	}
}
