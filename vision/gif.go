package vision

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"io"
)

// decodeGIF draws the first frame on a canvas of the file's size. Around a smaller frame the canvas has the transparent
// color, or color 0 if there is none, as in Pillow.
func decodeGIF(data []byte) (*Image, error) {
	m, err := gif.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	p, ok := m.(*image.Paletted)
	if !ok {
		return fromImage(m), nil
	}
	f, err := gifFirstFrame(data)
	if err != nil {
		return nil, err
	}
	out := NewImage(f.width, f.height, 3)
	fill := f.color(f.transparent)
	for i := 0; i < len(out.Pix); i += 3 {
		copy(out.Pix[i:i+3], fill[:])
	}
	b := p.Rect.Intersect(out.Bounds())
	for y := b.Min.Y; y < b.Max.Y; y++ {
		s := p.Pix[p.PixOffset(b.Min.X, y):][:b.Dx()]
		d := out.row(y)[3*b.Min.X:]
		for i, v := range s {
			c := f.color(int(v))
			d[3*i], d[3*i+1], d[3*i+2] = c[0], c[1], c[2]
		}
	}
	return out, nil
}

// gifFrame holds data that the standard library's decoder does not return. That decoder erases the color of the
// transparent entry, which must stay when alpha is dropped.
type gifFrame struct {
	width, height int
	palette       []byte // RGB triples
	transparent   int    // 0 when there is none
}

func (f *gifFrame) color(i int) (c [3]uint8) {
	if 3*i+3 <= len(f.palette) {
		copy(c[:], f.palette[3*i:])
	}
	return c
}

func gifHeader(data []byte) (header, error) {
	f, err := gifFirstFrame(data)
	// A code of at most 12 bits stands for at most 4096 pixels.
	return header{width: f.width, height: f.height, perByte: 4096 * 8 / 12.}, err
}

// gifFirstFrame walks over the blocks before the first image.
func gifFirstFrame(data []byte) (gifFrame, error) {
	var f gifFrame
	errShort := fmt.Errorf("before the first frame: %w", io.ErrUnexpectedEOF)
	if len(data) < 13 {
		return f, errShort
	}
	f.width = int(binary.LittleEndian.Uint16(data[6:]))
	f.height = int(binary.LittleEndian.Uint16(data[8:]))
	p := 13
	table := func(flags byte) bool {
		if flags&0x80 == 0 {
			return true
		}
		n := 3 << (flags&7 + 1)
		if p+n > len(data) {
			return false
		}
		f.palette = data[p : p+n]
		p += n
		return true
	}
	if !table(data[10]) {
		return f, errShort
	}
	for p < len(data) {
		switch data[p] {
		case 0x21: // extension: label, then sub-blocks
			if p+8 <= len(data) && data[p+1] == 0xf9 && data[p+2] == 4 && data[p+3]&1 != 0 {
				f.transparent = int(data[p+6])
			}
			p += 2
			for p < len(data) && data[p] != 0 {
				p += 1 + int(data[p])
			}
			p++
		case 0x2c:
			if p+10 > len(data) {
				return f, errShort
			}
			flags := data[p+9]
			p += 10
			if !table(flags) {
				return f, errShort
			}
			return f, nil
		default:
			return f, errors.New("no image in the file")
		}
	}
	return f, errShort
}
