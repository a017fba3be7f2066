package nn

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
)

// TestAttentionCallBias hides keys by a mask of -Inf for one call. The result is that of a KeyMask.
func TestAttentionCallBias(t *testing.T) {
	a := NewSplitAttention(8, 8, 2)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, p := range Parameters(a) {
		Normal(rng, p, 0.5)
	}
	tape := autograd.NewTape(autograd.Options{Gradients: true})
	values := make([]float32, 2*3*8)
	for i := range values {
		values[i] = rng.Float32() - 0.5
	}
	x := tape.Input(values, 2, 3, 8)
	inf := float32(math.Inf(-1))
	mask := tape.Input([]float32{0, inf, 0, 0, inf, 0, 0, inf, 0}, 1, 1, 3, 3)
	hidden := a.Forward(x, AttentionInput{Bias: mask}).Floats(nil)
	want := a.Forward(x, AttentionInput{KeyMask: []bool{true, false, true, true, false, true}}).Floats(nil)
	if !slices.Equal(hidden, want) {
		t.Errorf("found %v, expected %v", hidden, want)
	}
	a.Bias = func(t *autograd.Tape, _, _ int) autograd.Operand { return t.Full(3, 1, 1, 3, 3) } // which softmax does not see
	grads := autograd.NewGradients()
	y := a.Forward(x, AttentionInput{Bias: mask})
	golden.Output(t, "both biases", y.Floats(nil), want)
	autograd.Sum(y, false).Backward(grads)
	for path, p := range Parameters(a) {
		for _, v := range grads.Of(p) {
			if !(v >= -1e3 && v <= 1e3) {
				t.Fatalf("%s: the gradient %v", path, v)
			}
		}
	}
}
