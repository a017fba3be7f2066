package detect

import (
	"math"

	"github.com/fovea-ml/fovea/vision"
)

// Bits of the weights between pixels.
const stretchBits = 11

// taps are the two pixels between which a pixel of the result lies, and their weights.
type taps struct {
	first, second int
	a0, a1        int32
}

// stretch resizes an image to RGB samples of another size by the two nearest pixels in each direction, without
// antialiasing. It gives the bytes of OpenCV's cv2.resize with INTER_LINEAR (modules/imgproc/src/resize.cpp): weights of 11
// bits, rows first.
func stretch(m *vision.Image, height, width int) []uint8 {
	across, down := tapsFor(m.Width, width, true), tapsFor(m.Height, height, false)
	out := make([]uint8, height*width*3)
	var rows [2][]int32 // two rows of the image, resized across
	held := [2]int{-1, -1}
	row := func(y int) []int32 {
		i := y & 1
		if held[i] == y {
			return rows[i]
		}
		if rows[i] == nil {
			rows[i] = make([]int32, 3*width)
		}
		held[i] = y
		line := m.Pix[y*m.Width*m.Channels:][:m.Width*m.Channels]
		for x, t := range across {
			for c := range 3 {
				s := min(c, m.Channels-1)
				rows[i][3*x+c] = int32(line[t.first*m.Channels+s])*t.a0 + int32(line[t.second*m.Channels+s])*t.a1
			}
		}
		return rows[i]
	}
	for y, t := range down {
		r0, r1 := row(t.first), row(t.second)
		for i := range r0 {
			out[y*3*width+i] = uint8(((t.a0 * (r0[i] >> 4) >> 16) + (t.a1 * (r1[i] >> 4) >> 16) + 2) >> 2)
		}
	}
	return out
}

// tapsFor returns the taps of each pixel along a side. Beyond the first and last pixels both taps are the same pixel. OpenCV
// gives it the whole weight along rows; along columns it keeps two weights, whose products are rounded one by one.
func tapsFor(from, to int, whole bool) []taps {
	scale := 1 / (float64(to) / float64(from))
	out := make([]taps, to)
	for i := range out {
		f := float32((float64(i)+0.5)*scale - 0.5)
		at := int(math.Floor(float64(f)))
		f -= float32(at)
		if whole && (at < 0 || at >= from-1) {
			f = 0
		}
		round := func(v float32) int32 { return int32(math.RoundToEven(float64(v * (1 << stretchBits)))) }
		out[i] = taps{min(max(at, 0), from-1), min(at+1, from-1), round(1 - f), round(f)}
	}
	return out
}
