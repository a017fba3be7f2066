package autograd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

// inIntegers returns the integers that Int8 makes of numbers, and their scale.
func inIntegers(x []float32) (codes []float64, scale float32) {
	codes = make([]float64, len(x))
	scales, inverses := make([]float32, 1), make([]float32, 1)
	simd.PixelScales(scales, inverses, []float32{simd.MaxAbs(x)})
	for i, v := range x {
		codes[i] = math.RoundToEven(float64(v * inverses[0]))
	}
	return codes, scales[0]
}

// inBF16 returns numbers in bfloat16.
func inBF16(x []float32) []float64 {
	half, full := make([]uint16, len(x)), make([]float32, len(x))
	simd.F32ToBF16(half, x)
	simd.BF16ToF32(full, half)
	out := make([]float64, len(x))
	for i, v := range full {
		out[i] = float64(v)
	}
	return out
}

// TestConv2dPixels compares convolutions of any geometry in BF16 and Int8 with their definition: in BF16, sums of products
// of rounded numbers up to the error of sums in float32; in Int8, exact sums of integers times two scales, bit for bit.
// Threads and the batch change no bit, nor do planes that lie apart.
func TestConv2dPixels(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 3))
	rounds := 60
	if testing.Short() {
		rounds = 15
	}
	for i := range rounds {
		xs, ws, o := drawConv(rng)
		groups := max(1, o.Groups)
		ws[0], ws[1] = (pixelsLeast+rng.IntN(60))*groups, pixelsLeast+rng.IntN(30)
		xs[0], xs[1], o.Act = 1+rng.IntN(3), ws[1]*groups, ActNone
		x, w, b := normals(uint64(i), elements("test", xs)), normals(uint64(i)+1000, elements("test", ws)), normals(uint64(i)+2000, ws[0])
		p := ParameterOf(w, ws...)
		g := newConvShape("test", ws, o.Stride, o.Padding, o.Dilation, o.Groups)
		g.n, g.h, g.w = xs[0], xs[2], xs[3]
		g.oh, g.ow = (g.h+2*g.py-g.dy*(g.kh-1)-1)/g.sy+1, (g.w+2*g.px-g.dx*(g.kw-1)-1)/g.sx+1
		for _, m := range []simd.Math{simd.BF16, simd.Int8} {
			what := fmt.Sprintf("%v: x %v w %v %+v", m, xs, ws, o)
			if got := g.arithmetic(m); got != m {
				if g.paysInWords() && (m == simd.Int8 || m.PixelChannels() > 0) {
					t.Errorf("%s: it is in %v", what, got)
				}
				continue
			}
			run := func(x []float32, n, threads int, ready Options) []float32 {
				ready.Math, ready.Workers = m, simd.NewWorkers(threads)
				tape := NewTape(ready)
				defer tape.Reset()
				in := tape.Input(x, n, xs[1], xs[2], xs[3])
				return Conv2d(in, p, ParameterOf(b, ws[0]), o).Floats(nil)
			}
			got := run(x, g.n, 1, Options{})
			g.checkPixels(t, what, m, got, x, w, b)
			for threads := 2; threads < 4; threads++ {
				sameBits(t, what+", threads", run(x, g.n, threads, Options{}), got)
			}
			if m != simd.Int8 {
				sameBits(t, what+", training", run(x, g.n, 2, Options{Gradients: true, Training: true}), got)
			}
			size := len(x) / g.n
			last := run(x[len(x)-size:], 1, 2, Options{})
			sameBits(t, what+", alone", last, got[len(got)-len(last):])
			if xs[2]*xs[3] < fewestValues {
				continue
			}
			tape := NewTape(Options{Math: m, Debug: true})
			in := tape.Input(x, xs...)
			parts := Concat(1, Slice(in, 1, 0, 5), Slice(in, 1, 5, xs[1]))
			if parts.planes == nil {
				t.Fatal("planes do not lie apart")
			}
			sameBits(t, what+", planes", Conv2d(parts, p, ParameterOf(b, ws[0]), o).Floats(nil), got)
		}
	}
}

// The arithmetic depends on the shape of a group alone.
func TestConv2dPays(t *testing.T) {
	for _, c := range []struct {
		ws     []int
		stride int
		width  int
		want   bool
	}{
		{[]int{16, 16, 3, 3}, 1, 5, true},
		{[]int{16, 15, 3, 3}, 1, 5, false},
		{[]int{15, 16, 3, 3}, 1, 5, false},
		{[]int{96, 96, 1, 1}, 1, 22, true},
		{[]int{32, 32, 1, 1}, 1, 22, true},
		{[]int{32, 32, 1, 1}, 2, 7, true},
		{[]int{24, 24, 1, 1}, 1, 80, false},
		{[]int{96, 16, 1, 1}, 1, 22, false},
		{[]int{16, 96, 1, 1}, 1, 22, true},
		{[]int{64, 64, 3, 3}, 2, 14, false},
		{[]int{64, 64, 3, 3}, 2, 16, true},
		{[]int{128, 64, 3, 3}, 2, 7, true},
	} {
		g := newConvShape("test", c.ws, [2]int{c.stride, c.stride}, [2]int{}, [2]int{}, 1)
		g.ow = ceilDiv(c.width, c.stride)
		if got := g.paysInWords(); got != c.want {
			t.Errorf("weight %v, stride %d, %d columns: %t", c.ws, c.stride, c.width, got)
		}
	}
}

// Gradients in BF16 are near those of Strict, for groups, dilation and any padding. Threads change no bit, and a gradient that
// was there is added to.
func TestConv2dPixelGradients(t *testing.T) {
	for i, c := range []struct {
		xs, ws []int
		o      Conv2dOptions
	}{
		{[]int{2, 32, 13, 12}, []int{35, 32, 1, 1}, Conv2dOptions{}},
		{[]int{2, 37, 13, 12}, []int{35, 37, 3, 3}, Conv2dOptions{Padding: [2]int{1, 1}}},
		{[]int{1, 40, 15, 14}, []int{44, 20, 3, 2}, Conv2dOptions{Padding: [2]int{2, 0}, Groups: 2}},
		{[]int{1, 20, 17, 19}, []int{18, 20, 3, 3}, Conv2dOptions{Padding: [2]int{1, 2}, Dilation: [2]int{2, 1}}},
		{[]int{1, 20, 13, 12}, []int{18, 20, 3, 3}, Conv2dOptions{Padding: [2]int{3, 3}}}, // more padding than taps reach
	} {
		x, w := ParameterOf(normals(uint64(i), elements("test", c.xs)), c.xs...), ParameterOf(normals(uint64(i)+50, elements("test", c.ws)), c.ws...)
		run := func(m simd.Math, threads, times int) (dx, dw []float32) {
			tape := NewTape(Options{Math: m, Gradients: true, Workers: simd.NewWorkers(threads), Debug: true})
			in := tape.Use(x)
			var ys []*Tensor
			var seeds [][]float32
			for range times {
				ys = append(ys, Conv2d(in, w, nil, c.o))
				seeds = append(seeds, normals(7, ys[0].Len()))
			}
			g := NewGradients()
			Backward(g, ys, seeds)
			return g.Of(x), g.Of(w)
		}
		strictX, strictW := run(simd.Strict, 1, 1)
		dx, dw := run(simd.BF16, 1, 1)
		what := fmt.Sprintf("x %v w %v %+v", c.xs, c.ws, c.o)
		if a, b := relative(dx, strictX), relative(dw, strictW); a > 1e-2 || b > 1e-2 {
			t.Errorf("%s: gradients differ by %.2g and %.2g from those of strict", what, a, b)
		}
		for threads := 2; threads < 4; threads++ {
			x2, w2 := run(simd.BF16, threads, 1)
			sameBits(t, what+": threads, dx", x2, dx)
			sameBits(t, what+": threads, dw", w2, dw)
		}
		twiceX, twiceW := run(simd.BF16, 2, 2)
		for j := range dx {
			dx[j] *= 2
		}
		for j := range dw {
			dw[j] *= 2
		}
		if a, b := relative(twiceX, dx), relative(twiceW, dw); a > 1e-5 || b > 1e-5 {
			t.Errorf("%s: gradients of two differ by %.2g and %.2g from twice those of one", what, a, b)
		}
	}
}

// checkPixels compares some results with their definition.
func (g *convShape) checkPixels(t *testing.T, what string, m simd.Math, y, x, w, b []float32) {
	t.Helper()
	taps, size := g.taps(), g.groups*g.ci*g.h*g.w
	for image := range g.n {
		var values []float64
		var scale float32
		if m == simd.Int8 {
			values, scale = inIntegers(x[image*size:][:size])
		} else {
			values = inBF16(x[image*size:][:size])
		}
		pixels := make([]float32, len(x)) // integers and bfloat16 are float32
		for i, v := range values {
			pixels[image*size+i] = float32(v)
		}
		for f := range g.groups * g.co {
			group := f / g.co
			filter := w[f*taps:][:taps]
			weights, ws := []float64(nil), float32(1)
			if m == simd.Int8 {
				weights, ws = inIntegers(filter)
			} else {
				weights = inBF16(filter)
			}
			for at := f % 7; at < g.positions(); at += 11 {
				var sum, all float64
				var own []float64
				if m == simd.Int8 && g.oneTap() { // a pixel has a scale of its own
					var seen []float32
					for k := range g.groups {
						for q := range taps {
							v, _ := g.pixel(x, image, k, q, at)
							seen = append(seen, v)
						}
					}
					own, scale = inIntegers(seen)
					own = own[group*taps:]
				}
				for q, v := range weights {
					pixel, _ := g.pixel(pixels, image, group, q, at)
					if own != nil {
						pixel = float32(own[q])
					}
					sum += float64(v * float64(pixel))
					all += math.Abs(float64(v * float64(pixel)))
				}
				got := y[(image*g.groups*g.co+f)*g.positions()+at]
				if m == simd.Int8 {
					if want := float32(float32(sum)*ws*scale) + b[f]; got != want {
						t.Fatalf("%s: filter %d of image %d at %d is %g, want %g", what, f, image, at, got, want)
					}
				} else if want := sum + float64(b[f]); math.Abs(float64(got)-want) > float64(taps+2)*0x1p-23*(all+math.Abs(want))+0x1p-100 {
					t.Fatalf("%s: filter %d of image %d at %d is %g, want %g", what, f, image, at, got, want)
				}
			}
		}
	}
}

// In Int8, a pixel that is not finite makes all results of its image NaN where filters have several taps, and no other's; an image of zeros has the bias.
func TestConv2dPixelsNotFinite(t *testing.T) {
	const c, size = 16, 36
	p, b := ParameterOf(normals(2, 20*c*9), 20, c, 3, 3), ParameterOf(normals(3, 20), 20)
	for _, bad := range []float64{math.Inf(1), math.NaN()} {
		x := normals(1, 3*c*size)
		x[size+7] = float32(bad)
		clear(x[2*c*size:])
		tape := NewTape(Options{Math: simd.Int8})
		y := Conv2d(tape.Input(x, 3, c, 6, 6), p, b, Conv2dOptions{Padding: [2]int{1, 1}}).Floats(nil)
		for i, v := range y {
			switch image := i / (20 * size); {
			case image == 0 && v == v:
				t.Fatalf("element %d of an image with %g is %g", i, bad, v)
			case image == 1 && v != v:
				t.Fatalf("element %d is %g beside an image with %g", i, v, bad)
			case image == 2 && v != b.Values()[i/size%20]:
				t.Fatalf("element %d of an image of zeros is %g", i, v)
			}
		}
	}
}
