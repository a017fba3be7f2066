package autograd

import "github.com/fovea-ml/fovea/simd"

// GroupNorm divides the channels of x [n, c, …] into groups and normalizes each group of each image over
// all its values (Wu and He, arXiv 1803.08494). Then y = x̂·gamma + beta by channel. The parameters
// gamma and beta are [c]; either may be nil. An eps of 0 means 1e-5.
func GroupNorm(x Operand, groups int, gamma, beta Operand, eps float32) *Tensor {
	return groupNorm(x, groups, gamma, beta, eps, false)
}

// GroupNormRelu is Relu(GroupNorm(…)) in the same passes over memory, with the same bits.
func GroupNormRelu(x Operand, groups int, gamma, beta Operand, eps float32) *Tensor {
	return groupNorm(x, groups, gamma, beta, eps, true)
}

func groupNorm(x Operand, groups int, gamma, beta Operand, eps float32, relu bool) *Tensor {
	const name = "group norm"
	f := begin(name, x, gamma, beta)
	xs := x.Shape()
	if len(xs) < 2 || groups < 1 || xs[1]%groups != 0 {
		shapePanic(name, "expected x [n, c, ...] and c a multiple of the groups", xs, []int{groups})
	}
	c, inner := xs[1], elements(name, xs[2:])
	checkChannels(name, c, xs, gamma, beta)
	if eps == 0 {
		eps = 1e-5
	}
	rows, size := xs[0]*groups, c/groups*inner
	xv, gv, bv := f.values(x), f.values(gamma), f.values(beta)
	y := f.out(xs...)
	var mean, rstd []float32
	if f.grad {
		mean, rstd = f.save(rows), f.save(rows)
	}
	// affine applies gamma, beta and ReLU to the planes of row i.
	affine := func(row []float32, i int, beta []float32, relu bool) {
		first := i % groups * (c / groups)
		for k := 0; k*inner < len(row); k++ {
			plane := row[k*inner:][:inner]
			if gv != nil {
				simd.Scale(plane, plane, gv[first+k])
			}
			switch {
			case beta != nil && relu:
				simd.AddScalarRelu(plane, plane, beta[first+k])
			case beta != nil:
				simd.AddScalar(plane, plane, beta[first+k])
			case relu:
				simd.Relu(plane, plane)
			}
		}
	}
	f.each(rows, 2*size, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := y.data[i*size:][:size]
			m, s := simd.LayerNorm(row, xv[i*size:], nil, nil, eps)
			affine(row, i, bv, relu)
			if mean != nil {
				mean[i], rstd[i] = m, s
			}
		}
	})
	yv := y.data
	return f.done(y, func(b *back) {
		dy := b.dy
		if relu {
			dy = b.scratch(len(b.dy))
			defer b.recycle(dy)
			b.each(len(dy), 1, func(lo, hi int) { simd.ReluGrad(dy[lo:hi], yv[lo:], b.dy[lo:]) })
		}
		if b.wants(gamma) || b.wants(beta) {
			groupNormSums(b, gamma, beta, xv, dy, mean, rstd, c, inner, groups)
		}
		b.add(x, func(dx []float32) {
			b.each(rows, 3*size, func(lo, hi int) {
				for i := lo; i < hi; i++ {
					row := dx[i*size:][:size]
					copy(row, dy[i*size:])
					affine(row, i, nil, false)
					simd.LayerNormGrad(row, row, xv[i*size:][:size], nil, mean[i], rstd[i], nil, nil)
				}
			})
		})
	})
}

// groupNormSums adds Σ dy·x̂ to the gradient of gamma and Σ dy to that of beta, the images in order.
func groupNormSums(b *back, gamma, beta Operand, x, dy, mean, rstd []float32, c, inner, groups int) {
	planes := len(mean) / groups * c
	work := b.scratch(2 * planes)
	defer b.recycle(work)
	dots, sums := work[:planes], work[planes:]
	chunk := min(inner, normChunk)
	slots := b.slots(planes, 2*inner)
	scratch := b.scratch(slots * chunk)
	b.eachSlot(slots, planes, func(slot, i int) {
		buf := scratch[slot*chunk:][:chunk]
		row := i / (c / groups)
		dot, sum := 0.0, 0.0
		for j := 0; j < inner; j += chunk {
			n := min(chunk, inner-j)
			part := dy[i*inner+j:][:n]
			simd.AddScalar(buf[:n], x[i*inner+j:], -mean[row])
			dot += float64(simd.Dot(buf[:n], part))
			sum += float64(simd.Sum(part))
		}
		dots[i], sums[i] = float32(dot*float64(rstd[row])), float32(sum)
	})
	b.recycle(scratch)
	for k, in := range []Operand{gamma, beta} {
		if b.wants(in) {
			simd.ColumnSumsAdd(b.sum(in), [][]float32{dots, sums}[k], planes/max(1, c), c, c)
		}
	}
}
