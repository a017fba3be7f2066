package models

import (
	"fmt"

	"github.com/fovea-ml/fovea/checkpoint"
)

// Claim is the least that the weights of a configuration can be, under whatever names. A model package compares it with a file
// before it reserves memory.
type Claim struct {
	Values  float64 // a float64, because a file may claim anything
	Tensors int
}

// Plus returns the claim of two parts of a model.
func (c Claim) Plus(o Claim) Claim {
	return Claim{Values: c.Values + o.Values, Tensors: c.Tensors + o.Tensors}
}

// Check returns an error when the weights in a file are fewer than a configuration claims. So a false configuration
// cannot make a model allocate much more than its file holds.
func (c Claim) Check(f *checkpoint.File) error {
	held := 0
	for t := range f.Tensors() {
		held += t.Len()
	}
	if c.Values > float64(held) || c.Tensors > f.Len() {
		return fmt.Errorf("%s: the configuration describes a model of at least %.0f values in %d tensors, the weights hold %d in %d",
			f.Name(), c.Values, c.Tensors, held, f.Len())
	}
	return nil
}
