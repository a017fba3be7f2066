package autograd

import (
	"math"
	"testing"
)

func TestDeformableAttention(t *testing.T) {
	checkOp(t, "ops_deformable.safetensors", "", func(c *opCase) []*Tensor {
		o, levels := c.Ints("o"), c.Ints("levels")
		d := DeformableOptions{Points: o[0], Discrete: o[1] == 1}
		for i := 0; i < len(levels); i += 2 {
			d.Levels = append(d.Levels, [2]int(levels[i:i+2]))
		}
		weights := c.Var("weights")
		d.Heads = weights.Shape()[2]
		return []*Tensor{DeformableAttention(c.Var("values"), c.Var("locations"), weights, d)}
	})
}

// TestDeformableAttentionOdd gives locations that are far away or not finite.
func TestDeformableAttentionOdd(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct{ x, y, want, discrete float32 }{
		{inf, 0.5, nan, 4}, {0.5, -inf, nan, 2}, {nan, 0.5, nan, 3}, {1e38, 0.5, 0, 4}, {-3e9, -3e9, 0, 1}, {0.5, 0.5, 2.5, 4}, {0.25, 0.25, 1, 4}, {0.2421875, 0.2421875, 0.968994140625, 1},
	} {
		for _, discrete := range []bool{false, true} {
			tape := NewTape(Options{Gradients: true, Debug: true})
			values := tape.Input([]float32{1, 2, 3, 4}, 1, 4, 1).WantGradient()
			locations := tape.Input([]float32{c.x, c.y}, 1, 1, 1, 1, 2).WantGradient()
			y := DeformableAttention(values, locations, tape.Full(1, 1, 1, 1, 1), DeformableOptions{Levels: [][2]int{{2, 2}}, Discrete: discrete})
			want := c.want
			if discrete {
				want = c.discrete
			}
			if got := y.data[0]; got != want && !(got != got && want != want) {
				t.Errorf("(%v, %v), discrete %v: %v, expected %v", c.x, c.y, discrete, got, want)
			}
			g := NewGradients()
			y.Backward(g)
			for i, v := range g.OfTensor(values) {
				if !(v >= 0 && v <= 1) {
					t.Errorf("(%v, %v), discrete %v: the gradient of value %d is %v", c.x, c.y, discrete, i, v)
				}
			}
		}
	}
}

func TestDeformableAttentionMistakes(t *testing.T) {
	tape := NewTape(Options{})
	full := func(shape ...int) *Tensor { return tape.Full(0, shape...) }
	o := DeformableOptions{Heads: 2, Levels: [][2]int{{2, 3}, {1, 2}}, Points: 3}
	values, locations, weights := full(1, 8, 4), full(1, 5, 2, 6, 2), full(1, 5, 2, 6)
	DeformableAttention(values, locations, weights, o)
	flat := o
	flat.Levels = [][2]int{{2, 4}, {0, 2}}
	for name, f := range map[string]func(){
		"places":    func() { DeformableAttention(full(1, 7, 4), locations, weights, o) },
		"heads":     func() { DeformableAttention(full(1, 8, 3), locations, weights, o) },
		"images":    func() { DeformableAttention(full(2, 8, 4), locations, weights, o) },
		"locations": func() { DeformableAttention(values, full(1, 5, 2, 6, 3), weights, o) },
		"weights":   func() { DeformableAttention(values, locations, full(1, 5, 2, 5), o) },
		"level":     func() { DeformableAttention(values, locations, weights, flat) },
	} {
		wantShapeError(t, name, f)
	}
}
