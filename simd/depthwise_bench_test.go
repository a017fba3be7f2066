package simd

import (
	"fmt"
	"testing"
)

func BenchmarkDepthwise(b *testing.B) {
	for _, c := range []struct{ planes, size, k, stride int }{
		{88, 88, 3, 1}, {192, 22, 3, 1}, {96, 44, 3, 2}, {88, 88, 5, 1}, {192, 22, 5, 1}, {96, 28, 7, 1}, {192, 7, 7, 1}, {96, 28, 5, 2},
	} {
		s := depthwiseShape(c.size, c.size, c.k, c.stride, c.k/2)
		x, y := make([]float32, c.planes*s.pixels()), make([]float32, c.planes*s.outputs())
		w := make([]float32, c.planes*s.taps())
		fillRandom(x, 1, false)
		fillRandom(w, 2, false)
		for _, l := range Levels() {
			b.Run(fmt.Sprintf("c=%d/%d/k=%d/stride=%d/%s", c.planes, c.size, c.k, c.stride, l), func(b *testing.B) {
				defer SetLevel(l)()
				for b.Loop() {
					DepthwiseConv(y, x, w, nil, c.planes, &s, ActNone)
				}
				b.ReportMetric(float64(len(y)*s.taps())*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "products/ns")
			})
		}
	}
}
