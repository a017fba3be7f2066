package autograd

import (
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
)

const kldivGoldens = "ops_kldiv.safetensors"

func TestKLDivergence(t *testing.T) {
	for prefix, log := range map[string]bool{"kl/": false, "kllog/": true} {
		checkOp(t, kldivGoldens, prefix, func(c *opCase) []*Tensor {
			o := KLOptions{LogTarget: log}
			switch c.name[strings.LastIndex(c.name, "/")+1:] {
			case "sum":
				o.Reduction = LossSum
			case "none":
				o.Reduction = LossEach
			}
			return []*Tensor{KLDivergence(c.Var("x"), c.Var("t"), o)}
		})
	}
	checkValues(t, golden.Load(t, "testdata/"+kldivGoldens), "klzero", func(c *opCase) *Tensor {
		return KLDivergence(c.Var("x"), c.constant("t"), KLOptions{Reduction: LossSum})
	})
	tape := NewTape(Options{Gradients: true})
	x, y := tape.Input([]float32{-1, -2}, 2), tape.Input([]float32{0, 1}, 2).WantGradient()
	g := NewGradients()
	KLDivergence(x, y, KLOptions{Reduction: LossSum}).Backward(g)
	sameBits(t, "gradient of targets", g.OfTensor(y), []float32{1, 3})
	expectShapePanic(t, "kl divergence", func() { KLDivergence(x, tape.Full(1, 1, 2), KLOptions{}) })
	if v := KLDivergence(tape.Full(1, 0), tape.Full(1, 0), KLOptions{}).Float(); v != 0 {
		t.Errorf("the mean over no elements is %g, expected 0", v)
	}
}
