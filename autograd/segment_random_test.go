package autograd

import (
	"math/rand/v2"
	"testing"
)

// randomProgram is a model drawn from a seed: operations, random numbers, segments within segments,
// residuals around them, frozen parameters, and results that later parts use again.
type randomProgram struct {
	*Tape
	seed     uint64
	params   []*Parameter
	segments bool // else the functions are called as they are
	again    bool // segments of one Tensor are those of Tape.Recompute
}

func (p *randomProgram) segment(f func(*Tensor) *Tensor, x *Tensor) *Tensor {
	if p.again {
		return p.Recompute(f, x)
	}
	if p.segments {
		return p.Segment(f, x)
	}
	return f(x)
}

func (p *randomProgram) segmentAll(f func([]*Tensor) []*Tensor, xs ...*Tensor) []*Tensor {
	if p.segments {
		return p.SegmentAll(f, xs...)
	}
	return f(xs)
}

// part runs the operations that key draws on x; shared is what they may use beside it.
func (p *randomProgram) part(x *Tensor, key uint64, depth int, shared []*Tensor) *Tensor {
	r := rand.New(rand.NewPCG(p.seed, key))
	for range 1 + r.IntN(4) {
		kind, param, inner := r.IntN(10), p.params[r.IntN(len(p.params))], r.Uint64()
		f := func(x *Tensor) *Tensor { return p.part(x, inner, depth-1, shared) }
		switch {
		case kind == 0:
			x = Tanh(Linear(x, param, nil))
		case kind == 1:
			x = Add(x, Mul(x, param))
		case kind == 2:
			x = Mul(x, p.Uniform(4, 4))
		case kind == 3:
			x = Dropout(Reshape(x, 4, 4), 0.2)
		case kind == 4 && len(shared) > 0:
			x = Add(x, shared[inner%uint64(len(shared))])
		case kind == 5 && depth > 0:
			x = Add(x.Keep(), p.segment(f, x))
		case kind == 8 && depth > 0: // one of two results is used, or both
			ys := p.segmentAll(func(xs []*Tensor) []*Tensor { return []*Tensor{f(xs[0]), Mul(xs[0], param)} }, x.Keep())
			x = ys[inner%2]
			if inner%3 == 0 {
				x = Add(x, ys[(inner+1)%2])
			}
		case kind == 9 && depth > 0: // a pair goes from segment to segment
			ys := p.segmentAll(func(xs []*Tensor) []*Tensor { return []*Tensor{Scale(xs[0], 0.5), f(xs[0])} }, x)
			x = p.segmentAll(func(xs []*Tensor) []*Tensor { return []*Tensor{Add(xs[0], xs[1])} }, ys...)[0]
		case depth > 0:
			x = p.segment(f, x)
		}
	}
	return x
}

func (p *randomProgram) run(o Options) (out []float32, grads [][]float32) {
	r := rand.New(rand.NewPCG(p.seed, 0))
	p.params = nil
	for range 5 {
		q := ParameterOf(make([]float32, 16), 4, 4)
		q.Update(func(v []float32) {
			for i := range v {
				v[i] = float32(r.IntN(9)-4) / 8
			}
		})
		q.Frozen = r.IntN(2) == 0
		p.params = append(p.params, q)
	}
	o.Training, o.Debug, o.Seed = true, true, p.seed
	p.Tape = NewTape(o)
	x := p.Input(ramp(16), 4, 4)
	var shared []*Tensor
	for i := range uint64(5) {
		so := shared[:len(shared):len(shared)]
		x = p.segment(func(x *Tensor) *Tensor { return p.part(x, i+1, 3, so) }, x)
		if i%2 == 1 {
			shared = append(shared, x.Keep())
		}
	}
	out = x.Floats(nil)
	if o.Gradients {
		g := NewGradients()
		Backward(g, []*Tensor{x}, [][]float32{ramp(16)})
		for _, q := range p.params {
			grads = append(grads, g.Of(q))
		}
	}
	return out, grads
}

// Segments, recomputed or not or in part, change no bit of any program.
func TestSegmentsOfRandomPrograms(t *testing.T) {
	programs := uint64(400)
	if testing.Short() {
		programs = 80
	}
	for seed := range programs {
		p := &randomProgram{seed: seed}
		want, wantGrads := p.run(Options{Gradients: true})
		p.segments = true
		for _, c := range []struct {
			Options
			again bool
		}{
			{Options{}, false}, {Options{Gradients: true}, false}, {Options{Gradients: true, Recompute: true}, false},
			{Options{}, true}, {Options{Gradients: true}, true}, {Options{Gradients: true, Recompute: true}, true},
		} {
			p.again = c.again
			out, grads := p.run(c.Options)
			sameBits(t, "result", out, want)
			for i, g := range grads {
				sameBits(t, "gradient", g, wantGrads[i])
			}
			if t.Failed() {
				t.Fatalf("seed %d, gradients %v, recompute %v, again %v", seed, c.Gradients, c.Recompute, c.again)
			}
		}
		p.again = false
	}
}
