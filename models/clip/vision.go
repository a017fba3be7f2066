package clip

import (
	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/vit"
)

// ImageTower encodes images: a [VisionTransformer], [ResNet], [SigLIP] or [NaFlex].
type ImageTower interface {
	// Forward maps pixels, [n, channels, height, width], to one vector an image, [n, width], before the projection.
	Forward(pixels *autograd.Tensor) *autograd.Tensor
}

// VisionTransformer is the image tower of the ViT models: a Vision Transformer with a norm before its blocks and
// without a bias in the patch projection. The features of an image are its class token after the last norm.
type VisionTransformer struct {
	Encoder *vit.Encoder
	patch   int
}

// NewVisionTransformer returns a tower of zeros. The configuration must be valid.
func NewVisionTransformer(c VisionConfig) *VisionTransformer {
	return &VisionTransformer{Encoder: vit.NewEncoder(c.encoder()), patch: c.PatchSize}
}

// Forward maps pixels, [n, channels, height, width], to features, [n, width]. Pixels of rows and columns that no whole
// patch covers are not seen. Images of another size than the configured one use resized position embeddings.
func (v *VisionTransformer) Forward(pixels *autograd.Tensor) *autograd.Tensor {
	class := v.Encoder.First(whole(pixels, v.patch), 1)
	return autograd.Reshape(class, class.Dim(0), class.Dim(2))
}

// whole returns the pixels that whole patches cover.
func whole(pixels *autograd.Tensor, patch int) *autograd.Tensor {
	for _, dim := range []int{2, 3} {
		if size := pixels.Dim(dim); size >= patch && size%patch != 0 {
			pixels = autograd.Slice(pixels, dim, 0, size-size%patch)
		}
	}
	return pixels
}
