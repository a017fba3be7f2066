package simd

import (
	"fmt"
	"testing"
)

// BenchmarkWinograd counts the products of the definition: 9 for a result and channel.
func BenchmarkWinograd(b *testing.B) {
	for _, c := range []struct{ in, out, h, w int }{
		{64, 64, 120, 160}, {128, 128, 60, 80}, {256, 256, 30, 40}, {512, 512, 15, 20}, {256, 256, 120, 160}, {64, 64, 120, 120}, {256, 256, 14, 14}, {512, 512, 7, 7},
	} {
		s := winogradShape(c.in, c.out, c.h, c.w, 1)
		x, y := randomFloats(c.in*c.h*c.w, 1), make([]float32, c.out*c.h*c.w)
		u := make([]float32, s.Weights())
		WinogradWeights(u, randomFloats(c.in*c.out*9, 2), 0, c.out, &s)
		ep := &Epilogue{RowBias: make([]float32, c.out), Act: ActRelu}
		for _, l := range Levels()[1:] {
			for _, threads := range []int{1, 2} {
				b.Run(fmt.Sprintf("%dx%d@%dx%d/%s/threads=%d", c.in, c.out, c.h, c.w, l, threads), func(b *testing.B) {
					defer SetLevel(l)()
					w := NewWorkers(threads)
					for b.Loop() {
						WinogradConv(w, y, x, u, 1, false, ep, &s)
					}
					b.ReportMetric(18*float64(c.in*len(y))*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
				})
			}
		}
	}
}
