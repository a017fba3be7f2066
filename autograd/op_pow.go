package autograd

import (
	"math"

	"github.com/fovea-ml/fovea/simd"
)

// powCost is the time for an element of a power, in additions.
const powCost = 40

// Pow returns x to the power y, broadcast. Special cases are those of [simd.Pow]: a negative number has whole powers
// alone. As in PyTorch, the gradient of x is 0 where y is 0, and that of y is 0 where x is 0 and y is not negative.
func Pow(x, y Operand) *Tensor {
	f, z, l := beginBroadcast("pow", x, y)
	xv, yv, zv := f.values(x), f.values(y), z.data
	f.combine(simd.Pow, zv, xv, 0, yv, 1, l)
	return f.done(z, func(b *back) {
		if !b.wants(x) && !b.wants(y) {
			return
		}
		p := b.scratch(len(zv))
		defer b.recycle(p)
		b.add(x, func(dx []float32) {
			b.combine(powSlope, p, xv, 0, yv, 1, l)
			b.sumTo(dx, b.dy, p, l, 0)
		})
		b.add(y, func(dy []float32) {
			b.combine(powLogSlope, p, zv, 2, xv, 0, l)
			b.sumTo(dy, b.dy, p, l, 1)
		})
	})
}

// PowScalar returns x to the power p, as [Pow] does. With p 0 the gradient is 0.
func PowScalar(x Operand, p float32) *Tensor {
	return elementwise("pow scalar", x, powCost,
		func(y, x []float32) { simd.PowScalar(y, x, p) },
		func(dx, x, dy []float32) {
			if p == 0 {
				clear(dx)
				return
			}
			simd.PowScalar(dx, x, p-1)
			simd.Scale(dx, dx, p)
			simd.Mul(dx, dx, dy)
		})
}

// powSlope stores y·x^(y-1), and 0 where y is 0.
func powSlope(dst, x, y []float32) {
	var less [64]float32
	for len(dst) > 0 {
		n := min(len(dst), len(less))
		p := less[:n]
		simd.AddScalar(p, y, -1)
		simd.Pow(p, x, p)
		for i, v := range y[:n] {
			if v == 0 {
				dst[i] = 0
			} else {
				dst[i] = v * p[i]
			}
		}
		dst, x, y = dst[n:], x[n:], y[n:]
	}
}

// powLogSlope stores z·log x, z = x^y, and 0 where x is 0 and y is not negative, so that z is finite. dst may be x.
func powLogSlope(dst, z, x []float32) {
	simd.Log(dst, x)
	for i, l := range dst {
		if l < -math.MaxFloat32 && z[i]-z[i] == 0 {
			dst[i] = 0
		} else {
			dst[i] = z[i] * l
		}
	}
}
