package checkpoint

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// TestFloat64sAt reads ranges of tensors of every type.
func TestFloat64sAt(t *testing.T) {
	const n = 3000
	path := filepath.Join(t.TempDir(), "all.safetensors")
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(i%1000) / 8
	}
	ints := make([]int64, 3)
	if err := Write(path, []Entry{
		{Name: "f32", Shape: []int{n}, Floats: values}, {Name: "f64", Shape: []int{n}, Floats: values, DType: F64},
		{Name: "f16", Shape: []int{n}, Floats: values, DType: F16}, {Name: "ints", Shape: []int{3}, Ints: ints},
	}, WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, name := range []string{"f32", "f64", "f16"} {
		x, _ := f.Tensor(name)
		for _, span := range [][2]int{{0, n}, {1, 1025}, {n, n}, {2999, n}} {
			got := make([]float64, span[1]-span[0])
			if err := x.Float64sAt(got, span[0]); err != nil {
				t.Fatal(err)
			}
			for i, v := range got {
				if want := float64(values[span[0]+i]); v != want {
					t.Fatalf("%s: element %d is %v, expected %v", name, span[0]+i, v, want)
				}
			}
		}
		if x.Float64sAt(make([]float64, 2), n-1) == nil || x.Float64sAt(nil, -1) == nil {
			t.Errorf("%s: read outside the tensor", name)
		}
	}
	if x, _ := f.Tensor("ints"); x.Float64sAt(make([]float64, 3), 0) == nil {
		t.Error("read integers")
	}

	big := math.MaxFloat64
	head := `{"big":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}`
	data := append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...)
	data = binary.LittleEndian.AppendUint64(data, math.Float64bits(big))
	if err := os.WriteFile(path+"2", data, 0o666); err != nil {
		t.Fatal(err)
	}
	g, err := Open(path+"2", OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	x, _ := g.Tensor("big")
	got := make([]float64, 1)
	if err := x.Float64sAt(got, 0); err != nil || got[0] != big {
		t.Errorf("found %v (%v), expected %v", got[0], err, big)
	}
}
