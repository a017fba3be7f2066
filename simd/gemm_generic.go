package simd

import "unsafe"

// The portable tile is 4×4, computed two rows at a time: eight chains cover the latency of a scalar
// multiply and add and leave registers for the operands.
const genericTile = 4

var gemmGeneric = gemmKernel{
	level: Generic, mr: genericTile, nr: genericTile, kc: 256, mc: 128,
	multiply:  multiplyGeneric,
	packPanel: packPanelGeneric,
}

func multiplyGeneric(t *gemmTile) {
	b := unsafe.Slice((*float32)(t.b), t.k*genericTile)
	for i := range t.tiles {
		a := unsafe.Slice((*float32)(unsafe.Add(t.a, i*t.atile)), t.k*genericTile)
		for r := 0; r < t.rows; r += 2 {
			var sum [2][genericTile]float32
			c := unsafe.Add(t.c, (i*t.rows+r)*t.ldc)
			live := min(2, t.rows-r)
			if t.accum != 0 {
				for q := range live {
					copy(sum[q][:], unsafe.Slice((*float32)(unsafe.Add(c, q*t.ldc)), t.cols))
				}
			}
			tile2x4(&sum, a[r:], b)
			for q := range live {
				copy(unsafe.Slice((*float32)(unsafe.Add(c, q*t.ldc)), t.cols), sum[q][:])
			}
		}
	}
}

// tile2x4 adds to sum the product of two rows of a packed tile of A and a panel of B.
func tile2x4(sum *[2][genericTile]float32, a, b []float32) {
	c00, c01, c02, c03 := sum[0][0], sum[0][1], sum[0][2], sum[0][3]
	c10, c11, c12, c13 := sum[1][0], sum[1][1], sum[1][2], sum[1][3]
	for len(a) >= 2 && len(b) >= 4 {
		a0, a1 := a[0], a[1]
		b0, b1, b2, b3 := b[0], b[1], b[2], b[3]
		c00 += a0 * b0
		c01 += a0 * b1
		c02 += a0 * b2
		c03 += a0 * b3
		c10 += a1 * b0
		c11 += a1 * b1
		c12 += a1 * b2
		c13 += a1 * b3
		a = a[min(4, len(a)):]
		b = b[4:]
	}
	sum[0] = [genericTile]float32{c00, c01, c02, c03}
	sum[1] = [genericTile]float32{c10, c11, c12, c13}
}
