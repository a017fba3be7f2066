package autograd

import (
	"fmt"
	"sync"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

// inHalf returns a parameter in half precision, in parts, and one of the same values in float32.
func inHalf(d DType, seed uint64, parts int, shape ...int) (half, full *Parameter) {
	v := normals(seed, elements("test", shape))
	h := make([]uint16, len(v))
	if d == Float16 {
		simd.F32ToF16(h, v)
		simd.F16ToF32(v, h)
	} else {
		simd.F32ToBF16(h, v)
		simd.BF16ToF32(v, h)
	}
	var all [][]uint16
	for i := range parts {
		all = append(all, h[i*len(h)/parts:(i+1)*len(h)/parts])
	}
	half = NewParameter(shape...)
	half.MapHalf(d, all, nil, nil)
	return half, ParameterOf(v, shape...)
}

// halfModels are operations that use parameters in every way there is, by the shapes of x and of the
// parameters.
var halfModels = []struct {
	name   string
	x      []int
	params [][]int
	f      func(x *Tensor, p []*Parameter) *Tensor
}{
	{"linear", []int{5, 40}, [][]int{{70, 40}, {70}}, func(x *Tensor, p []*Parameter) *Tensor { return LinearAct(x, p[0], p[1], ActGelu) }},
	{"act linear", []int{5, 40}, [][]int{{70, 40}, {70}}, func(x *Tensor, p []*Parameter) *Tensor { return ActLinear(x, ActGelu, p[0], p[1], nil) }},
	{"feed forward", []int{5, 40}, [][]int{{70, 40}, {70}, {30, 70}}, func(x *Tensor, p []*Parameter) *Tensor {
		return FeedForward(x, p[0], p[1], ActGelu, p[2], nil, nil, nil)
	}},
	{"one row", []int{1, 600}, [][]int{{33, 600}, {33}}, func(x *Tensor, p []*Parameter) *Tensor { return Linear(x, p[0], p[1]) }},
	{"many rows", []int{300, 24}, [][]int{{130, 24}}, func(x *Tensor, p []*Parameter) *Tensor { return Linear(x, p[0], nil) }},
	{"matmul", []int{7, 24}, [][]int{{24, 50}}, func(x *Tensor, p []*Parameter) *Tensor { return MatMul(x, p[0]) }},
	{"both ways", []int{7, 24}, [][]int{{24, 24}}, func(x *Tensor, p []*Parameter) *Tensor { return Linear(MatMul(x, p[0]), p[0], nil) }},
	{"norm and add", []int{9, 48}, [][]int{{48}, {48}, {9, 48}}, func(x *Tensor, p []*Parameter) *Tensor {
		return Add(LayerNorm(x, p[0], p[1], 1e-6), p[2])
	}},
	{"conv", []int{2, 3, 9, 11}, [][]int{{8, 3, 3, 3}, {8}}, func(x *Tensor, p []*Parameter) *Tensor {
		return Conv2d(x, p[0], p[1], Conv2dOptions{Padding: [2]int{1, 1}})
	}},
	{"embedding", []int{6, 20}, [][]int{{50, 20}}, func(x *Tensor, p []*Parameter) *Tensor {
		return Add(x, x.Tape().Embedding(p[0], []int{0, 49, 7, 7, 30, 1}, 6))
	}},
	{"lstm", []int{4, 12}, [][]int{{40, 12}, {40, 10}, {40}, {40}}, func(x *Tensor, p []*Parameter) *Tensor {
		h, c := LSTMCell(x, x.Tape().Full(.1, 4, 10), x.Tape().Full(.2, 4, 10), p[0], p[1], p[2], p[3])
		return Add(h, c)
	}},
	{"sequence", []int{2, 3, 12}, [][]int{{40, 12}, {40, 10}, {40}, {40}}, func(x *Tensor, p []*Parameter) *Tensor {
		y, _, _ := LSTM(x, nil, nil, p[0], p[1], p[2], p[3], RecurrentOptions{})
		return y
	}},
	{"attention bias", []int{2, 5, 24}, [][]int{{2, 5, 5}}, func(x *Tensor, p []*Parameter) *Tensor {
		return Attention(Columns{Of: x}, Columns{Of: x}, Columns{Of: x}, AttentionOptions{Heads: 2, HeadDim: 12, Bias: p[0]})
	}},
	{"used alone", []int{3, 10}, [][]int{{3, 10}, {1}}, func(x *Tensor, p []*Parameter) *Tensor {
		return Mul(Add(x, Exp(x.Tape().Use(p[0]))), p[1])
	}},
}

// Half-precision parameters give the results and gradients of their widened values, bit for bit, on tapes of
// every kind, and leave no memory lent.
func TestHalfBits(t *testing.T) {
	for _, c := range halfModels {
		for _, d := range []DType{Float16, BFloat16} {
			for _, parts := range []int{1, 3} {
				if testing.Short() && (d == Float16) == (parts == 1) {
					continue
				}
				var half, full []*Parameter
				for i, shape := range c.params {
					h, f := inHalf(d, uint64(10+i), parts, shape...)
					half, full = append(half, h), append(full, f)
				}
				for _, o := range []Options{
					{}, {Workers: simd.NewWorkers(2)}, {Workers: simd.NewWorkers(3)}, {Training: true},
					{Gradients: true, Training: true}, {Gradients: true, Recompute: true, Workers: simd.NewWorkers(2)},
				} {
					o.Debug = true
					run := func(p []*Parameter) ([]float32, *Gradients) {
						tape := NewTape(o)
						defer tape.Reset()
						y := tape.Segment(func(x *Tensor) *Tensor { return c.f(x, p) }, tape.Input(normals(1, elements("test", c.x)), c.x...))
						out, g := y.Floats(nil), NewGradients()
						if o.Gradients {
							Backward(g, []*Tensor{y}, [][]float32{normals(2, len(out))})
						}
						if tape.Lent() != 0 || tape.lentSize != 0 {
							t.Errorf("%s: %d buffers and %d elements are lent at the end", c.name, tape.Lent(), tape.lentSize)
						}
						return out, g
					}
					what := fmt.Sprintf("%s, %v in %d parts, gradients %t, training %t, %d threads", c.name, d, parts, o.Gradients, o.Training, o.Workers.Limit())
					got, gotGrads := run(half)
					want, wantGrads := run(full)
					sameBits(t, what, got, want)
					if o.Gradients {
						for i := range half {
							sameBits(t, what+": gradient", gotGrads.Of(half[i]), wantGrads.Of(full[i]))
						}
					}
				}
				for i, p := range half {
					if p.DType() != d {
						t.Errorf("%s: parameter %d became %v by being read", c.name, i, p.DType())
					}
				}
			}
		}
	}
}

// Inference holds a half-precision weight in half precision, packed.
func TestHalfStaysHalf(t *testing.T) {
	p, full := inHalf(Float16, 1, 2, 64, 96)
	tape := NewTape(Options{})
	x := tape.Full(1, 2, 96)
	Linear(x, p, nil)
	Linear(x, full, nil)
	if got, want := p.store.packs[packTransposed][simd.Strict].Load().panels[0].Bytes(), full.store.packs[packTransposed][simd.Strict].Load().panels[0].Bytes(); 2*got != want {
		t.Errorf("%d bytes packed, in float32 %d", got, want)
	}
	a, b := p.Values(), p.Values()
	sameBits(t, "values", a, full.Values())
	if &a[0] == &b[0] {
		t.Error("a widened copy is kept")
	}
	version := p.Version()
	p.Update(func(v []float32) { v[3] = 0.1 })
	if p.DType() != Float32 || p.Version() == version || p.Values()[3] != 0.1 || p.Values()[4] != a[4] {
		t.Errorf("updated: %v %v", p.DType(), p.Values()[:5])
	}
	sameBits(t, "updated", Linear(x, p, nil).Floats(nil), Linear(x, tape.Input(p.Values(), 64, 96), nil).Floats(nil))
	expectShapePanic(t, "parameter map", func() { p.MapHalf(BFloat16, [][]uint16{{1}}, nil, nil) })
	expectUsePanic(t, "found float32", func() { p.MapHalf(Float32, nil, nil, nil) })
}

// The owner of mapped memory hears when values have been packed or copied, and when a slice leaves.
func TestMappingCalls(t *testing.T) {
	v := ramp(24)
	for i, parts := range [][][]float32{{v}, {v[:8], v[8:8], v[8:]}, nil} {
		p := NewParameter(4, 6)
		released, held := 0, 0
		release, hold := func() { released++ }, func() { held++ }
		if parts != nil {
			p.Map(parts, release, hold)
		} else {
			p.MapHalf(BFloat16, [][]uint16{make([]uint16, 24)}, release, hold)
		}
		expect := func(when string, r, h int) {
			t.Helper()
			if released != r || held != h {
				t.Errorf("case %d, %s: released %d and held %d times, expected %d and %d", i, when, released, held, r, h)
			}
		}
		tape := NewTape(Options{})
		x := tape.Full(1, 1, 6)
		Linear(x, p, nil)
		Linear(x, p, nil)
		expect("packed", 1, 0)
		values := p.Values()
		switch len(parts) {
		case 1:
			if expect("handed out", 1, 1); &values[0] != &v[0] {
				t.Error("a copy of what is in one piece")
			}
		case 3:
			expect("joined", 2, 0)
			sameBits(t, "joined", values, v)
			if &p.Values()[0] != &values[0] {
				t.Error("joined twice")
			}
		default:
			expect("widened", 1, 0)
		}
		p.Update(func(values []float32) { values[0] = 9 })
		if released != 2 || v[0] != ramp(1)[0] {
			t.Errorf("updated: released %d times, the mapped memory has %v", released, v[0])
		}
	}
}

// Many goroutines use a mapped model for the first time at once.
func TestConcurrentFirstUse(t *testing.T) {
	const in, out = 40, 66
	for range 20 {
		half, full := inHalf(Float16, 3, 3, out, in)
		bias, _ := inHalf(BFloat16, 4, 1, out)
		whole := ParameterOf(bias.Values(), out)
		joined := NewParameter(out, in)
		v := full.Values()
		var mu sync.Mutex
		released := 0
		joined.Map([][]float32{v[:in], v[in:]}, func() {
			mu.Lock()
			released++
			mu.Unlock()
		}, nil)
		tape := NewTape(Options{})
		x := normals(5, 2*in)
		want := Linear(tape.Input(x, 2, in), full, whole).Floats(nil)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				tape := NewTape(Options{Gradients: i%4 == 3, Workers: simd.NewWorkers(1 + i%3)})
				for _, p := range []*Parameter{half, joined} {
					sameBits(t, "first use", Linear(tape.Input(x, 2, in), p, bias).Floats(nil), want)
					if i%4 == 2 {
						sameBits(t, "values", p.Values(), v)
					}
				}
			})
		}
		wg.Wait()
		if released == 0 {
			t.Fatal("nothing was released")
		}
	}
}
