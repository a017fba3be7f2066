package vision

import (
	"bytes"
	"image/color"

	"golang.org/x/image/tiff"
)

// Tags of a TIFF directory.
const (
	tiffCompression = 259
	tiffPhotometric = 262
	tiffXMP         = 700
)

// isFax reports whether the compression is that of fax machines, group 3 or 4.
func isFax(compression int) bool { return compression == 3 || compression == 4 }

// decodeTIFF reads the first page.
func decodeTIFF(data []byte) (*Image, error) {
	decoded, err := tiff.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	m, err := FromImage(decoded)
	if err != nil {
		return nil, err
	}
	// A fax codes runs of ink and of paper. The photometric interpretation says whether paper is 0 or 1. Where it says
	// that black is 0, x/image returns negatives.
	compression, _ := tiffTag(data, tiffCompression)
	if photometric, _ := tiffTag(data, tiffPhotometric); isFax(compression) && photometric == 1 {
		for i, v := range m.Pix {
			m.Pix[i] = ^v
		}
	}
	return m, nil
}

func tiffHeader(data []byte) (header, error) {
	c, err := tiff.DecodeConfig(bytes.NewReader(data))
	h := header{width: c.Width, height: c.Height}
	if err != nil {
		return h, err
	}
	bits := 1 // gray and palettes have at least one bit a pixel
	switch c.ColorModel {
	case color.Gray16Model:
		bits = 16
	case color.RGBAModel, color.NRGBAModel:
		bits = 24
	case color.RGBA64Model, color.NRGBA64Model:
		bits = 48
	}
	compression, _ := tiffTag(data, tiffCompression)
	expands := 1.0
	switch compression {
	case 5: // LZW: a code of at most 12 bits encodes at most 4096 bytes
		expands = 4096 * 8 / 12.
	case 8, 32946: // Deflate
		expands = 1032
	case 32773: // PackBits: two bytes encode at most 128
		expands = 64
	}
	h.perByte = expands * 8 / float64(bits)
	if isFax(compression) {
		h.perByte = 0
		h.boundFlat()
	}
	return h, nil
}

// tiffTag returns the first whole number of a tag in the first directory. ok reports whether there is such a tag.
func tiffTag(tiff []byte, tag uint16) (value int, ok bool) {
	d, _ := parseIFD(tiff)
	v, ok := d.number(tag)
	return int(v), ok
}
