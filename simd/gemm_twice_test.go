package simd

import (
	"slices"
	"testing"
)

// Two products in a row have the bits of one after the other in each arithmetic, in one block of rows and in several, on any
// number of threads.
func TestGemmPackedTwice(t *testing.T) {
	const k, hidden, n = 20, 70, 33
	pack := func(rows, cols int, seed uint64, o PackOptions) *Packed {
		return Pack(nil, rows, cols, Matrix{Data: randomFloats(rows*cols, seed), Stride: rows, Trans: true}, o)
	}
	test := func(t *testing.T, o PackOptions) {
		b1, b2 := pack(k, hidden, 1, o), pack(hidden, n, 2, o)
		for _, m := range []int{0, 1, 30, TaskRows*3 + 5, TaskRows*9 + 1} {
			for _, a := range []Matrix{{Stride: k + 3}, {Stride: m + 2, Trans: true}} {
				a.Data = randomFloats((m+k)*a.Stride, 3)
				const pitch = n + 4
				first, second := &Epilogue{Bias: randomFloats(hidden, 4), Act: ActGelu}, &Epilogue{
					Bias: randomFloats(n, 5), Scale: randomFloats(n, 6), Residual: randomFloats(m*(n+1), 7), ResidualStride: n + 1,
				}
				h, want := make([]float32, m*hidden), randomFloats(m*pitch, 8)
				c := slices.Clone(want)
				GemmPacked(nil, m, a, b1, 0, h, hidden, first)
				GemmPacked(nil, m, Matrix{Data: h, Stride: hidden}, b2, 0, want, pitch, second)
				for _, w := range []*Workers{nil, NewWorkers(2), NewWorkers(3)} {
					got := slices.Clone(c)
					GemmPackedTwice(w, m, a, b1, first, func(n int) []float32 {
						if b1.half == nil && m > 2*TaskRows*w.Limit() && n > w.Limit()*TaskRows*hidden {
							t.Errorf("m=%d on %d threads: %d hidden elements", m, w.Limit(), n)
						}
						return make([]float32, n)
					}, b2, got, pitch, second)
					if !slices.EqualFunc(got, want, sameBits) {
						t.Errorf("m=%d trans=%t on %d threads: other bits than two products", m, a.Trans, w.Limit())
					}
				}
			}
		}
	}
	gemmLevels(t, func(t *testing.T, _ *gemmKernel) {
		test(t, PackOptions{})
		test(t, PackOptions{Format: FormatBF16})
	})
	eachWords(t, func(t *testing.T, x Math, _ *wordKernel) { test(t, PackOptions{Math: x}) })
}

// Without hidden values, or without columns of A, the steps of the epilogues are left.
func TestGemmPackedTwiceOfNothing(t *testing.T) {
	const m, n = TaskRows*5 + 3, 6
	lend := func(n int) []float32 { return make([]float32, n) }
	bias := randomFloats(n, 1)
	for _, s := range [][2]int{{4, 0}, {0, 9}, {0, 0}} {
		k, hidden := s[0], s[1]
		pack := func(rows, cols int) *Packed {
			return Pack(nil, rows, cols, Matrix{Data: randomFloats(rows*cols, 2), Stride: max(rows, 1), Trans: true}, PackOptions{})
		}
		a, c := Matrix{Data: randomFloats(m*k, 3), Stride: max(k, 1)}, randomFloats(m*n, 4)
		GemmPackedTwice(NewWorkers(2), m, a, pack(k, hidden), &Epilogue{Act: ActGelu}, lend, pack(hidden, n), c, n, &Epilogue{Bias: bias})
		for i := range m {
			if !slices.Equal(c[i*n:][:n], bias) {
				t.Fatalf("k=%d, %d hidden values: row %d is %v, want the bias %v", k, hidden, i, c[i*n:][:n], bias)
			}
		}
	}
	defer func() {
		if got, want := recover(), "simd: GemmPackedTwice: B1 has 3 columns, and B2 4 rows"; got != want {
			t.Errorf("panic %q, want %q", got, want)
		}
	}()
	b := Pack(nil, 4, 3, Matrix{Data: make([]float32, 12), Stride: 3}, PackOptions{})
	GemmPackedTwice(nil, 1, Matrix{Data: make([]float32, 4), Stride: 4}, b, nil, lend, b, make([]float32, 3), 3, nil)
}
