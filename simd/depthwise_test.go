package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/simd/internal/exact"
)

// depthwiseShape is a convolution with square filters and the number of outputs that PyTorch gives it.
func depthwiseShape(h, w, k, stride, pad int) DepthwiseShape {
	s := DepthwiseShape{
		Height: h, Width: w, Filters: 1, KernelY: k, KernelX: k,
		StrideY: stride, StrideX: stride, PadY: pad, PadX: pad, DilationY: 1, DilationX: 1,
	}
	s.fit()
	return s
}

// fit sets the number of outputs.
func (s *DepthwiseShape) fit() {
	s.Rows = max(0, (s.Height+2*s.PadY-s.DilationY*(s.KernelY-1)-1+s.StrideY)/s.StrideY)
	s.Columns = max(0, (s.Width+2*s.PadX-s.DilationX*(s.KernelX-1)-1+s.StrideX)/s.StrideX)
}

func (s *DepthwiseShape) exact() *exact.Depthwise {
	return &exact.Depthwise{
		Height: s.Height, Width: s.Width, Rows: s.Rows, Columns: s.Columns,
		KernelY: s.KernelY, KernelX: s.KernelX, StrideY: s.StrideY, StrideX: s.StrideX,
		PadY: s.PadY, PadX: s.PadX, DilationY: s.DilationY, DilationX: s.DilationX,
	}
}

// depthwiseShapes are all sizes of planes up to a little more than two registers, several paddings, and other filters.
func depthwiseShapes() []DepthwiseShape {
	var all []DepthwiseShape
	add := func(s DepthwiseShape) {
		if s.Rows > 0 && s.Columns > 0 {
			all = append(all, s)
		}
	}
	for _, k := range []int{3, 5, 7} {
		for stride := 1; stride <= 2; stride++ {
			for w := 1; w <= 70; w++ {
				for _, pad := range []int{0, 1, 2, 3} {
					add(depthwiseShape(1+(w*7+pad)%13, w, k, stride, pad))
				}
			}
			for _, size := range [][2]int{{1, 40}, {2, 3}, {3, 9}, {40, 1}, {30, 37}, {6, 6}, {7, 7}} {
				for _, pad := range []int{k / 2, k - 1, k, 2*k + 1, 20} {
					add(depthwiseShape(size[0], size[1], k, stride, pad))
				}
			}
		}
	}
	// Windows that lie in the padding alone.
	for _, kx := range []int{1, 3} {
		s := depthwiseShape(3, 4, 3, 1, 9)
		s.KernelX, s.Columns = kx, 2
		add(s)
	}
	// A stride far beyond the filter and the plane.
	for _, stride := range []int{5, 1 << 40} {
		s := depthwiseShape(7, 6, 3, 1, 1)
		s.StrideY, s.StrideX = stride, stride
		s.fit()
		add(s)
	}
	for i := range 40 {
		rng := rand.New(rand.NewPCG(3, uint64(i)))
		s := DepthwiseShape{
			Height: 1 + rng.IntN(12), Width: 1 + rng.IntN(40), Filters: 1 + rng.IntN(2),
			KernelY: 1 + rng.IntN(4), KernelX: 1 + rng.IntN(4), StrideY: 1 + rng.IntN(3), StrideX: 1 + rng.IntN(3),
			PadY: rng.IntN(4), PadX: rng.IntN(4), DilationY: 1 + rng.IntN(3), DilationX: 1 + rng.IntN(3),
		}
		if i%4 == 0 {
			s.KernelY, s.KernelX, s.StrideY, s.StrideX, s.DilationY, s.DilationX = 3, 3, 1+i/4%2, 1+i/4%2, 1, 1
			s.PadX, s.PadY = 1, 2
		}
		s.fit()
		add(s)
	}
	return all
}

// fillRandom fills x with numbers of a few magnitudes; every so often one is special.
func fillRandom(x []float32, seed uint64, special bool) {
	rng := rand.New(rand.NewPCG(seed, uint64(len(x))))
	for i := range x {
		x[i] = float32(rng.NormFloat64())
		if special && rng.IntN(9) == 0 {
			x[i] = [...]float32{0, float32(math.Copysign(0, -1)), 1e-30, -1e-30, 1e-45, float32(math.Inf(1)), float32(math.NaN())}[rng.IntN(7)]
		}
	}
}

func sameFloats(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) && (got[i] == got[i] || want[i] == want[i]) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

// depthwiseCase holds operands for some planes and what the definition makes of them.
type depthwiseCase struct {
	DepthwiseShape
	planes            int
	x, w, b, dy       []float32
	y, biased, dx, dw []float32
}

func newDepthwiseCase(s DepthwiseShape, planes int, special bool) *depthwiseCase {
	n := planes * s.Filters
	c := &depthwiseCase{DepthwiseShape: s, planes: planes,
		x: make([]float32, planes*s.pixels()), w: make([]float32, n*s.taps()), b: make([]float32, n), dy: make([]float32, n*s.outputs()),
		y: make([]float32, n*s.outputs()), dx: make([]float32, planes*s.pixels()), dw: make([]float32, n*s.taps()),
	}
	fillRandom(c.x, 1, special)
	fillRandom(c.w, 2, special && s.Width%2 == 0)
	fillRandom(c.b, 3, false)
	fillRandom(c.dy, 4, special && s.Width%3 == 0)
	e := s.exact()
	part := make([]float32, s.pixels())
	for f := range n {
		p := f / s.Filters
		x, w, dy := c.x[p*s.pixels():], c.w[f*s.taps():], c.dy[f*s.outputs():]
		e.Forward(c.y[f*s.outputs():], x, w)
		e.WeightGrad(c.dw[f*s.taps():], x, dy)
		e.InputGrad(part, dy, w)
		for i, v := range part {
			if f%s.Filters == 0 {
				c.dx[p*s.pixels()+i] = v
			} else {
				c.dx[p*s.pixels()+i] += v
			}
		}
	}
	for i, v := range c.y {
		c.biased = append(c.biased, v+c.b[i/s.outputs()])
	}
	return c
}

// Every level gives the bits of the definition and touches nothing outside its slices.
func TestDepthwise(t *testing.T) {
	memory := [3]*guarded{}
	for i := range memory {
		memory[i] = newGuarded(t, 1<<17)
	}
	for i, s := range depthwiseShapes() {
		c := newDepthwiseCase(s, 2, i%3 == 0)
		for _, l := range fusedLevels() {
			restore := SetLevel(l)
			for _, atEnd := range []bool{false, true} {
				place := func(i int, values []float32) []float32 {
					p := memory[i].floats(len(values), atEnd)
					copy(p, values)
					return p
				}
				result := func(n int) []float32 {
					p := memory[2].floats(n, atEnd)
					fillRandom(p, 5, true)
					return p
				}
				what := fmt.Sprint(s, " on ", l)
				x, w := place(0, c.x), place(1, c.w)
				y := result(len(c.y))
				DepthwiseConv(y, x, w, nil, c.planes, &s, ActNone)
				sameFloats(t, what, y, c.y)
				DepthwiseConv(y, x, w, c.b, c.planes, &s, ActNone)
				sameFloats(t, what+" with bias", y, c.biased)
				dy := place(0, c.dy)
				dx := result(len(c.dx))
				DepthwiseConvInputGrad(dx, dy, w, c.planes, &s)
				sameFloats(t, "dx of "+what, dx, c.dx)
				x = place(1, c.x)
				dw := result(len(c.dw))
				DepthwiseConvWeightGrad(dw, x, dy, c.planes, false, &s)
				sameFloats(t, "dw of "+what, dw, c.dw)
				DepthwiseConvWeightGrad(dw, x, dy, c.planes, true, &s)
				twice := make([]float32, len(dw))
				for j, v := range c.dw {
					twice[j] = v + v
				}
				sameFloats(t, "twice dw of "+what, dw, twice)
			}
			restore()
		}
	}
}

// Planes that are too large for one call are divided, which changes no bit.
func TestDepthwiseLarge(t *testing.T) {
	for _, s := range []DepthwiseShape{
		depthwiseShape(230, 210, 7, 1, 3), depthwiseShape(301, 310, 7, 2, 3), depthwiseShape(520, 519, 3, 1, 1),
	} {
		if testing.Short() && s.Width > 300 {
			continue
		}
		c := newDepthwiseCase(s, 1, false)
		for _, l := range fusedLevels() {
			restore := SetLevel(l)
			y, dx, dw := make([]float32, len(c.y)), make([]float32, len(c.dx)), make([]float32, len(c.dw))
			DepthwiseConv(y, c.x, c.w, nil, 1, &s, ActNone)
			DepthwiseConvInputGrad(dx, c.dy, c.w, 1, &s)
			DepthwiseConvWeightGrad(dw, c.x, c.dy, 1, false, &s)
			sameFloats(t, fmt.Sprint(s, " on ", l), y, c.y)
			sameFloats(t, fmt.Sprint("dx of ", s, " on ", l), dx, c.dx)
			sameFloats(t, fmt.Sprint("dw of ", s, " on ", l), dw, c.dw)
			restore()
		}
	}
}

// Whole numbers have no rounding, so the portable level agrees with the definition too. The activation comes last.
func TestDepthwiseWholeNumbers(t *testing.T) {
	for _, s := range depthwiseShapes() {
		if s.Width%5 != 0 {
			continue
		}
		c := newDepthwiseCase(s, 1, false)
		for _, v := range [][]float32{c.x, c.w, c.b, c.dy} {
			for i := range v {
				v[i] = float32(int(v[i] * 4))
			}
		}
		e := s.exact()
		for _, l := range Levels() {
			restore := SetLevel(l)
			y, dw, part := make([]float32, len(c.y)), make([]float32, len(c.dw)), make([]float32, len(c.y))
			dx, sums, want := make([]float32, len(c.dx)), make([]float32, len(c.dx)), make([]float32, len(c.dx))
			DepthwiseConv(y, c.x, c.w, c.b, 1, &s, ActRelu)
			DepthwiseConvInputGrad(dx, c.dy, c.w, 1, &s)
			DepthwiseConvWeightGrad(dw, c.x, c.dy, 1, false, &s)
			for f := range s.Filters {
				e.Forward(part[f*s.outputs():], c.x, c.w[f*s.taps():])
				e.InputGrad(sums, c.dy[f*s.outputs():], c.w[f*s.taps():])
				Add(want, want, sums)
				e.WeightGrad(c.dw[f*s.taps():], c.x, c.dy[f*s.outputs():])
			}
			for i, v := range part {
				part[i] = max(0, v+c.b[i/s.outputs()])
			}
			what := fmt.Sprint(s, " on ", l)
			for _, r := range [][2][]float32{{y, part}, {dx, want}, {dw, c.dw}} {
				for i, v := range r[1] {
					if r[0][i] != v {
						t.Fatalf("%s: element %d is %v, want %v", what, i, r[0][i], v)
					}
				}
			}
			restore()
		}
	}
}

func TestDepthwisePanics(t *testing.T) {
	s := depthwiseShape(5, 6, 3, 1, 1)
	x := make([]float32, 2*s.pixels())
	short := make([]float32, 17)
	bad := s
	bad.StrideX = 0
	for want, f := range map[string]func(){
		"dst has 17 elements, need 60":             func() { DepthwiseConv(short, x, x, nil, 2, &s, ActNone) },
		"src has 17 elements, need 60":             func() { DepthwiseConv(x, short, x, nil, 2, &s, ActNone) },
		"weight has 17 elements, need 18":          func() { DepthwiseConv(x, x, short, nil, 2, &s, ActNone) },
		"bias has 1 elements, need 2":              func() { DepthwiseConv(x, x, x, x[:1], 2, &s, ActNone) },
		"InputGrad: dsrc has 17 elements, need 60": func() { DepthwiseConvInputGrad(short, x, x, 2, &s) },
		"InputGrad: ddst has 17 elements, need 60": func() { DepthwiseConvInputGrad(x, short, x, 2, &s) },
		"dweight has 17 elements, need 18":         func() { DepthwiseConvWeightGrad(short, x, x, 2, false, &s) },
		"WeightGrad: src has 17":                   func() { DepthwiseConvWeightGrad(x, short, x, 2, false, &s) },
		"-1 planes":                                func() { DepthwiseConv(x, x, x, nil, -1, &s, ActNone) },
		"stride=1x0":                               func() { DepthwiseConv(x, x, x, nil, 1, &bad, ActNone) },
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
					t.Errorf("panic %q, want %q", got, want)
				}
			}()
			f()
		}()
	}
}

// A box filter adds the nine pixels around each one; outside the plane is 0.
func ExampleDepthwiseConv() {
	s := DepthwiseShape{
		Height: 3, Width: 3, Rows: 3, Columns: 3, Filters: 1, KernelY: 3, KernelX: 3,
		StrideY: 1, StrideX: 1, PadY: 1, PadX: 1, DilationY: 1, DilationX: 1,
	}
	src := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9}
	weight := []float32{1, 1, 1, 1, 1, 1, 1, 1, 1}
	dst := make([]float32, 9)
	DepthwiseConv(dst, src, weight, nil, 1, &s, ActNone)
	fmt.Println(dst)
	// Output: [12 21 16 27 45 33 24 39 28]
}
