package simd

import (
	"fmt"
	"testing"
)

func benchLevels(b *testing.B, f func(b *testing.B)) {
	for _, l := range Levels() {
		b.Run(l.String(), func(b *testing.B) {
			defer SetLevel(l)()
			f(b)
		})
	}
}

// report adds elements a nanosecond to GB/s, which counts every slice read or written once.
func report(b *testing.B, elements, bytesEach int) {
	b.SetBytes(int64(elements * bytesEach))
	b.ReportMetric(float64(elements)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "elements/ns")
}

// Slices of 8,192 elements stay in the caches next to a core.
func BenchmarkElementwise(b *testing.B) {
	const n = 8192
	var s [4][]float32
	for i := range s {
		s[i] = make([]float32, n)
		ordinary(s[i], uint64(i))
	}
	for _, e := range elementwises {
		b.Run(e.name, func(b *testing.B) {
			benchLevels(b, func(b *testing.B) {
				for b.Loop() {
					e.got(s[0], s[1], s[2], s[3])
				}
				report(b, n, 4*(e.operands+1))
			})
		})
	}
}

func BenchmarkReduction(b *testing.B) {
	const n = 8192
	var s [4][]float32
	for i := range s {
		s[i] = make([]float32, n)
		ordinary(s[i], uint64(i))
	}
	for _, e := range reductionCases {
		b.Run(e.name, func(b *testing.B) {
			benchLevels(b, func(b *testing.B) {
				for b.Loop() {
					e.got(s[0], s[1], s[2], s[3])
				}
				report(b, n, 4*e.operands)
			})
		})
	}
}

func BenchmarkRows(b *testing.B) {
	for _, n := range []int{197, 768} {
		const rows = 64
		x, dst, dy := make([]float32, rows*n), make([]float32, rows*n), make([]float32, rows*n)
		gamma, beta := make([]float32, n), make([]float32, n)
		mean, rstd := make([]float32, rows), make([]float32, rows)
		for i, s := range [][]float32{x, dy, gamma, beta} {
			ordinary(s, uint64(i))
		}
		for _, c := range []struct {
			name string
			f    func()
		}{
			{"Softmax", func() { SoftmaxRows(dst, x, rows, n, n, n, .125) }},
			{"LayerNorm", func() { LayerNormRows(dst, x, gamma, beta, 1e-6, rows, n, n, n, mean, rstd) }},
			{"LayerNormGrad", func() { LayerNormGradRows(dst, dy, x, gamma, rows, n, n, mean, rstd, gamma, beta) }},
			{"ColumnSumsAdd", func() { ColumnSumsAdd(beta, x, rows, n, n) }},
		} {
			b.Run(fmt.Sprintf("%s/n=%d", c.name, n), func(b *testing.B) {
				benchLevels(b, func(b *testing.B) {
					for b.Loop() {
						c.f()
					}
					report(b, rows*n, 8)
				})
			})
		}
	}
}

func BenchmarkOptimizer(b *testing.B) {
	const n = 8192
	var s [4][]float32
	for i := range s {
		s[i] = make([]float32, n)
	}
	o := AdamWStep{LR: 1e-3, Beta1: .9, Beta2: .999, Eps: 1e-8, WeightDecay: .05, BiasCorrection1: .1, BiasCorrection2: .001, GradScale: 1}
	b.Run("AdamW", func(b *testing.B) {
		benchLevels(b, func(b *testing.B) {
			for b.Loop() {
				AdamW(s[0], s[1], s[2], s[3], o)
			}
			report(b, n, 28)
		})
	})
}

func BenchmarkHalf(b *testing.B) {
	const n = 8192
	f, h := make([]float32, n), make([]uint16, n)
	ordinary(f, 1)
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"F32ToF16", func() { F32ToF16(h, f) }},
		{"F16ToF32", func() { F16ToF32(f, h) }},
		{"F32ToBF16", func() { F32ToBF16(h, f) }},
		{"BF16ToF32", func() { BF16ToF32(f, h) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			benchLevels(b, func(b *testing.B) {
				for b.Loop() {
					c.f()
				}
				report(b, n, 6)
			})
		})
	}
}
