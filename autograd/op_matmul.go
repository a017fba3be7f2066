package autograd

import "github.com/fovea-ml/fovea/simd"

// MatMul returns the matrix products a·b: a is [..., m, k], b is [..., k, n], the result [..., m, n]. The
// dimensions before the last two are broadcast together by NumPy's rule. [simd.Gemm] states the order of the sums.
func MatMul(a, b Operand) *Tensor { return MatMulT(a, b, false, false) }

// MatMulT is [MatMul] of operands whose matrices are transposed first: with transA, a is [..., k, m], and
// with transB, b is [..., n, k]. Nothing is copied for it.
func MatMulT(a, b Operand, transA, transB bool) *Tensor {
	const name = "matmul"
	f := begin(name, a, b)
	as, bs := a.Shape(), b.Shape()
	if len(as) < 2 || len(bs) < 2 {
		shapePanic(name, "expected matrices", as, bs)
	}
	p := product{math: f.products(a, b), transA: transA, transB: transB}
	p.m, p.k = matrixOf(as, transA)
	kb, n := matrixOf(bs, transB)
	p.n = n
	if p.k != kb {
		shapePanic(name, "expected a [..., m, k] and b [..., k, n] (after transposing)", as, bs)
	}
	batch := broadcast(name, as[:len(as)-2], bs[:len(bs)-2])
	p.av = f.values(a)
	y := f.out(append(cloneShape(batch), p.m, p.n)...)

	if len(bs) == 2 && !transA { // all rows of a as one matrix
		p.m, _ = rows(as)
		batch = nil
	}
	p.batch = newLayout(name, batch, matrixStrides(as, len(batch), p.m*p.k),
		matrixStrides(bs, len(batch), p.k*p.n), matrixStrides(y.shape, len(batch), p.m*p.n))
	count := p.batch.count(p.batch.n)
	f.flops = 2 * p.m * p.n * p.k * count

	if w, ok := b.(*Parameter); ok && count == 1 && len(bs) == 2 && !transA && f.packsAhead() {
		simd.GemmPacked(f.workers, p.m, p.a(0, false), w.store.panels(f.workers, p.math, bs[0], bs[1], transB), 0, y.data, p.n, nil)
	} else {
		p.bv = f.values(b)
		p.forward(f.Tape, y.data)
	}
	return f.done(y, func(g *back) {
		if g.wants(a) {
			da, beta := g.into(a)
			p.gradient(g, 0, da, beta)
		}
		if g.wants(b) {
			db, beta := g.into(b)
			p.gradient(g, 1, db, beta)
		}
	})
}

// matrixOf returns the sizes of a shape's matrices after transposing.
func matrixOf(shape []int, trans bool) (rows, cols int) {
	rows, cols = shape[len(shape)-2], shape[len(shape)-1]
	if trans {
		return cols, rows
	}
	return rows, cols
}

// matrixStrides returns the elements between the matrices of a shape along rank batch dimensions.
func matrixStrides(shape []int, rank, size int) []int {
	if rank == 0 {
		return nil
	}
	s := stridesOf(shape[:len(shape)-2], rank)
	for i := range s {
		s[i] *= size
	}
	return s
}

// product is a batch of matrix products y = op(a)·op(b), laid out as the operands a, b and y.
type product struct {
	math           simd.Math
	m, n, k        int
	transA, transB bool
	av, bv         []float32
	batch          *layout
}

// a returns the view of a's matrix at an offset, as op(a) or its transpose.
func (p *product) a(off int, trans bool) simd.Matrix {
	stride := p.k
	if p.transA {
		stride = p.m
	}
	return simd.Matrix{Data: p.av[off:], Stride: stride, Trans: p.transA != trans}
}

// b returns the view of b's matrix at an offset, as op(b) or its transpose.
func (p *product) b(off int, trans bool) simd.Matrix {
	stride := p.n
	if p.transB {
		stride = p.k
	}
	return simd.Matrix{Data: p.bv[off:], Stride: stride, Trans: p.transB != trans}
}

func (p *product) forward(t *Tape, y []float32) {
	l := p.batch
	count := l.count(l.n)
	if count == 1 {
		p.math.Gemm(t.workers, p.m, p.n, p.k, p.a(0, false), p.b(0, false), 0, y, p.n, nil)
		return
	}
	p.math.GemmBatch(t.workers, count, p.m, p.n, p.k, 0, func(i int) (simd.Matrix, simd.Matrix, []float32, int) {
		c := l.cursor(i, l.n)
		return p.a(c.off[0], false), p.b(c.off[1], false), y[c.off[2]:], p.n
	})
}

// gradient adds the gradient of operand which (a is 0, b is 1) to beta·d. Where the operand is repeated,
// its products are added one after the other, in the order of the batch.
func (p *product) gradient(g *back, which int, d []float32, beta float32) {
	kept, repeated := &layout{}, &layout{}
	for i := range p.batch.n {
		part := kept
		if p.batch.stride[which][i] == 0 {
			part = repeated
		}
		part.size[part.n] = p.batch.size[i]
		for k := range part.stride {
			part.stride[k][part.n] = p.batch.stride[k][i]
		}
		part.n++
	}
	count, times := kept.count(kept.n), repeated.count(repeated.n)
	if count*times == 0 && beta == 0 {
		clear(d)
		return
	}
	at := repeated.cursor(0, repeated.n)
	for range times {
		base := at.off
		// ∂a = dy·bᵀ and ∂b = aᵀ·dy, each transposed again where the operand is stored transposed.
		operands := func(i int) (x, y simd.Matrix, out []float32, ldc int) {
			c := kept.cursor(i, kept.n)
			dy := simd.Matrix{Data: g.dy[base[2]+c.off[2]:], Stride: p.n}
			if which == 0 {
				x, y, ldc = dy, p.b(base[1]+c.off[1], true), p.k
				if p.transA {
					dy.Trans = true
					x, y, ldc = p.b(base[1]+c.off[1], false), dy, p.m
				}
			} else {
				x, y, ldc = p.a(base[0]+c.off[0], true), dy, p.n
				if p.transB {
					dy.Trans = true
					x, y, ldc = dy, p.a(base[0]+c.off[0], false), p.k
				}
			}
			return x, y, d[c.off[which]:], ldc
		}
		var m, n, k int
		switch {
		case which == 0 && !p.transA:
			m, n, k = p.m, p.k, p.n
		case which == 0:
			m, n, k = p.k, p.m, p.n
		case !p.transB:
			m, n, k = p.k, p.n, p.m
		default:
			m, n, k = p.n, p.k, p.m
		}
		if count == 1 {
			x, y, out, ldc := operands(0)
			p.math.Gemm(g.workers, m, n, k, x, y, beta, out, ldc, nil)
		} else {
			p.math.GemmBatch(g.workers, count, m, n, k, beta, operands)
		}
		beta = 1
		at.next()
	}
}
