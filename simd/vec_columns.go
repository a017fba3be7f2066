package simd

import "github.com/fovea-ml/fovea/simd/internal/portable"

// ColumnSumsAdd adds the sum of each column of a matrix to dst: dst[j] += Σ x[r·stride+j] for j < n. This is the
// gradient of a bias. Each 16 rows are added in order from +0, and so are the sums of 16 such blocks. The sums of every
// 256 rows are added in float64; the total is rounded and joins dst by one addition.
//
// dst must not overlap x. ColumnSumsAdd panics if dst is shorter than n, if x is shorter than (rows-1)·stride+n, or if
// stride is less than n.
func ColumnSumsAdd(dst, x []float32, rows, n, stride int) {
	checkMatrix("ColumnSumsAdd", "x", len(x), rows, n, stride)
	atLeast("ColumnSumsAdd", "dst", len(dst), n)
	columns{a: x, aStride: stride}.add(dst, rows, n)
}

// ColumnDotsAdd is ColumnSumsAdd for the products of two matrices: dst[j] += Σ a[r·aStride+j]·b[r·bStride+j], by
// fused multiply-adds. dst must not overlap a or b, which may be one.
func ColumnDotsAdd(dst, a, b []float32, rows, n, aStride, bStride int) {
	checkMatrix("ColumnDotsAdd", "a", len(a), rows, n, aStride)
	checkMatrix("ColumnDotsAdd", "b", len(b), rows, n, bStride)
	atLeast("ColumnDotsAdd", "dst", len(dst), n)
	columns{a, b, aStride, bStride}.add(dst, rows, n)
}

// columns are a matrix a, or the products of a and b where b is not nil.
type columns struct {
	a, b             []float32
	aStride, bStride int
}

// add cuts n columns into strips and the rows into cascades. Sums of several cascades are added in float64.
func (c columns) add(dst []float32, rows, n int) {
	if rows <= portable.Rows {
		strip := max(maxCall/max(rows, 1)&^127, 128)
		for j := 0; j < n && rows > 0; j += strip {
			c.cascade(dst[j:min(n, j+strip)], 0, rows, j)
		}
		return
	}
	const strip = 128
	var sums [strip]float32
	var totals [strip]float64
	for j := 0; j < n; j += strip {
		d := dst[j:min(n, j+strip)]
		part := sums[:len(d)]
		totals = [strip]float64{}
		total := totals[:len(d)]
		for r := 0; r < rows; r += portable.Rows {
			clear(part)
			c.cascade(part, r, min(rows-r, portable.Rows), j)
			for i, v := range part {
				total[i] += float64(v)
			}
		}
		for i := range d {
			d[i] += float32(total[i])
		}
	}
}

// cascade adds the sums over rows rows from r to dst, for len(dst) columns from j.
func (c columns) cascade(dst []float32, r, rows, j int) {
	if c.b == nil {
		vecColumnSumsAdd(dst, c.a[r*c.aStride+j:], rows, c.aStride)
		return
	}
	vecColumnDotsAdd(dst, c.a[r*c.aStride+j:], c.b[r*c.bStride+j:], rows, c.aStride, c.bStride)
}
