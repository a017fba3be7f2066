package vision

import (
	"bufio"
	"fmt"
	"image"
	"image/png"
	"io"

	"github.com/fovea-ml/fovea/internal/atomicfile"
)

// WritePNG writes the image as a PNG file.
func WritePNG(w io.Writer, m *Image) error {
	if err := m.check(); err != nil {
		return err
	}
	var src image.Image
	switch m.Channels {
	case 1:
		src = &image.Gray{Pix: m.Pix, Stride: m.Width, Rect: m.Bounds()}
	case 4:
		src = &image.NRGBA{Pix: m.Pix, Stride: 4 * m.Width, Rect: m.Bounds()}
	default:
		// RGBA in which every pixel is opaque is written as plain RGB.
		p := image.NewRGBA(m.Bounds())
		for i := range m.Width * m.Height {
			copy(p.Pix[4*i:4*i+3], m.Pix[3*i:3*i+3])
			p.Pix[4*i+3] = 255
		}
		src = p
	}
	b := bufio.NewWriter(w)
	if err := png.Encode(b, src); err != nil {
		return fmt.Errorf("vision: writing a PNG of %d×%d pixels: %w", m.Width, m.Height, err)
	}
	return b.Flush()
}

// SavePNG writes the image to a PNG file, which appears whole or not at all: an old file of that name is replaced
// once the new one is on the disk.
func SavePNG(path string, m *Image) error {
	if err := m.check(); err != nil {
		return err
	}
	return atomicfile.Write(path, func(w io.Writer) error { return WritePNG(w, m) })
}

// FromCHW returns the RGB image of three planes [3, height, width] of normalised values, undoing
// (v/255 - mean)/std, rounding and limiting to 0..255: what a model's input, or a reconstruction of it, looks
// like. NaN becomes 0. It panics when planes does not hold 3·height·width values.
func FromCHW(planes []float32, width, height int, mean, std [3]float32) *Image {
	out := NewImage(width, height, 3)
	n := width * height
	if len(planes) != 3*n {
		panic(fmt.Sprintf("vision: FromCHW: %d values for an image of %d×%d pixels, expected %d", len(planes), width, height, 3*n))
	}
	for c := range 3 {
		for i, v := range planes[c*n : (c+1)*n] {
			f := float64((float64(float64(v)*float64(std[c]))+float64(mean[c]))*255) + 0.5
			var p uint8
			switch {
			case f >= 255:
				p = 255
			case f > 0:
				p = uint8(f)
			}
			out.Pix[3*i+c] = p
		}
	}
	return out
}
