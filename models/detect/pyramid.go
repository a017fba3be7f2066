package detect

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
)

// Pyramid is a residual network with a feature pyramid on some of its stages (torchvision's BackboneWithFPN).
type Pyramid struct {
	Body *backbone.ResNet
	FPN  *nn.FPN

	from int // the first stage that the pyramid uses
}

// newPyramid returns a pyramid of zeros on the stages from the given one.
func newPyramid(c Config, from int) *Pyramid {
	p := &Pyramid{Body: backbone.NewResNet(*c.Backbone), from: from}
	for _, norm := range nn.Layers[nn.BatchNorm](p.Body) {
		norm.Eps = cmp.Or(c.NormEps, norm.Eps)
	}
	p.FPN = nn.NewFPN(p.Body.Channels()[from:], c.FPNChannels)
	return p
}

// withP6P7 adds two levels by convolutions, of the pyramid's coarsest level or the body's.
func (p *Pyramid) withP6P7(c Config, fromBody bool) *Pyramid {
	in := c.FPNChannels
	if fromBody {
		in = c.Backbone.FeatureSize()
	}
	p.FPN.AddP6P7(in)
	return p
}

// init draws initial weights as torchvision does: those of the pyramid are uniform, √(3/fan-in).
func (p *Pyramid) init(rng *rand.Rand) {
	backbone.Init(p.Body, rng)
	for _, c := range nn.Layers[nn.Conv2d](p.FPN) {
		nn.KaimingUniform(rng, c.Weight, 1)
	}
}

// Forward maps pixels, [n, 3, h, w], to the levels of the pyramid.
func (p *Pyramid) Forward(pixels *autograd.Tensor) []*autograd.Tensor {
	return p.FPN.Forward(p.Body.Forward(pixels)[p.from:])
}

// pyramidNames are the names of torchvision, of new files and of old ones.
func pyramidNames(c backbone.Config) []checkpoint.Rule {
	return append(checkpoint.Nest("Pyramid.Body", []string{"backbone.body"}, backbone.BodyNames(c)...),
		checkpoint.Rule{"Pyramid.FPN.Inner.{}", "backbone.fpn.inner_blocks.{}.0", "backbone.fpn.inner_blocks.{}"},
		checkpoint.Rule{"Pyramid.FPN.Layer.{}", "backbone.fpn.layer_blocks.{}.0", "backbone.fpn.layer_blocks.{}"},
		checkpoint.Rule{"Pyramid.FPN.InnerNorm.{}", "backbone.fpn.inner_blocks.{}.1"},
		checkpoint.Rule{"Pyramid.FPN.LayerNorm.{}", "backbone.fpn.layer_blocks.{}.1"},
		checkpoint.Rule{"Pyramid.FPN.P6", "backbone.fpn.extra_blocks.p6"},
		checkpoint.Rule{"Pyramid.FPN.P7", "backbone.fpn.extra_blocks.p7"},
	)
}

// fcosTower are the names of a tower whose layers are numbered one after the other: convolution, norm, ReLU.
func fcosTower(path, name string) (rules []checkpoint.Rule) {
	for i := range towerDepth {
		rules = append(rules, checkpoint.Rule{fmt.Sprintf("%s.Convs.%d", path, i), fmt.Sprintf("%s.%d", name, 3*i)},
			checkpoint.Rule{fmt.Sprintf("%s.Norms.%d", path, i), fmt.Sprintf("%s.%d", name, 3*i+1)})
	}
	return rules
}

// retinaTower are the names of a tower of units of convolution and norm. Old files number convolution and ReLU one after the
// other.
func retinaTower(path, name string) (rules []checkpoint.Rule) {
	for i := range towerDepth {
		rules = append(rules, checkpoint.Rule{fmt.Sprintf("%s.Convs.%d", path, i), fmt.Sprintf("%s.%d.0", name, i), fmt.Sprintf("%s.%d", name, 2*i)},
			checkpoint.Rule{fmt.Sprintf("%s.Norms.%d", path, i), fmt.Sprintf("%s.%d.1", name, i)})
	}
	return rules
}

// HeadTower is the chain of 3×3 convolutions of a head, with ReLU.
type HeadTower struct {
	Convs []*nn.Conv2d
	Norms []*nn.GroupNorm // before the ReLU, or none
}

// towerDepth is the number of convolutions.
const towerDepth = 4

func newTower(channels int, normed bool) *HeadTower {
	t := &HeadTower{}
	for range towerDepth {
		t.Convs = append(t.Convs, nn.NewConv2d(channels, channels, 3, !normed, autograd.Conv2dOptions{Padding: [2]int{1, 1}}))
		if normed {
			t.Norms = append(t.Norms, nn.NewGroupNorm(groups, channels))
		}
	}
	return t
}

// Forward maps [n, channels, h, w] to the same shape.
func (t *HeadTower) Forward(x *autograd.Tensor) *autograd.Tensor {
	for i, c := range t.Convs {
		x = c.Forward(x)
		if i < len(t.Norms) {
			x = t.Norms[i].Forward(x)
		}
		x = autograd.Relu(x)
	}
	return x
}

// prediction is a 3×3 convolution that predicts.
func prediction(in, out int) *nn.Conv2d {
	return nn.NewConv2d(in, out, 3, true, autograd.Conv2dOptions{Padding: [2]int{1, 1}})
}

// initHead draws the convolutions of a head as torchvision does, and sets the bias of class logits so that every
// probability is 0.01 (arXiv 1708.02002, section 4.1).
func initHead(head any, class *nn.Conv2d, rng *rand.Rand) {
	for _, c := range nn.Layers[nn.Conv2d](head) {
		nn.Normal(rng, c.Weight, 0.01)
	}
	nn.Constant(class.Bias, float32(-math.Log((1-0.01)/0.01)))
}

// rows brings predictions, [n, anchors·values, h, w], to [n, h·w·anchors, values].
func rows(x *autograd.Tensor, values int) *autograd.Tensor {
	n, h, w := x.Dim(0), x.Dim(2), x.Dim(3)
	anchors := x.Dim(1) / values
	x = autograd.Permute(autograd.Reshape(x, n, anchors, values, h*w), 0, 3, 1, 2)
	return autograd.Reshape(x, n, h*w*anchors, values)
}

// resizing prepares images as torchvision's GeneralizedRCNNTransform.
type resizing struct{ min, max int }

// divisor divides the height and width of the pixels of a batch.
const divisor = 32

// size returns the size of an image after the resize.
func (r resizing) size(height, width int) (int, int) {
	scale := min(float64(r.min)/float64(min(height, width)), float64(r.max)/float64(max(height, width)))
	return max(1, int(float64(height)*scale)), max(1, int(float64(width)*scale))
}

// prepared are the pixels of a batch of images, and the size of each in it.
type prepared struct {
	pixels *autograd.Tensor // [n, 3, h, w], with zeros right of images and below
	sizes  [][2]int
}

// prepare normalizes images, resizes them by bilinear interpolation, and puts them in the upper left corners of a batch.
func (r resizing) prepare(t *autograd.Tape, images []*vision.Image) prepared {
	p := prepared{sizes: make([][2]int, len(images))}
	all := make([]planes, len(images))
	for i, m := range images {
		all[i] = r.input(t, m, 0).planes
		p.sizes[i] = [2]int{all[i].height, all[i].width}
	}
	pixels, h, w := batched(nil, all, divisor)
	p.pixels = t.Borrow(pixels, len(images), 3, h, w)
	return p
}

// input normalizes an image and resizes it by bilinear interpolation. size is [Model.Prepare]'s.
func (r resizing) input(t *autograd.Tape, m *vision.Image, size int) input {
	if size != 0 {
		r = resizing{size, scaled(r.max, size, r.min)}
	}
	height, width := r.size(m.Height, m.Width)
	x := t.Input(normalized(m), 1, 3, m.Height, m.Width)
	pixels := autograd.Resize2d(x, height, width, autograd.ResizeOptions{Mode: autograd.Bilinear}).Floats(nil)
	return stretched(pixels, height, width, m)
}

func (r resizing) multiple() int { return divisor }

// scaled returns a size that changes as another one does.
func scaled(size, to, from int) int {
	return int(math.Round(float64(size) * float64(to) / float64(from)))
}

// normalized returns the planes of an image less ImageNet's mean, over its deviation.
func normalized(m *vision.Image) []float32 {
	plane := m.Height * m.Width
	out := make([]float32, 3*plane)
	for c := range 3 {
		mean, std := vision.ImageNetMean[c], vision.ImageNetStd[c]
		for i := range plane {
			out[c*plane+i] = (float32(m.Pix[i*m.Channels+min(c, m.Channels-1)])/255 - mean) / std
		}
	}
	return out
}

// best returns the positions of the scores above the least, by descending score, at most as many as given. Of equal scores
// the first comes first.
func best(scores []float32, least float32, most int) []int {
	at := make([]int, 0, 2*most)
	// keep sorts what is there and keeps the best. A later score must exceed the worst of them.
	keep := func() {
		slices.SortFunc(at, func(i, j int) int { return cmp.Or(cmp.Compare(scores[j], scores[i]), i-j) })
		at = at[:min(len(at), most)]
	}
	for i, s := range scores {
		if !(s > least) {
			continue
		}
		if at = append(at, i); len(at) == 2*most {
			keep()
			least = scores[at[most-1]]
		}
	}
	keep()
	return at
}

// perLevel bounds the candidates of a level.
const perLevel = 1000
