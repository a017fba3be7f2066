package nn

import (
	"iter"

	"github.com/fovea-ml/fovea/checkpoint"
)

// Values yields the parameters and buffers of a model, in the order of the fields, each with its path as [Parameters]
// says. Files hold both: Parameters alone would leave out the running statistics of batch normalizations:
//
//	report, err := checkpoint.Load(file, names, nn.Values(model), checkpoint.LoadOptions{})
//
// The parameters of adapters that are not merged are among them. Code that saves a base model asks [Unmerged] first.
func Values(model any) iter.Seq2[string, checkpoint.Value] {
	return func(yield func(string, checkpoint.Value) bool) {
		walk(model, yield)
	}
}
