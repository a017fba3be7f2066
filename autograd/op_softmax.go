package autograd

import (
	"math"

	"github.com/fovea-ml/fovea/simd"
)

// Softmax returns exp(x) / Σ exp(x) over the last dimension. A row that is -Inf throughout gives zeros.
func Softmax(x Operand) *Tensor { return softmax("softmax", x, simd.Softmax, simd.SoftmaxGrad) }

// LogSoftmax returns x - log Σ exp(x) over the last dimension.
func LogSoftmax(x Operand) *Tensor {
	return softmax("log softmax", x, simd.LogSoftmax, simd.LogSoftmaxGrad)
}

// LogSumExp returns log Σ exp(x) over the last dimension, which is dropped: [..., n] → [...]. The largest
// element is subtracted before exp. Over no elements it is -Inf.
func LogSumExp(x Operand) *Tensor {
	f := begin("log sum exp", x)
	xs, xv := x.Shape(), f.values(x)
	n, w := rows(xs)
	y := f.out(xs[:max(0, len(xs)-1)]...)
	f.each(n, 8*w, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			y.data[i] = simd.LogSumExp(xv[i*w:(i+1)*w], 1)
		}
	})
	return f.done(y, func(b *back) {
		b.add(x, func(dx []float32) {
			b.each(n, 8*w, func(lo, hi int) {
				for i := lo; i < hi; i++ {
					row := dx[i*w : (i+1)*w]
					simd.Softmax(row, xv[i*w:(i+1)*w], 1)
					simd.Scale(row, row, b.dy[i])
				}
			})
		})
	})
}

// L2Normalize returns x / max(‖x‖₂, eps) over the last dimension, as torch.nn.functional.normalize.
func L2Normalize(x Operand, eps float32) *Tensor {
	f := begin("l2 normalize", x)
	xv := f.values(x)
	n, w := rows(x.Shape())
	y := f.out(x.Shape()...)
	var norms []float32
	if f.grad {
		norms = f.save(n)
	}
	f.each(n, 4*w, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row, src := y.data[i*w:(i+1)*w], xv[i*w:(i+1)*w]
			norm := float32(math.Sqrt(float64(simd.SumSquares(src))))
			if norms != nil {
				norms[i] = norm
			}
			simd.Fill(row, max(norm, eps))
			simd.Div(row, src, row)
		}
	})
	yv := y.data
	return f.done(y, func(b *back) {
		b.add(x, func(dx []float32) {
			b.each(n, 4*w, func(lo, hi int) {
				for i := lo; i < hi; i++ {
					row, yr, dy := dx[i*w:(i+1)*w], yv[i*w:(i+1)*w], b.dy[i*w:(i+1)*w]
					if norms[i] < eps { // a constant divides
						simd.Scale(row, dy, 1/eps)
						continue
					}
					// (dy - y·Σ dy·y) / ‖x‖
					simd.ScaleAdd(row, yr, -simd.Dot(dy, yr), dy)
					simd.Scale(row, row, 1/norms[i])
				}
			})
		})
	})
}

// softmax computes rows; grad computes a row's gradient from its result.
func softmax(name string, x Operand, apply func(y, x []float32, scale float32), grad func(dx, y, dy []float32, scale float32)) *Tensor {
	f := begin(name, x)
	xv := f.values(x)
	n, w := rows(x.Shape())
	y := f.out(x.Shape()...)
	yv := y.data
	f.each(n, 8*w, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			apply(yv[i*w:(i+1)*w], xv[i*w:(i+1)*w], 1)
		}
	})
	return f.done(y, func(b *back) {
		b.add(x, func(dx []float32) {
			b.each(n, 4*w, func(lo, hi int) {
				for i := lo; i < hi; i++ {
					grad(dx[i*w:(i+1)*w], yv[i*w:(i+1)*w], b.dy[i*w:(i+1)*w], 1)
				}
			})
		})
	})
}
