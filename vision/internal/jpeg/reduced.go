package jpeg

// The transforms of an image at a half, a quarter or an eighth of its size are libjpeg's, and so those of Pillow's draft
// mode. They make 4×4 or 2×2 samples of a block with fewer operations. Coefficients in row or column 4 contribute
// nothing and are skipped; for 2×2, so are those in 2 and 6. At an eighth, the first coefficient is the sample.

// Round(2^13 · x) for the numbers x of the two flow graphs that the full transform lacks.
const (
	r0_211 = 1730
	r0_509 = 4176
	r0_601 = 4926
	r0_720 = 5906
	r0_850 = 6967
	r1_061 = 8697
	r1_272 = 10426
	r1_451 = 11893
	r2_172 = 17799
	r3_624 = 29692
)

// transform4 has cosBits + 1 more fractional bits in its results.
func transform4(x0, x1, x2, x3, x5, x6, x7 int32) (y0, y1, y2, y3 int32) {
	s := x0 << (cosBits + 1)
	e := x2*c1_847 - x6*c0_765
	o := -x7*r0_211 + x5*r1_451 - x3*r2_172 + x1*r1_061
	p := -x7*r0_509 - x5*r0_601 + x3*c0_899 + x1*c2_562
	return s + e + p, s - e + o, s - e - o, s + e - p
}

// transform2 has cosBits + 2 more.
func transform2(x0, x1, x3, x5, x7 int32) (y0, y1 int32) {
	s := x0 << (cosBits + 2)
	o := -x7*r0_720 + x5*r0_850 - x3*r1_272 + x1*r3_624
	return s + o, s - o
}

// inverse4 writes 4×4 samples.
func inverse4(dst []uint8, stride int, b *block, q *[64]int16) {
	var w [4][8]int32
	for _, col := range [7]int{0, 1, 2, 3, 5, 6, 7} {
		i := 2 * place[col]
		x := func(at int) int32 { return int32(b[i+at] * q[i+at]) }
		y := [4]int32{}
		y[0], y[1], y[2], y[3] = transform4(x(0), x(33), x(16), x(49), x(48), x(17), x(32))
		for row, v := range y {
			w[row][col] = sat16((v + 1<<shiftFirst) >> (shiftFirst + 1))
		}
	}
	for row := range w {
		x := &w[row]
		d := dst[row*stride:][:4:4]
		y0, y1, y2, y3 := transform4(x[0], x[1], x[2], x[3], x[5], x[6], x[7])
		d[0], d[1], d[2], d[3] = sample(y0, 1), sample(y1, 1), sample(y2, 1), sample(y3, 1)
	}
}

// inverse2 writes 2×2 samples.
func inverse2(dst []uint8, stride int, b *block, q *[64]int16) {
	var w [2][8]int32
	for _, col := range [5]int{0, 1, 3, 5, 7} {
		i := 2 * place[col]
		x := func(at int) int32 { return int32(b[i+at] * q[i+at]) }
		y0, y1 := transform2(x(0), x(33), x(49), x(48), x(32))
		w[0][col] = sat16((y0 + 1<<(shiftFirst+1)) >> (shiftFirst + 2))
		w[1][col] = sat16((y1 + 1<<(shiftFirst+1)) >> (shiftFirst + 2))
	}
	for row := range w {
		x := &w[row]
		y0, y1 := transform2(x[0], x[1], x[3], x[5], x[7])
		dst[row*stride], dst[row*stride+1] = sample(y0, 2), sample(y1, 2)
	}
}
