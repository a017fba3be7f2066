package autograd

import "github.com/fovea-ml/fovea/simd"

// RMSNorm divides each row of the last dimension of x, [..., C], by its root mean square (Zhang and Sennrich, arXiv
// 1910.07467): y = x/√(mean(x²) + eps)·gamma. gamma is [C]; nil stands for ones. It saves the factor of each row.
func RMSNorm(x, gamma Operand, eps float32) *Tensor {
	const name = "rms norm"
	f := begin(name, x, gamma)
	s := x.Shape()
	if len(s) == 0 {
		shapePanic(name, "expected at least one dimension", s)
	}
	m, n := rows(s)
	if given(gamma) && !equalShape(gamma.Shape(), s[len(s)-1:]) {
		shapePanic(name, "expected gamma of the last dimension", s, gamma.Shape())
	}
	y := f.out(s...)
	xv, gv := f.values(x), f.values(gamma)
	var rstd []float32
	if f.grad {
		rstd = f.save(m)
	}
	f.each(m, 2*n, func(lo, hi int) {
		simd.RMSNormRows(y.data[lo*n:], xv[lo*n:], gv, eps, hi-lo, n, n, n, from(rstd, lo))
	})
	return f.done(y, func(b *back) {
		wantGamma := given(gamma) && b.wants(gamma)
		var dx []float32
		var beta float32
		if b.wants(x) {
			dx, beta = b.into(x)
		}
		if m == 0 || n == 0 {
			clear(dx)
			if wantGamma {
				b.sum(gamma)
			}
			return
		}
		chunks := ceilDiv(m, normBlock)
		parts := b.scratch(chunks * n) // the sums for gamma of each chunk
		slots := b.slots(chunks, 4*normBlock*n)
		lines := b.scratch(slots * n)
		b.eachSlot(slots, chunks, func(slot, c int) {
			lo, hi := c*normBlock, min(m, (c+1)*normBlock)
			var dg []float32
			if wantGamma {
				dg = parts[c*n:][:n]
				clear(dg)
			}
			if dx == nil || beta == 0 {
				simd.RMSNormGradRows(from(dx, lo*n), b.dy[lo*n:], xv[lo*n:], gv, hi-lo, n, n, rstd[lo:], dg)
				return
			}
			line := lines[slot*n:][:n]
			for r := lo; r < hi; r++ {
				simd.RMSNormGradRows(line, b.dy[r*n:], xv[r*n:], gv, 1, n, n, rstd[r:], dg)
				simd.Add(dx[r*n:][:n], dx[r*n:], line)
			}
		})
		if wantGamma {
			d := b.sum(gamma)
			b.each(n, chunks, func(lo, hi int) {
				simd.ColumnSumsAdd(d[lo:hi], parts[lo:], chunks, hi-lo, n)
			})
		}
		b.recycle(lines)
		b.recycle(parts)
	})
}
