package autograd

import "github.com/fovea-ml/fovea/simd"

// dropCost is the price of a random factor. It divides grain into whole blocks of random numbers.
const dropCost = 8

// Dropout sets each element to zero with probability p and multiplies the others by 1/(1-p), on a training tape
// (Srivastava et al., JMLR 15, 2014). Elsewhere, or with p = 0, it returns x. The tape's seed and step and the
// number of the operation decide which elements are dropped. Backward draws them again instead of keeping a
// mask.
func Dropout(x *Tensor, p float32) *Tensor {
	checkProbability("dropout", p)
	x.check("dropout")
	if p == 0 || !x.tape.Training() {
		return x
	}
	f := begin("dropout", x)
	random := f.stream()
	y := f.out(x.shape...)
	apply := func(t *Tape, dst, src []float32) {
		t.eachRange(len(dst), dropCost, grain/dropCost, func(mask []float32, lo, hi int) {
			random.keepMask(mask[:hi-lo], lo, p)
			simd.Mul(dst[lo:hi], src[lo:], mask)
		})
	}
	apply(f.Tape, y.data, f.values(x))
	return f.done(y, func(b *back) {
		b.add(x, func(dx []float32) { apply(b.Tape, dx, b.dy) })
	})
}

// DropPath sets each sample, an index of the first dimension, to zero with probability p and multiplies the
// others by 1/(1-p), on a training tape. Elsewhere, or with p = 0, it returns x. On the branch of a residual
// block it is stochastic depth (Huang et al., arXiv 1603.09382).
func DropPath(x *Tensor, p float32) *Tensor {
	checkProbability("drop path", p)
	x.check("drop path")
	if p == 0 || !x.tape.Training() {
		return x
	}
	return dropPath("drop path", nil, x, p)
}

// DropPathAdd returns residual + DropPath(x, p) in one pass; both have one shape.
func DropPathAdd(residual, x *Tensor, p float32) *Tensor {
	const name = "drop path add"
	checkProbability(name, p)
	if !equalShape(residual.shape, x.shape) {
		shapePanic(name, "expected one shape", residual.shape, x.shape)
	}
	return dropPath(name, residual, x, p)
}

func dropPath(name string, residual, x *Tensor, p float32) *Tensor {
	var f *frame
	if residual != nil {
		f = begin(name, residual, x)
	} else {
		f = begin(name, x)
	}
	if len(x.shape) == 0 {
		shapePanic(name, "expected samples in the first dimension", x.shape)
	}
	n := x.shape[0]
	drops := p > 0 && f.Training()
	var random stream
	if drops {
		random = f.stream()
	}
	// factor returns the factor of sample i.
	factor := func(i int) float32 {
		if !drops {
			return 1
		}
		var u [4]float32
		random.keepMask(u[:], i&^3, p)
		return u[i&3]
	}
	y := f.out(x.shape...)
	xv := f.values(x)
	if n == 0 || len(xv) == 0 {
		return f.done(y, func(b *back) { passGiven(b, residual); b.add(x, func([]float32) {}) })
	}
	size := len(xv) / n
	f.each(len(xv), 1, func(lo, hi int) {
		for lo < hi {
			i := lo / size
			end := min(hi, (i+1)*size)
			dst, src, s := y.data[lo:end], xv[lo:end], factor(i)
			switch {
			case residual == nil && s == 0:
				clear(dst)
			case residual == nil:
				simd.Scale(dst, src, s)
			case s == 0:
				copy(dst, residual.data[lo:])
			default:
				simd.ScaleAdd(dst, src, s, residual.data[lo:])
			}
			lo = end
		}
	})
	return f.done(y, func(b *back) {
		passGiven(b, residual)
		if !drops {
			b.pass(x)
			return
		}
		b.add(x, func(dx []float32) {
			b.each(len(dx), 1, func(lo, hi int) {
				for lo < hi {
					i := lo / size
					end := min(hi, (i+1)*size)
					if s := factor(i); s == 0 {
						clear(dx[lo:end])
					} else {
						simd.Scale(dx[lo:end], b.dy[lo:], s)
					}
					lo = end
				}
			})
		})
	})
}

func passGiven(b *back, x *Tensor) {
	if x != nil {
		b.pass(x)
	}
}

func checkProbability(op string, p float32) {
	if !(p >= 0 && p <= 1) {
		usePanic(op, "expected a probability from 0 to 1")
	}
}
