package autograd

import (
	"fmt"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

// benchmarkOp measures build forward, and forward and backward, on a batch x and parameters of the given
// shapes, on one and two threads.
func benchmarkOp(b *testing.B, name string, flops int, xs []int, params [][]int, build func(x *Tensor, p []*Parameter) *Tensor) {
	values := normals(1, elements("bench", xs))
	var ps []*Parameter
	for i, s := range params {
		ps = append(ps, ParameterOf(normals(uint64(i+2), elements("bench", s)), s...))
	}
	for _, grad := range []bool{false, true} {
		for _, threads := range []int{1, 2} {
			pass, work := "forward", flops
			if grad {
				pass, work = "train", 3*flops
			}
			b.Run(fmt.Sprintf("%s/%s/threads=%d", name, pass, threads), func(b *testing.B) {
				b.ReportAllocs()
				tape := NewTape(Options{Gradients: grad, Training: grad, Workers: simd.NewWorkers(threads)})
				g := NewGradients()
				var seed []float32
				for b.Loop() {
					x := tape.Borrow(values, xs...)
					if grad {
						x.WantGradient()
					}
					y := build(x, ps)
					if grad {
						if seed == nil {
							seed = normals(9, y.Len())
						}
						x.want = false
						g.Zero()
						Backward(g, []*Tensor{y}, [][]float32{seed})
					}
					tape.Reset()
				}
				if work > 0 {
					reportRate(b, float64(work))
				}
			})
		}
	}
}

func BenchmarkConv2d(b *testing.B) {
	for _, c := range []struct {
		name string
		x, w []int
		o    Conv2dOptions
	}{
		{"3x3/c=64/56", []int{4, 64, 56, 56}, []int{64, 64, 3, 3}, Conv2dOptions{Padding: [2]int{1, 1}}},
		{"3x3/c=256/14", []int{4, 256, 14, 14}, []int{256, 256, 3, 3}, Conv2dOptions{Padding: [2]int{1, 1}}},
		{"1x1/c=256/28", []int{4, 256, 28, 28}, []int{64, 256, 1, 1}, Conv2dOptions{}},
		{"stem/224", []int{1, 3, 224, 224}, []int{64, 3, 7, 7}, Conv2dOptions{Stride: [2]int{2, 2}, Padding: [2]int{3, 3}}},
		{"depthwise/c=96/56", []int{4, 96, 56, 56}, []int{96, 1, 3, 3}, Conv2dOptions{Padding: [2]int{1, 1}, Groups: 96}},
		{"depthwise2/c=96/56", []int{4, 96, 56, 56}, []int{96, 1, 3, 3}, Conv2dOptions{Stride: [2]int{2, 2}, Padding: [2]int{1, 1}, Groups: 96}},
	} {
		g := newConvShape("bench", c.w, c.o.Stride, c.o.Padding, c.o.Dilation, c.o.Groups)
		g.n, g.oh, g.ow = c.x[0], c.x[2]/g.sy, c.x[3]/g.sx
		benchmarkOp(b, c.name, g.flops(), c.x, [][]int{c.w}, func(x *Tensor, p []*Parameter) *Tensor {
			return Conv2d(x, p[0], nil, c.o)
		})
	}
}

func BenchmarkImages(b *testing.B) {
	xs := []int{4, 64, 56, 56}
	c := [][]int{{64}, {64}}
	m, v := NewBuffer(0, 64), NewBuffer(1, 64)
	for _, o := range []struct {
		name   string
		xs     []int
		params [][]int
		build  func(x *Tensor, p []*Parameter) *Tensor
	}{
		{"transpose2x2", []int{2, 64, 28, 28}, [][]int{{64, 64, 2, 2}}, func(x *Tensor, p []*Parameter) *Tensor {
			return ConvTranspose2d(x, p[0], nil, ConvTranspose2dOptions{Stride: [2]int{2, 2}})
		}},
		{"max3s2", xs, nil, func(x *Tensor, _ []*Parameter) *Tensor {
			return MaxPool2d(x, PoolOptions{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Padding: [2]int{1, 1}})
		}},
		{"avg2", xs, nil, func(x *Tensor, _ []*Parameter) *Tensor { return AvgPool2d(x, PoolOptions{Kernel: [2]int{2, 2}}) }},
		{"globalavg", xs, nil, func(x *Tensor, _ []*Parameter) *Tensor { return AdaptiveAvgPool2d(x, 1, 1) }},
		{"nearest2", xs, nil, func(x *Tensor, _ []*Parameter) *Tensor { return Resize2d(x, 112, 112, ResizeOptions{}) }},
		{"bilinear2", xs, nil, func(x *Tensor, _ []*Parameter) *Tensor {
			return Resize2d(x, 112, 112, ResizeOptions{Mode: Bilinear})
		}},
		{"bicubic", []int{1, 768, 14, 14}, nil, func(x *Tensor, _ []*Parameter) *Tensor {
			return Resize2d(x, 24, 24, ResizeOptions{Mode: Bicubic})
		}},
		{"patchify16", []int{8, 3, 224, 224}, nil, func(x *Tensor, _ []*Parameter) *Tensor { return Patchify(x, 16) }},
		{"patchifylast16", []int{8, 3, 224, 224}, nil, func(x *Tensor, _ []*Parameter) *Tensor { return PatchifyLast(x, 16) }},
		{"prelu", xs, c[:1], func(x *Tensor, p []*Parameter) *Tensor { return PRelu(x, p[0]) }},
		{"batchnorm", xs, c, func(x *Tensor, p []*Parameter) *Tensor {
			return BatchNorm(x, p[0], p[1], m, v, BatchNormOptions{})
		}},
		{"groupnorm", xs, c, func(x *Tensor, p []*Parameter) *Tensor { return GroupNorm(x, 8, p[0], p[1], 0) }},
	} {
		benchmarkOp(b, o.name, 0, o.xs, o.params, o.build)
	}
}
