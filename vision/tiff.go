package vision

import (
	"bytes"
	"encoding/binary"
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

// tiffEntry returns the order of a TIFF block's bytes, and the 12 bytes of a tag in its first directory.
func tiffEntry(tiff []byte, tag uint16) (o binary.ByteOrder, entry []byte) {
	if len(tiff) < 8 {
		return nil, nil
	}
	switch string(tiff[:4]) {
	case "II*\x00":
		o = binary.LittleEndian
	case "MM\x00*":
		o = binary.BigEndian
	default:
		return nil, nil
	}
	p := int64(o.Uint32(tiff[4:]))
	if p+2 > int64(len(tiff)) {
		return nil, nil
	}
	n := int64(o.Uint16(tiff[p:]))
	for i := range n {
		e := p + 2 + 12*i
		if e+12 > int64(len(tiff)) {
			break
		}
		if o.Uint16(tiff[e:]) == tag {
			return o, tiff[e : e+12]
		}
	}
	return nil, nil
}

// tiffTag returns a whole number of 16 or 32 bits in the first directory of a TIFF block: the first one where the entry
// holds several. ok reports whether there is such a tag.
func tiffTag(tiff []byte, tag uint16) (value int, ok bool) {
	o, e := tiffEntry(tiff, tag)
	if e == nil {
		return 0, false
	}
	switch o.Uint16(e[2:]) {
	case 3: // stored in the first bytes of the value field
		return int(o.Uint16(e[8:])), true
	case 4:
		return int(o.Uint32(e[8:])), true
	}
	return 0, true
}

// tiffBytes returns the value of a tag of bytes, nil where there is none.
func tiffBytes(tiff []byte, tag uint16) []byte {
	o, e := tiffEntry(tiff, tag)
	if e == nil {
		return nil
	}
	kind, n, at := o.Uint16(e[2:]), int64(o.Uint32(e[4:])), int64(o.Uint32(e[8:]))
	if kind != 1 && kind != 7 || n <= 4 || at+n > int64(len(tiff)) { // up to 4 bytes stand in the entry itself
		return nil
	}
	return tiff[at : at+n]
}
