package jpeg

// chromaTables hold the products of the conversion: the share of Cr in red, of Cb in blue, and of both in green. The
// last two have 16 fractional bits, and the second of them the half that rounds. The tables also hold the limits of 0
// and 255 for sums from -512 to 511, indexed by their last ten bits.
var chromaTables = func() (t struct {
	crR, cbB, crG, cbG [256]int32
	clip               [1024]uint8
}) {
	for i := range t.clip {
		t.clip[i] = clip8(int32(i<<22) >> 22)
	}
	for i := range int32(256) {
		v := i - 128
		t.crR[i] = (91881*v + 32768) >> 16
		t.cbB[i] = (116130*v + 32768) >> 16
		t.crG[i] = -46802 * v
		t.cbG[i] = -22554*v + 32768
	}
	return t
}()

// YCbCrToRGB converts len(y) pixels by JFIF's full-range conversion in libjpeg's 16-bit fixed point: 1.402,
// 0.344136, 0.714136 and 1.772. cb and cr are at least as long as y, dst three times as long.
func YCbCrToRGB(dst, y, cb, cr []uint8) { ycbcrToRGB(dst, y, cb, cr) }

func ycbcrToRGBPortable(dst, y, cb, cr []uint8) {
	t := &chromaTables
	cb, cr = cb[:len(y)], cr[:len(y)]
	for i, v := range y {
		if len(dst) < 3 {
			return
		}
		l, u, w := int32(v), cb[i], cr[i]
		dst[0] = t.clip[uint32(l+t.crR[w])&1023]
		dst[1] = t.clip[uint32(l+(t.cbG[u]+t.crG[w])>>16)&1023]
		dst[2] = t.clip[uint32(l+t.cbB[u])&1023]
		dst = dst[3:]
	}
}

// A space is the color space of the components of a file.
type space int

const (
	gray space = iota
	ycbcr
	rgb
	cmyk
	ycck // cyan, magenta and yellow stored as the YCbCr of their complement
)

// convert writes one row of RGB pixels; rows holds one full row of each component.
func (s space) convert(dst []uint8, rows [][]uint8) {
	switch s {
	case gray:
		for i, v := range rows[0] {
			d := dst[3*i : 3*i+3 : 3*i+3]
			d[0], d[1], d[2] = v, v, v
		}
	case ycbcr:
		YCbCrToRGB(dst, rows[0], rows[1], rows[2])
	case rgb:
		r, g, b := rows[0], rows[1][:len(rows[0])], rows[2][:len(rows[0])]
		for i, v := range r {
			d := dst[3*i : 3*i+3 : 3*i+3]
			d[0], d[1], d[2] = v, g[i], b[i]
		}
	case cmyk:
		// Adobe's programs, which write these files, store all four inverted. Pillow assumes it.
		n := len(rows[0])
		c, m, y, k := rows[0], rows[1][:n], rows[2][:n], rows[3][:n]
		for i := range n {
			d := dst[3*i : 3*i+3 : 3*i+3]
			d[0], d[1], d[2] = withBlack(c[i], k[i]), withBlack(m[i], k[i]), withBlack(y[i], k[i])
		}
	case ycck:
		YCbCrToRGB(dst, rows[0], rows[1], rows[2])
		k := rows[3][:len(rows[0])]
		for i := range k {
			d := dst[3*i : 3*i+3 : 3*i+3]
			d[0], d[1], d[2] = withBlack(^d[0], k[i]), withBlack(^d[1], k[i]), withBlack(^d[2], k[i])
		}
	}
}

// withBlack is Pillow's uncalibrated conversion of inverted ink c under inverted black k, where 255 means none. The
// result is k less the ink's share of it, with a rounded product of two bytes.
func withBlack(c, k uint8) uint8 {
	n := uint32(k)
	t := uint32(^c)*n + 128
	return uint8(n - (t>>8+t)>>8)
}
