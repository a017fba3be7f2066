package clip

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/nn"
)

// ResNetConfig describes the image tower of the RN models, which take square images of 3 channels. Its fields have no
// place in a config.json: only OpenAI and open_clip have such models.
type ResNetConfig struct {
	Layers [4]int // blocks of each stage
	Width  int    // channels of the first stage inside its blocks, a multiple of 2
	Heads  int    // of the attention that pools, a divisor of 32·Width
}

// reduction is how many times smaller the last features are than the image, and growth how many times wider they are
// than Width.
const reduction, growth = 32, 32

func resNetPreset(layers [4]int, width, image, text, dim int) Config {
	c := preset(width, 0, 0, image, text, dim)
	c.Vision = VisionConfig{ImageSize: image, NumChannels: 3, ResNet: &ResNetConfig{Layers: layers, Width: width, Heads: growth * width / 64}}
	return c
}

// ResNet50 is CLIP RN50 (arXiv 2103.00020, table 19): 102 M parameters.
func ResNet50() Config { return resNetPreset([4]int{3, 4, 6, 3}, 64, 224, 512, 1024) }

// ResNet101 is CLIP RN101: 120 M parameters.
func ResNet101() Config { return resNetPreset([4]int{3, 4, 23, 3}, 64, 224, 512, 512) }

// ResNet50x4 is CLIP RN50x4, of four times the work of RN50: 178 M parameters, images of 288 pixels.
func ResNet50x4() Config { return resNetPreset([4]int{4, 6, 10, 6}, 80, 288, 640, 640) }

// ResNet50x16 is CLIP RN50x16: 291 M parameters, images of 384 pixels.
func ResNet50x16() Config { return resNetPreset([4]int{6, 8, 18, 8}, 96, 384, 768, 768) }

// ResNet50x64 is CLIP RN50x64: 623 M parameters, images of 448 pixels.
func ResNet50x64() Config { return resNetPreset([4]int{3, 15, 36, 10}, 128, 448, 1024, 1024) }

// validate returns an error that names the first field whose value no ResNet can have. c holds the rest of the
// configuration.
func (r ResNetConfig) validate(c VisionConfig) error {
	var v config.Checks
	height, width := c.Size()
	v.Size("image_size", height)
	if height != width {
		v.Fail("image_size", "expected square images, found %d×%d", height, width)
	}
	if height%reduction != 0 {
		v.Fail("image_size", "expected a multiple of %d, found %d", reduction, height)
	}
	if c.NumChannels != 3 {
		v.Fail("num_channels", "expected 3, found %d", c.NumChannels)
	}
	for _, n := range r.Layers {
		v.Size("layers", n)
	}
	v.Size("width", r.Width)
	if r.Width%2 != 0 {
		v.Fail("width", "expected a multiple of 2, found %d", r.Width)
	}
	v.Size("heads", r.Heads)
	v.Divisor("heads", r.Heads, "32·width", growth*r.Width)
	return v.Err()
}

// claim returns the least that the weights of a tower are, with embeddings of the given width.
func (r ResNetConfig) claim(image, width int) modelfolder.Claim {
	w, features, grid := float64(r.Width), float64(growth*r.Width), float64(image/reduction)
	claim := modelfolder.Claim{Values: (grid*grid+1)*features + 3*features*features + features*float64(width)}
	for s, n := range r.Layers {
		planes := w * float64(int(1)<<s)
		claim.Values += float64(n) * 17 * planes * planes // 1×1 from and to 4·planes channels, 3×3 between
		claim.Tensors += n * 15
	}
	return claim
}

// ResNet is the image tower of the RN models: a ResNet (He et al., arXiv 1512.03385) with three changes (arXiv
// 2103.00020, section 2.4; ModifiedResNet in clip/model.py):
//
//   - The stem has three convolutions and an average pooling (ResNet-D, arXiv 1812.01187).
//   - Every step of 2 is an average pooling before a convolution, against aliasing (arXiv 1904.11486).
//   - One layer of attention pools the last features in place of the mean.
//
// Its results are embeddings: they need no projection. Inference folds the normalizations into the convolutions.
type ResNet struct {
	Stem   [3]*nn.ConvNorm
	Stages [4][]*backbone.Block // bottlenecks
	Pool   *AttentionPool
}

// NewResNet returns a tower of zeros, and gains of one, whose embeddings have the given width. The configuration must
// be valid.
func NewResNet(c VisionConfig, width int) *ResNet {
	n := c.ResNet
	same := autograd.Conv2dOptions{Padding: [2]int{1, 1}}
	half := autograd.Conv2dOptions{Padding: [2]int{1, 1}, Stride: [2]int{2, 2}}
	r := &ResNet{Stem: [3]*nn.ConvNorm{
		nn.NewConvNorm(3, n.Width/2, 3, autograd.ActRelu, half),
		nn.NewConvNorm(n.Width/2, n.Width/2, 3, autograd.ActRelu, same),
		nn.NewConvNorm(n.Width/2, n.Width, 3, autograd.ActRelu, same),
	}}
	in := n.Width
	for s, blocks := range n.Layers {
		planes := n.Width << s
		for i := range blocks {
			b := &backbone.Block{Convs: []*nn.ConvNorm{
				nn.NewConvNorm(in, planes, 1, autograd.ActRelu, autograd.Conv2dOptions{}),
				nn.NewConvNorm(planes, planes, 3, autograd.ActRelu, same),
				nn.NewConvNorm(planes, 4*planes, 1, autograd.ActRelu, autograd.Conv2dOptions{}),
			}}
			if i == 0 && s > 0 {
				b.Pool = 2
			}
			if b.Pool > 1 || in != 4*planes {
				b.Down = nn.NewConvNorm(in, 4*planes, 1, autograd.ActNone, autograd.Conv2dOptions{})
			}
			r.Stages[s] = append(r.Stages[s], b)
			in = 4 * planes
		}
	}
	grid := c.ImageSize / reduction
	r.Pool = NewAttentionPool(grid*grid, growth*n.Width, n.Heads, width)
	return r
}

// Forward maps pixels, [n, 3, ImageSize, ImageSize], to embeddings, [n, width]. It panics with an autograd.ShapeError
// for pixels of another size, because the pooling has a position for each place.
func (r *ResNet) Forward(pixels *autograd.Tensor) *autograd.Tensor {
	t := pixels.Tape()
	x := t.Segment(func(x *autograd.Tensor) *autograd.Tensor {
		for _, c := range r.Stem {
			x = c.Forward(x)
		}
		return autograd.AvgPool2d(x, autograd.PoolOptions{Kernel: [2]int{2, 2}})
	}, pixels)
	for _, stage := range r.Stages {
		for _, b := range stage {
			x = t.Segment(b.Forward, x)
		}
	}
	return t.Segment(r.Pool.Forward, x)
}

// AttentionPool pools features by attention whose one query is their mean (AttentionPool2d in clip/model.py).
type AttentionPool struct {
	Positions *autograd.Parameter // [1+places, features], the mean's first
	Attention *nn.MultiHeadAttention
}

// NewAttentionPool returns a pooling of zeros over a number of places. Its result has the given width.
func NewAttentionPool(places, features, heads, width int) *AttentionPool {
	a := nn.NewSplitAttention(features, features, heads)
	a.Proj = nn.NewLinear(features, width, true)
	return &AttentionPool{Positions: autograd.NewParameter(1+places, features), Attention: a}
}

// Forward maps [n, features, h, w] with h·w places to [n, width].
func (p *AttentionPool) Forward(x *autograd.Tensor) *autograd.Tensor {
	n, features, places := x.Dim(0), x.Dim(1), x.Dim(2)*x.Dim(3)
	if want := p.Positions.Shape()[0] - 1; places != want {
		panic(&autograd.ShapeError{Op: "attention pool", Shapes: [][]int{x.Shape(), p.Positions.Shape()}, Reason: "expected as many places as positions but the first"})
	}
	x = autograd.Permute(autograd.Reshape(x, n, features, places), 0, 2, 1)
	x = autograd.Add(autograd.Concat(1, autograd.Mean(x, true, 1), x), p.Positions)
	y := p.Attention.Forward(autograd.Slice(x, 1, 0, 1), nn.AttentionInput{Memory: x})
	return autograd.Reshape(y, n, y.Dim(2))
}

// init draws initial weights as OpenAI's code does (initialize_parameters in clip/model.py): PyTorch's defaults, normal
// weights of the pooling, and blocks that begin as the identity.
func (r *ResNet) init(rng *rand.Rand) {
	for _, c := range nn.Layers[nn.Conv2d](r) {
		nn.KaimingUniform(rng, c.Weight, math.Sqrt(5))
	}
	for _, stage := range r.Stages {
		for _, b := range stage {
			nn.Constant(b.Convs[2].Norm.Weight, 0)
		}
	}
	std := 1 / math.Sqrt(float64(r.Pool.Positions.Shape()[1]))
	for _, p := range []*autograd.Parameter{r.Pool.Positions, r.Pool.Attention.Query.Weight, r.Pool.Attention.Key.Weight, r.Pool.Attention.Value.Weight, r.Pool.Attention.Proj.Weight} {
		nn.Normal(rng, p, std)
	}
}

// readResNet reads the sizes of a tower off OpenAI's weights, as build_model in clip/model.py does.
func (c *VisionConfig) readResNet(find tower.Finder) error {
	stem, _ := find("Vision.Stem.2.Conv.Weight")
	positions, _ := find("Vision.Pool.Positions")
	if len(stem.Shape) != 4 || len(positions.Shape) != 2 {
		return fmt.Errorf("the image tower: expected the shapes of a ResNet's third convolution and of the positions of its pooling, found %v and %v", stem.Shape, positions.Shape)
	}
	r := &ResNetConfig{Width: stem.Shape[0], Heads: growth * stem.Shape[0] / 64}
	for s := range r.Layers {
		for ; ; r.Layers[s]++ {
			if _, ok := find(fmt.Sprintf("Vision.Stages.%d.%d.Convs.0.Conv.Weight", s, r.Layers[s])); !ok {
				break
			}
		}
	}
	*c = VisionConfig{ImageSize: reduction * squareRoot(max(0, positions.Shape[0]-1)), NumChannels: 3, ResNet: r}
	return nil
}

// resNetNames are the names of the tower in OpenAI's and open_clip's files. Those of the stages are torchvision's.
var resNetNames = func() []checkpoint.Rule {
	rules := []checkpoint.Rule{
		{"Vision.Stem.{}.Conv", "", "visual.conv{+1}"},
		{"Vision.Stem.{}.Norm", "", "visual.bn{+1}"},
		{"Vision.Pool.Positions", "", "visual.attnpool.positional_embedding"},
		{"Vision.Pool.Attention.Query", "", "visual.attnpool.q_proj"},
		{"Vision.Pool.Attention.Key", "", "visual.attnpool.k_proj"},
		{"Vision.Pool.Attention.Value", "", "visual.attnpool.v_proj"},
		{"Vision.Pool.Attention.Proj", "", "visual.attnpool.c_proj"},
	}
	for _, r := range backbone.BlockNames() {
		rules = append(rules, checkpoint.Rule{"Vision." + r[0], "", "visual." + r[2]})
	}
	return rules
}()
