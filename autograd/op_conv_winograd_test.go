package autograd

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/oracle"
	"github.com/fovea-ml/fovea/simd"
)

// definition computes the sums of a forward pass in the documented order, before its end.
func (g *convShape) definition(y, x, w []float32) {
	taps := g.taps()
	for i := range g.n * g.groups {
		image, group := i/g.groups, i%g.groups
		if g.winograd() {
			g.winogradDefinition(g.after(y, image, group), g.before(x, image, group), w)
			continue
		}
		block := max(1, 256/(g.kh*g.kw)) * g.kh * g.kw
		if g.pointwise() {
			block = gemmBlock
		}
		wk := g.weight(w, group)
		blockSum(g.after(y, image, group), g.co, g.positions(), taps, block,
			func(f, q int) float32 { return wk[f*taps+q] },
			func(q, p int) float32 { v, _ := g.pixel(x, image, group, q, p); return v }, 0)
	}
}

// winogradDefinition is simd.WinogradConv of one image, from explicit products: chains of 16 are added, up to a block of 128.
func (g *convShape) winogradDefinition(y, x, w []float32) {
	down, across := ceilDiv(g.oh, 2), ceilDiv(g.ow, 2)
	tiles := down * across
	pixels := func(a, b, c, d float32) (p, q, r, s float32) { return a - c, b + c, c - b, b - d }
	sums := func(a, b, c, d float32) (p, q float32) { return a + b + c, b - c - d }
	filter := func(a, b, c float64) [4]float64 { return [4]float64{a, (a + c + b) / 2, (a + c - b) / 2, c} }
	var u, v, m [16][]float32
	for p := range u {
		u[p], v[p], m[p] = make([]float32, g.co*g.ci), make([]float32, g.ci*tiles), make([]float32, g.co*tiles)
	}
	for i := range g.co * g.ci {
		var down [3][4]float64
		for c := range down {
			down[c] = filter(float64(w[9*i+c]), float64(w[9*i+3+c]), float64(w[9*i+6+c]))
		}
		for r := range 4 {
			for c, e := range filter(down[0][r], down[1][r], down[2][r]) {
				u[4*r+c][i] = float32(e)
			}
		}
	}
	for i := range g.ci * tiles {
		var d [16]float32
		for q := range d {
			r, c := i%tiles/across*2-g.py+q/4, i%across*2-g.px+q%4
			if r >= 0 && r < g.h && c >= 0 && c < g.w {
				d[q] = x[(i/tiles*g.h+r)*g.w+c]
			}
		}
		for c := range 4 {
			d[c], d[4+c], d[8+c], d[12+c] = pixels(d[c], d[4+c], d[8+c], d[12+c])
		}
		for r := 0; r < 16; r += 4 {
			d[r], d[r+1], d[r+2], d[r+3] = pixels(d[r], d[r+1], d[r+2], d[r+3])
		}
		for p, e := range d {
			v[p][i] = e
		}
	}
	const chain, block = 16, 128
	part, one := make([]float32, g.co*tiles), make([]float32, g.co*tiles)
	for p := range m {
		for b := 0; b < g.ci; b += block {
			for c := b; c < min(b+block, g.ci); c += chain {
				simd.Gemm(nil, g.co, tiles, min(chain, g.ci-c, b+block-c), simd.Matrix{Data: u[p][c:], Stride: g.ci},
					simd.Matrix{Data: v[p][c*tiles:], Stride: tiles}, 0, one, tiles, nil)
				if c == b {
					copy(part, one)
				} else {
					simd.Add(part, part, one)
				}
			}
			if b == 0 {
				copy(m[p], part)
			} else {
				simd.Add(m[p], m[p], part)
			}
		}
	}
	for i := range g.co * tiles {
		var z [8]float32
		for c := range 4 {
			z[c], z[4+c] = sums(m[c][i], m[4+c][i], m[8+c][i], m[12+c][i])
		}
		for r := range 2 {
			var out [2]float32
			out[0], out[1] = sums(z[4*r], z[4*r+1], z[4*r+2], z[4*r+3])
			for c, e := range out {
				if oy, ox := i%tiles/across*2+r, i%across*2+c; oy < g.oh && ox < g.ow {
					y[(i/tiles*g.oh+oy)*g.ow+ox] = e
				}
			}
		}
	}
}

// winogradConvs are geometries that use Winograd's algorithm, and neighbors that do not.
var winogradConvs = []struct {
	x, w []int
	uses bool
}{
	{[]int{2, 32, 14, 14}, []int{32, 32, 3, 3}, true},
	{[]int{2, 33, 13, 13}, []int{47, 33, 3, 3}, true},
	{[]int{3, 400, 9, 17}, []int{33, 400, 3, 3}, true},
	{[]int{2, 31, 14, 14}, []int{32, 31, 3, 3}, false},
	{[]int{2, 32, 14, 14}, []int{31, 32, 3, 3}, false},
	{[]int{2, 32, 10, 14}, []int{32, 32, 3, 3}, false}, // 35 tiles
	{[]int{2, 32, 1, 200}, []int{32, 32, 3, 3}, false}, // half of each tile is cut
}

// TestWinograd: shapes alone choose the algorithm, so that training and inference, any batch and any number of threads
// have the same bits; they are those of the definition. The golden conv/winograd compares with PyTorch.
func TestWinograd(t *testing.T) {
	for _, c := range winogradConvs {
		o := Conv2dOptions{Padding: [2]int{1, 1}}
		g := newConvShape("test", c.w, o.Stride, o.Padding, o.Dilation, o.Groups)
		g.n, g.h, g.w, g.oh, g.ow = c.x[0], c.x[2], c.x[3], c.x[2], c.x[3]
		if g.winograd() != c.uses {
			t.Errorf("x %v, w %v: uses Winograd's algorithm: %t, expected %t", c.x, c.w, g.winograd(), c.uses)
		}
		x := normals(5, elements("test", c.x))
		w := ParameterOf(normals(6, elements("test", c.w)), c.w...)
		want := make([]float32, g.n*g.co*g.positions())
		g.definition(want, x, w.Values())
		size, outputs := len(x)/g.n, len(want)/g.n
		for _, grad := range []bool{false, true} {
			for _, threads := range []int{1, 2, 3} {
				tape := NewTape(Options{Gradients: grad, Debug: true, Workers: simd.NewWorkers(threads)})
				what := fmt.Sprintf("x %v, w %v, gradients %t, %d threads", c.x, c.w, grad, threads)
				sameBits(t, what, Conv2d(tape.Input(x, c.x...), w, nil, o).Floats(nil), want)
				one := Conv2d(tape.Input(x[size:2*size], 1, c.x[1], c.x[2], c.x[3]), w, nil, o)
				sameBits(t, what+", one image", one.Floats(nil), want[outputs:2*outputs])
				tape.Reset()
			}
		}
		// The gradient of x is the turned convolution of that of the result, where x is large enough.
		turned, wt := g.turned(), make([]float32, w.Len())
		if turned.winograd() != c.uses {
			t.Errorf("x %v, w %v: the gradient of x uses Winograd's algorithm: %t, expected %t", c.x, c.w, turned.winograd(), c.uses)
		}
		for i, v := range w.Values() {
			wt[(i/9%g.ci*g.co+i/9/g.ci)*9+8-i%9] = v
		}
		seed, wantX := normals(7, len(want)), make([]float32, len(x))
		turned.definition(wantX, seed, wt)
		for _, threads := range []int{1, 2} {
			if !c.uses {
				break // TestConv2dOrder has the other sums
			}
			tape, grads := NewTape(Options{Gradients: true, Debug: true, Workers: simd.NewWorkers(threads)}), NewGradients()
			in := tape.Input(x, c.x...).WantGradient()
			Backward(grads, []*Tensor{Conv2d(in, w, nil, o)}, [][]float32{seed})
			what := fmt.Sprintf("x %v, w %v, %d threads: dx", c.x, c.w, threads)
			sameBits(t, what, grads.OfTensor(in), wantX)
			in = tape.Input(x, c.x...).WantGradient()
			Backward(grads, []*Tensor{Conv2d(in, w, nil, o), Scale(in, 1)}, [][]float32{seed, x})
			sum := slices.Clone(x)
			simd.Add(sum, sum, wantX)
			sameBits(t, what+" after another gradient", grads.OfTensor(in), sum)
		}
		// A weight that changes is transformed again.
		w.Update(func(values []float32) { simd.Scale(values, values, 2) })
		tape := NewTape(Options{})
		simd.Scale(want, want, 2)
		sameBits(t, fmt.Sprint("twice the weight ", c.w), Conv2d(tape.Input(x, c.x...), w, nil, o).Floats(nil), want)
	}
}

// TestWinogradAccuracy: the rms error of Winograd's algorithm against float64 is at most 1.02 times that of PyTorch's
// convolution, for images of normal numbers and for such after ReLU.
func TestWinogradAccuracy(t *testing.T) {
	if simd.Current() == simd.Generic {
		t.Skip("without fused multiply-add the portable level rounds each product too")
	}
	oracle.Needs(t, "torch")
	const out, size, draws = 32, 16, 3
	dir := t.TempDir()
	operands := func(kind string, c int) (x, w []float32) {
		x, w = normals(uint64(c), draws*c*size*size), normals(uint64(c)+1, out*c*9)
		if kind == "relu" {
			simd.Relu(x, x)
		}
		return x, w
	}
	name := func(kind string, c, draw int, end string) string {
		return filepath.Join(dir, fmt.Sprintf("%s%d-%dx%dx%dx%d.%s", kind, draw, c, out, size, size, end))
	}
	kinds, channels := []string{"normal", "relu"}, []int{32, 64, 128, 256, 512}
	for _, kind := range kinds {
		for _, c := range channels {
			x, w := operands(kind, c)
			for i := range draws {
				b, _ := binary.Append(nil, binary.NativeEndian, x[i*c*size*size:][:c*size*size])
				b, _ = binary.Append(b, binary.NativeEndian, w)
				if err := os.WriteFile(name(kind, c, i, "in"), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	oracle.Run(t, "torch", "check_convs.py", dir)
	for _, kind := range kinds {
		for _, c := range channels {
			x, w := operands(kind, c)
			n := out * size * size
			y := Conv2d(NewTape(Options{}).Input(x, draws, c, size, size), ParameterOf(w, out, c, 3, 3), nil, Conv2dOptions{Padding: [2]int{1, 1}}).Floats(nil)
			ours, peer := 0.0, 0.0
			for i := range draws {
				b, err := os.ReadFile(name(kind, c, i, "out"))
				if err != nil {
					t.Fatal(err)
				}
				theirs := make([]float64, 2*n)
				if _, err := binary.Decode(b, binary.NativeEndian, theirs); err != nil {
					t.Fatal(err)
				}
				single := make([]float32, n)
				for j := range single {
					single[j] = float32(theirs[j])
				}
				ours += rmsError(y[i*n:][:n], theirs[n:])
				peer += rmsError(single, theirs[n:])
			}
			t.Logf("%s, %d channels: %.3g, %.2f of PyTorch's", kind, c, ours/draws, ours/peer)
			if !(ours <= 1.02*peer) {
				t.Errorf("%s, %d channels: rms error %.3g, PyTorch's %.3g", kind, c, ours/draws, peer/draws)
			}
		}
	}
}
