package clip

import (
	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
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

// tokens returns what the last block gets, [n, 1+patches, width].
func (v *VisionTransformer) tokens(pixels *autograd.Tensor) *autograd.Tensor {
	blocks := v.Encoder.Blocks
	return blocks[:len(blocks)-1].Forward(v.Encoder.Embed(whole(pixels, v.patch)), nn.AttentionInput{})
}

func (v *VisionTransformer) last() *nn.Block { return v.Encoder.Blocks[len(v.Encoder.Blocks)-1] }

// attend returns what the class token attends to in the last block, [n, width], of queries, keys and values.
func (v *VisionTransformer) attend(qkv *autograd.Tensor) *autograd.Tensor {
	a := v.last().Attention
	width := qkv.Dim(2) / 3
	y := autograd.Attention(autograd.Columns{Of: autograd.Slice(qkv, 1, 0, 1)}, autograd.Columns{Of: qkv, From: width},
		autograd.Columns{Of: qkv, From: 2 * width}, autograd.AttentionOptions{Heads: a.Heads, HeadDim: width / a.Heads, Dropout: a.Dropout})
	return autograd.Reshape(y, y.Dim(0), width)
}

// finish is the rest of the last block and the norm after it, for class tokens, [n, width], and what they attend to.
func (v *VisionTransformer) finish(class, attended *autograd.Tensor) *autograd.Tensor {
	return v.Encoder.Norm.Forward(finish(v.last(), class, attended))
}

// finish is a block from the projection of its attention on, for some of its tokens.
func finish(b *nn.Block, x, attended *autograd.Tensor) *autograd.Tensor {
	x = b.Attention.Proj.ForwardAdd(attended, x)
	return b.MLP.Forward(b.Norm2.Forward(x), x)
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
