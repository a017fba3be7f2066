package autograd

import (
	"fmt"
	"math"
	"testing"
)

// Losses and their gradients at infinity and NaN are those of PyTorch 2.15: torch.nn.functional's mse_loss, l1_loss,
// smooth_l1_loss, binary_cross_entropy_with_logits and cross_entropy. Zeros of either sign count as equal.
func TestLossesAtInfinity(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	type vector = []float32
	weighted := BCEOptions{PosWeight: vector{3}}
	bce := func(o BCEOptions) func(x, y *Tensor) *Tensor {
		return func(x, y *Tensor) *Tensor { return BCEWithLogits(x, y, o) }
	}
	pair := func(f func(x, y Operand) *Tensor) func(x, y *Tensor) *Tensor {
		return func(x, y *Tensor) *Tensor { return f(x, y) }
	}
	smooth := func(x, y *Tensor) *Tensor { return SmoothL1(x, y, 1) }
	class := func(k int, smoothing float32) func(x, y *Tensor) *Tensor {
		return func(x, _ *Tensor) *Tensor {
			return CrossEntropy(x, []int{k}, CrossEntropyOptions{Smoothing: smoothing})
		}
	}
	soft := func(x, y *Tensor) *Tensor { return SoftCrossEntropy(x, y, 0) }
	nan3 := vector{nan, nan, nan}
	for _, c := range []struct {
		name   string
		f      func(x, y *Tensor) *Tensor
		x, y   vector
		loss   float32
		dx, dy vector // dy may be nil: not compared
	}{
		{"bce", bce(BCEOptions{}), vector{inf}, vector{0}, inf, vector{1}, vector{-inf}},
		{"bce", bce(BCEOptions{}), vector{inf}, vector{1}, nan, vector{0}, vector{-inf}},
		{"bce", bce(BCEOptions{}), vector{inf}, vector{.5}, inf, vector{.5}, vector{-inf}},
		{"bce", bce(BCEOptions{}), vector{-inf}, vector{0}, nan, vector{0}, vector{inf}},
		{"bce", bce(BCEOptions{}), vector{-inf}, vector{1}, nan, vector{-1}, vector{inf}},
		{"bce", bce(BCEOptions{}), vector{-inf}, vector{.5}, nan, vector{-.5}, vector{inf}},
		{"bce", bce(BCEOptions{}), vector{nan}, vector{1}, nan, vector{nan}, vector{nan}},
		{"weighted bce", bce(weighted), vector{inf}, vector{0}, inf, vector{1}, vector{-inf}},
		{"weighted bce", bce(weighted), vector{inf}, vector{1}, nan, vector{0}, vector{-inf}},
		{"weighted bce", bce(weighted), vector{-inf}, vector{0}, nan, vector{0}, vector{inf}},
		{"weighted bce", bce(weighted), vector{-inf}, vector{1}, nan, vector{-3}, vector{inf}},
		{"mse", pair(MSE), vector{inf}, vector{0}, inf, vector{inf}, vector{-inf}},
		{"mse", pair(MSE), vector{0}, vector{inf}, inf, vector{-inf}, vector{inf}},
		{"mse", pair(MSE), vector{inf}, vector{inf}, nan, vector{nan}, vector{nan}},
		{"mse", pair(MSE), vector{inf}, vector{-inf}, inf, vector{inf}, vector{-inf}},
		{"l1", pair(L1), vector{inf}, vector{0}, inf, vector{1}, vector{-1}},
		{"l1", pair(L1), vector{-inf}, vector{0}, inf, vector{-1}, vector{1}},
		{"l1", pair(L1), vector{inf}, vector{inf}, nan, vector{0}, vector{0}},
		{"l1", pair(L1), vector{nan}, vector{0}, nan, vector{0}, vector{0}},
		{"smooth l1", smooth, vector{inf}, vector{0}, inf, vector{1}, vector{-1}},
		{"smooth l1", smooth, vector{0}, vector{inf}, inf, vector{-1}, vector{1}},
		{"smooth l1", smooth, vector{inf}, vector{inf}, nan, vector{nan}, vector{nan}},
		{"cross entropy", class(0, 0), vector{inf, 0, 1}, nil, nan, nan3, nil},
		{"cross entropy", class(2, 0), vector{inf, 0, 1}, nil, nan, nan3, nil},
		{"cross entropy", class(0, 0), vector{-inf, 0, 1}, nil, inf, vector{-1, 0.2689414322376251, 0.7310585975646973}, nil},
		{"cross entropy", class(2, 0), vector{-inf, 0, 1}, nil, 0.31326165795326233, vector{0, 0.2689414322376251, -0.26894140243530273}, nil},
		{"smoothed cross entropy", class(2, .1), vector{-inf, 0, 1}, nil, inf, vector{-0.03333333507180214, 0.23560810089111328, -0.20227473974227905}, nil},
		{"cross entropy", class(2, 0), vector{-inf, -inf, 1}, nil, 0, vector{0, 0, 0}, nil},
		{"cross entropy", class(0, 0), vector{-inf, -inf, -inf}, nil, nan, nan3, nil},
		{"soft cross entropy", soft, vector{-inf, 0, 1}, vector{1, 0, 0}, inf, vector{-1, 0.2689414322376251, 0.7310585975646973}, vector{inf, 1.31326162815094, 0.31326165795326233}},
		{"soft cross entropy", soft, vector{-inf, 0, 1}, vector{0, .5, .5}, nan, vector{0, -0.23105856776237488, 0.23105859756469727}, vector{inf, 1.31326162815094, 0.31326165795326233}},
		{"soft cross entropy", soft, vector{inf, 0, 1}, vector{1, 0, 0}, nan, nan3, nan3},
	} {
		what := fmt.Sprintf("%s of %v, %v", c.name, c.x, c.y)
		tape := NewTape(Options{Gradients: true})
		x := tape.Input(c.x, 1, len(c.x)).WantGradient()
		y := x
		if c.y != nil {
			y = tape.Input(c.y, 1, len(c.y)).WantGradient()
		}
		loss := c.f(x, y)
		value := loss.Float()
		g := NewGradients()
		loss.Backward(g)
		near(t, what+": loss", vector{value}, vector{c.loss})
		near(t, what+": gradient", g.OfTensor(x), c.dx)
		if c.dy != nil {
			near(t, what+": gradient of the targets", g.OfTensor(y), c.dy)
		}
	}
}

// near compares values within 1e-6; NaN equals NaN.
func near(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i, w := range want {
		if g := got[i]; g != w && !(g != g && w != w) && !(math.Abs(float64(g-w)) <= 1e-6) {
			t.Errorf("%s: found %v, expected %v", what, got, want)
			return
		}
	}
}
