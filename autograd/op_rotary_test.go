package autograd

import (
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/simd"
)

const rotaryGoldens = "ops_rotary.safetensors"

// rotaryTableOf reads a table of transformers or timm.
func rotaryTableOf(t testing.TB, name string, interleaved bool) *RotaryTable {
	g := golden.Load(t, "testdata/"+rotaryGoldens)
	cos, shape := g.Tensor("table/" + name + "/cos")
	sin, _ := g.Tensor("table/" + name + "/sin")
	return &RotaryTable{Cos: cos, Sin: sin, Dim: shape[1], Interleaved: interleaved}
}

func TestRotary(t *testing.T) {
	check := func(name, table string, interleaved bool, o RotaryOptions) {
		checkOp(t, rotaryGoldens, name, func(c *opCase) []*Tensor {
			return []*Tensor{Rotary(c.Var("x"), rotaryTableOf(t, table, interleaved), o)}
		})
	}
	check("llama/whole", "llama", false, RotaryOptions{Heads: 3, From: []int{0, 24}})
	check("llama/cached", "llama", false, RotaryOptions{Heads: 3, From: []int{0, 24}, First: 7})
	check("llama/padded", "llama", false, RotaryOptions{Heads: 3, From: []int{0, 24}, Positions: []int{0, 0, 0, 1, 2, 0, 1, 2, 3, 4}})
	check("neox/partial", "neox", false, RotaryOptions{Heads: 2, HeadDim: 10})
	check("gptj/partial", "gptj", true, RotaryOptions{Heads: 3, HeadDim: 8})
	for _, name := range []string{"eva", "evaref", "evahalf"} {
		check(name+"/grid", name, name != "evahalf", RotaryOptions{Heads: 2, From: []int{0, 16}})
	}
}

// Tokens of packed sequences have the bits that they have in a batch, on any number of threads.
func TestRotaryPacked(t *testing.T) {
	table := rotaryTableOf(t, "llama", false)
	const n, width = 12, 16 * 8
	x := normal(80, 200*n*width)
	o := RotaryOptions{Heads: 16}
	tape := NewTape(Options{Workers: simd.NewWorkers(2)})
	want := Rotary(tape.Input(x, 200, n, width), table, o).Floats(nil)
	o.Positions = make([]int, 200*n)
	for i := range o.Positions {
		o.Positions[i] = i % n
	}
	one := NewTape(Options{})
	sameBits(t, "packed", Rotary(one.Input(x, 200*n, width), table, o).Floats(nil), want)
}

// A token at position 0 stays.
func TestRotaryFirst(t *testing.T) {
	table := rotaryTableOf(t, "gptj", true)
	tape := NewTape(Options{})
	x := normal(81, 6)
	sameBits(t, "first token", Rotary(tape.Input(x, 1, 6), table, RotaryOptions{}).Floats(nil), x)
	empty := Rotary(tape.Full(0, 3, 0, 6), table, RotaryOptions{})
	if !equalShape(empty.Shape(), []int{3, 0, 6}) {
		t.Errorf("shape %v", empty.Shape())
	}
}

// TestRotaryReusedLists changes the caller's lists before backward.
func TestRotaryReusedLists(t *testing.T) {
	table := rotaryTableOf(t, "gptj", true)
	o := RotaryOptions{From: []int{0}, Positions: []int{2, 1}}
	var want []float32
	for range 2 {
		tape := NewTape(Options{Gradients: true, Debug: true})
		x := tape.Input(normal(82, 12), 2, 6).WantGradient()
		y := Rotary(x, table, o)
		if want != nil {
			o.From[0], o.Positions[0] = 1, 0
		}
		g := NewGradients()
		Backward(g, []*Tensor{y}, [][]float32{normal(83, 12)})
		if want == nil {
			want = g.OfTensor(x)
		}
		sameBits(t, "gradient", g.OfTensor(x), want)
	}
}

func TestRotaryPanics(t *testing.T) {
	tape := NewTape(Options{})
	x := tape.Full(0, 2, 3, 12)
	table := func(dim, positions int) *RotaryTable {
		v := make([]float32, dim*positions)
		return &RotaryTable{Cos: v, Sin: v, Dim: dim}
	}
	for name, f := range map[string]func(){
		"dimensions":  func() { Rotary(tape.Full(0, 12), table(4, 9), RotaryOptions{}) },
		"odd":         func() { Rotary(x, table(3, 9), RotaryOptions{}) },
		"no channels": func() { Rotary(x, table(0, 9), RotaryOptions{}) },
		"half table":  func() { Rotary(x, &RotaryTable{Cos: make([]float32, 36), Dim: 4}, RotaryOptions{}) },
		"narrow head": func() { Rotary(x, table(4, 9), RotaryOptions{HeadDim: 2}) },
		"heads":       func() { Rotary(x, table(4, 9), RotaryOptions{Heads: 4}) },
		"from":        func() { Rotary(x, table(4, 9), RotaryOptions{From: []int{0, 9}}) },
		"overlap":     func() { Rotary(x, table(4, 9), RotaryOptions{From: []int{0, 3}}) },
		"beyond":      func() { Rotary(x, table(4, 2), RotaryOptions{}) },
		"first":       func() { Rotary(x, table(4, 4), RotaryOptions{First: 2}) },
		"negative":    func() { Rotary(x, table(4, 4), RotaryOptions{First: -1}) },
		"positions":   func() { Rotary(x, table(4, 9), RotaryOptions{Positions: []int{0, 1}}) },
		"position":    func() { Rotary(x, table(4, 9), RotaryOptions{Positions: []int{0, 1, 9}}) },
	} {
		t.Run(name, func(t *testing.T) { expectShapeError(t, f) })
	}
}
