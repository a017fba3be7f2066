package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
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

func (s DepthwiseShape) String() string {
	return fmt.Sprintf("%dx%d/kernel=%dx%d/stride=%dx%d/pad=%dx%d/dilation=%dx%d/filters=%d", s.Height, s.Width,
		s.KernelY, s.KernelX, s.StrideY, s.StrideX, s.PadY, s.PadX, s.DilationY, s.DilationX, s.Filters)
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

// Every level gives the bits of the definition and touches nothing outside its slices.
func TestDepthwiseConv(t *testing.T) {
	const planes = 2
	memory := [4]*guarded{}
	for i := range memory {
		memory[i] = newGuarded(t, 1<<17)
	}
	for i, s := range depthwiseShapes() {
		n := planes * s.Filters
		x, w, b := make([]float32, planes*s.pixels()), make([]float32, n*s.taps()), make([]float32, n)
		fillRandom(x, 1, i%3 == 0)
		fillRandom(w, 2, i%6 == 0)
		fillRandom(b, 3, false)
		want := make([]float32, n*s.outputs())
		for f := range n {
			s.exact().Forward(want[f*s.outputs():], x[f/s.Filters*s.pixels():], w[f*s.taps():])
		}
		biased := make([]float32, len(want))
		for j := range want {
			biased[j] = want[j] + b[j/s.outputs()]
		}
		for _, l := range fusedLevels() {
			restore := SetLevel(l)
			for _, atEnd := range []bool{false, true} {
				src, weight := memory[0].floats(len(x), atEnd), memory[1].floats(len(w), atEnd)
				dst, bias := memory[2].floats(len(want), atEnd), memory[3].floats(n, atEnd)
				copy(src, x)
				copy(weight, w)
				copy(bias, b)
				what := fmt.Sprint(s, " on ", l)
				fillRandom(dst, 5, true)
				DepthwiseConv(dst, src, weight, nil, planes, &s, ActNone)
				sameFloats(t, what, dst, want)
				DepthwiseConv(dst, src, weight, bias, planes, &s, ActNone)
				sameFloats(t, what+" with bias", dst, biased)
			}
			restore()
		}
	}
}
