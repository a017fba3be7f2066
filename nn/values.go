package nn

import (
	"iter"

	"github.com/fovea-ml/fovea/checkpoint"
)

// Values yields the parameters and buffers of a model in the order of the fields, each once and with its path, as
// [Parameters] does. checkpoint.Load and checkpoint.Save take them:
//
//	report, err := checkpoint.Load(file, names, nn.Values(model), checkpoint.LoadOptions{})
//
// With Parameters alone, the running statistics of a batch normalization would be missing from the file, and a loaded
// model would keep their initial values.
func Values(model any) iter.Seq2[string, checkpoint.Value] {
	return func(yield func(string, checkpoint.Value) bool) {
		walk(model, yield)
	}
}
