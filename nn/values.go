package nn

import (
	"cmp"
	"iter"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
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

// Copy copies the values of from to to where both have a parameter or buffer of the same path and shape, and returns the
// number copied. The models share no memory afterwards. It panics with an autograd.UseError when either model has an
// adapter that is not merged.
func Copy(to, from any) int {
	for _, model := range []any{to, from} {
		if layer, found := Unmerged(model); found {
			panic(&autograd.UseError{Op: "copy", Reason: cmp.Or(layer, "the model") + " has an adapter that is not merged"})
		}
	}
	source := map[string]checkpoint.Value{}
	for path, v := range Values(from) {
		source[path] = v
	}
	n := 0
	for path, v := range Values(to) {
		if s := source[path]; s != nil && slices.Equal(s.Shape(), v.Shape()) {
			v.Update(func(values []float32) { copy(values, s.Values()) })
			n++
		}
	}
	return n
}
