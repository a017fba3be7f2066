package autograd

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/simd"
)

// relative returns the norm of got - want, divided by that of want.
func relative(got, want []float32) float64 {
	var d, n float64
	for i := range want {
		e := float64(got[i]) - float64(want[i])
		d, n = d+e*e, n+float64(want[i])*float64(want[i])
	}
	return math.Sqrt(d / n)
}

// mathModels are the operations with products, and whether their products follow the tape's arithmetic.
var mathModels = []struct {
	name    string
	follows bool
	rows    bool // rows of the first dimension are independent
	pixels  bool // products are of pixels: see simd.Math.PixelChannels
	x       []int
	params  [][]int
	f       func(x *Tensor, p []*Parameter) *Tensor
}{
	{"linear", true, true, false, []int{5, 70}, [][]int{{33, 70}, {33}}, func(x *Tensor, p []*Parameter) *Tensor { return LinearAct(x, p[0], p[1], ActGelu) }},
	{"act linear", true, true, false, []int{5, 70}, [][]int{{33, 70}, {33}}, func(x *Tensor, p []*Parameter) *Tensor { return ActLinear(x, ActGelu, p[0], p[1], nil) }},
	{"feed forward", true, true, false, []int{5, 70}, [][]int{{33, 70}, {33}, {20, 33}}, func(x *Tensor, p []*Parameter) *Tensor {
		return FeedForward(x, p[0], p[1], ActGelu, p[2], nil, nil, nil)
	}},
	{"wide linear", true, true, false, []int{70, 400}, [][]int{{130, 400}}, func(x *Tensor, p []*Parameter) *Tensor { return Linear(x, p[0], nil) }},
	{"linear add", true, true, false, []int{3, 24}, [][]int{{24, 24}}, func(x *Tensor, p []*Parameter) *Tensor { return LinearAdd(x, p[0], nil, x) }},
	{"matmul", true, true, false, []int{7, 24}, [][]int{{24, 50}}, func(x *Tensor, p []*Parameter) *Tensor { return MatMul(x, p[0]) }},
	{"batch of products", true, true, false, []int{3, 7, 24}, nil, func(x *Tensor, _ []*Parameter) *Tensor { return MatMulT(x, x, false, true) }},
	{"attention", true, true, false, []int{2, 37, 72}, nil, func(x *Tensor, _ []*Parameter) *Tensor {
		c := func(from int) Columns { return Columns{Of: x, From: from} }
		return Attention(c(0), c(24), c(48), AttentionOptions{Heads: 2})
	}},
	{"causal attention", true, true, false, []int{2, 90, 48}, nil, func(x *Tensor, _ []*Parameter) *Tensor {
		c := func(from int) Columns { return Columns{Of: x, From: from} }
		return Attention(c(0), c(16), c(32), AttentionOptions{Heads: 2, Causal: true})
	}},
	{"packed attention", true, false, false, []int{30, 48}, nil, func(x *Tensor, _ []*Parameter) *Tensor {
		c := func(from int) Columns { return Columns{Of: x, From: from} }
		return PackedAttention(c(0), c(16), c(32), []int{0, 11, 30}, nil, AttentionOptions{Heads: 2})
	}},
	{"lstm", true, true, false, []int{4, 12}, [][]int{{40, 12}, {40, 10}, {40}, {40}}, func(x *Tensor, p []*Parameter) *Tensor {
		n := x.Shape()[0]
		h, _ := LSTMCell(x, x.Tape().Full(.1, n, 10), x.Tape().Full(.2, n, 10), p[0], p[1], p[2], p[3])
		return h
	}},
	{"gru", true, true, false, []int{2, 3, 12}, [][]int{{30, 12}, {30, 10}, {30}, {30}}, func(x *Tensor, p []*Parameter) *Tensor {
		y, _ := GRU(x, nil, p[0], p[1], p[2], p[3], RecurrentOptions{})
		return y
	}},
	{"deform conv2d", true, true, false, []int{2, 3, 6, 5}, [][]int{{8, 3, 3, 3}}, func(x *Tensor, p []*Parameter) *Tensor {
		s := x.Shape()
		return DeformConv2d(x, x.Tape().Full(.25, s[0], 18, s[2], s[3]), nil, p[0], nil, Conv2dOptions{Padding: [2]int{1, 1}})
	}},
	{"conv2d of few channels", false, true, true, []int{2, 3, 9, 11}, [][]int{{8, 3, 3, 3}, {8}}, func(x *Tensor, p []*Parameter) *Tensor {
		return Conv2d(x, p[0], p[1], Conv2dOptions{Padding: [2]int{1, 1}})
	}},
	{"conv2d 1×1", true, true, true, []int{2, 40, 13, 11}, [][]int{{33, 40, 1, 1}}, func(x *Tensor, p []*Parameter) *Tensor {
		return Conv2d(x, p[0], nil, Conv2dOptions{})
	}},
	{"conv2d 3×3", true, true, true, []int{2, 37, 13, 11}, [][]int{{35, 37, 3, 3}, {35}}, func(x *Tensor, p []*Parameter) *Tensor {
		return Conv2d(x, p[0], p[1], Conv2dOptions{Padding: [2]int{1, 1}})
	}},
	{"conv2d by two", true, true, true, []int{2, 40, 4, 47}, [][]int{{48, 20, 3, 2}, {48}}, func(x *Tensor, p []*Parameter) *Tensor {
		return Conv2d(x, p[0], p[1], Conv2dOptions{Stride: [2]int{2, 2}, Groups: 2})
	}},
	{"depthwise conv2d", false, true, true, []int{2, 32, 9, 11}, [][]int{{32, 1, 3, 3}, {32}}, func(x *Tensor, p []*Parameter) *Tensor {
		return Conv2d(x, p[0], p[1], Conv2dOptions{Groups: 32})
	}},
}

// mathRun is the result of a model and the gradients of x and the parameters, where the tape records them.
func mathRun(t *testing.T, o Options, xs []int, p []*Parameter, f func(x *Tensor, p []*Parameter) *Tensor) (y []float32, grads [][]float32) {
	t.Helper()
	o.Debug = true
	tape := NewTape(o)
	defer tape.Reset()
	n := elements("test", xs)
	in := ParameterOf(normals(1, 1<<15)[:n], xs...)
	out := tape.Segment(func(x *Tensor) *Tensor { return f(x, p) }, tape.Use(in))
	y = out.Floats(nil)
	if o.Gradients {
		g := NewGradients()
		Backward(g, []*Tensor{out}, [][]float32{normals(2, len(y))})
		for _, q := range append([]*Parameter{in}, p...) {
			grads = append(grads, g.Of(q))
		}
	}
	if tape.Lent() != 0 || tape.lentSize != 0 {
		t.Errorf("%d buffers and %d elements are lent at the end", tape.Lent(), tape.lentSize)
	}
	return y, grads
}

// Results of each arithmetic are near those of Strict, have the same bits with any number of threads and when segments run
// again, and a row of a batch has those that it has alone.
func TestMathModes(t *testing.T) {
	for _, c := range mathModels {
		var p []*Parameter
		for i, s := range c.params {
			p = append(p, ParameterOf(normals(uint64(10+i), elements("test", s)), s...))
		}
		exact, exactGrads := mathRun(t, Options{Gradients: true, Training: true}, c.x, p, c.f)
		for m, most := range map[simd.Math]float64{simd.Accurate: 1e-5, simd.BF16: .02, simd.Int8: .04} {
			what := fmt.Sprintf("%s, %v", c.name, m)
			y, _ := mathRun(t, Options{Math: m}, c.x, p, c.f)
			d := relative(y, exact)
			if d > most {
				t.Errorf("%s: the error is %.2g, expected at most %.2g", what, d, most)
			}
			follows := c.follows && (m != simd.Int8 || len(p) > 0 || simd.BF16.Native())
			if c.pixels && m.PixelChannels() == 0 {
				follows = false
			}
			if rounds := d > 1e-4; m != simd.Accurate && rounds != follows {
				t.Errorf("%s: the error against strict is %.2g", what, d)
			}
			for _, threads := range []int{2, 3} {
				again, _ := mathRun(t, Options{Math: m, Workers: simd.NewWorkers(threads)}, c.x, p, c.f)
				sameBits(t, fmt.Sprintf("%s, %d threads", what, threads), again, y)
			}
			if c.rows {
				one := append([]int{1}, c.x[1:]...)
				alone, _ := mathRun(t, Options{Math: m}, one, p, c.f)
				sameBits(t, what+", alone", alone, y[:len(alone)])
			}
			if m == simd.Int8 {
				continue
			}
			o := Options{Math: m, Gradients: true, Training: true}
			trained, grads := mathRun(t, o, c.x, p, c.f)
			sameBits(t, what+", training", trained, y)
			for i, g := range grads {
				if d := relative(g, exactGrads[i]); d > most {
					t.Errorf("%s: the error of gradient %d is %.2g, expected at most %.2g", what, i, d, most)
				}
			}
			for _, o := range []Options{
				{Math: m, Gradients: true, Training: true, Workers: simd.NewWorkers(3)},
				{Math: m, Gradients: true, Training: true, Recompute: true, Workers: simd.NewWorkers(2)},
			} {
				again, same := mathRun(t, o, c.x, p, c.f)
				sameBits(t, what+", again", again, y)
				for i, g := range same {
					sameBits(t, fmt.Sprintf("%s, gradient %d again", what, i), g, grads[i])
				}
			}
		}
	}
}

// In BF16, results and gradients are about as far from the exact ones as those of PyTorch's autocast, which rounds the
// results of products too.
func TestBF16MeetsAutocast(t *testing.T) {
	block := func(in func(name string) *Parameter) *Tensor {
		tape := NewTape(Options{Math: simd.BF16, Gradients: true, Training: true})
		x := tape.Use(in("x"))
		y := Linear(LayerNorm(x, in("g1"), in("b1"), 1e-6), in("qkv"), in("qkvb"))
		y = Attention(Columns{Of: y}, Columns{Of: y, From: 32}, Columns{Of: y, From: 64}, AttentionOptions{Heads: 2})
		x = LinearAdd(y, in("proj"), in("projb"), x)
		y = LinearAct(LayerNorm(x, in("g2"), in("b2"), 1e-6), in("up"), in("upb"), ActGelu)
		return LinearAdd(y, in("down"), in("downb"), x)
	}
	matmul := func(in func(name string) *Parameter) *Tensor {
		return MatMul(NewTape(Options{Math: simd.BF16, Gradients: true}).Use(in("a")), in("b"))
	}
	conv := func(padding int) func(in func(name string) *Parameter) *Tensor {
		return func(in func(name string) *Parameter) *Tensor {
			x := NewTape(Options{Math: simd.BF16, Gradients: true}).Use(in("x"))
			return Conv2d(x, in("w"), in("b"), Conv2dOptions{Padding: [2]int{padding, padding}})
		}
	}
	file := golden.Load(t, "testdata/math_modes.safetensors")
	for name, f := range map[string]func(func(string) *Parameter) *Tensor{
		"block": block, "matmul": matmul, "conv1x1": conv(0), "conv3x3": conv(1),
	} {
		params := map[string]*Parameter{}
		y := f(func(in string) *Parameter {
			v, shape := file.Tensor(name + "/in/" + in)
			params[in] = ParameterOf(v, shape...)
			return params[in]
		})
		got := map[string][]float32{"out": y.Floats(nil)}
		g := NewGradients()
		Backward(g, []*Tensor{y}, [][]float32{file.Floats(name + "/seed")})
		for in, p := range params {
			got["grad/"+in] = g.Of(p)
		}
		for what, v := range got {
			exact, autocast := file.Floats(name+"/exact/"+what), file.Floats(name+"/autocast/"+what)
			ours, theirs, between := relative(v, exact), relative(autocast, exact), relative(v, autocast)
			if ours > 1.2*theirs || between > 1e-2 {
				t.Errorf("%s, %s: the error is %.2g, that of autocast %.2g, and they are %.2g apart", name, what, ours, theirs, between)
			}
		}
	}
}

// Tapes of several arithmetics share a model, which packs each weight once for each.
func TestMathShared(t *testing.T) {
	w := ParameterOf(normals(3, 66*40), 66, 40)
	modes := []simd.Math{simd.Strict, simd.Accurate, simd.BF16, simd.Int8}
	run := func(m simd.Math) []float32 {
		tape := NewTape(Options{Math: m})
		if tape.Math() != m {
			t.Errorf("a tape of %v says that it has %v", m, tape.Math())
		}
		return Linear(tape.Input(normals(4, 5*40), 5, 40), w, nil).Floats(nil)
	}
	want := make([][]float32, len(modes))
	for i, m := range modes {
		want[i] = run(m)
	}
	slots := &w.store.packs[packTransposed]
	packed := make([]*simd.Packed, len(slots))
	for i := range slots {
		packed[i] = slots[i].Load().panels[0]
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 20 {
				sameBits(t, modes[i%4].String(), run(modes[i%4]), want[i%4])
			}
		})
	}
	wg.Wait()
	for i := range slots {
		if slots[i].Load().panels[0] != packed[i] {
			t.Errorf("%v was packed again", modes[i])
		}
	}
	w.Update(func([]float32) {})
	for i := range slots {
		if slots[i].Load() != nil {
			t.Errorf("the panels of %v outlive the weight", modes[i])
		}
	}
}

// A parameter limits the arithmetic of its products.
func TestLimitMath(t *testing.T) {
	v := normals(5, 20*30)
	run := func(m, limit simd.Math, gradients bool) []float32 {
		w := ParameterOf(v, 20, 30)
		if w.MathLimit() != simd.Int8 {
			t.Errorf("a new parameter is limited to %v", w.MathLimit())
		}
		if limit != simd.Int8 {
			w.LimitMath(limit)
		}
		if w.MathLimit() != limit {
			t.Errorf("limited to %v, it says %v", limit, w.MathLimit())
		}
		tape := NewTape(Options{Math: m, Gradients: gradients})
		return Linear(tape.Input(normals(6, 4*30), 4, 30), w, nil).Floats(nil)
	}
	for m := simd.Strict; m <= simd.Int8; m++ {
		for limit := simd.Strict; limit <= simd.Int8; limit++ {
			want := run(min(m, limit), simd.Int8, false)
			sameBits(t, fmt.Sprintf("%v of %v", limit, m), run(m, limit, false), want)
			if m != simd.Int8 {
				sameBits(t, fmt.Sprintf("%v of %v, recorded", limit, m), run(m, limit, true), want)
			}
		}
	}
	expectUsePanic(t, "unknown arithmetic Math(9)", func() { NewParameter(1).LimitMath(9) })
	expectUsePanic(t, "unknown arithmetic Math(7)", func() { NewTape(Options{Math: 7}) })
	expectUsePanic(t, "products in int8 have no gradients", func() { NewTape(Options{Math: simd.Int8, Gradients: true}) })
}

func TestMathProfile(t *testing.T) {
	activations := "attention strict "
	if simd.BF16.Native() {
		activations = "attention bf16 "
	}
	w, stem, filters := ParameterOf(normals(1, 24), 6, 4), ParameterOf(normals(1, 24), 6, 4, 1, 1), ParameterOf(normals(1, 1280), 40, 32, 1, 1)
	convolution := "conv2d strict "
	if simd.BF16.PixelChannels() > 0 {
		convolution = "conv2d bf16 "
	}
	for m, want := range map[simd.Math][]string{
		simd.Strict: {"linear ", "conv2d ", "attention "},
		simd.BF16:   {"linear bf16 ", "conv2d+act strict ", convolution, "attention bf16 "},
		simd.Int8:   {"linear int8 ", "conv2d+act strict ", "conv2d int8 ", activations},
	} {
		p := &Profile{}
		tape := NewTape(Options{Math: m, Profile: p})
		x := tape.Full(1, 1, 3, 4)
		Linear(x, w, nil)
		Conv2d(tape.Full(1, 1, 4, 3, 3), stem, nil, Conv2dOptions{Act: ActRelu})
		Conv2d(tape.Full(1, 1, 32, 3, 3), filters, nil, Conv2dOptions{})
		Attention(Columns{Of: x}, Columns{Of: x}, Columns{Of: x}, AttentionOptions{HeadDim: 4})
		Add(x, x)
		for _, name := range append(want, "add  ") {
			if !strings.Contains(p.String(), "\n"+name) {
				t.Errorf("%v: no %q in\n%s", m, name, p)
			}
		}
	}
}

// inInt8 returns a parameter of integers, in parts, and one of the same values in float32.
func inInt8(seed uint64, parts int, shape ...int) (narrow, full *Parameter) {
	v := normals(seed, elements("test", shape))
	width := len(v) / shape[0]
	codes, scales := make([]int8, len(v)), make([]float32, shape[0])
	for i := range scales {
		scales[i], _ = simd.F32ToInt8(codes[i*width:][:width], v[i*width:])
		simd.Int8ToF32(v[i*width:][:width], codes[i*width:], scales[i])
	}
	var all [][]int8
	for i := range parts {
		all = append(all, codes[i*len(v)/parts:(i+1)*len(v)/parts])
	}
	narrow = NewParameter(shape...)
	narrow.MapInt8(all, scales, nil, nil)
	return narrow, ParameterOf(v, shape...)
}

// Parameters of integers give the results and gradients of their widened values, bit for bit, on tapes of every kind but
// those of Int8.
func TestInt8Bits(t *testing.T) {
	for _, c := range halfModels {
		for _, parts := range []int{1, 3} {
			var narrow, full []*Parameter
			for i, shape := range c.params {
				n, f := inInt8(uint64(10+i), parts, shape...)
				narrow, full = append(narrow, n), append(full, f)
			}
			for _, o := range []Options{
				{}, {Workers: simd.NewWorkers(2)}, {Math: simd.BF16}, {Training: true},
				{Gradients: true, Training: true}, {Gradients: true, Recompute: true, Math: simd.BF16},
			} {
				what := fmt.Sprintf("%s in %d parts, %v, gradients %t", c.name, parts, o.Math, o.Gradients)
				got, gotGrads := mathRun(t, o, c.x, narrow, c.f)
				want, wantGrads := mathRun(t, o, c.x, full, c.f)
				sameBits(t, what, got, want)
				for i := range gotGrads {
					sameBits(t, what+": gradient", gotGrads[i], wantGrads[i])
				}
			}
			got, _ := mathRun(t, Options{Math: simd.Int8}, c.x, narrow, c.f)
			want, _ := mathRun(t, Options{Math: simd.Int8}, c.x, full, c.f)
			if d := relative(got, want); d > 1e-5 {
				t.Errorf("%s, int8: the integers' result differs by %.2g from that of their values", c.name, d)
			}
			for _, p := range narrow {
				if p.DType() != Int8 {
					t.Errorf("%s: a parameter became %v by being read", c.name, p.DType())
				}
			}
		}
	}
}

func TestMapInt8(t *testing.T) {
	codes, scales := []int8{1, 2, -3, 127, -128, 0}, []float32{.5, 2}
	want := []float32{.5, 1, -1.5, 254, -256, 0}
	for _, parts := range [][][]int8{{codes}, {codes[:1], codes[1:1], codes[1:5], codes[5:]}} {
		p, released, held := NewParameter(2, 3), 0, 0
		p.MapInt8(parts, scales, func() { released++ }, func() { held++ })
		if p.DType() != Int8 || p.DType().String() != "int8" {
			t.Errorf("type %v", p.DType())
		}
		sameBits(t, "values", p.Values(), want)
		got, s, ok := p.Int8()
		if !ok || len(got) != len(codes) || &s[0] != &scales[0] {
			t.Fatalf("integers %v, scales %v, %t", got, s, ok)
		}
		for i := range codes {
			if got[i] != codes[i] {
				t.Errorf("integers %v, expected %v", got, codes)
			}
		}
		if one := len(parts) == 1; (&got[0] == &codes[0]) != one || held == 1 != one {
			t.Errorf("%d parts: held %d times", len(parts), held)
		}
		tape := NewTape(Options{Math: simd.Int8})
		Linear(tape.Full(1, 1, 3), p, nil)
		if released != 1 {
			t.Errorf("released %d times", released)
		}
		p.Update(func(v []float32) { v[0] = 7 })
		if p.DType() != Float32 || p.Values()[0] != 7 || p.Values()[4] != want[4] || codes[0] != 1 {
			t.Errorf("updated: %v %v", p.DType(), p.Values())
		}
		if _, _, ok := p.Int8(); ok {
			t.Error("float32 values have integers")
		}
	}
	expectShapePanic(t, "parameter map", func() { NewParameter(2, 3).MapInt8([][]int8{codes}, scales[:1], nil, nil) })
	expectShapePanic(t, "parameter map", func() { NewParameter(2, 3).MapInt8([][]int8{codes[:5]}, scales, nil, nil) })
	expectShapePanic(t, "parameter map", func() { NewParameter().MapInt8([][]int8{codes[:1]}, scales[:1], nil, nil) })
	expectUsePanic(t, "expected float16 or bfloat16, found int8", func() { NewParameter(2).MapHalf(Int8, [][]uint16{{1, 2}}, nil, nil) })
	NewParameter(0, 3).MapInt8(nil, nil, nil, nil)
}
