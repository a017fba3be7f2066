package modelfolder

import (
	"cmp"
	"fmt"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/nn"
)

// Claim is the least that the weights of a configuration can be, under whatever names.
type Claim struct {
	Values  float64 // a float64, because a file may claim anything
	Tensors int
}

// ClaimBlocks returns the claim of a stack of transformer blocks: the gain and bias of two norms, and the weights of
// the projections, with queries, keys and values in one tensor. Each of a block's branches has them.
func ClaimBlocks(layers int, b nn.BlockConfig) Claim {
	d, h := float64(b.Width), float64(cmp.Or(b.Hidden, 4*b.Width))
	layers *= max(1, b.Branches)
	return Claim{Values: float64(layers) * (4*d*d + 2*d*h), Tensors: 8 * layers}
}

// ClaimEncoder returns the claim of an encoder of images: blocks, a projection from the pixels of a patch, and positions
// for that many patches. The tensors of the latter two are not counted.
func ClaimEncoder(layers int, b nn.BlockConfig, channels, patch, patches int) Claim {
	d, p := float64(b.Width), float64(patch)
	c := ClaimBlocks(layers, b)
	c.Values += d*float64(channels)*p*p + d*float64(patches)
	return c
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
