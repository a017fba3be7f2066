package vision

import (
	"bufio"
	"bytes"
	"fmt"
	"image"
	"image/png"
	"io"

	"github.com/fovea-ml/fovea/internal/atomicfile"
)

// pngHeader reads the size, and how many pixels the length of the file allows.
func pngHeader(data []byte) (header, error) {
	var h header
	info, err := parsePNG(data)
	if err != nil {
		return h, err
	}
	h.width, h.height = info.width, info.height
	// Deflate expands at most 1032 times.
	h.perByte = 1032 * 8 / float64(info.depth)
	return h, nil
}

// decodePNG decodes with image/png, and where that fails for a reason that does not concern the pixels, the file without
// what it stumbled over.
func decodePNG(data []byte) (*Image, error) { return decodePNGAs(data, FromImage) }

// decodePNGAs is decodePNG with a conversion of what image/png returns.
func decodePNGAs(data []byte, convert func(image.Image) (*Image, error)) (*Image, error) {
	m, err := png.Decode(bytes.NewReader(data))
	if err == nil {
		return convert(m)
	}
	repaired, reason := repairPNG(data)
	if reason != nil {
		return nil, fmt.Errorf("%w (%w)", reason, err)
	}
	if m, err = png.Decode(repaired); err != nil {
		return nil, err
	}
	return convert(m)
}

// WritePNG writes the image as a PNG file.
func WritePNG(w io.Writer, m *Image) error {
	if err := m.Validate(); err != nil {
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

// SavePNG writes the image to a PNG file, which appears whole or not at all. An old file of that name is replaced
// once the new one is on the disk.
func SavePNG(path string, m *Image) error {
	if err := m.Validate(); err != nil {
		return err
	}
	return atomicfile.Write(path, func(w io.Writer) error { return WritePNG(w, m) })
}
