package detect

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/nn"
)

// HeadTower is the chain of 3×3 convolutions of a head, with ReLU.
type HeadTower struct {
	Convs []*nn.Conv2d    // with the ReLU where there are no norms
	Norms []*nn.GroupNorm // before the ReLU, or none
}

// towerDepth is the number of convolutions.
const towerDepth = 4

func newTower(channels int, normed bool) *HeadTower {
	t := &HeadTower{}
	o := autograd.Conv2dOptions{Padding: [2]int{1, 1}}
	if !normed {
		o.Act = autograd.ActRelu
	}
	for range towerDepth {
		t.Convs = append(t.Convs, nn.NewConv2d(channels, channels, 3, !normed, o))
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
			x = t.Norms[i].ForwardRelu(x)
		}
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
