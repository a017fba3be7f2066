package autograd

import (
	"path/filepath"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
)

// TestStoppedGradients compares values and gradients with PyTorch's. The gradients are not the derivatives, so there is nothing to
// compare with finite differences.
func TestStoppedGradients(t *testing.T) {
	g := golden.Load(t, filepath.Join("testdata", "ops_detach.safetensors"))
	for prefix, build := range map[string]func(c *opCase) []*Tensor{
		"detach/": func(c *opCase) []*Tensor {
			y := Mul(c.Var("x"), c.Var("y"))
			return []*Tensor{Mul(y, Detach(y))}
		},
		"straight/": func(c *opCase) []*Tensor {
			x := c.Var("x")
			return []*Tensor{Add(StraightThrough(Sign(x), Tanh(x)), c.Var("y"))}
		},
	} {
		for _, name := range caseNames(g, prefix) {
			t.Run(name, func(t *testing.T) { (&opCase{t: t, g: g, name: name}).compare(t, build) })
		}
	}
}

func TestDetach(t *testing.T) {
	tape := NewTape(Options{Gradients: true, Debug: true})
	x := tape.Input([]float32{2, 3}, 2).WantGradient()
	y := Square(x)
	d := Detach(y)
	if &d.data[0] != &y.data[0] || d.needs {
		t.Error("a detached tensor has memory of its own, or wants a gradient")
	}
	g := NewGradients()
	Sum(Mul(y, d), false).Backward(g) // d is a constant of x²
	sameBits(t, "gradient", g.OfTensor(x), []float32{2 * 2 * 4, 2 * 3 * 9})
	if v := d.Floats(nil); v[0] != 4 || v[1] != 9 { // its memory outlives that of y
		t.Errorf("detached values %v, expected [4 9]", v)
	}
	tape.Reset()
	expectUsePanic(t, "detach", func() { Detach(d) })
}

// The result has the values of hard, and the gradient goes to soft alone.
func TestStraightThrough(t *testing.T) {
	tape := NewTape(Options{Gradients: true, Debug: true})
	x := tape.Input([]float32{0.3, 0.8, -1.4}, 3).WantGradient()
	hard := tape.Input([]float32{0, 1, -1}, 3).WantGradient()
	g := NewGradients()
	y := StraightThrough(hard, Scale(x, 3)).Keep()
	Backward(g, []*Tensor{y}, [][]float32{{1, 2, 4}})
	sameBits(t, "result", y.Floats(nil), []float32{0, 1, -1})
	sameBits(t, "gradient of soft", g.OfTensor(x), []float32{3, 6, 12})
	if g.OfTensor(hard) != nil {
		t.Error("hard has a gradient")
	}
	expectShapePanic(t, "straight through", func() { StraightThrough(hard, tape.Full(1, 2)) })

	p := ParameterOf(normals(1, 12), 3, 4)
	run := func(o Options) ([]float32, []float32) {
		tape, g := NewTape(o), NewGradients()
		y := tape.Segment(func(x *Tensor) *Tensor { return Mul(StraightThrough(Sign(x), Tanh(x)), x) }, tape.Use(p)).Keep()
		if o.Gradients {
			Backward(g, []*Tensor{y}, [][]float32{normals(2, 12)})
		}
		return y.Floats(nil), g.Of(p)
	}
	want, grad := run(Options{Gradients: true, Debug: true})
	again, gradAgain := run(Options{Gradients: true, Recompute: true, Debug: true})
	sameBits(t, "result of a segment that runs again", again, want)
	sameBits(t, "gradient of a segment that runs again", gradAgain, grad)
	inference, _ := run(Options{Debug: true})
	sameBits(t, "result without gradients", inference, want)
}
