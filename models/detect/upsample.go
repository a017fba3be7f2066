package detect

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/nn"
)

func newDeformUnit(in, out int) *nn.DeformConvNorm {
	return nn.NewDeformConvNorm(in, out, 3, autograd.ActRelu)
}

// UpStage doubles the size of the last features of a residual network (CenterNet, section 5; networks/resnet_dcn.py
// and, without the deformable convolution, msra_resnet.py).
type UpStage struct {
	Deform *nn.DeformConvNorm  // or nil
	Up     *nn.ConvTranspose2d // 4×4
	Norm   *nn.BatchNorm
}

func newUpStage(in, out int, deformable bool) *UpStage {
	s := &UpStage{Norm: nn.NewBatchNorm(out, true)}
	if deformable {
		s.Deform, in = newDeformUnit(in, out), out
	}
	s.Up = newUp(in, out, 2, 1)
	return s
}

// newUp returns a transposed convolution that makes an image as many times as large.
func newUp(in, out, factor, groups int) *nn.ConvTranspose2d {
	o := autograd.ConvTranspose2dOptions{Stride: [2]int{factor, factor}, Padding: [2]int{factor / 2, factor / 2}, Groups: groups}
	return nn.NewConvTranspose2d(in, out, 2*factor, false, o)
}

// Forward maps [n, in, h, w] to [n, out, 2h, 2w].
func (s *UpStage) Forward(x *autograd.Tensor) *autograd.Tensor {
	if s.Deform != nil {
		x = s.Deform.Forward(x)
	}
	return s.Norm.ForwardAct(s.Up.Forward(x), autograd.ActRelu)
}

// IDAUp is iterative deep aggregation (arXiv 1707.06484) with deformable convolutions: one level after the other is brought to
// the channels and the size of the first, and merged with what came before it (IDAUp in networks/pose_dla_dcn.py).
type IDAUp struct { // each has one for every level after the first
	Project []*nn.DeformConvNorm
	Up      []*nn.ConvTranspose2d // of each channel by itself
	Node    []*nn.DeformConvNorm
}

// newIDAUp returns an aggregation of levels with the given channels, that are smaller by the factors.
func newIDAUp(out int, channels, factors []int) *IDAUp {
	u := &IDAUp{}
	for i, in := range channels[1:] {
		u.Project = append(u.Project, newDeformUnit(in, out))
		u.Up = append(u.Up, newUp(out, out, factors[i+1], out))
		u.Node = append(u.Node, newDeformUnit(out, out))
	}
	return u
}

// Forward merges levels. It returns what each level became; the last one has all.
func (u *IDAUp) Forward(levels []*autograd.Tensor) []*autograd.Tensor {
	out := []*autograd.Tensor{levels[0]}
	for i, x := range levels[1:] {
		x = u.Up[i].Forward(u.Project[i].Forward(x))
		out = append(out, u.Node[i].Forward(autograd.Add(x, out[i])))
	}
	return out
}

// DLAUp brings the levels of a DLA to the size of its first one (DLAUp in networks/pose_dla_dcn.py, and DLASeg, which
// merges the results once more).
type DLAUp struct {
	Steps []*IDAUp // over the last two levels, the last three, and so on
	Final *IDAUp   // over the results of the steps
}

func newDLAUp(channels []int) *DLAUp {
	u := &DLAUp{}
	last := len(channels) - 1
	in := append([]int(nil), channels...)
	for first := last - 1; first >= 0; first-- {
		factors := []int{1}
		for range in[first+1:] {
			factors = append(factors, 2)
		}
		u.Steps = append(u.Steps, newIDAUp(channels[first], in[first:], factors))
		for i := first + 1; i <= last; i++ {
			in[i] = channels[first]
		}
	}
	factors := make([]int, last)
	for i := range factors {
		factors[i] = 1 << i
	}
	u.Final = newIDAUp(channels[0], channels[:last], factors)
	return u
}

// Forward maps the levels, [n, channels, h, w] to half of that size each time, to [n, channels of the first, h, w].
func (u *DLAUp) Forward(levels []*autograd.Tensor) *autograd.Tensor {
	levels = append([]*autograd.Tensor(nil), levels...)
	last := len(levels) - 1
	merged := make([]*autograd.Tensor, last) // finest first
	for i, step := range u.Steps {
		first := last - 1 - i
		copy(levels[first:], step.Forward(levels[first:]))
		merged[first] = levels[last]
	}
	out := u.Final.Forward(merged)
	return out[len(out)-1]
}

// initDeform draws deformable convolutions as DCNv2 does: uniform, and zeros for offsets and biases.
func initDeform(part any, rng *rand.Rand) {
	for _, d := range nn.Layers[nn.DeformConv2d](part) {
		nn.KaimingUniform(rng, d.Weight, math.Sqrt(5))
	}
}

// bilinear fills a kernel, [size, size], so that a transposed convolution interpolates.
func bilinear(kernel []float32, size int) {
	half := (size + 1) / 2
	center := float64(2*half-1-half%2) / float64(2*half)
	for i := range kernel {
		y, x := float64(i/size)/float64(half)-center, float64(i%size)/float64(half)-center
		kernel[i] = float32((1 - math.Abs(y)) * (1 - math.Abs(x)))
	}
}

// upNames are the names of the layers that make features larger, in the release of CenterNet.
func upNames(deformable bool) []checkpoint.Rule {
	var rules []checkpoint.Rule
	for i := range upStages {
		at, first := fmt.Sprintf("Up.%d", i), 3*i
		if deformable {
			first = 6*i + 3
			rules = append(rules, checkpoint.Nest(at+".Deform.Conv", []string{fmt.Sprintf("deconv_layers.%d", 6*i)}, deformNames...)...)
			rules = append(rules, checkpoint.Rule{at + ".Deform.Norm", fmt.Sprintf("deconv_layers.%d", 6*i+1)})
		}
		rules = append(rules, checkpoint.Rule{at + ".Up", fmt.Sprintf("deconv_layers.%d", first)},
			checkpoint.Rule{at + ".Norm", fmt.Sprintf("deconv_layers.%d", first+1)})
	}
	return rules
}

var deformNames = []checkpoint.Rule{{"Offset", "conv_offset_mask"}, {"Weight", "weight"}, {"Bias", "bias"}}

// dlaUpNames are those of a [DLAUp].
func dlaUpNames() []checkpoint.Rule {
	var ida []checkpoint.Rule
	for _, part := range [][2]string{{"Project.{}", "proj_{+1}"}, {"Node.{}", "node_{+1}"}} {
		ida = append(ida, checkpoint.Nest(part[0]+".Conv", []string{part[1] + ".conv"}, deformNames...)...)
		ida = append(ida, checkpoint.Rule{part[0] + ".Norm", part[1] + ".actf.0"})
	}
	ida = append(ida, checkpoint.Rule{"Up.{}", "up_{+1}"})
	steps := checkpoint.Nest("DLAUp.Steps.{}", []string{"dla_up.ida_{}"}, ida...)
	return append(steps, checkpoint.Nest("DLAUp.Final", []string{"ida_up"}, ida...)...)
}
