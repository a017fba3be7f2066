package autograd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

// drawConv draws a small convolution. Half of them have filters enough to be packed in lanes.
func drawConv(rng *rand.Rand) (xs, ws []int, o Conv2dOptions) {
	few := func(values ...int) int { return values[rng.IntN(len(values))] }
	groups := few(1, 1, 1, 2, 3)
	n, ci, co := rng.IntN(12), 1+rng.IntN(few(4, 20, 70)), few(1+rng.IntN(31), 32+rng.IntN(40), 64)
	o = Conv2dOptions{
		Stride:   [2]int{few(1, 1, 2, 3, 7), few(1, 1, 2, 3, 7)},
		Padding:  [2]int{rng.IntN(3), few(0, 1, 2, 5)},
		Dilation: [2]int{few(0, 1, 1, 2), few(1, 1, 3)},
		Groups:   groups,
		Act:      []Activation{ActNone, ActRelu, ActSilu}[rng.IntN(3)],
	}
	kernel := [2]int{1 + rng.IntN(4), 1 + rng.IntN(4)}
	if rng.IntN(8) == 0 { // a product of images as they are
		kernel, o.Stride, o.Padding = [2]int{1, 1}, [2]int{}, [2]int{}
		ci = few(ci, 256+rng.IntN(400))
	}
	size := [2]int{}
	for i, k := range kernel {
		least := max(1, max(1, o.Dilation[i])*(k-1)+1-2*o.Padding[i])
		size[i] = least + rng.IntN(few(1, 4, 12, 24))
	}
	if rng.IntN(8) == 0 {
		size[1] += 60
	}
	return []int{n, groups * ci, size[0], size[1]}, []int{groups * co, ci, kernel[0], kernel[1]}, o
}

// drawWinograd draws a convolution that is large enough for Winograd's algorithm.
func drawWinograd(rng *rand.Rand) (xs, ws []int, o Conv2dOptions) {
	ci, co := 32+rng.IntN(40), 32+rng.IntN(40)
	o = Conv2dOptions{Padding: [2]int{rng.IntN(3), rng.IntN(3)}, Act: []Activation{ActNone, ActRelu, ActSilu}[rng.IntN(3)]}
	return []int{1 + rng.IntN(3), ci, 9 + rng.IntN(12), 20 + rng.IntN(30)}, []int{co, ci, 3, 3}, o
}

// TestConv2dRandom compares convolutions of any geometry with explicit products, bit for bit: with packed filters and
// without, on one to four threads, and image by image. Some pixels are Inf or NaN, which must not reach the
// neighbors that a kernel computes and throws away.
func TestConv2dRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 9))
	slides, products, cut, winograd := 0, 0, 0, 0
	cases, step := 150, 1
	if testing.Short() {
		cases, step = 60, 2
	}
	for i := range cases + cases/10 {
		draw := drawConv
		if i >= cases {
			draw = drawWinograd
		}
		xs, ws, o := draw(rng)
		x, w := normals(uint64(i), elements("test", xs)), normals(uint64(i)+1000, elements("test", ws))
		if i%3 == 0 && len(x) > 0 {
			for range 3 {
				x[rng.IntN(len(x))] = float32([]float64{math.Inf(1), math.Inf(-1), math.NaN()}[rng.IntN(3)])
			}
		}
		g := newConvShape("test", ws, o.Stride, o.Padding, o.Dilation, o.Groups)
		g.n, g.h, g.w = xs[0], xs[2], xs[3]
		g.oh, g.ow = (g.h+2*g.py-g.dy*(g.kh-1)-1)/g.sy+1, (g.w+2*g.px-g.dx*(g.kw-1)-1)/g.sx+1
		positions := g.positions()
		end := convEnd{act: o.Act}
		if rng.IntN(2) == 0 {
			end.bias = normals(uint64(i)+2000, ws[0])
		}
		if rng.IntN(3) == 0 {
			end.residual = normals(uint64(i)+3000, g.n*ws[0]*positions)
		}
		p, bias := ParameterOf(w, ws...), Operand(nil)
		if rng.IntN(3) == 0 {
			p, _ = inHalf(BFloat16, uint64(i), 2, ws...)
			w = p.Values()
		}
		if end.bias != nil {
			bias = ParameterOf(end.bias, ws[0])
		}
		run := func(o2 Options, first, images int) (y []float32, dx, dw []float32) {
			tape := NewTape(o2)
			defer tape.Reset()
			in := tape.Input(x[first*elements("test", xs[1:]):][:images*elements("test", xs[1:])], images, xs[1], xs[2], xs[3]).WantGradient()
			var out *Tensor
			if end.residual != nil {
				size := ws[0] * positions
				out = Conv2dAdd(in, p, bias, tape.Input(end.residual[first*size:][:images*size], images, ws[0], g.oh, g.ow), o)
			} else {
				out = Conv2d(in, p, bias, o)
			}
			y = out.Floats(nil)
			if o2.Gradients {
				grads := NewGradients()
				seed := normals(uint64(i)+4000, g.n*ws[0]*positions)
				Backward(grads, []*Tensor{out}, [][]float32{seed[first*ws[0]*positions:][:len(y)]})
				return y, append([]float32(nil), grads.OfTensor(in)...), append([]float32(nil), grads.Of(p)...)
			}
			return y, nil, nil
		}
		want := make([]float32, g.n*ws[0]*positions)
		g.definition(want, x, w)
		for k := range g.n * ws[0] {
			end.row(want[k*positions:][:positions], k%ws[0], k*positions)
		}
		if g.depthwise() { // has sums of its own
			want, _, _ = run(Options{}, 0, g.n)
		}
		what := fmt.Sprintf("case %d: x %v, w %v, %+v, bias %t, residual %t", i, xs, ws, o, bias != nil, end.residual != nil)
		if g.winograd() {
			winograd++
		} else if g.slides() {
			slides++
			s := g.sliding()
			s.filters = make([]*simd.Packed, 1)
			if g.pointwise() {
				products++
			} else if p := s.plan(2); p.images > 1 && p.strips > 1 {
				cut++
			}
		}
		var dx, dw []float32
		for threads := 1; threads <= 4; threads += step {
			workers := simd.NewWorkers(threads)
			y, _, _ := run(Options{Debug: true, Workers: workers}, 0, g.n)
			sameBits(t, fmt.Sprint(what, ", inference on ", threads, " threads"), y, want)
			y, dx1, dw1 := run(Options{Debug: true, Gradients: true, Training: true, Workers: workers}, 0, g.n)
			sameBits(t, fmt.Sprint(what, ", training on ", threads, " threads"), y, want)
			if threads == 1 {
				dx, dw = dx1, dw1
			}
			sameBits(t, fmt.Sprint(what, ": dx on ", threads, " threads"), dx1, dx)
			sameBits(t, fmt.Sprint(what, ": dw on ", threads, " threads"), dw1, dw)
		}
		if g.n > 1 {
			image := rng.IntN(g.n)
			y, dx1, _ := run(Options{Gradients: true}, image, 1)
			sameBits(t, what+": an image alone", y, want[image*len(y):][:len(y)])
			sameBits(t, what+": dx of an image alone", dx1, dx[image*len(dx1):][:len(dx1)])
		}
		if t.Failed() {
			break
		}
	}
	if slides < cases/5 || products < cases/60 && simd.FiltersPay(600) || cut < 1 && !testing.Short() || winograd < cases/10 {
		t.Errorf("%d convolutions had packed filters, %d were products, of %d several images were cut to strips, %d were Winograd's", slides, products, cut, winograd)
	}
}

// A weight may be used with several numbers of groups. Its packed filters are those of the last.
func TestConv2dGroupsOfOneWeight(t *testing.T) {
	w := normals(6, 64*8*9)
	x := normals(5, 16*20*20)
	shared := ParameterOf(w, 64, 8, 3, 3)
	for _, groups := range []int{2, 1, 2} {
		run := func(p *Parameter) []float32 {
			return Conv2d(NewTape(Options{}).Input(x[:groups*8*400], 1, groups*8, 20, 20), p, nil, Conv2dOptions{Groups: groups}).Floats(nil)
		}
		sameBits(t, fmt.Sprint(groups, " groups"), run(shared), run(ParameterOf(w, 64, 8, 3, 3)))
		if n := len(shared.store.packs[packFilters][simd.Strict].Load().panels); n != groups {
			t.Errorf("packed %d groups, expected %d", n, groups)
		}
	}
}

// Inference packs a mapped weight once, gives the memory back, and packs it again when the values change.
func TestConv2dPacksMapped(t *testing.T) {
	for _, shape := range [][]int{{64, 8, 3, 3}, {64, 300, 1, 1}} {
		w := normals(6, elements("test", shape))
		x := normals(5, shape[1]*20*20)
		run := func(p *Parameter) []float32 {
			return Conv2d(NewTape(Options{}).Input(x, 1, shape[1], 20, 20), p, nil, Conv2dOptions{}).Floats(nil)
		}
		released := 0
		p := NewParameter(shape...)
		p.Map([][]float32{w[:100], w[100:]}, func() { released++ }, nil)
		for range 2 {
			sameBits(t, fmt.Sprint(shape, " mapped"), run(p), run(ParameterOf(w, shape...)))
		}
		if released != 1 {
			t.Errorf("%v: memory was given back %d times, expected once", shape, released)
		}
		p.Update(func(v []float32) { v[3] = 2 })
		changed := append([]float32(nil), w...)
		changed[3] = 2
		sameBits(t, fmt.Sprint(shape, " changed"), run(p), run(ParameterOf(changed, shape...)))
	}
}
