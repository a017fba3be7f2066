package autograd

import (
	"fmt"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

// convOrders are geometries at the edges of what a convolution may be.
var convOrders = []struct {
	x, w []int
	o    Conv2dOptions
}{
	{[]int{2, 61, 7, 9}, []int{5, 61, 3, 3}, Conv2dOptions{Padding: [2]int{1, 1}}},
	{[]int{9, 40, 7, 7}, []int{33, 40, 3, 3}, Conv2dOptions{Padding: [2]int{1, 1}}}, // images share panels
	{[]int{3, 30, 9, 30}, []int{20, 30, 3, 3}, Conv2dOptions{Padding: [2]int{1, 1}}},
	{[]int{2, 12, 33, 41}, []int{7, 12, 3, 3}, Conv2dOptions{Stride: [2]int{2, 2}, Padding: [2]int{1, 1}}},
	{[]int{2, 5, 21, 22}, []int{4, 5, 5, 4}, Conv2dOptions{Stride: [2]int{3, 2}, Padding: [2]int{2, 3}}},
	{[]int{2, 6, 20, 19}, []int{8, 3, 3, 3}, Conv2dOptions{Stride: [2]int{1, 2}, Dilation: [2]int{2, 3}, Groups: 2}},
	{[]int{1, 6, 25, 17}, []int{4, 6, 3, 3}, Conv2dOptions{Stride: [2]int{2, 3}, Dilation: [2]int{2, 2}, Padding: [2]int{1, 2}}},
	{[]int{2, 3, 20, 23}, []int{8, 3, 7, 7}, Conv2dOptions{Stride: [2]int{2, 2}, Padding: [2]int{3, 3}}},
	{[]int{2, 4, 3, 5}, []int{6, 4, 2, 3}, Conv2dOptions{Padding: [2]int{5, 4}}}, // more padding than kernel
	{[]int{5, 300, 1, 1}, []int{6, 300, 3, 3}, Conv2dOptions{Padding: [2]int{1, 1}}},
	{[]int{2, 300, 6, 7}, []int{9, 300, 1, 1}, Conv2dOptions{Stride: [2]int{2, 2}}},
	{[]int{3, 300, 5, 5}, []int{9, 300, 1, 1}, Conv2dOptions{}},
	{[]int{2, 20, 40, 30}, []int{9, 20, 1, 1}, Conv2dOptions{}},
	{[]int{1, 8, 9, 11}, []int{6, 8, 1, 5}, Conv2dOptions{Padding: [2]int{0, 2}}},
	{[]int{1, 3, 40, 40}, []int{4, 3, 17, 17}, Conv2dOptions{}},                       // a window is larger than a block
	{[]int{1, 70, 3, 1500}, []int{4, 70, 3, 3}, Conv2dOptions{Padding: [2]int{1, 1}}}, // several strips
	{[]int{2, 128, 8, 8}, []int{128, 4, 3, 3}, Conv2dOptions{Padding: [2]int{1, 1}, Groups: 32}},
	{[]int{5, 3, 10, 10}, []int{32, 3, 3, 3}, Conv2dOptions{Padding: [2]int{1, 1}}},                    // images of a task are cut to strips
	{[]int{1, 5, 4, 4}, []int{3, 5, 2, 2}, Conv2dOptions{Stride: [2]int{5, 5}}},                        // pixels that no tap sees
	{[]int{2, 3, 1, 7}, []int{4, 3, 1, 4}, Conv2dOptions{Stride: [2]int{3, 1}, Padding: [2]int{2, 0}}}, // none at all
}

// pixel is the padded image's pixel at tap k of position p, and its place in the image, or -1.
func (g *convShape) pixel(x []float32, i, group, k, p int) (v float32, at int) {
	c, ky, kx := k/(g.kh*g.kw), k/g.kw%g.kh, k%g.kw
	iy, ix := p/g.ow*g.sy-g.py+ky*g.dy, p%g.ow*g.sx-g.px+kx*g.dx
	if iy < 0 || iy >= g.h || ix < 0 || ix >= g.w {
		return 0, -1
	}
	at = (c*g.h+iy)*g.w + ix
	return g.before(x, i, group)[at], at
}

// gemmBlock is the length of a K block of Gemm.
const gemmBlock = 384

// blockSum adds the sum of products of n numbers to the m×cols matrix c, in blocks of the given length. Gemm defines
// how a block is summed, which has at most gemmBlock products.
func blockSum(c []float32, m, cols, n, block int, a, b func(i, k int) float32, beta float32) {
	for k0 := 0; k0 < n; k0 += block {
		kc := min(block, n-k0)
		am, bm := make([]float32, m*kc), make([]float32, kc*cols)
		for k := range kc {
			for i := range m {
				am[i*kc+k] = a(i, k0+k)
			}
			for j := range cols {
				bm[k*cols+j] = b(k0+k, j)
			}
		}
		if kc > gemmBlock {
			panic("a block that Gemm would cut")
		}
		simd.Gemm(nil, m, cols, kc, simd.Matrix{Data: am, Stride: kc}, simd.Matrix{Data: bm, Stride: cols}, beta, c, cols, nil)
		beta = 1
	}
}

// TestConv2dOrder compares results and gradients with explicit products in the documented order, bit for bit, on one
// to three threads. Where the image has a gradient already, from another operation, blocks are added
// to it one by one; with a stride, their sum is.
func TestConv2dOrder(t *testing.T) {
	for _, c := range convOrders {
		x, w := normals(5, elements("test", c.x)), normals(6, elements("test", c.w))
		g := newConvShape("test", c.w, c.o.Stride, c.o.Padding, c.o.Dilation, c.o.Groups)
		g.n, g.h, g.w = c.x[0], c.x[2], c.x[3]
		g.oh, g.ow = (g.h+2*g.py-g.dy*(g.kh-1)-1)/g.sy+1, (g.w+2*g.px-g.dx*(g.kw-1)-1)/g.sx+1
		window, taps, positions := g.kh*g.kw, g.taps(), g.positions()
		dy := normals(7, g.n*c.w[0]*positions)
		y, dw, dx := make([]float32, len(dy)), make([]float32, len(w)), make([]float32, len(x))
		before := normals(8, len(x))
		added, dense := slices.Clone(before), g.sy == 1 && g.sx == 1
		length := func(taps int) int { // of a block
			if g.pointwise() {
				return gemmBlock
			}
			return max(1, 256/taps) * taps
		}
		g.definition(y, x, w)
		for k := range g.groups {
			step, block, beta := 1, 256, float32(0)
			if positions <= 128 {
				step = 256 / positions
			} else if g.pointwise() {
				block = gemmBlock
			}
			for i := 0; i < g.n; i += step {
				images := min(step, g.n-i)
				blockSum(g.weight(dw, k), g.co, taps, images*positions, block,
					func(f, p int) float32 { return g.after(dy, i+p/positions, k)[f*positions+p%positions] },
					func(p, q int) float32 { v, _ := g.pixel(x, i+p/positions, k, q, p%positions); return v }, beta)
				beta = 1
			}
		}
		// The gradient of a pixel: filter by filter, in each the taps that see it.
		sees := map[[2]int][]int{} // by pixel of a plane and tap: positions
		for q := range window {
			for p := range positions {
				if _, at := g.pixel(x, 0, 0, q, p); at >= 0 {
					sees[[2]int{at, q}] = append(sees[[2]int{at, q}], p)
				}
			}
		}
		for at := range g.h * g.w {
			var phase []int // taps of the pixel's phase
			for q := range window {
				if (at/g.w+g.py-q/g.kw*g.dy)%g.sy == 0 && (at%g.w+g.px-q%g.kw*g.dx)%g.sx == 0 {
					phase = append(phase, q)
				}
			}
			for i := range g.n * g.groups {
				wk, seed := g.weight(w, i%g.groups), g.after(dy, i/g.groups, i%g.groups)
				if len(phase) == 0 {
					continue
				}
				sums, more := make([]float32, g.ci), make([]float32, g.ci)
				for ch := range more {
					more[ch] = g.before(before, i/g.groups, i%g.groups)[ch*g.h*g.w+at]
				}
				sum := func(sums []float32, beta float32) {
					blockSum(sums, g.ci, 1, g.co*len(phase), length(len(phase)),
						func(ch, k int) float32 { return wk[(k/len(phase)*g.ci+ch)*window+phase[k%len(phase)]] },
						func(k, _ int) float32 {
							if p := sees[[2]int{at, phase[k%len(phase)]}]; len(p) > 0 {
								return seed[k/len(phase)*positions+p[0]]
							}
							return 0
						}, beta)
				}
				sum(sums, 0)
				if dense {
					sum(more, 1)
				}
				for ch, v := range sums {
					if !dense {
						more[ch] += v
					}
					g.before(dx, i/g.groups, i%g.groups)[ch*g.h*g.w+at] = v
					g.before(added, i/g.groups, i%g.groups)[ch*g.h*g.w+at] = more[ch]
				}
			}
		}
		for _, threads := range []int{1, 2, 3} {
			if testing.Short() && threads == 2 {
				continue
			}
			tape := NewTape(Options{Gradients: true, Debug: true, Workers: simd.NewWorkers(threads)})
			xt, p := tape.Input(x, c.x...).WantGradient(), ParameterOf(w, c.w...)
			out := Conv2d(xt, p, nil, c.o)
			grads := NewGradients()
			Backward(grads, []*Tensor{out}, [][]float32{dy})
			what := fmt.Sprintf("%v %v %v on %d threads: ", c.x, c.w, c.o, threads)
			sameBits(t, what+"result", out.Floats(nil), y)
			sameBits(t, what+"dx", grads.OfTensor(xt), dx)
			sameBits(t, what+"dw", grads.Of(p), dw)

			// The backward steps of later operations come first.
			out, same := Conv2d(xt, p, nil, c.o), Scale(xt, 1)
			grads = NewGradients()
			Backward(grads, []*Tensor{out, same}, [][]float32{dy, before})
			sameBits(t, what+"dx after another gradient", grads.OfTensor(xt), added)
		}
	}
}

// TestSlidingPlan: scratch stays within its budget, for images and channels of any size.
func TestSlidingPlan(t *testing.T) {
	for _, size := range []int{1, 7, 15, 100, 1000, 5000} {
		for _, channels := range [][2]int{{1, 1}, {1, 512}, {3, 64}, {64, 3}, {512, 512}, {2048, 512}} {
			for _, kernel := range []int{1, 3, 7} {
				for _, stride := range []int{1, 2} {
					for _, threads := range []int{1, 2, 16} {
						y := convAxis{size: size * stride, out: size, stride: stride}
						for k := range kernel {
							y.taps = append(y.taps, k-kernel/2)
						}
						for _, n := range []int{1, 64} {
							s := &sliding{y: y, x: y, n: n, groups: 1, ci: channels[0], co: channels[1], rowStep: size, step: stride}
							if s.slides() {
								s.filters = make([]*simd.Packed, 1)
							}
							p := s.plan(threads)
							least := newPlanes(y, y, stripRows(min(stripUnit, size*size), size, size)).size * min(s.ci, max(1, 256/kernel/kernel))
							most := max(planesMost, least+simd.GatherSlack+16)
							if s.filters != nil {
								most = 2 * planesMost // a task has all channels
							} else if p.shared {
								most = sharedMost
							}
							next := 0
							for i := range p.strips {
								a, n := s.strip(&p, i)
								if a != next || n < 1 || n > p.strip {
									t.Errorf("strip %d of %d begins at %d and has %d positions of at most %d", i, p.strips, a, n, p.strip)
								}
								next = a + n
							}
							if next != size*size {
								t.Errorf("strips end at %d of %d", next, size*size)
							}
							if p.size > most || p.sums > max(sharedMost, s.co*stripUnit) || p.strip < 1 || p.chunk < 1 || p.images < 1 {
								t.Errorf("%d images %dx%d, channels %v, kernel %d, stride %d, %d threads: %d elements of planes, %d of results, of %d",
									n, size, size, channels, kernel, stride, threads, p.size, p.sums, most)
							}
						}
					}
				}
			}
		}
	}
}
