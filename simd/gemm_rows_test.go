package simd

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// drawRows draws a B of k rows, some of them twice, and the matrix that they are. row returns memory for
// one.
func drawRows(rng *rand.Rand, n, k int, row func(n int) []float32) (rows [][]float32, b Matrix) {
	rows = make([][]float32, k)
	for i := range rows {
		if i > 0 && rng.IntN(4) == 0 {
			rows[i] = rows[rng.IntN(i)]
			continue
		}
		rows[i] = row(n)
		copy(rows[i], randomFloats(n, rng.Uint64()))
	}
	rng.Shuffle(k, func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	b = Matrix{Stride: n}
	for _, r := range rows {
		b.Data = append(b.Data, r...)
	}
	return rows, b
}

// Rows that lie apart give the bits of a matrix, and no element beyond them is read.
func TestGemmRows(t *testing.T) {
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		rng := rand.New(rand.NewPCG(10, 10))
		row := func(n int) []float32 { return make([]float32, n) }
		for i := range 300 {
			m, n, k := sizes(rng, kern)
			if i%4 == 0 {
				m, n = m+40, n+300
			}
			rows, b := drawRows(rng, n, k, row)
			a := Matrix{randomFloats(m*k, uint64(i)), k, false}
			if rng.IntN(4) == 0 {
				a = Matrix{a.Data, m, true}
			}
			ldc, beta := n+rng.IntN(20), [...]float32{0, 1, .5}[rng.IntN(3)]
			ep, pre := drawEpilogue(rng, m, n)
			c := randomFloats(m*ldc, uint64(i))
			want := slices.Clone(c)
			Gemm(nil, m, n, k, a, b, beta, want, ldc, ep)
			wantPre := slices.Clone(pre)
			for _, w := range []*Workers{nil, NewWorkers(3)} {
				got := slices.Clone(c)
				clear(pre)
				GemmRows(w, m, n, k, a, func(i int) []float32 { return rows[i] }, beta, got, ldc, ep)
				if !slices.EqualFunc(got, want, sameBits) || !slices.EqualFunc(pre, wantPre, sameBits) {
					t.Fatalf("m=%d n=%d k=%d beta=%g %+v: other bits than Gemm", m, n, k, beta, ep)
				}
			}
		}
	})
}

func TestGemmRowsPanics(t *testing.T) {
	defer func() {
		if got, want := fmt.Sprint(recover()), "simd: GemmRows: row 1 of B has 2 elements, expected 3"; got != want {
			t.Errorf("panic %q, want %q", got, want)
		}
	}()
	rows := [][]float32{make([]float32, 3), make([]float32, 2)}
	GemmRows(nil, 1, 3, 2, Matrix{make([]float32, 2), 2, false}, func(i int) []float32 { return rows[i] }, 0, make([]float32, 3), 3, nil)
}

// BenchmarkGemmInPlace compares products that read B in place with products that pack it.
func BenchmarkGemmInPlace(b *testing.B) {
	for _, s := range [][3]int{
		{8, 96, 484}, {16, 64, 3136}, {24, 24, 1936}, {32, 384, 4096}, {64, 64, 3136}, {64, 256, 4800}, {64, 256, 4096}, {64, 256, 1024},
		{96, 336, 484}, {96, 96, 121}, {128, 128, 784}, {128, 256, 1024}, {128, 384, 784}, {128, 384, 4096}, {128, 384, 196},
	} {
		m, k, n := s[0], s[1], s[2]
		x, y, c := Matrix{randomFloats(m*k, 1), k, false}, Matrix{randomFloats(k*n, 2), n, false}, make([]float32, m*n)
		ep := &Epilogue{RowBias: make([]float32, m), Act: ActRelu}
		kern := gemmKernels[level]
		for _, how := range []string{"place", "packed"} {
			b.Run(fmt.Sprintf("m=%d/k=%d/n=%d/%s", m, k, n, how), func(b *testing.B) {
				if how == "packed" {
					gemmKernels[level] = packing()
					defer func() { gemmKernels[level] = kern }()
				}
				for b.Loop() {
					Gemm(nil, m, n, k, x, y, 0, c, n, ep)
				}
				b.ReportMetric(2*float64(m*n*k*b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
			})
		}
	}
}
