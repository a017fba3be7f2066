package vision

import "math"

// The enhancements move a gray or RGB image away from, or towards, a degenerate version of itself. Factor 0 gives that version,
// 1 the image, and more than 1 goes beyond. They give the bytes of Pillow's ImageEnhance.

// blend returns from + factor·(to - from), in float32 and cut to whole numbers, in to's shape.
func blend(from func(i int) int, to *Image, factor float64) *Image {
	out := NewImage(to.Height, to.Width, to.Channels)
	a := float32(factor)
	for i, v := range to.Pix {
		d := from(i)
		x := float32(d) + float32(a*float32(int(v)-d))
		out.Pix[i] = uint8(min(max(x, 0), 255))
	}
	return out
}

// adjustBrightness blends with black.
func adjustBrightness(m *Image, factor float64) *Image {
	return blend(func(int) int { return 0 }, m, factor)
}

// adjustContrast blends with the mean gray.
func adjustContrast(m *Image, factor float64) *Image {
	gray := m.Gray()
	sum := 0
	for _, v := range gray.Pix {
		sum += int(v)
	}
	mean := int(float64(sum)/float64(len(gray.Pix)) + 0.5)
	return blend(func(int) int { return mean }, m, factor)
}

// adjustSaturation blends with the image in gray.
func adjustSaturation(m *Image, factor float64) *Image {
	gray := m.Gray()
	return blend(func(i int) int { return int(gray.Pix[i/m.Channels]) }, m, factor)
}

// adjustSharpness blends with the image after a small blur.
func adjustSharpness(m *Image, factor float64) *Image {
	soft := smooth(m)
	return blend(func(i int) int { return int(soft.Pix[i]) }, m, factor)
}

// smooth averages each pixel (weight 5) with its eight neighbors (weight 1 each). The border stays as it is, as
// does an image without an inside.
func smooth(m *Image) *Image {
	out := m.Clone()
	if m.Width < 3 || m.Height < 3 {
		return out
	}
	c := m.Channels
	for y := 1; y < m.Height-1; y++ {
		above, here, below := m.row(y-1), m.row(y), m.row(y+1)
		to := out.row(y)
		for x := c; x < len(here)-c; x++ {
			sum := 4 * int(here[x])
			for _, r := range [...][]uint8{above, here, below} {
				sum += int(r[x-c]) + int(r[x]) + int(r[x+c])
			}
			to[x] = uint8((2*sum + 13) / 26) // 13 is odd: no sum lies half-way
		}
	}
	return out
}

// shiftHue turns the hue of each pixel by a share of the circle, -0.5 to 0.5, in Pillow's 8-bit HSV: torchvision's
// adjust_hue on Pillow images. The way through 8 bits changes pixels even where the share is 0.
// Gray has no hue.
func shiftHue(m *Image, share float64) *Image {
	if m.Channels == 1 {
		return m
	}
	by := uint8(int32(share * 255))
	out := NewImage(m.Height, m.Width, 3)
	for i := 0; i < len(m.Pix); i += 3 {
		h, s, v := toHSV(m.Pix[i], m.Pix[i+1], m.Pix[i+2])
		out.Pix[i], out.Pix[i+1], out.Pix[i+2] = fromHSV(h+by, s, v)
	}
	return out
}

// toHSV converts a pixel as Pillow's convert("HSV") does; differences are in float32, hues in float64.
func toHSV(r, g, b uint8) (h, s, v uint8) {
	hi, lo := max(r, g, b), min(r, g, b)
	if hi == lo {
		return 0, 0, hi
	}
	spread := float32(hi - lo)
	rest := func(x uint8) float32 { return float32(hi-x) / spread }
	var hue float32
	switch hi {
	case r:
		hue = rest(b) - rest(g)
	case g:
		hue = float32(2 + float64(rest(r)) - float64(rest(b)))
	default:
		hue = float32(4 + float64(rest(g)) - float64(rest(r)))
	}
	hue = float32(math.Mod(float64(hue)/6+1, 1))
	return uint8(float64(hue) * 255), uint8(float64(spread/float32(hi)) * 255), hi
}

// fromHSV is the way back, as Pillow's convert("RGB").
func fromHSV(h, s, v uint8) (r, g, b uint8) {
	if s == 0 {
		return v, v, v
	}
	sixth := float64(h) * 6 / 255
	sector := math.Floor(sixth)
	f := float64(float32(sixth - sector))
	fs := float64(float32(s) / 255)
	level := func(share float64) uint8 {
		return uint8(math.Round(float64(v) * (1 - float64(fs*share))))
	}
	p, q, t := level(1), level(f), level(1-f)
	switch int(sector) % 6 {
	case 0:
		return v, t, p
	case 1:
		return q, v, p
	case 2:
		return p, v, t
	case 3:
		return p, q, v
	case 4:
		return t, p, v
	}
	return v, p, q
}
