package nn

import (
	"cmp"
	"fmt"
	"math"

	"github.com/fovea-ml/fovea/autograd"
)

// FoldBatchNorm folds a following batch normalization into the convolution, for inference, as
// torch.nn.utils.fusion.fuse_conv_bn_eval does:
//
//	Weight ← Weight·Norm.Weight/√(Variance+Eps)
//	Bias   ← (Bias-Mean)·Norm.Weight/√(Variance+Eps) + Norm.Bias
//
// Each value is computed in float64 and rounded once. A weight of integers keeps them: their scales are multiplied. A
// convolution without a bias gets one. The caller leaves out the normalization from then on. The convolution must not be used
// elsewhere, and nothing may read it meanwhile.
//
// An activation that follows the normalization becomes the convolution's Act after folding:
//
//	c := nn.NewConv2d(64, 64, 3, false, options)
//	c.FoldBatchNorm(norm)    // relu(norm(c(x)))
//	c.Act = autograd.ActRelu // is now c(x)
//
// It is an error when the normalization has another number of channels or no running statistics, or when the convolution
// applies an activation already, before the normalization.
func (c *Conv2d) FoldBatchNorm(norm *BatchNorm) error {
	if c.Act != autograd.ActNone {
		return actBeforeNorm(c.Act)
	}
	return fold(c.Weight, &c.Bias, norm)
}

func actBeforeNorm(act autograd.Activation) error {
	return fmt.Errorf("nn: fold: expected a convolution without an activation before the normalization, found %v", act)
}

// FoldBatchNorm is [Conv2d.FoldBatchNorm] for a linear layer (fuse_linear_bn_eval). It is an error, too, when the layer
// has an adapter that is not merged. One that is merged can no longer be unmerged.
func (l *Linear) FoldBatchNorm(norm *BatchNorm) error {
	if len(l.Adapter) > 0 {
		return fmt.Errorf("nn: fold: the layer has an adapter that is not merged")
	}
	return fold(l.Weight, &l.Bias, norm)
}

// fold folds a batch normalization into a weight [channels, ...] and a bias, which may be nil.
func fold(weight *autograd.Parameter, bias **autograd.Parameter, norm *BatchNorm) error {
	channels := weight.Shape()[0]
	if norm.Mean == nil || norm.Variance == nil {
		return fmt.Errorf("nn: fold: expected a batch normalization with running statistics, found one without")
	}
	if n := len(norm.Mean.Values()); n != channels {
		return fmt.Errorf("nn: fold: expected a batch normalization of %d channels, found %d", channels, n)
	}
	if *bias == nil {
		*bias = autograd.NewParameter(channels)
		(*bias).Frozen = weight.Frozen
	}
	eps := cmp.Or(norm.Eps, defaultEps)
	scale := make([]float64, channels)
	for i, v := range norm.Variance.Values() {
		scale[i] = 1 / math.Sqrt(float64(v)+float64(eps))
	}
	if norm.Weight != nil {
		for i, v := range norm.Weight.Values() {
			scale[i] *= float64(v)
		}
	}
	if codes, scales, ok := weight.Int8(); ok { // the integers stay
		folded := make([]float32, channels)
		for i, v := range scales {
			folded[i] = float32(float64(v) * scale[i])
		}
		weight.MapInt8([][]int8{codes}, folded, nil, nil)
	} else {
		weight.Update(func(w []float32) {
			each := len(w) / max(1, channels)
			for i := range w {
				w[i] = float32(float64(w[i]) * scale[i/each])
			}
		})
	}
	(*bias).Update(func(b []float32) {
		for i, mean := range norm.Mean.Values() {
			v := (float64(b[i]) - float64(mean)) * scale[i]
			if norm.Bias != nil {
				v += float64(norm.Bias.Values()[i])
			}
			b[i] = float32(v)
		}
	})
	return nil
}
