package simd

import "unsafe"

// slideGeneric computes tiles of gathered rows, two rows at a time. A last row is computed twice and written once.
func slideGeneric(t *gemmTile) {
	taps := unsafe.Slice(t.taps, t.k)
	for _, spot := range unsafe.Slice(t.spots, t.tiles) {
		for r := 0; r < t.rows; r += 2 {
			var sum [2][genericTile]float32
			a := unsafe.Add(t.a, spot.a+4*r)
			second := min(1, t.rows-r-1)
			c := unsafe.Add(t.c, spot.c+r*t.ldc)
			for k := 0; k < t.k; k += t.chain {
				var chain [2][genericTile]float32
				slide2x4(&chain, a, second, unsafe.Add(t.b, 4*k*genericTile), taps[k:min(t.k, k+t.chain)])
				if k == 0 {
					sum = chain
					continue
				}
				for q := range sum {
					for j, v := range chain[q] {
						sum[q][j] += v
					}
				}
			}
			for q := range min(2, t.rows-r) {
				row := unsafe.Slice((*float32)(unsafe.Add(c, q*t.ldc)), t.cols)
				if t.accum == 0 {
					copy(row, sum[q][:])
					continue
				}
				for j := range row {
					row[j] += sum[q][j]
				}
			}
		}
	}
}

// slide2x4 sets sum to the product of two gathered rows, second elements apart, and a panel of B.
func slide2x4(sum *[2][genericTile]float32, a unsafe.Pointer, second int, b unsafe.Pointer, taps []int) {
	var c00, c01, c02, c03, c10, c11, c12, c13 float32
	for q, tap := range taps {
		y := (*[genericTile]float32)(unsafe.Add(b, q*4*genericTile))
		a0, a1 := *(*float32)(unsafe.Add(a, 4*tap)), *(*float32)(unsafe.Add(a, 4*(tap+second)))
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

// transposeGeneric sets dst[j·width+i] to src[i·stride+j], for i < rows and j < cols.
func transposeGeneric(dst []float32, width int, src []float32, stride, rows, cols int) {
	transposeEdges(dst, width, src, stride, rows, cols, 0, cols)
}

// transposeEdges is the part of a transposition that whole blocks leave: all but the first rows done in the columns
// below whole.
func transposeEdges(dst []float32, width int, src []float32, stride, rows, cols, done, whole int) {
	for j := range cols {
		from := 0
		if j < whole {
			from = done
		}
		for i := from; i < rows; i++ {
			dst[j*width+i] = src[i*stride+j]
		}
	}
}
