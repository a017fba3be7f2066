package modeltest

import (
	"io/fs"
	"testing"

	"github.com/fovea-ml/fovea/internal/modelfolder"
)

// A Tensor is one of a file of weights.
type Tensor struct {
	Shape  []int
	Values []float32
}

// Weights returns what the file of weights in a folder holds, by name.
func Weights(t *testing.T, fsys fs.FS) map[string]Tensor {
	t.Helper()
	f, err := modelfolder.Open(fsys, "", true)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]Tensor{}
	for x := range f.Tensors() {
		values := make([]float32, x.Len())
		if err := x.Floats(values); err != nil {
			t.Fatal(err)
		}
		all[x.Name] = Tensor{Shape: x.Shape, Values: values}
	}
	return all
}
