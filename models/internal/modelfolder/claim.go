package modelfolder

import (
	"cmp"

	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/nn"
)

// Claim is the least that the weights of a configuration can be.
type Claim = models.Claim

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
