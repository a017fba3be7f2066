package autograd

import (
	"fmt"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
)

const indexGoldens = "ops_index.safetensors"

// int returns an integer input of one element.
func (c *opCase) int(name string) int { return c.Ints(name)[0] }

// indices compares the indices that an operation returned with PyTorch's.
func (c *opCase) indices(got []int) {
	c.t.Helper()
	if want := c.Ints("indices"); !slices.Equal(got, want) {
		c.t.Errorf("%s: indices %v, expected %v", c.name, got, want)
	}
}

func TestMaxMin(t *testing.T) {
	checkOp(t, indexGoldens, "max/", func(c *opCase) []*Tensor {
		y, i := Max(c.Var("x"), c.int("dim"), c.int("keep") == 1)
		c.indices(i)
		c.indices(Argmax(c.Var("x"), c.int("dim")))
		return []*Tensor{y}
	})
	checkOp(t, indexGoldens, "min/", func(c *opCase) []*Tensor {
		y, i := Min(c.Var("x"), c.int("dim"), c.int("keep") == 1)
		c.indices(i)
		c.indices(Argmin(c.Var("x"), c.int("dim")))
		return []*Tensor{y}
	})
}

func TestSort(t *testing.T) {
	checkOp(t, indexGoldens, "sort/", func(c *opCase) []*Tensor {
		y, i := Sort(c.Var("x"), c.int("dim"), Order(c.int("order")))
		c.indices(i)
		return []*Tensor{y}
	})
	checkOp(t, indexGoldens, "topk/", func(c *opCase) []*Tensor {
		y, i := TopK(c.Var("x"), c.int("dim"), c.int("k"), Order(c.int("order")))
		c.indices(i)
		return []*Tensor{y}
	})
}

// Of equal elements the first is taken, and NaN is the largest number, or the extreme one.
func TestOrderTies(t *testing.T) {
	g := golden.Load(t, "testdata/"+indexGoldens)
	for name, f := range map[string]func(x Operand) (*Tensor, []int){
		"tiemax":   func(x Operand) (*Tensor, []int) { return Max(x, 1, false) },
		"tiemin":   func(x Operand) (*Tensor, []int) { return Min(x, 1, false) },
		"tiesort0": func(x Operand) (*Tensor, []int) { return Sort(x, 1, Ascending) },
		"tiesort1": func(x Operand) (*Tensor, []int) { return Sort(x, 1, Descending) },
	} {
		c := opCase{t: t, g: g, name: name}
		r := c.run(func(c *opCase) []*Tensor {
			y, i := f(c.Var("x"))
			c.indices(i)
			return []*Tensor{y}
		}, nil)
		want, _ := g.Tensor(name + "/out/0")
		sameBits(t, name, r.outs[0], want)
		want, _ = g.Tensor(name + "/grad/x")
		sameBits(t, name+": gradient", r.grads["x"], want)
	}
}

func TestGather(t *testing.T) {
	shape := func(c *opCase) []int { return c.g.Shape(c.name + "/int/i") }
	checkOp(t, indexGoldens, "gather/", func(c *opCase) []*Tensor {
		return []*Tensor{Gather(c.Var("x"), c.int("d"), c.Ints("i"), shape(c)...)}
	})
	checkOp(t, indexGoldens, "scatteradd/", func(c *opCase) []*Tensor {
		return []*Tensor{ScatterAdd(c.Var("x"), c.int("d"), c.Ints("i"), c.Var("s"))}
	})
	checkOp(t, indexGoldens, "scatter/", func(c *opCase) []*Tensor {
		return []*Tensor{Scatter(c.Var("x"), c.int("d"), c.Ints("i"), c.Var("s"))}
	})
	checkOp(t, indexGoldens, "select/", func(c *opCase) []*Tensor {
		return []*Tensor{IndexSelect(c.Var("x"), c.int("d"), c.Ints("i"))}
	})
}

// Of several elements for one place the last counts, and it alone has a gradient. CheckGradients compares threads too.
func TestScatterTwice(t *testing.T) {
	index := make([]int, 300*64)
	for i := range index {
		index[i] = i * 7 % 5
	}
	x, src := ParameterOf(normals(1, 5*64), 5, 64), ParameterOf(normals(2, 300*64), 300, 64)
	seeds := [][]float32{normals(3, 5*64)}
	if err := CheckGradients(func(t *Tape) []*Tensor {
		return []*Tensor{Scatter(t.Use(x), 0, index, src)}
	}, []*Parameter{x, src}, seeds); err != nil {
		t.Error(err)
	}
	tape := NewTape(Options{Gradients: true, Debug: true})
	a, b := tape.Full(1, 3).WantGradient(), tape.Input([]float32{2, 3, 4}, 3).WantGradient()
	y := Scatter(a, 0, []int{1, 2, 1}, b).Keep()
	g := NewGradients()
	Backward(g, []*Tensor{y}, [][]float32{{5, 6, 7}})
	sameBits(t, "result", y.Floats(nil), []float32{1, 4, 3})
	sameBits(t, "gradient of x", g.OfTensor(a), []float32{5, 0, 0})
	sameBits(t, "gradient of src", g.OfTensor(b), []float32{0, 7, 6})
}

func TestIndexMistakes(t *testing.T) {
	expectUsePanic(t, "unknown order", func() { Sort(NewTape(Options{}).Full(1, 2), 0, 7) })
	tape := NewTape(Options{})
	x, src := tape.Full(1, 2, 3), tape.Full(1, 1, 3)
	for _, i := range []int{-1, 2, 1 << 40} {
		index := []int{0, 1, i}
		expectShapePanic(t, "gather", func() { Gather(x, 0, index, 1, 3) })
		expectShapePanic(t, "scatter", func() { Scatter(x, 0, index, src) })
		expectShapePanic(t, "scatter add", func() { ScatterAdd(x, 0, index, src) })
		expectShapePanic(t, "index select", func() { IndexSelect(x, 0, index) })
	}
	for i, f := range []func(){
		func() { Gather(x, 2, []int{0}, 1, 1) },
		func() { Gather(x, 0, []int{0}, 1) },
		func() { Gather(x, 0, []int{0, 0, 0, 0}, 1, 4) },
		func() { Gather(x, 0, []int{0, 0}, 1, 3) },
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) { expectShapePanic(t, "gather", f) })
	}
	expectShapePanic(t, "index select", func() { IndexSelect(x, 2, nil) })
	expectShapePanic(t, "max", func() { Max(x, 2, false) })
	expectShapePanic(t, "max", func() { Max(tape.Full(1, 2, 0), 1, false) })
	expectShapePanic(t, "argmin", func() { Argmin(tape.Full(1, 0), 0) })
	expectShapePanic(t, "sort", func() { Sort(x, -3, Ascending) })
	expectShapePanic(t, "top-k", func() { TopK(x, 1, 4, Ascending) })
	expectShapePanic(t, "top-k", func() { TopK(x, 1, -1, Ascending) })
}
