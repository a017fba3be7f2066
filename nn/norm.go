package nn

import "github.com/fovea-ml/fovea/autograd"

// LayerNorm normalizes each row of the last dimension (Ba et al., arXiv 1607.06450); Eps is added to the variance.
type LayerNorm struct {
	Weight *autograd.Parameter // [width], or nil
	Bias   *autograd.Parameter // [width], or nil
	Eps    float32
}

// NewLayerNorm returns a layer with gain 1 and bias 0.
func NewLayerNorm(width int, eps float32) *LayerNorm {
	return &LayerNorm{Weight: filled(width, 1), Bias: autograd.NewParameter(width), Eps: eps}
}

// Forward maps [..., width] to the same shape.
func (l *LayerNorm) Forward(x *autograd.Tensor) *autograd.Tensor {
	return autograd.LayerNorm(x, l.Weight, l.Bias, l.Eps)
}

// BatchNorm normalizes each channel: by the statistics of the batch on a training tape, which then
// queues an update of the running ones, and by the running ones otherwise (Ioffe and Szegedy, arXiv
// 1502.03167).
type BatchNorm struct {
	Weight   *autograd.Parameter // [channels], or nil
	Bias     *autograd.Parameter // [channels], or nil
	Mean     *autograd.Buffer    // [channels]
	Variance *autograd.Buffer    // [channels]
	Momentum float32
	Eps      float32
}

// NewBatchNorm returns a layer with gain 1, bias 0, running mean 0 and variance 1, PyTorch's momentum 0.1
// and epsilon 1e-5. Without affine it has neither gain nor bias.
func NewBatchNorm(channels int, affine bool) *BatchNorm {
	b := &BatchNorm{
		Mean:     autograd.NewBuffer(0, channels),
		Variance: autograd.NewBuffer(1, channels),
		Momentum: 0.1,
		Eps:      1e-5,
	}
	if affine {
		b.Weight, b.Bias = filled(channels, 1), autograd.NewParameter(channels)
	}
	return b
}

// Forward maps [n, channels] or [n, channels, h, w] to the same shape.
func (b *BatchNorm) Forward(x *autograd.Tensor) *autograd.Tensor {
	return autograd.BatchNorm(x, b.Weight, b.Bias, b.Mean, b.Variance,
		autograd.BatchNormOptions{Momentum: b.Momentum, Eps: b.Eps})
}

// GroupNorm normalizes groups of channels of each sample (Wu and He, arXiv 1803.08494). The number of channels is a
// multiple of Groups.
type GroupNorm struct {
	Weight *autograd.Parameter // [channels], or nil
	Bias   *autograd.Parameter // [channels], or nil
	Groups int
	Eps    float32
}

// NewGroupNorm returns a layer with gain 1, bias 0 and PyTorch's epsilon 1e-5.
func NewGroupNorm(groups, channels int) *GroupNorm {
	return &GroupNorm{Weight: filled(channels, 1), Bias: autograd.NewParameter(channels), Groups: groups, Eps: 1e-5}
}

// Forward maps [n, channels, ...] to the same shape.
func (g *GroupNorm) Forward(x *autograd.Tensor) *autograd.Tensor {
	return autograd.GroupNorm(x, g.Groups, g.Weight, g.Bias, g.Eps)
}
