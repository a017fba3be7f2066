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
