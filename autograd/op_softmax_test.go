package autograd

import (
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
)

func TestSoftmax(t *testing.T) {
	for prefix, f := range map[string]func(Operand) *Tensor{
		"softmax/":    Softmax,
		"logsoftmax/": LogSoftmax,
		"logsumexp/":  LogSumExp,
		"normalize/":  func(x Operand) *Tensor { return L2Normalize(x, 1e-12) },
	} {
		checkOp(t, reduceGoldens, prefix, func(c *opCase) []*Tensor { return []*Tensor{f(c.Var("x"))} })
	}
}

func TestSoftmaxMasked(t *testing.T) {
	g := golden.Load(t, "testdata/"+reduceGoldens)
	checkValues(t, g, "maskedsoftmax", func(c *opCase) *Tensor { return Softmax(c.Var("x")) })
	checkValues(t, g, "maskedlogsumexp", func(c *opCase) *Tensor { return LogSumExp(c.Var("x")) })
}

// A norm below eps is replaced by eps, of which no gradient flows; a zero row stays zero.
func TestL2NormalizeSmall(t *testing.T) {
	checkOp(t, reduceGoldens, "normalizesmall", func(c *opCase) []*Tensor { return []*Tensor{L2Normalize(c.Var("x"), 2)} })
	tape := NewTape(Options{})
	for _, v := range L2Normalize(tape.Full(0, 1, 3), 1e-12).Floats(nil) {
		if v != 0 {
			t.Errorf("zeros normalize to %v", v)
		}
	}
}
