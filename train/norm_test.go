package train

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

func TestGradNorm(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	tape, g := autograd.NewTape(autograd.Options{Gradients: true}), autograd.NewGradients()
	var params []Param
	exact := 0.0
	for i, n := range []int{1, normBlock, 3*chunk + 5} {
		p := Param{string(rune('a' + i)), autograd.NewParameter(n)}
		grad := make([]float32, n)
		for j := range grad {
			grad[j] = float32(rng.NormFloat64())
			exact += float64(grad[j]) * float64(grad[j])
		}
		given(g, tape, p.Parameter, grad)
		params = append(params, p)
	}
	want := math.Sqrt(exact)
	one := GradNorm(g, named(params), nil)
	if math.Abs(one-want) > 1e-6*want {
		t.Errorf("expected a norm of %v, found %v", want, one)
	}
	if two := GradNorm(g, named(params), simd.NewWorkers(4)); two != one {
		t.Errorf("with four workers %v, with one %v", two, one)
	}
}

func TestClipScale(t *testing.T) {
	for _, c := range []struct{ norm, limit, want float64 }{
		{5, 0, 1}, {0.5, 1, 1}, {0, 1, 1}, {4, 1, 1 / (4 + 1e-6)}, {math.Inf(1), 1, 0},
	} {
		if got := ClipScale(c.norm, c.limit); got != c.want {
			t.Errorf("ClipScale(%v, %v): expected %v, found %v", c.norm, c.limit, c.want, got)
		}
	}
}
