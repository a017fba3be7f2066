package autograd

import (
	"fmt"
	"testing"
)

func BenchmarkDepthwise(b *testing.B) {
	for _, c := range []struct{ n, channels, size, k, stride int }{
		{1, 88, 88, 3, 1}, {1, 192, 22, 3, 1}, {1, 96, 44, 3, 2}, {1, 88, 88, 5, 1}, {1, 88, 22, 5, 1}, {8, 96, 56, 3, 1}, {8, 96, 56, 3, 2},
	} {
		o := Conv2dOptions{Stride: [2]int{c.stride, c.stride}, Padding: [2]int{c.k / 2, c.k / 2}, Groups: c.channels}
		out := (c.size + c.stride - 1) / c.stride
		flops := 2 * c.n * c.channels * c.k * c.k * out * out
		benchmarkOp(b, fmt.Sprintf("%dx%d/%d/k=%d/s=%d", c.n, c.channels, c.size, c.k, c.stride), flops,
			[]int{c.n, c.channels, c.size, c.size}, [][]int{{c.channels, 1, c.k, c.k}},
			func(x *Tensor, p []*Parameter) *Tensor { return Conv2d(x, p[0], nil, o) })
	}
}
