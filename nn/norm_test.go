package nn

import (
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
)

// TestBatchNormFused: a residual block has the bits of its parts, and the same statistics.
func TestBatchNormFused(t *testing.T) {
	run := func(block func(b *BatchNorm, x *autograd.Tensor) *autograd.Tensor) (y, mean []float32) {
		tape := autograd.NewTape(autograd.Options{Training: true})
		b := NewBatchNorm(3, true)
		b.Momentum = 0.25
		x := make([]float32, 2*3*4*5)
		for i := range x {
			x[i] = float32(i*i%37) - 11
		}
		y = block(b, tape.Input(x, 2, 3, 4, 5)).Floats(nil)
		tape.Commit()
		return y, b.Mean.Values()
	}
	got, gotMean := run(func(b *BatchNorm, x *autograd.Tensor) *autograd.Tensor {
		return b.ForwardAdd(b.ForwardAct(x, autograd.ActRelu), x, autograd.ActGelu)
	})
	want, wantMean := run(func(b *BatchNorm, x *autograd.Tensor) *autograd.Tensor {
		y := autograd.Relu(b.Forward(x))
		return autograd.Gelu(autograd.Add(b.Forward(y), x))
	})
	if !slices.Equal(got, want) || !slices.Equal(gotMean, wantMean) {
		t.Errorf("fused %v, mean %v, expected %v, mean %v", got, gotMean, want, wantMean)
	}
}
