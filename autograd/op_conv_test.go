package autograd

import (
	"fmt"
	"math/rand/v2"
	"path"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

const convGoldens = "ops_conv.safetensors"

func conv2dOptions(v []int) Conv2dOptions {
	return Conv2dOptions{Stride: pair(v[0:]), Padding: pair(v[2:]), Dilation: pair(v[4:]), Groups: v[6]}
}

func pair(v []int) [2]int { return [2]int{v[0], v[1]} }

func TestConv2d(t *testing.T) {
	checkOp(t, convGoldens, "conv/", func(c *opCase) []*Tensor {
		return []*Tensor{Conv2d(c.Var("x"), c.Param("w"), c.Param("b"), conv2dOptions(c.Ints("o")))}
	})
	checkOp(t, convGoldens, "convnobias/", func(c *opCase) []*Tensor {
		return []*Tensor{Conv2d(c.Var("x"), c.Var("w"), nil, conv2dOptions(c.Ints("o")))}
	})
}

// The last part of a case's name is its activation.
func TestConv2dEnd(t *testing.T) {
	options := func(c *opCase) Conv2dOptions {
		o := conv2dOptions(c.Ints("o"))
		var err error
		if o.Act, err = ActivationByName(path.Base(c.name)); err != nil {
			t.Fatal(err)
		}
		return o
	}
	checkOp(t, convGoldens, "convact/", func(c *opCase) []*Tensor {
		return []*Tensor{Conv2d(c.Var("x"), c.Param("w"), c.Param("b"), options(c))}
	})
	checkOp(t, convGoldens, "convadd/", func(c *opCase) []*Tensor {
		return []*Tensor{Conv2dAdd(c.Var("x"), c.Param("w"), c.Var("b"), c.Var("r"), options(c))}
	})
}

// TestConv2dEndBits: fused steps have the bits of operations one after the other, forward and backward, in every kind
// of convolution.
func TestConv2dEndBits(t *testing.T) {
	acts := []Activation{ActNone, ActRelu, ActSilu}
	for i, c := range append(tiledConvs, convOrders...) {
		for k, act := range acts {
			if testing.Short() && k != i%len(acts) {
				continue
			}
			run := func(fused, recording, residual bool) [][]float32 {
				tape := NewTape(Options{Gradients: recording, Debug: true, Workers: simd.NewWorkers(2)})
				x := tape.Input(normals(5, elements("test", c.x)), c.x...).WantGradient()
				w, b := ParameterOf(normals(6, elements("test", c.w)), c.w...), ParameterOf(normals(7, c.w[0]), c.w[0])
				o := c.o
				y := Conv2d(x, w, b, o)
				r := tape.Input(normals(8, y.Len()), y.Shape()...).WantGradient()
				o.Act = act
				switch {
				case fused && residual:
					y = Conv2dAdd(x, w, b, r, o)
				case fused:
					y = Conv2d(x, w, b, o)
				case residual:
					y = Activate(Add(y, r), act)
				default:
					y = Activate(y, act)
				}
				out := [][]float32{y.Floats(nil)}
				if recording {
					g := NewGradients()
					Backward(g, []*Tensor{y}, [][]float32{normals(9, y.Len())})
					out = append(out, g.OfTensor(x), g.Of(w), g.Of(b), g.OfTensor(r))
				}
				return out
			}
			for choice := range 4 { // inference takes another way through the depthwise kernel
				recording, residual := choice&1 != 0, choice&2 != 0
				got, want := run(true, recording, residual), run(false, recording, residual)
				for i := range want {
					sameBits(t, fmt.Sprintf("%v %v %v, choice %d: number %d", c.x, c.w, act, choice, i), got[i], want[i])
				}
			}
		}
	}
	// An operand may be the residual too.
	grads := func(fused bool) []float32 {
		tape := NewTape(Options{Gradients: true, Debug: true})
		x := tape.Input(normals(1, 2*3*6*6), 2, 3, 6, 6).WantGradient()
		w, o := ParameterOf(normals(2, 3*3*3*3), 3, 3, 3, 3), Conv2dOptions{Padding: [2]int{1, 1}}
		y := Relu(Add(Conv2d(x, w, nil, o), x))
		if fused {
			o.Act = ActRelu
			y = Conv2dAdd(x, w, nil, x, o)
		}
		g := NewGradients()
		Backward(g, []*Tensor{y}, [][]float32{normals(3, y.Len())})
		return g.OfTensor(x)
	}
	close32(t, "residual and operand", grads(true), grads(false), 1e-5)
}

// A gradient that something was added to before keeps it: the second use of an operand takes the other
// branch of every kernel.
func TestConv2dAddsGradients(t *testing.T) {
	for _, ws := range [][]int{{4, 2, 3, 3}, {4, 2, 1, 1}, {4, 1, 3, 3}} {
		groups := 4 / ws[1]
		pad := ws[2] / 2
		o := Conv2dOptions{Padding: [2]int{pad, pad}, Groups: groups}
		grads := func(uses int) (dx, dw []float32) {
			tape := NewTape(Options{Gradients: true, Debug: true})
			x := tape.Input(normals(1, 2*4*5*6), 2, 4, 5, 6).WantGradient()
			w := ParameterOf(normals(2, elements("test", ws)), ws...)
			var ys []*Tensor
			var seeds [][]float32
			for i := range uses {
				y := Conv2d(x, w, nil, o)
				ys, seeds = append(ys, y), append(seeds, normals(uint64(3+i), y.Len()))
			}
			g := NewGradients()
			Backward(g, ys, seeds)
			return g.OfTensor(x), g.Of(w)
		}
		x1, w1 := grads(1)
		x2, w2 := grads(2)
		tape := NewTape(Options{Gradients: true})
		x := tape.Input(normals(1, 2*4*5*6), 2, 4, 5, 6).WantGradient()
		w := ParameterOf(normals(2, elements("test", ws)), ws...)
		y := Conv2d(x, w, nil, o)
		g := NewGradients()
		Backward(g, []*Tensor{y}, [][]float32{normals(4, y.Len())})
		close32(t, fmt.Sprint("dx of ", ws), x2, sum32(x1, g.OfTensor(x)), 1e-5)
		close32(t, fmt.Sprint("dw of ", ws), w2, sum32(w1, g.Of(w)), 2e-5)
	}
}

// naiveConv is the definition, in float64.
func naiveConv(x, w []float32, g *convShape) []float32 {
	y := make([]float32, g.n*g.groups*g.co*g.positions())
	for i := range y {
		p, f := i%g.positions(), i/g.positions()
		oy, ox := p/g.ow, p%g.ow
		image, k := f/g.co/g.groups, f/g.co%g.groups
		sum := 0.0
		for c := range g.ci {
			for ky := range g.kh {
				for kx := range g.kw {
					iy, ix := oy*g.sy-g.py+ky*g.dy, ox*g.sx-g.px+kx*g.dx
					if iy < 0 || iy >= g.h || ix < 0 || ix >= g.w {
						continue
					}
					filter := w[(k*g.co+f%g.co)*g.taps():]
					sum += float64(filter[(c*g.kh+ky)*g.kw+kx]) * float64(g.before(x, image, k)[(c*g.h+iy)*g.w+ix])
				}
			}
		}
		y[i] = float32(sum)
	}
	return y
}

// tiledConvs have more taps, positions, filters or channels than one task or tile holds.
var tiledConvs = []struct {
	x, w []int
	o    Conv2dOptions
}{
	{[]int{2, 47, 9, 130}, []int{5, 47, 3, 3}, Conv2dOptions{Padding: [2]int{1, 1}}},
	{[]int{1, 100, 14, 30}, []int{40, 100, 2, 2}, Conv2dOptions{Stride: [2]int{2, 1}}},
	{[]int{1, 33, 5, 700}, []int{3, 33, 3, 3}, Conv2dOptions{Dilation: [2]int{2, 1}}},
	{[]int{3, 40, 25, 25}, []int{36, 40, 1, 1}, Conv2dOptions{}},
	{[]int{2, 6, 40, 70}, []int{12, 1, 3, 3}, Conv2dOptions{Padding: [2]int{1, 1}, Groups: 6}},
	{[]int{2, 3, 90, 70}, []int{3, 1, 5, 5}, Conv2dOptions{Stride: [2]int{2, 2}, Padding: [2]int{2, 2}, Groups: 3}},
}

// TestConv2dTiles compares large convolutions with the definition, and their bits and those of their
// gradients on one, two and five threads. A row of a batch has the bits it has alone.
func TestConv2dTiles(t *testing.T) {
	for _, c := range tiledConvs {
		t.Run(fmt.Sprint(c.x, c.w), func(t *testing.T) {
			x, w := normals(5, elements("test", c.x)), normals(6, elements("test", c.w))
			var base [3][]float32
			for _, threads := range []int{1, 2, 5} {
				tape := NewTape(Options{Gradients: true, Debug: true, Workers: simd.NewWorkers(threads)})
				xt := tape.Input(x, c.x...).WantGradient()
				p := ParameterOf(w, c.w...)
				y := Conv2d(xt, p, nil, c.o)
				got := [3][]float32{y.Floats(nil)}
				s := y.Shape()
				g := NewGradients()
				Backward(g, []*Tensor{y}, [][]float32{normals(7, y.Len())})
				got[1], got[2] = g.OfTensor(xt), g.Of(p)
				if threads == 1 {
					base = got
					shape := newConvShape("test", c.w, c.o.Stride, c.o.Padding, c.o.Dilation, c.o.Groups)
					shape.n, shape.h, shape.w, shape.oh, shape.ow = c.x[0], c.x[2], c.x[3], s[2], s[3]
					if !testing.Short() {
						close32(t, "result", got[0], naiveConv(x, w, shape), 1e-4)
					}
					continue
				}
				for i, what := range []string{"result", "dx", "dw"} {
					sameBits(t, fmt.Sprint(what, " on ", threads, " threads"), got[i], base[i])
				}
			}
			for i := range c.x[0] {
				row := len(x) / c.x[0]
				tape := NewTape(Options{Workers: simd.NewWorkers(2)})
				xt := tape.Input(x[i*row:(i+1)*row], append([]int{1}, c.x[1:]...)...)
				y := Conv2d(xt, ParameterOf(w, c.w...), nil, c.o)
				out := len(base[0]) / c.x[0]
				sameBits(t, fmt.Sprint("image ", i, " alone"), y.data, base[0][i*out:(i+1)*out])
			}
		})
	}
}

// TestConv2dBias: the bias is added once, to the finished sum, however many tiles a sum runs through.
func TestConv2dBias(t *testing.T) {
	for _, c := range tiledConvs {
		tape := NewTape(Options{})
		x := tape.Input(normals(5, elements("test", c.x)), c.x...)
		w, b := ParameterOf(normals(6, elements("test", c.w)), c.w...), normals(7, c.w[0])
		y := Conv2d(x, w, ParameterOf(b, len(b)), c.o)
		want := Conv2d(x, w, nil, c.o).data
		inner := y.Shape()[2] * y.Shape()[3]
		for i := 0; i < len(want); i += inner {
			simd.AddScalar(want[i:i+inner], want[i:i+inner], b[i/inner%len(b)])
		}
		sameBits(t, fmt.Sprint(c.x, c.w), y.data, want)
	}
}

// TestConv2dBlocks: a result is the sum of those of blocks of channels, added in order.
func TestConv2dBlocks(t *testing.T) {
	for _, c := range []struct{ channels, size, block int }{{61, 3, 28}, {300, 1, 256}, {300, 2, 64}, {25, 5, 10}, {3, 17, 1}} {
		xs, ws := []int{1, c.channels, 20, 23}, []int{6, c.channels, c.size, c.size}
		x, w := normals(5, elements("test", xs)), normals(6, elements("test", ws))
		conv := func(c0, c1 int) []float32 { // of some channels
			tape := NewTape(Options{})
			pixels, window := xs[2]*xs[3], c.size*c.size
			var part []float32
			for f := range ws[0] {
				part = append(part, w[(f*c.channels+c0)*window:(f*c.channels+c1)*window]...)
			}
			p := ParameterOf(part, ws[0], c1-c0, c.size, c.size)
			o := Conv2dOptions{Padding: [2]int{1, 1}, Stride: [2]int{1, 2}}
			return Conv2d(tape.Input(x[c0*pixels:c1*pixels], 1, c1-c0, xs[2], xs[3]), p, nil, o).Floats(nil)
		}
		want := conv(0, c.block)
		for c0 := c.block; c0 < c.channels; c0 += c.block {
			want = sum32(want, conv(c0, min(c0+c.block, c.channels)))
		}
		sameBits(t, fmt.Sprint(xs, ws), conv(0, c.channels), want)
	}
}

// TestConv2dDepthwiseAsGemm compares the depthwise kernel with the product, bit for bit: both are one
// chain over the taps of a window, which has at most 96.
func TestConv2dDepthwiseAsGemm(t *testing.T) {
	tape := NewTape(Options{})
	x := tape.Input(normals(1, 3*11*13), 3, 1, 11, 13)
	w := normals(2, 5*3*3)
	o := Conv2dOptions{Padding: [2]int{1, 2}, Stride: [2]int{2, 1}}
	want := Conv2d(x, ParameterOf(w, 5, 1, 3, 3), nil, o) // one channel, five filters: a product
	twin := append(x.Floats(nil), x.Floats(nil)...)
	o.Groups = 2
	got := Conv2d(tape.Input(interleaveImages(twin, 3, 11*13), 3, 2, 11, 13),
		ParameterOf(append(append([]float32(nil), w...), w...), 10, 1, 3, 3), nil, o)
	inner := want.Len() / 15
	for i := range 3 {
		for k := range 10 {
			sameBits(t, fmt.Sprint("image ", i, " channel ", k), got.data[(i*10+k)*inner:][:inner],
				want.data[(i*5+k%5)*inner:][:inner])
		}
	}
}

// interleaveImages turns two batches of n images of one channel into one of two channels.
func interleaveImages(x []float32, n, size int) []float32 {
	var out []float32
	for i := range n {
		out = append(out, x[i*size:(i+1)*size]...)
		out = append(out, x[(n+i)*size:(n+i+1)*size]...)
	}
	return out
}

func TestConv2dShapes(t *testing.T) {
	tape := NewTape(Options{})
	x := tape.Full(1, 1, 4, 5, 5)
	for name, f := range map[string]func(){
		"channels": func() { Conv2d(x, NewParameter(2, 3, 3, 3), nil, Conv2dOptions{}) },
		"groups":   func() { Conv2d(x, NewParameter(3, 2, 3, 3), nil, Conv2dOptions{Groups: 2}) },
		"window":   func() { Conv2d(x, NewParameter(2, 4, 6, 3), nil, Conv2dOptions{}) },
		"bias":     func() { Conv2d(x, NewParameter(2, 4, 3, 3), NewParameter(3), Conv2dOptions{}) },
		"stride":   func() { Conv2d(x, NewParameter(2, 4, 3, 3), nil, Conv2dOptions{Stride: [2]int{-1, 1}}) },
		"residual": func() { Conv2dAdd(x, NewParameter(2, 4, 3, 3), nil, x, Conv2dOptions{}) },
		"rank":     func() { Conv2d(x, NewParameter(2, 4, 3), nil, Conv2dOptions{}) },
		"negative": func() { Conv2d(x, NewParameter(2, 4, 3, 3), nil, Conv2dOptions{Groups: -2}) },
		"transposed channels": func() {
			ConvTranspose2d(x, NewParameter(3, 2, 3, 3), nil, ConvTranspose2dOptions{})
		},
		"output padding": func() {
			ConvTranspose2d(x, NewParameter(4, 2, 3, 3), nil, ConvTranspose2dOptions{OutputPadding: [2]int{1, 0}})
		},
		"nothing left": func() {
			ConvTranspose2d(x, NewParameter(4, 2, 1, 1), nil, ConvTranspose2dOptions{Padding: [2]int{3, 0}})
		},
	} {
		wantShapeError(t, name, f)
	}
}

func normals(seed uint64, n int) []float32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

func sum32(a, b []float32) []float32 {
	c := make([]float32, len(a))
	simd.Add(c, a, b)
	return c
}

// close32 demands |got - want| ≤ tol·max(1, |want|) of every element.
func close32(t testing.TB, what string, got, want []float32, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, expected %d", what, len(got), len(want))
	}
	for i, w := range want {
		if d := float64(got[i]) - float64(w); !(max(d, -d) <= tol*max(1, float64(max(w, -w)))) {
			t.Fatalf("%s: element %d is %g, expected %g", what, i, got[i], w)
		}
	}
}

func wantShapeError(t testing.TB, name string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if _, ok := recover().(*ShapeError); !ok {
			t.Errorf("%s: expected a ShapeError", name)
		}
	}()
	f()
}
