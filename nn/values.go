package nn

import (
	"iter"

	"github.com/fovea-ml/fovea/checkpoint"
)

// Values yields what a model keeps in files: its parameters and its buffers, in the order of the fields, each with its
// path as [Parameters] says. It is for checkpoint.Load and checkpoint.Save, which with Parameters alone would leave
// the running statistics of a batch normalization at their initial values, or out of the file:
//
//	report, err := checkpoint.Load(file, names, nn.Values(model), checkpoint.LoadOptions{})
func Values(model any) iter.Seq2[string, checkpoint.Value] {
	return func(yield func(string, checkpoint.Value) bool) {
		walk(model, yield)
	}
}
