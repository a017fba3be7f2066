package simd

import "unsafe"

// The portable tile is 4×4, computed two rows at a time: eight chains cover the latency of a scalar
// multiply and add and leave registers for the operands.
const genericTile = 4

var gemmGeneric = gemmKernel{
	level: Generic, mr: genericTile, nr: genericTile, kc: 256, mc: 128,
	multiply:  multiplyGeneric,
	few:       fewGeneric,
	packPanel: packPanelGeneric,
	peak:      peakGeneric,
	peakFlops: 16,
}

func multiplyGeneric(t *gemmTile) {
	for i := range t.tiles {
		a := unsafe.Add(t.a, i*t.atile)
		for r := 0; r < t.rows; r += 2 {
			var sum [2][genericTile]float32
			c := unsafe.Add(t.c, (i*t.rows+r)*t.ldc)
			live := min(2, t.rows-r)
			if t.accum != 0 {
				for q := range live {
					copy(sum[q][:], unsafe.Slice((*float32)(unsafe.Add(c, q*t.ldc)), t.cols))
				}
			}
			tile2x4(&sum, unsafe.Add(a, 4*r), t.b, t.k)
			for q := range live {
				copy(unsafe.Slice((*float32)(unsafe.Add(c, q*t.ldc)), t.cols), sum[q][:])
			}
		}
	}
}

// tile2x4 adds to sum the product of two rows of a packed tile of A and a panel of B, k long.
func tile2x4(sum *[2][genericTile]float32, a, b unsafe.Pointer, k int) {
	c00, c01, c02, c03 := sum[0][0], sum[0][1], sum[0][2], sum[0][3]
	c10, c11, c12, c13 := sum[1][0], sum[1][1], sum[1][2], sum[1][3]
	for q := 0; q < k; q++ {
		x := (*[2]float32)(unsafe.Add(a, q*4*genericTile))
		y := (*[genericTile]float32)(unsafe.Add(b, q*4*genericTile))
		a0, a1 := x[0], x[1]
		b0, b1, b2, b3 := y[0], y[1], y[2], y[3]
		c00 += a0 * b0
		c10 += a1 * b0
		c01 += a0 * b1
		c11 += a1 * b1
		c02 += a0 * b2
		c12 += a1 * b2
		c03 += a0 * b3
		c13 += a1 * b3
	}
	sum[0] = [genericTile]float32{c00, c01, c02, c03}
	sum[1] = [genericTile]float32{c10, c11, c12, c13}
}

// fewGeneric adds to rows i0 to i1 of C, four elements of a chain or four chains at a time.
func fewGeneric(s *gemmScratch, o *gemmOperands, k, i0, i1, j0, j1 int) {
	for i := i0; i < i1; i++ {
		c := o.c[i*o.ldc+j0:][:j1-j0]
		a := o.a.at(i, 0)
		if o.a.Trans {
			s.a = grow(s.a, k)
			for q := range k {
				s.a[q] = a[q*o.a.Stride]
			}
			a = s.a
		}
		a = a[:k]
		if o.b.Trans {
			dots(c, a, o.b.at(0, j0), o.b.Stride)
		} else {
			combine(c, a, o.b.at(0, j0), o.b.Stride)
		}
	}
}

// dots adds to c[j] the dot product of a and row j of b.
func dots(c, a, b []float32, stride int) {
	j := 0
	for ; j+4 <= len(c); j += 4 {
		b0, b1, b2, b3 := b[j*stride:][:len(a)], b[(j+1)*stride:][:len(a)], b[(j+2)*stride:][:len(a)], b[(j+3)*stride:][:len(a)]
		c0, c1, c2, c3 := c[j], c[j+1], c[j+2], c[j+3]
		for q, v := range a {
			c0 += v * b0[q]
			c1 += v * b1[q]
			c2 += v * b2[q]
			c3 += v * b3[q]
		}
		c[j], c[j+1], c[j+2], c[j+3] = c0, c1, c2, c3
	}
	for ; j < len(c); j++ {
		sum := c[j]
		for q, v := range b[j*stride:][:len(a)] {
			sum += a[q] * v
		}
		c[j] = sum
	}
}

// combine adds to c the rows of b, each times its element of a.
func combine(c, a, b []float32, stride int) {
	q := 0
	for ; q+4 <= len(a); q += 4 {
		b0, b1, b2, b3 := b[q*stride:][:len(c)], b[(q+1)*stride:][:len(c)], b[(q+2)*stride:][:len(c)], b[(q+3)*stride:][:len(c)]
		a0, a1, a2, a3 := a[q], a[q+1], a[q+2], a[q+3]
		for j, v := range c {
			v += a0 * b0[j]
			v += a1 * b1[j]
			v += a2 * b2[j]
			v += a3 * b3[j]
			c[j] = v
		}
	}
	for ; q < len(a); q++ {
		for j, v := range b[q*stride:][:len(c)] {
			c[j] += a[q] * v
		}
	}
}
