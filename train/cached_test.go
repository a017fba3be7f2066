package train

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
)

// twin encodes two kinds of samples into one space.
type twin struct {
	A, B  *nn.Linear
	Scale *autograd.Parameter
	drop  float32
}

func newTwin() *twin {
	rng := rand.New(rand.NewPCG(3, 4))
	m := &twin{A: nn.NewLinear(6, 8, true), B: nn.NewLinear(5, 8, true), Scale: autograd.ParameterOf([]float32{1})}
	for _, p := range nn.Parameters(m) {
		if p != m.Scale {
			nn.Normal(rng, p, 1)
		}
	}
	return m
}

// encode embeds the samples from to to.
func (m *twin) encode(t *autograd.Tape, from, to int) []*autograd.Tensor {
	rng := rand.New(rand.NewPCG(5, 6))
	a, b := make([]float32, 6*to), make([]float32, 5*to)
	for i := range to {
		for _, row := range [][]float32{a[6*i:][:6], b[5*i:][:5]} {
			for j := range row {
				row[j] = float32(rng.NormFloat64())
			}
		}
	}
	n := to - from
	x := autograd.Dropout(m.A.ForwardAct(t.Input(a[6*from:], n, 6), autograd.ActGelu), m.drop)
	y := autograd.Dropout(m.B.ForwardAct(t.Input(b[5*from:], n, 5), autograd.ActGelu), m.drop)
	return []*autograd.Tensor{x, y}
}

func (m *twin) loss(all []*autograd.Tensor) *autograd.Tensor {
	x, y := autograd.L2Normalize(all[0], 1e-12), autograd.L2Normalize(all[1], 1e-12)
	return nn.ContrastiveLoss(autograd.Mul(autograd.MatMulT(x, y, false, true), autograd.Exp(x.Tape().Use(m.Scale))))
}

// cached runs a batch of n samples in chunks.
func (m *twin) cached(t *autograd.Tape, n, chunk int, g *autograd.Gradients) (float64, error) {
	return CachedGradients(t, 9, g, (n+chunk-1)/chunk, func(i int) ([]*autograd.Tensor, error) {
		return m.encode(t, i*chunk, min(n, (i+1)*chunk)), nil
	}, m.loss)
}

// TestCachedGradients compares with the gradients of the whole batch, for chunks that divide it and others, frozen towers
// and a table that holds gradients already.
func TestCachedGradients(t *testing.T) {
	const n = 37
	for _, frozen := range []bool{false, true} {
		m := newTwin()
		m.B.Weight.Frozen, m.B.Bias.Frozen = frozen, frozen
		tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Debug: true})
		whole := autograd.NewGradients()
		loss := m.loss(m.encode(tape, 0, n))
		want := float64(loss.Float())
		loss.Backward(whole)
		for _, chunk := range []int{1, 8, 37, 100} {
			g := autograd.NewGradients()
			for times := 1; times <= 2; times++ {
				got, err := m.cached(tape, n, chunk, g)
				if err != nil || math.Abs(got-want) > 1e-6*want {
					t.Fatalf("chunks of %d: loss %v, %v, expected %v", chunk, got, err, want)
				}
				var difference, all float64
				for path, p := range nn.Parameters(m) {
					a, b := g.Of(p), whole.Of(p)
					if (a == nil) != (b == nil) {
						t.Fatalf("chunks of %d: %s has a gradient: %t, expected %t", chunk, path, a != nil, b != nil)
					}
					for i := range a {
						difference += math.Pow(float64(a[i])/float64(times)-float64(b[i]), 2)
						all += math.Pow(float64(b[i]), 2)
					}
				}
				if relative := math.Sqrt(difference / all); relative > 1e-5 {
					t.Errorf("chunks of %d: gradients differ by %.2g of their norm, expected at most 1e-5", chunk, relative)
				}
			}
		}
		if tape.Lent() != 0 {
			t.Error("scratch buffers leaked")
		}
	}
}

// TestCachedDropout checks by the loss's gradients that both passes of a chunk draw the same numbers, and chunks different
// ones: a step along the gradient lowers the loss as much as the gradient says.
func TestCachedDropout(t *testing.T) {
	m := newTwin()
	m.drop = 0.3
	tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Seed: 1})
	g := autograd.NewGradients()
	before, err := m.cached(tape, 24, 4, g)
	if err != nil {
		t.Fatal(err)
	}
	const rate = 1e-3
	var expected float64
	for p, d := range g.All() {
		p.Update(func(v []float32) {
			for i := range v {
				v[i] -= rate * d[i]
				expected += rate * math.Pow(float64(d[i]), 2)
			}
		})
	}
	after, err := m.cached(tape, 24, 4, autograd.NewGradients())
	if err != nil {
		t.Fatal(err)
	}
	if got := before - after; math.Abs(got-expected) > 0.05*expected {
		t.Errorf("the loss fell by %v, expected %v", got, expected)
	}
	var first, second []float32
	_, err = CachedGradients(tape, 9, g, 2, func(int) ([]*autograd.Tensor, error) {
		x := m.encode(tape, 0, 4)
		first, second = second, x[0].Floats(nil)
		return x, nil
	}, m.loss)
	if err != nil || slices.Equal(first, second) {
		t.Errorf("%v, or two chunks of the same samples dropped the same", err)
	}
}

// TestCachedMemory checks that a batch eight times as large takes no more than its embeddings and logits.
func TestCachedMemory(t *testing.T) {
	m := newTwin()
	memory := func(n int) int {
		tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true})
		if _, err := m.cached(tape, n, 32, autograd.NewGradients()); err != nil {
			t.Fatal(err)
		}
		return tape.MemoryBytes()
	}
	small, large := memory(32), memory(256)
	const copies = 12 // of the logits, in the loss and its gradient; sizes are rounded up
	if most := small + 4*copies*256*(256+2*8); large > most {
		t.Errorf("256 samples take %d bytes, 32 take %d, expected at most %d", large, small, most)
	}
}

func TestCachedErrors(t *testing.T) {
	m, bad := newTwin(), errors.New("bad")
	tape := autograd.NewTape(autograd.Options{Gradients: true})
	for at := range 4 { // two passes of two chunks
		calls := 0
		_, err := CachedGradients(tape, 0, autograd.NewGradients(), 2, func(int) ([]*autograd.Tensor, error) {
			if calls++; calls > at {
				return nil, bad
			}
			return m.encode(tape, 0, 3), nil
		}, m.loss)
		if !errors.Is(err, bad) {
			t.Errorf("call %d: %v, expected %v", at, err, bad)
		}
	}
	g := autograd.NewGradients()
	m.Scale.Update(func(v []float32) { v[0] = float32(math.NaN()) })
	if loss, err := m.cached(tape, 6, 2, g); err != nil || !math.IsNaN(loss) {
		t.Errorf("a loss that is not finite: %v, %v", loss, err)
	}
	for p := range g.All() {
		t.Errorf("a loss that is not finite has gradients of %v", p.Shape())
	}
	for name, encode := range map[string]func(i int) ([]*autograd.Tensor, error){
		"another number": func(i int) ([]*autograd.Tensor, error) { return m.encode(tape, 0, 2)[i:], nil },
		"another width":  func(i int) ([]*autograd.Tensor, error) { return []*autograd.Tensor{tape.Full(1, 2, 3+i)}, nil },
		"dimensions": func(i int) ([]*autograd.Tensor, error) {
			return []*autograd.Tensor{tape.Full(1, make([]int, 1+i)...)}, nil
		},
	} {
		func() {
			defer func() {
				v, _ := recover().(error)
				shape, use := (*autograd.ShapeError)(nil), (*autograd.UseError)(nil)
				if !errors.As(v, &shape) && !errors.As(v, &use) {
					t.Errorf("%s: %v, expected a ShapeError or a UseError", name, v)
				}
			}()
			_, err := CachedGradients(tape, 0, g, 2, encode, func(all []*autograd.Tensor) *autograd.Tensor { return autograd.Sum(all[0], false) })
			t.Errorf("%s: no panic, %v", name, err)
		}()
	}
}
