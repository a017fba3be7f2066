package modeltest

import (
	"io/fs"
	"testing"

	"github.com/fovea-ml/fovea/checkpoint"
)

// A Tensor is a tensor in a file of weights.
type Tensor struct {
	Shape  []int
	Values []float32
}

// Weights returns the tensors in a model folder by name. It reads the weights with a standard name, or else the only
// safetensors file.
func Weights(t *testing.T, fsys fs.FS) map[string]Tensor {
	t.Helper()
	o := checkpoint.OpenOptions{Unmapped: true}
	f, err := checkpoint.OpenFolder(fsys, o)
	if found, _ := fs.Glob(fsys, "*.safetensors"); err != nil && len(found) == 1 {
		f, err = checkpoint.OpenFS(fsys, found[0], o)
	}
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
