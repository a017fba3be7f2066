package nn

import "github.com/fovea-ml/fovea/autograd"

// LayerNorm normalizes each row of the last dimension (Ba et al., arXiv 1607.06450).
type LayerNorm struct {
	Weight *autograd.Parameter // [width], or nil
	Bias   *autograd.Parameter // [width], or nil
	Eps    float32             // added to the variance; 0 adds nothing
}

// NewLayerNorm returns a layer with gain 1 and bias 0.
func NewLayerNorm(width int, eps float32) *LayerNorm {
	return &LayerNorm{Weight: filled(width, 1), Bias: autograd.NewParameter(width), Eps: eps}
}

// Forward maps [..., width] to the same shape.
func (l *LayerNorm) Forward(x *autograd.Tensor) *autograd.Tensor {
	return autograd.LayerNorm(x, l.Weight, l.Bias, l.Eps)
}

// RMSNorm divides each row of the last dimension by its root mean square (Zhang and Sennrich, arXiv 1910.07467).
type RMSNorm struct {
	Weight *autograd.Parameter // [width], or nil
	Eps    float32             // added to the mean square; 0 adds nothing
}

// NewRMSNorm returns a layer with gain 1.
func NewRMSNorm(width int, eps float32) *RMSNorm {
	return &RMSNorm{Weight: filled(width, 1), Eps: eps}
}

// Forward maps [..., width] to the same shape.
func (l *RMSNorm) Forward(x *autograd.Tensor) *autograd.Tensor {
	return autograd.RMSNorm(x, l.Weight, l.Eps)
}

// BatchNorm normalizes each channel (Ioffe and Szegedy, arXiv 1502.03167). On a training tape it uses the statistics of
// the batch and queues an update of the running ones; elsewhere, and where it is frozen, it uses the running ones.
type BatchNorm struct {
	Weight   *autograd.Parameter // [channels], or nil
	Bias     *autograd.Parameter // [channels], or nil
	Mean     *autograd.Buffer    // [channels]
	Variance *autograd.Buffer    // [channels]
	Momentum float32             // of the running statistics; 0 means 0.1
	Eps      float32             // added to the variance; 0 means 1e-5
	Frozen   bool                // uses the running statistics on training tapes too, and leaves them as they are
}

// NewBatchNorm returns a layer with gain 1, bias 0, running mean 0, running variance 1, and PyTorch's momentum 0.1 and
// epsilon 1e-5. Without affine it has neither gain nor bias.
func NewBatchNorm(channels int, affine bool) *BatchNorm {
	b := &BatchNorm{
		Mean:     autograd.NewBuffer(0, channels),
		Variance: autograd.NewBuffer(1, channels),
		Momentum: 0.1,
		Eps:      defaultEps,
	}
	if affine {
		b.Weight, b.Bias = filled(channels, 1), autograd.NewParameter(channels)
	}
	return b
}

// defaultEps is PyTorch's epsilon of batch and group normalization.
const defaultEps = 1e-5

// Freeze makes the layer a fixed scale and shift of each channel, torchvision's FrozenBatchNorm2d: it sets Frozen and
// freezes the parameters. The epsilon there is 1e-5, as here. Some older backbones use an epsilon of 0; set a tiny Eps
// such as 1e-30 for them, because 0 means 1e-5.
func (b *BatchNorm) Freeze() {
	b.Frozen = true
	for _, p := range []*autograd.Parameter{b.Weight, b.Bias} {
		if p != nil {
			p.Frozen = true
		}
	}
}

// Forward maps [n, channels] or [n, channels, h, w] to the same shape.
func (b *BatchNorm) Forward(x *autograd.Tensor) *autograd.Tensor {
	return b.ForwardAct(x, autograd.ActNone)
}

// ForwardAct is act after Forward, in the same passes over memory.
func (b *BatchNorm) ForwardAct(x *autograd.Tensor, act autograd.Activation) *autograd.Tensor {
	return b.forward(x, autograd.BatchNormOptions{Act: act})
}

// ForwardAdd is act(Forward(x) + residual), in the same passes over memory: the end of a residual block (He et al., arXiv
// 1512.03385). residual has x's shape.
func (b *BatchNorm) ForwardAdd(x, residual *autograd.Tensor, act autograd.Activation) *autograd.Tensor {
	return b.forward(x, autograd.BatchNormOptions{Residual: residual, Act: act})
}

func (b *BatchNorm) forward(x *autograd.Tensor, o autograd.BatchNormOptions) *autograd.Tensor {
	o.Momentum, o.Eps, o.Frozen = b.Momentum, b.Eps, b.Frozen
	return autograd.BatchNorm(x, b.Weight, b.Bias, b.Mean, b.Variance, o)
}

// GroupNorm normalizes groups of channels of each sample (Wu and He, arXiv 1803.08494). The number of channels is a
// multiple of Groups.
type GroupNorm struct {
	Weight *autograd.Parameter // [channels], or nil
	Bias   *autograd.Parameter // [channels], or nil
	Groups int
	Eps    float32 // added to the variance; 0 means 1e-5
}

// NewGroupNorm returns a layer with gain 1, bias 0 and PyTorch's epsilon 1e-5.
func NewGroupNorm(groups, channels int) *GroupNorm {
	return &GroupNorm{Weight: filled(channels, 1), Bias: autograd.NewParameter(channels), Groups: groups, Eps: defaultEps}
}

// Forward maps [n, channels, ...] to the same shape.
func (g *GroupNorm) Forward(x *autograd.Tensor) *autograd.Tensor {
	return autograd.GroupNorm(x, g.Groups, g.Weight, g.Bias, g.Eps)
}

// ForwardRelu is Relu(Forward(x)), in the same passes over memory.
func (g *GroupNorm) ForwardRelu(x *autograd.Tensor) *autograd.Tensor {
	return autograd.GroupNormRelu(x, g.Groups, g.Weight, g.Bias, g.Eps)
}
