package autograd

import (
	"hash/fnv"
	"math"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

// TestImageBits pins digests of results and gradients, so that the same bits come out of every instruction
// set. A change of an operation's order of sums changes its digest.
func TestImageBits(t *testing.T) {
	if simd.Current() == simd.Generic {
		t.Skip("the portable level rounds products that the others fuse")
	}
	mean, variance := NewBuffer(0.1, 6), NewBuffer(1.3, 6)
	conv := Conv2dOptions{Stride: [2]int{2, 1}, Padding: [2]int{1, 1}}
	depthwise := conv
	depthwise.Groups = 6
	window := PoolOptions{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}}
	type build func(x *Tensor, w, c *Parameter) *Tensor
	resize := func(o ResizeOptions) build {
		return func(x *Tensor, _, _ *Parameter) *Tensor { return Resize2d(x, 23, 11, o) }
	}
	for _, c := range []struct {
		name string
		w    []int
		f    build
		want uint32
	}{
		{"conv", []int{6, 6, 3, 3}, func(x *Tensor, w, c *Parameter) *Tensor { return Conv2d(x, w, c, conv) }, 0x537c1def},
		{"depthwise", []int{6, 1, 3, 3}, func(x *Tensor, w, c *Parameter) *Tensor { return Conv2d(x, w, c, depthwise) }, 0xe2fe9e29},
		{"transpose", []int{6, 6, 3, 3}, func(x *Tensor, w, c *Parameter) *Tensor {
			return ConvTranspose2d(x, w, c, ConvTranspose2dOptions{Stride: conv.Stride, Padding: conv.Padding})
		}, 0x12fd43b4},
		{"max pool", []int{1}, func(x *Tensor, _, _ *Parameter) *Tensor { return MaxPool2d(x, window) }, 0x57252d1b},
		{"avg pool", []int{1}, func(x *Tensor, _, _ *Parameter) *Tensor { return AvgPool2d(x, window) }, 0x8778e0cf},
		{"nearest", []int{1}, resize(ResizeOptions{}), 0x8d478902},
		{"bilinear", []int{1}, resize(ResizeOptions{Mode: Bilinear}), 0xca08560b},
		{"bicubic", []int{1}, resize(ResizeOptions{Mode: Bicubic}), 0x01ebba82},
		{"antialias", []int{1}, resize(ResizeOptions{Mode: Bicubic, Antialias: true}), 0xa26b060f},
		{"prelu", []int{6}, func(x *Tensor, w, _ *Parameter) *Tensor { return PRelu(x, w) }, 0x4c3457a5},
		{"batch norm", []int{6}, func(x *Tensor, w, c *Parameter) *Tensor {
			return BatchNorm(x, w, c, mean, variance, BatchNormOptions{})
		}, 0x748958ba},
		{"frozen", []int{6}, func(x *Tensor, w, c *Parameter) *Tensor {
			return BatchNorm(x, w, c, mean, variance, BatchNormOptions{Frozen: true})
		}, 0x8c6b4e9a},
		{"batch norm of rows", []int{6}, func(x *Tensor, w, c *Parameter) *Tensor {
			return BatchNorm(Reshape(AdaptiveAvgPool2d(x, 1, 1), 2, 6), w, c, mean, variance, BatchNormOptions{})
		}, 0xa9588f6e},
		{"group norm", []int{6}, func(x *Tensor, w, c *Parameter) *Tensor { return GroupNorm(x, 3, w, c, 0) }, 0xb76994da},
	} {
		tape := NewTape(Options{Gradients: true, Training: true})
		x := tape.Input(normals(1, 2*6*13*17), 2, 6, 13, 17).WantGradient()
		w, b := ParameterOf(normals(2, elements("test", c.w)), c.w...), ParameterOf(normals(3, 6), 6)
		y := c.f(x, w, b)
		h := fnv.New32a()
		digest := func(v []float32) {
			for _, v := range v {
				u := math.Float32bits(v)
				h.Write([]byte{byte(u), byte(u >> 8), byte(u >> 16), byte(u >> 24)})
			}
		}
		digest(y.data)
		g := NewGradients()
		Backward(g, []*Tensor{y}, [][]float32{normals(4, y.Len())})
		digest(g.OfTensor(x))
		digest(g.Of(w))
		digest(g.Of(b))
		if got := h.Sum32(); got != c.want {
			t.Errorf("%s: digest %#08x, expected %#08x", c.name, got, c.want)
		}
	}
}
