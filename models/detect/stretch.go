package detect

import (
	"math"

	"github.com/fovea-ml/fovea/vision"
)

// Bits of the weights between pixels.
const stretchBits = 11

// taps are the two pixels between which a pixel of the result lies, and their weights.
type taps struct {
	at     int
	a0, a1 int32
}

// stretch resizes an image to RGB samples of another size by the two nearest pixels in each direction, without
// antialiasing. It gives the bytes of OpenCV's cv2.resize with INTER_LINEAR (modules/imgproc/src/resize.cpp): weights of 11
// bits, rows first.
func stretch(m *vision.Image, height, width int) []uint8 {
	across, down := tapsFor(m.Width, width), tapsFor(m.Height, height)
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
			next := min(t.at+1, m.Width-1)
			for c := range 3 {
				s := min(c, m.Channels-1)
				rows[i][3*x+c] = int32(line[t.at*m.Channels+s])*t.a0 + int32(line[next*m.Channels+s])*t.a1
			}
		}
		return rows[i]
	}
	for y, t := range down {
		r0, r1 := row(t.at), row(min(t.at+1, m.Height-1))
		for i := range r0 {
			out[y*3*width+i] = uint8(((t.a0 * (r0[i] >> 4) >> 16) + (t.a1 * (r1[i] >> 4) >> 16) + 2) >> 2)
		}
	}
	return out
}

// tapsFor returns the taps of each pixel along a side.
func tapsFor(from, to int) []taps {
	scale := 1 / (float64(to) / float64(from))
	out := make([]taps, to)
	for i := range out {
		f := float32((float64(i)+0.5)*scale - 0.5)
		at := int(math.Floor(float64(f)))
		f -= float32(at)
		if at < 0 {
			at, f = 0, 0
		}
		if at >= from-1 {
			at, f = from-1, 0
		}
		round := func(v float32) int32 { return int32(math.RoundToEven(float64(v * (1 << stretchBits)))) }
		out[i] = taps{at, round(1 - f), round(f)}
	}
	return out
}
