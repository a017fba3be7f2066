package autograd

import "github.com/fovea-ml/fovea/simd"

// The contributions of rows to dgamma and dbeta are summed in chunks of normRows rows. A chunk is a task, so the order
// of the sums does not depend on the threads. Within it, each normBlock rows are summed from zero.
const (
	normRows  = 64
	normBlock = 16
)

// LayerNorm normalizes each row of the last dimension of x, [..., C] (Ba et al., arXiv 1607.06450):
// y = (x - mean)/√(var + eps)·gamma + beta with the variance of the population. The parameters gamma and beta
// are [C]; a nil one stands for ones or zeros. It saves the mean and the reciprocal deviation of each row.
func LayerNorm(x, gamma, beta Operand, eps float32) *Tensor {
	const name = "layer norm"
	f := begin(name, x, gamma, beta)
	s := x.Shape()
	if len(s) == 0 {
		shapePanic(name, "expected at least one dimension", s)
	}
	m, n := rows(s)
	for _, p := range []Operand{gamma, beta} {
		if given(p) && !equalShape(p.Shape(), s[len(s)-1:]) {
			shapePanic(name, "expected gamma and beta of the last dimension", s, p.Shape())
		}
	}
	y := f.out(s...)
	xv, gv, bv := f.values(x), f.values(gamma), f.values(beta)
	var mean, rstd []float32
	if f.grad {
		stats := f.save(2 * m)
		mean, rstd = stats[:m], stats[m:]
	}
	f.each(m, 2*n, func(lo, hi int) {
		simd.LayerNormRows(y.data[lo*n:], xv[lo*n:], gv, bv, eps, hi-lo, n, n, n, from(mean, lo), from(rstd, lo))
	})
	return f.done(y, func(b *back) {
		wantGamma, wantBeta := given(gamma) && b.wants(gamma), given(beta) && b.wants(beta)
		var dx []float32
		var dxBeta float32
		if b.wants(x) {
			dx, dxBeta = b.into(x)
		}
		if m == 0 || n == 0 {
			clear(dx)
			if wantGamma {
				b.sum(gamma)
			}
			if wantBeta {
				b.sum(beta)
			}
			return
		}
		chunks := (m + normRows - 1) / normRows
		// A chunk leaves its sums for gamma, then those for beta.
		parts := b.scratch(chunks * 2 * n)
		slots := b.slots(chunks, 4*normRows*n)
		lines := b.scratch(slots * 3 * n) // a row of dx, and the sums of a block
		b.eachSlot(slots, chunks, func(slot, c int) {
			line, block := lines[slot*3*n:][:n], lines[(slot*3+1)*n:][:2*n]
			part := parts[c*2*n:][:2*n]
			for lo := c * normRows; lo < min(m, (c+1)*normRows); lo += normBlock {
				hi := min(m, lo+normBlock)
				sums := block
				if lo == c*normRows {
					sums = part
				}
				clear(sums)
				var dg, db []float32
				if wantGamma {
					dg = sums[:n]
				}
				if wantBeta {
					db = sums[n:]
				}
				if dx == nil || dxBeta == 0 {
					simd.LayerNormGradRows(from(dx, lo*n), b.dy[lo*n:], xv[lo*n:], gv, hi-lo, n, n, mean[lo:], rstd[lo:], dg, db)
				} else {
					for r := lo; r < hi; r++ {
						simd.LayerNormGrad(line, b.dy[r*n:][:n], xv[r*n:][:n], gv, mean[r], rstd[r], dg, db)
						simd.Add(dx[r*n:][:n], dx[r*n:], line)
					}
				}
				if lo > c*normRows {
					simd.Add(part, part, block)
				}
			}
		})
		for i, p := range []Operand{gamma, beta} {
			if given(p) && b.wants(p) {
				d := b.sum(p)
				b.each(n, 2*chunks, func(lo, hi int) {
					simd.ColumnSumsAdd(d[lo:hi], parts[i*n+lo:], chunks, hi-lo, 2*n)
				})
			}
		}
		b.recycle(lines)
		b.recycle(parts)
	})
}

// from is s[i:], or nil for a nil s.
func from(s []float32, i int) []float32 {
	if s == nil {
		return nil
	}
	return s[i:]
}
