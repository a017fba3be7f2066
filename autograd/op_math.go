package autograd

import (
	"math"

	"github.com/fovea-ml/fovea/simd"
)

// AddScalar returns x + s.
func AddScalar(x Operand, s float32) *Tensor {
	f := begin("add scalar", x)
	xv, y := f.values(x), f.out(x.Shape()...)
	f.each(len(xv), 1, func(lo, hi int) { simd.AddScalar(y.data[lo:hi], xv[lo:hi], s) })
	return f.done(y, func(b *back) { b.pass(x) })
}

// Scale returns s·x.
func Scale(x Operand, s float32) *Tensor {
	return elementwise("scale", x, 1,
		func(y, x []float32) { simd.Scale(y, x, s) },
		func(dx, _, dy []float32) { simd.Scale(dx, dy, s) })
}

// Exp returns e^x.
func Exp(x Operand) *Tensor {
	return fromResult("exp", x, 8, simd.Exp, simd.Mul)
}

// Log returns the natural logarithm of x: -Inf at zero, NaN below.
func Log(x Operand) *Tensor {
	return elementwise("log", x, 8, simd.Log, func(dx, x, dy []float32) { simd.Div(dx, dy, x) })
}

// Sin returns the sine of x, in radians.
func Sin(x Operand) *Tensor {
	return elementwise("sin", x, 8, simd.Sin, func(dx, x, dy []float32) {
		simd.Cos(dx, x)
		simd.Mul(dx, dx, dy)
	})
}

// Cos returns the cosine of x, in radians.
func Cos(x Operand) *Tensor {
	return elementwise("cos", x, 8, simd.Cos, func(dx, x, dy []float32) {
		simd.Sin(dx, x)
		simd.Mul(dx, dx, dy)
		simd.Neg(dx, dx)
	})
}

// Sqrt returns √x, NaN below zero.
func Sqrt(x Operand) *Tensor {
	return fromResult("sqrt", x, 4, simd.Sqrt, func(dx, y, dy []float32) {
		simd.Scale(dx, y, 2)
		simd.Div(dx, dy, dx)
	})
}

// Reciprocal returns 1/x.
func Reciprocal(x Operand) *Tensor {
	return fromResult("reciprocal", x, 4, simd.Reciprocal, func(dx, y, dy []float32) {
		simd.Mul(dx, y, y)
		simd.Mul(dx, dx, dy)
		simd.Neg(dx, dx)
	})
}

// Square returns x².
func Square(x Operand) *Tensor {
	return elementwise("square", x, 1,
		func(y, x []float32) { simd.Mul(y, x, x) },
		func(dx, x, dy []float32) {
			simd.Mul(dx, x, dy)
			simd.Scale(dx, dx, 2)
		})
}

// Neg returns -x.
func Neg(x Operand) *Tensor {
	return elementwise("neg", x, 1, simd.Neg, func(dx, _, dy []float32) { simd.Neg(dx, dy) })
}

// Abs returns |x|; its gradient at zero is zero.
func Abs(x Operand) *Tensor {
	return elementwise("abs", x, 1, simd.Abs, func(dx, x, dy []float32) {
		const sign = 1 << 31
		for i, v := range x {
			if v == 0 {
				dx[i] = 0
				continue
			}
			dx[i] = math.Float32frombits(math.Float32bits(dy[i]) ^ math.Float32bits(v)&sign)
		}
	})
}

// Sign returns 1 where x is positive, -1 where it is negative, and 0 at zero and NaN. It is a constant to the gradient.
func Sign(x Operand) *Tensor {
	f := begin("sign", x)
	xv, y := f.values(x), f.out(x.Shape()...)
	f.each(len(xv), 1, func(lo, hi int) {
		for i, v := range xv[lo:hi] {
			y.data[lo+i] = oneIf(v > 0) - oneIf(v < 0)
		}
	})
	return f.done(y, nil)
}

// Clamp returns x limited to lo..hi. The gradient passes where lo < x < hi, as in PyTorch 2.15: a value
// that sits on a bound gets none. Earlier versions let it pass at the bounds too.
func Clamp(x Operand, lo, hi float32) *Tensor {
	return elementwise("clamp", x, 1,
		func(y, x []float32) { simd.Clamp(y, x, lo, hi) },
		func(dx, x, dy []float32) {
			for i, v := range x {
				if v > lo && v < hi {
					dx[i] = dy[i]
				} else {
					dx[i] = 0
				}
			}
		})
}

// fromResult is elementwise for a function whose gradient is computed from its result y.
func fromResult(name string, x Operand, cost int, apply func(y, x []float32), grad func(dx, y, dy []float32)) *Tensor {
	f := begin(name, x)
	xv, y := f.values(x), f.out(x.Shape()...)
	yv := y.data
	f.each(len(xv), cost, func(lo, hi int) { apply(yv[lo:hi], xv[lo:hi]) })
	return f.done(y, func(b *back) {
		b.add(x, func(dx []float32) {
			b.each(len(dx), cost, func(lo, hi int) { grad(dx[lo:hi], yv[lo:hi], b.dy[lo:hi]) })
		})
	})
}
