package autograd

import "testing"

func TestPRelu(t *testing.T) {
	checkOp(t, norm2dGoldens, "prelu/", func(c *opCase) []*Tensor {
		return []*Tensor{PRelu(c.Var("x"), c.Param("w"))}
	})
	tape := NewTape(Options{})
	wantShapeError(t, "channels", func() { PRelu(tape.Full(1, 2, 3, 4), NewParameter(4)) })
	wantShapeError(t, "no channels", func() { PRelu(tape.Full(1, 3), NewParameter(3)) })
	wantShapeError(t, "rank", func() { PRelu(tape.Full(1, 2, 3), NewParameter(3, 1)) })
}
