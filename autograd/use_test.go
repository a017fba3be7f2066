package autograd

import "testing"

// Use takes no memory from the arena and leaves the parameter's as it was, whatever becomes of the Tensor.
func TestUseBorrows(t *testing.T) {
	mapped := NewParameter(2, 3)
	released, held := 0, 0
	mapped.Map([][]float32{ramp(6)}, func() { released++ }, func() { held++ })
	parts := NewParameter(2, 3)
	parts.Map([][]float32{ramp(6)[:2], ramp(6)[2:]}, nil, nil)
	for name, p := range map[string]*Parameter{"owned": ParameterOf(ramp(6), 2, 3), "mapped": mapped, "parts": parts} {
		for _, o := range []Options{{}, {Gradients: true}, {Gradients: true, Recompute: true}} {
			o.Debug = true
			tape := NewTape(o)
			x := tape.Use(p)
			form := p.store.form.Load()
			for what, y := range map[string]*Tensor{"used": x, "reshaped": Reshape(x, -1), "permuted": Permute(Reshape(x, 1, 6), 1, 0)} {
				if &y.data[0] != &form.values[0] {
					t.Errorf("%s: the values are copied, %s", name, what)
				}
			}
			if tape.MemoryBytes() != 0 {
				t.Errorf("%s: %d bytes", name, tape.MemoryBytes())
			}
			y := x
			for range 3 { // frees what it can
				y = tape.Segment(func(y *Tensor) *Tensor { return Add(tape.Use(p), Reshape(tape.Use(p), 2, 3)) }, y)
			}
			y = tape.Segment(func(*Tensor) *Tensor { return Reshape(tape.Use(p), 2, 3) }, y)
			y = tape.Segment(func(y *Tensor) *Tensor { return Mul(y, x) }, y)
			var want []float32
			for _, v := range ramp(6) {
				want = append(want, v*v)
			}
			sameBits(t, name+": result", y.Floats(nil), want)
			if o.Gradients {
				g := NewGradients()
				Sum(y, false).Backward(g)
				for i := range want {
					want[i] = 2 * ramp(6)[i]
				}
				sameBits(t, name+": gradient", g.Of(p), want)
			}
			tape.Reset()
			sameBits(t, name+": values after Reset", p.Values(), ramp(6))
			for range 20 { // what the arena lends now is not the parameter's
				tape.Full(9, 6)
			}
			sameBits(t, name+": values in the next pass", p.Values(), ramp(6))
			if form := p.store.form.Load(); form.mapped != (name == "mapped") {
				t.Errorf("%s: mapped is %v after it was used", name, form.mapped)
			}
		}
	}
	if released != 0 || held != 6 { // by Values, in this test
		t.Errorf("the mapping was released %d times and held %d times, expected never and 6 times", released, held)
	}
}

// A weight that is used as a Tensor is packed, and its pages given back, where it is used as a Parameter.
func TestUseOfMappedWeight(t *testing.T) {
	p := NewParameter(4, 6)
	released, held := 0, 0
	p.Map([][]float32{ramp(24)}, func() { released++ }, func() { held++ })
	tape := NewTape(Options{Debug: true})
	x := tape.Full(1, 2, 6)
	used := Linear(x, tape.Use(p), nil)
	if released != 0 || held != 0 {
		t.Errorf("used: released %d times and held %d times", released, held)
	}
	sameBits(t, "packed", Linear(x, p, nil).Floats(nil), used.Floats(nil))
	if released != 1 || held != 0 {
		t.Errorf("packed: released %d times and held %d times, expected once and never", released, held)
	}
	sameBits(t, "used after it was released", Linear(x, tape.Use(p), nil).Floats(nil), used.Floats(nil))
}

// An update between forward and backward is found wherever the parameter's values were read: through
// Reshape, in operations that need them although the parameter is frozen, and in segments.
func TestUpdateOfUsed(t *testing.T) {
	half, _ := inHalf(Float16, 1, 2, 6)
	programs := map[string]func(tape *Tape, x *Tensor, p *Parameter) *Tensor{
		"used": func(tape *Tape, x *Tensor, p *Parameter) *Tensor { return Mul(x, tape.Use(p)) },
		"reshaped": func(tape *Tape, x *Tensor, p *Parameter) *Tensor {
			return Mul(Reshape(x, 2, 3), Reshape(Reshape(tape.Use(p), 1, 6), 2, 3))
		},
		"permuted": func(tape *Tape, x *Tensor, p *Parameter) *Tensor {
			return Mul(Reshape(x, 6, 1), Permute(Reshape(tape.Use(p), 1, 6), 1, 0))
		},
		"used before a segment": func(tape *Tape, x *Tensor, p *Parameter) *Tensor {
			u := tape.Use(p)
			return tape.Segment(func(x *Tensor) *Tensor { return Mul(x, u) }, x)
		},
		"given to a segment": func(tape *Tape, x *Tensor, p *Parameter) *Tensor {
			return tape.Segment(func(u *Tensor) *Tensor { return Mul(x, Reshape(u, 6)) }, tape.Use(p))
		},
		"used in a segment": func(tape *Tape, x *Tensor, p *Parameter) *Tensor {
			return tape.Segment(func(x *Tensor) *Tensor { return Mul(x, tape.Use(p)) }, x)
		},
		"returned from a segment": func(tape *Tape, x *Tensor, p *Parameter) *Tensor {
			return Mul(x, tape.Segment(func(*Tensor) *Tensor { return tape.Use(p) }, nil))
		},
	}
	for name, f := range programs {
		for _, frozen := range []bool{false, true} {
			for _, recompute := range []bool{false, true} {
				for _, p := range []*Parameter{ParameterOf(ramp(6), 6), half} {
					p.Frozen = frozen
					tape := NewTape(Options{Gradients: true, Recompute: recompute, Debug: true})
					pass := func() (*Tensor, *Tensor) {
						x := tape.Full(3, 6).WantGradient()
						return x, Sum(f(tape, x, p), false)
					}
					x, y := pass()
					g := NewGradients()
					y.Backward(g)
					sameBits(t, name, g.OfTensor(x), p.Values())
					if (g.Of(p) == nil) != frozen {
						t.Errorf("%s: frozen is %v, and the gradient %v", name, frozen, g.Of(p))
					}
					tape.Reset()
					_, y = pass()
					p.Update(func([]float32) {})
					expectUsePanic(t, "changed between forward and backward", func() { y.Backward(g) })
				}
				half, _ = inHalf(Float16, 1, 2, 6)
			}
		}
	}
}

// A Tensor of a parameter that was changed since holds neither the old nor the new values.
func TestUsedAfterUpdate(t *testing.T) {
	p := ParameterOf(ramp(6), 6)
	for _, o := range []Options{{}, {Gradients: true}} {
		tape := NewTape(o)
		x := tape.Use(p)
		y := Reshape(x, 2, 3)
		p.Update(func(v []float32) { v[0]++ })
		expectUsePanic(t, "since Tape.Use", func() { Exp(x) })
		expectUsePanic(t, "since Tape.Use", func() { y.Floats(nil) })
		sameBits(t, "used anew", tape.Use(p).Floats(nil), p.Values())
	}
}
