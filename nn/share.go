package nn

import (
	"slices"

	"github.com/fovea-ml/fovea/autograd"
)

// Share lets models hold once what they have in common. A parameter of a later model takes the memory of the parameter of
// the same path in an earlier model when both have the same values, bit for bit. Models that were loaded from one file
// then take the memory of one, and so do classifiers on one frozen encoder. That includes the forms packed for inference.
// It returns the number of values in later models that are shared.
//
//	a, err := vit.Open("vit-base", vit.LoadOptions{})
//	b, err := vit.Open("vit-base-flowers", vit.LoadOptions{})
//	nn.Share(a, b)
//
// A parameter that is trained afterwards gets memory of its own. Nothing may use the models meanwhile. Goroutines need no
// models of their own: any number of them uses one.
func Share(models ...any) int {
	known := map[string][]*autograd.Parameter{}
	n := 0
	for _, model := range models {
		for path, p := range Parameters(model) {
			if slices.ContainsFunc(known[path], p.Share) {
				n += p.Len()
			} else {
				known[path] = append(known[path], p)
			}
		}
	}
	return n
}
