package autograd

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

const recurrentFile = "ops_recurrent.safetensors"

var directions = map[string]bool{"forward": false, "reverse": true}

// recurrent returns the options of a case.
func (c *opCase) recurrent(reverse bool) RecurrentOptions {
	o := RecurrentOptions{Reverse: reverse}
	if c.g.Has(c.name + "/int/lengths") {
		o.Lengths = c.Ints("lengths")
	}
	return o
}

func TestLSTM(t *testing.T) {
	for direction, reverse := range directions {
		checkOp(t, recurrentFile, "lstm/"+direction+"/", func(c *opCase) []*Tensor {
			y, h, s := LSTM(c.Var("x"), c.Var("h"), c.Var("c"), c.Param("wih"), c.Param("whh"), c.Param("bih"), c.Param("bhh"), c.recurrent(reverse))
			return []*Tensor{y, h, s}
		})
	}
	checkOp(t, recurrentFile, "lstm/plain/", func(c *opCase) []*Tensor {
		y, h, s := LSTM(c.Var("x"), nil, nil, c.Var("wih"), c.Var("whh"), nil, nil, c.recurrent(false))
		return []*Tensor{y, h, s}
	})
}

func TestGRU(t *testing.T) {
	for direction, reverse := range directions {
		checkOp(t, recurrentFile, "gru/"+direction+"/", func(c *opCase) []*Tensor {
			y, h := GRU(c.Var("x"), c.Var("h"), c.Param("wih"), c.Param("whh"), c.Param("bih"), c.Param("bhh"), c.recurrent(reverse))
			return []*Tensor{y, h}
		})
	}
	checkOp(t, recurrentFile, "gru/plain/", func(c *opCase) []*Tensor {
		y, h := GRU(c.Var("x"), nil, c.Var("wih"), c.Var("whh"), nil, nil, c.recurrent(false))
		return []*Tensor{y, h}
	})
}

func TestGRUCell(t *testing.T) {
	checkOp(t, recurrentFile, "grucell/bias/", func(c *opCase) []*Tensor {
		return []*Tensor{GRUCell(c.Var("x"), c.Var("h"), c.Param("wih"), c.Param("whh"), c.Param("bih"), c.Param("bhh"))}
	})
	checkOp(t, recurrentFile, "grucell/plain/", func(c *opCase) []*Tensor {
		return []*Tensor{GRUCell(c.Var("x"), c.Var("h"), c.Var("wih"), c.Var("whh"), nil, nil)}
	})
}

// A sequence has the bits of a loop of cells, alone or in a batch of unequal lengths, on tapes of every kind. Its
// weights are wide enough for several blocks of a product.
func TestRecurrentCells(t *testing.T) {
	const n, steps, in, size = 3, 4, 300, 280
	lengths := []int{2, 4, 0}
	weight := func(seed uint64, shape ...int) *Parameter {
		v := normal(seed, elements("test", shape))
		simd.Scale(v, v, .05)
		return ParameterOf(v, shape...)
	}
	xs, hs, cs := normal(1, n*steps*in), normal(2, n*size), normal(3, n*size)
	for _, gates := range []int{4, 3} {
		wih, whh := weight(4, gates*size, in), weight(5, gates*size, size)
		bih, bhh := weight(6, gates*size), weight(7, gates*size)
		step := func(x, h, c *Tensor) (*Tensor, *Tensor) {
			if gates == 4 {
				return LSTMCell(x, h, c, wih, whh, bih, bhh)
			}
			return GRUCell(x, h, wih, whh, bih, bhh), nil
		}
		sequence := func(x, h, c *Tensor, o RecurrentOptions) []*Tensor {
			if gates == 4 {
				y, h, c := LSTM(x, h, c, wih, whh, bih, bhh, o)
				return []*Tensor{y, h, c}
			}
			y, h := GRU(x, h, wih, whh, bih, bhh, o)
			return []*Tensor{y, h}
		}
		for _, o := range []Options{{}, {Workers: simd.NewWorkers(3)}, {Gradients: true}, {Training: true}} {
			for _, reverse := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d gates, reverse %v, gradients %v, training %v", gates, reverse, o.Gradients, o.Training), func(t *testing.T) {
					tape := NewTape(o)
					got := sequence(tape.Input(xs, n, steps, in), tape.Input(hs, n, size), tape.Input(cs, n, size), RecurrentOptions{Lengths: lengths, Reverse: reverse})
					want := make([][]float32, len(got))
					want[0] = make([]float32, n*steps*size)
					for i, length := range lengths {
						h, c := tape.Input(hs[i*size:][:size], 1, size), tape.Input(cs[i*size:][:size], 1, size)
						for s := range length {
							if reverse {
								s = length - 1 - s
							}
							h, c = step(tape.Input(xs[(i*steps+s)*in:][:in], 1, in), h, c)
							copy(want[0][(i*steps+s)*size:], h.Floats(nil))
						}
						want[1] = append(want[1], h.Floats(nil)...)
						if gates == 4 {
							want[2] = append(want[2], c.Floats(nil)...)
						}
					}
					for i := range got {
						sameBits(t, fmt.Sprintf("result %d", i), got[i].Floats(nil), want[i])
					}
				})
			}
		}
	}
}

// Sequences without steps, and no sequences at all, keep the initial states.
func TestRecurrentEmpty(t *testing.T) {
	wih, whh := ParameterOf(normal(1, 12*3), 12, 3), ParameterOf(normal(2, 12*3), 12, 3)
	for _, shape := range [][]int{{0, 5, 3}, {2, 0, 3}} {
		tape := NewTape(Options{Gradients: true, Debug: true})
		hs := normal(3, shape[0]*3)
		x, h := tape.Full(1, shape...).WantGradient(), tape.Input(hs, shape[0], 3).WantGradient()
		y, hn, cn := LSTM(x, h, nil, wih, whh, nil, nil, RecurrentOptions{})
		if y.Len() != 0 {
			t.Errorf("%v: %d results", shape, y.Len())
		}
		sameBits(t, "last state", hn.Floats(nil), hs)
		sameBits(t, "last cell", cn.Floats(nil), make([]float32, len(hs)))
		g := NewGradients()
		Backward(g, []*Tensor{hn}, [][]float32{hs})
		sameBits(t, "gradient of the state", g.OfTensor(h), hs)
	}
}

func TestRecurrentPanics(t *testing.T) {
	tape := NewTape(Options{})
	x, h := tape.Full(0, 2, 5, 3), tape.Full(0, 2, 4)
	wih, whh := NewParameter(16, 3), NewParameter(16, 4)
	gih, ghh := NewParameter(12, 3), NewParameter(12, 4)
	for name, f := range map[string]func(){
		"rank":         func() { LSTM(tape.Full(0, 2, 3), h, h, wih, whh, nil, nil, RecurrentOptions{}) },
		"state":        func() { LSTM(x, h, tape.Full(0, 2, 5), wih, whh, nil, nil, RecurrentOptions{}) },
		"weights":      func() { LSTM(x, h, h, gih, ghh, nil, nil, RecurrentOptions{}) },
		"rank of whh":  func() { LSTM(x, h, h, wih, NewParameter(16), nil, nil, RecurrentOptions{}) },
		"bias":         func() { LSTM(x, h, h, wih, whh, nil, NewParameter(4), RecurrentOptions{}) },
		"lengths":      func() { LSTM(x, h, h, wih, whh, nil, nil, RecurrentOptions{Lengths: []int{1}}) },
		"length":       func() { LSTM(x, h, h, wih, whh, nil, nil, RecurrentOptions{Lengths: []int{1, 6}}) },
		"negative":     func() { LSTM(x, h, h, wih, whh, nil, nil, RecurrentOptions{Lengths: []int{1, -1}}) },
		"gates of gru": func() { GRU(x, h, wih, whh, nil, nil, RecurrentOptions{}) },
		"state of gru": func() { GRU(x, tape.Full(0, 1, 4), gih, ghh, nil, nil, RecurrentOptions{}) },
		"cell":         func() { GRUCell(x, h, gih, ghh, nil, nil) },
		"cell's state": func() { GRUCell(tape.Full(0, 2, 3), tape.Full(0, 1, 4), gih, ghh, nil, nil) },
	} {
		t.Run(name, func(t *testing.T) { expectShapeError(t, f) })
	}
}

// A steady loop of training takes its memory from the arena, packed weights included.
func TestRecurrentMemory(t *testing.T) {
	const n, steps, in, size = 2, 8, 32, 128
	wih, whh := ParameterOf(normal(1, 4*size*in), 4*size, in), ParameterOf(normal(2, 4*size*size), 4*size, size)
	xs, seed := normal(3, n*steps*in), normal(4, n*steps*size)
	tape, g := NewTape(Options{Gradients: true, Training: true}), NewGradients()
	pass := func() {
		y, _, _ := LSTM(tape.Input(xs, n, steps, in), nil, nil, wih, whh, nil, nil, RecurrentOptions{})
		Backward(g, []*Tensor{y}, [][]float32{seed})
		g.Zero()
		tape.Reset()
	}
	for range 3 {
		pass()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	pass()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 4*size*size {
		t.Errorf("a pass allocates %d bytes, a quarter of the recurrent weights or more", n)
	}
}
