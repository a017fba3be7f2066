package autograd

import "testing"

func TestRows(t *testing.T) {
	checkOp(t, shapeGoldens, "gather/", func(c *opCase) []*Tensor {
		return []*Tensor{GatherRows(c.Var("x"), c.Ints("index"))}
	})
	checkOp(t, shapeGoldens, "scatter/", func(c *opCase) []*Tensor {
		_, shape := c.g.Tensor(c.name + "/out/0")
		return []*Tensor{ScatterRows(c.Var("x"), c.Ints("index"), shape[0])}
	})
}

func TestEmbedding(t *testing.T) {
	checkOp(t, shapeGoldens, "embedding/", func(c *opCase) []*Tensor {
		return []*Tensor{c.Tape.Embedding(c.Param("w"), c.Ints("ids"), c.g.Shape(c.name+"/int/ids")...)}
	})
}

// The caller may change its indices as soon as the operation has returned.
func TestIndicesAreCopied(t *testing.T) {
	tape := NewTape(Options{Gradients: true, Debug: true})
	p := NewParameter(3, 2)
	ids := []int{2, 0}
	y := Sum(tape.Embedding(p, ids, 2), false)
	ids[0], ids[1] = 1, 1
	g := NewGradients()
	y.Backward(g)
	sameBits(t, "gradient", g.Of(p), []float32{1, 1, 0, 0, 1, 1})
}

func TestRowMistakes(t *testing.T) {
	tape := NewTape(Options{})
	x := tape.Full(1, 2, 3)
	p := NewParameter(4, 3)
	for _, i := range []int{-1, 2, 1 << 40} {
		expectShapePanic(t, "gather rows", func() { GatherRows(x, []int{0, i}) })
		expectShapePanic(t, "scatter rows", func() { ScatterRows(x, []int{0, i}, 2) })
	}
	expectShapePanic(t, "scatter rows", func() { ScatterRows(x, []int{0}, 2) })
	expectShapePanic(t, "scatter rows", func() { ScatterRows(x, []int{0, 0}, -1) })
	expectShapePanic(t, "embedding", func() { tape.Embedding(p, []int{4}, 1) })
	expectShapePanic(t, "embedding", func() { tape.Embedding(p, []int{-1}, 1) })
	expectShapePanic(t, "embedding", func() { tape.Embedding(p, []int{1, 2}, 3) })
	expectShapePanic(t, "embedding", func() { tape.Embedding(NewParameter(4), []int{1}, 1) })
}
