package vision

import (
	"math"
	"strconv"
)

// affine returns an image of m's size and channels whose pixel (x, y) is m at
//
//	(a[0]·x + a[1]·y + a[2], a[3]·x + a[4]·y + a[5]),
//
// with the centers of pixels at halves. It interpolates between two (Bilinear) or four (Bicubic) pixels per direction,
// whatever the scale. Outside m the color is fill. The bytes are those of Pillow's Image.transform with
// Transform.AFFINE: computed in float64, and cut to whole numbers.
func affine(m *Image, a [6]float64, f Filter, fill [3]uint8) *Image {
	out := NewImage(m.Height, m.Width, m.Channels)
	width, height := float64(m.Width), float64(m.Height)
	for y := range m.Height {
		row := out.row(y)
		fy := float64(y) + 0.5
		for x := range m.Width {
			fx := float64(x) + 0.5
			// Products are rounded before they are added, on every machine.
			sx := float64(a[0]*fx) + float64(a[1]*fy) + a[2]
			sy := float64(a[3]*fx) + float64(a[4]*fy) + a[5]
			to := row[m.Channels*x : m.Channels*(x+1)]
			switch {
			case !(sx >= 0 && sx < width && sy >= 0 && sy < height):
				copy(to, fill[:])
			case f == Bicubic:
				m.bicubicAt(to, sx-0.5, sy-0.5)
			default:
				m.bilinearAt(to, sx-0.5, sy-0.5)
			}
		}
	}
	return out
}

// bilinearAt interpolates at (x, y), counted from the center of the first pixel; beyond the border pixels repeat.
func (m *Image) bilinearAt(to []uint8, x, y float64) {
	x0, y0 := math.Floor(x), math.Floor(y)
	dx, dy := x-x0, y-y0
	left, right := m.Channels*clamp(int(x0), m.Width), m.Channels*clamp(int(x0)+1, m.Width)
	above, below := m.row(clamp(int(y0), m.Height)), m.row(clamp(int(y0)+1, m.Height))
	for c := range to {
		u := lerp(float64(above[left+c]), float64(above[right+c]), dx)
		v := lerp(float64(below[left+c]), float64(below[right+c]), dx)
		to[c] = uint8(lerp(u, v, dy))
	}
}

// bicubicAt is bilinearAt with four points per direction and the kernel of a = -1, as in Pillow's transforms. (Pillow's
// resize has -1/2.)
func (m *Image) bicubicAt(to []uint8, x, y float64) {
	x0, y0 := math.Floor(x), math.Floor(y)
	dx, dy := x-x0, y-y0
	var rows [4][]uint8
	var at [4]int
	for i := range 4 {
		rows[i] = m.row(clamp(int(y0)+i-1, m.Height))
		at[i] = m.Channels * clamp(int(x0)+i-1, m.Width)
	}
	for c := range to {
		var v [4]float64
		for i, r := range rows {
			v[i] = cubic(float64(r[at[0]+c]), float64(r[at[1]+c]), float64(r[at[2]+c]), float64(r[at[3]+c]), dx)
		}
		to[c] = uint8(min(max(cubic(v[0], v[1], v[2], v[3], dy), 0), 255))
	}
}

func clamp(i, n int) int { return min(max(i, 0), n-1) }

func lerp(a, b, t float64) float64 { return a + float64((b-a)*t) }

// cubic evaluates the polynomial through b at t = 0 and c at t = 1 that has the slopes c - a and d - b there.
func cubic(a, b, c, d, t float64) float64 {
	p2 := -a + c
	p3 := float64(2*(a-b)) + c - d
	p4 := -a + b - c + d
	return b + float64(t*(p2+float64(t*(p3+float64(t*p4)))))
}

// rotate turns m about its center, counter-clockwise, as Pillow's Image.rotate does.
func rotate(m *Image, degrees float64, f Filter, fill [3]uint8) *Image {
	degrees = math.Mod(degrees, 360)
	if degrees < 0 {
		degrees += 360
	}
	switch {
	case degrees == 0:
		return m
	case degrees == 180:
		return m.Orient(3)
	case degrees == 90 && m.Width == m.Height:
		return m.Orient(8)
	case degrees == 270 && m.Width == m.Height:
		return m.Orient(6)
	}
	rad := -(degrees * (math.Pi / 180))
	sin, cos := round15(math.Sin(rad)), round15(math.Cos(rad))
	cx, cy := float64(m.Width)/2, float64(m.Height)/2
	return affine(m, [6]float64{
		cos, sin, float64(cos*-cx) + float64(sin*-cy) + cx,
		-sin, cos, float64(-sin*-cx) + float64(cos*-cy) + cy,
	}, f, fill)
}

// round15 rounds to 15 decimals, correctly.
func round15(x float64) float64 {
	r, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'f', 15, 64), 64)
	return r
}
