package vision

import "math"

// gaussianBlur blurs by a Gaussian of the given standard deviation in pixels. It gives the bytes of Pillow's
// ImageFilter.GaussianBlur: three box blurs of a fractional width along the rows, then three along the columns, each
// rounded (Gwosdek et al., "Theoretical Foundations of Gaussian Convolution by Extended Box Filtering", 2011). The
// border repeats.
func gaussianBlur(m *Image, deviation float64) *Image {
	const passes = 3
	radius := boxRadius(float32(deviation), passes)
	if radius == 0 {
		return m.Clone()
	}
	box := newBoxBlur(radius)
	out := m.Clone()
	line := make([]uint8, max(m.Width, m.Height))
	for c := range m.Channels {
		for y := range m.Height {
			row := out.row(y)[c:]
			for range passes {
				box.apply(row, m.Channels, line[:m.Width])
			}
		}
		for x := range m.Width {
			column := out.Pix[x*m.Channels+c:]
			for range passes {
				box.apply(column, m.Width*m.Channels, line[:m.Height])
			}
		}
	}
	return out
}

// boxRadius returns the radius of a box whose repeated blur has the given deviation, by equations 7, 11 and 14 of the
// paper, in Pillow's order of float32 operations.
func boxRadius(deviation float32, passes int) float32 {
	variance := float32(deviation*deviation) / float32(passes)
	length := float32(math.Sqrt(float64(12*float64(variance)) + 1))
	whole := float32(math.Floor((float64(length) - 1) / 2))
	part := float32(float32(2*whole+1) * (float32(whole*(whole+1)) - float32(3*variance)))
	part /= float32(6 * (variance - float32((whole+1)*(whole+1))))
	return whole + part
}

// boxBlur is a mean over a whole number of samples to either side, and a fraction of one more.
type boxBlur struct {
	radius     int
	inner, rim uint32 // weights, in units of 2⁻²⁴
}

func newBoxBlur(radius float32) boxBlur {
	b := boxBlur{radius: int(radius)}
	b.inner = uint32(float32(1<<24) / float32(float32(radius*2)+1))
	b.rim = (1<<24 - uint32(2*b.radius+1)*b.inner) / 2
	return b
}

// apply blurs the samples at s[0], s[step], s[2·step] and so on, as many as line has room for.
func (b boxBlur) apply(s []uint8, step int, line []uint8) {
	last := len(line) - 1
	for i := range line {
		line[i] = s[i*step]
	}
	at := func(i int) uint32 { return uint32(line[min(max(i, 0), last)]) }
	sum := uint32(0)
	for i := -b.radius - 1; i < b.radius; i++ { // around the place before the first
		sum += at(i)
	}
	for i := range line {
		sum += at(i+b.radius) - at(i-b.radius-1)
		v := sum*b.inner + (at(i-b.radius-1)+at(i+b.radius+1))*b.rim
		s[i*step] = uint8((v + 1<<23) >> 24)
	}
}
