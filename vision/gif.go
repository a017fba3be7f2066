package vision

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// GIF files in the wild break the format's rules in ways that image/gif does not forgive and Pillow does: frames that leave
// the screen, bytes between blocks, no palette, too many pixels. So the first frame is decoded here, as Pillow does it.

// gifFrame is the first frame of a file.
type gifFrame struct {
	width, height int    // of the canvas: the screen, enlarged to hold the frame
	palette       []byte // RGB triples; nil means gray
	transparent   int    // the canvas has this color around the frame; 0 when there is none

	x, y, frameWidth, frameHeight int
	interlaced                    bool
	bits                          int    // of a pixel, from which the codes grow
	codes                         []byte // in blocks of a length and that many bytes
}

// color returns the color of index i: black where the palette has no such entry.
func (f *gifFrame) color(i int) (c [3]uint8) {
	if f.palette == nil {
		return [3]uint8{uint8(i), uint8(i), uint8(i)}
	}
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

// gifFirstFrame walks over the blocks before the pixels of the first image. Bytes that begin no block are skipped.
func gifFirstFrame(data []byte) (gifFrame, error) {
	var f gifFrame
	errShort := fmt.Errorf("before the first frame: %w", io.ErrUnexpectedEOF)
	if len(data) < 13 {
		return f, errShort
	}
	f.width = int(binary.LittleEndian.Uint16(data[6:]))
	f.height = int(binary.LittleEndian.Uint16(data[8:]))
	p := 13
	// A palette in which color i is gray of level i counts for nothing, as in Pillow: without another one, indices are
	// levels, also those outside the palette.
	table := func(flags byte) bool {
		if flags&0x80 == 0 {
			return true
		}
		n := 3 << (flags&7 + 1)
		if p+n > len(data) {
			return false
		}
		if !grayRamp(data[p : p+n]) {
			f.palette = data[p : p+n]
		}
		p += n
		return true
	}
	if !table(data[10]) {
		return f, errShort
	}
	for p < len(data) {
		switch data[p] {
		case 0x21: // extension: label, then sub-blocks
			if p+3 <= len(data) && data[p+1] == 0xf9 && data[p+2] > 0 {
				if data[p+2] < 4 || p+7 > len(data) {
					return f, errors.New("a graphic control extension that is too short")
				}
				if data[p+3]&1 != 0 {
					f.transparent = int(data[p+6])
				}
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
			u16 := func(o int) int { return int(binary.LittleEndian.Uint16(data[p+o:])) }
			f.x, f.y, f.frameWidth, f.frameHeight = u16(1), u16(3), u16(5), u16(7)
			flags := data[p+9]
			p += 10
			if !table(flags) || p >= len(data) {
				return f, errShort
			}
			f.interlaced, f.bits, f.codes = flags&0x40 != 0, int(data[p]), data[p+1:]
			f.width, f.height = max(f.width, f.x+f.frameWidth), max(f.height, f.y+f.frameHeight)
			if f.frameWidth == 0 || f.frameHeight == 0 || f.bits > 12 {
				return f, fmt.Errorf("a frame of %d×%d pixels of %d bits", f.frameWidth, f.frameHeight, f.bits)
			}
			return f, nil
		case 0x3b:
			return f, errors.New("no image in the file")
		default:
			p++
		}
	}
	return f, errShort
}

// grayRamp reports whether color i of a palette is gray of level i.
func grayRamp(palette []byte) bool {
	for i, v := range palette {
		if int(v) != i/3 {
			return false
		}
	}
	return true
}

// decodeGIF draws the first frame on the canvas.
func decodeGIF(data []byte) (*Image, error) {
	f, err := gifFirstFrame(data)
	if err != nil {
		return nil, err
	}
	m := NewImage(f.height, f.width, 3)
	if f.frameWidth < f.width || f.frameHeight < f.height {
		fill := f.color(f.transparent)
		for i := 0; i < len(m.Pix); i += 3 {
			copy(m.Pix[i:i+3], fill[:])
		}
	}
	var colors [256][3]uint8
	for i := range colors {
		colors[i] = f.color(i)
	}
	return m, f.draw(m, &colors)
}

// gifCodes is the number of codes.
const gifCodes = 1 << 12

// draw decodes the codes. What follows the last pixel is not looked at.
func (f *gifFrame) draw(m *Image, colors *[256][3]uint8) error {
	var (
		link          [gifCodes]uint16 // a code is that of all pixels but the last, and the last
		last          [gifCodes]uint8
		stack         [gifCodes]uint8
		acc           uint32
		have          int
		block         int // bytes left of it
		at            int // in f.codes
		clear         = 1 << f.bits
		next, size    = clear + 2, f.bits + 1
		fresh         = true // no code since the last clear code
		old           int
		first         uint8 // pixel of the old code
		x, y, pass    int
		row           = m.row(f.y)[3*f.x:]
		firsts, steps = [4]int{0, 4, 2, 1}, [4]int{8, 8, 4, 2}
	)
	if !f.interlaced {
		pass, steps[3] = 3, 1
	}
	put := func(v uint8) (done bool) {
		c := &colors[v]
		row[3*x], row[3*x+1], row[3*x+2] = c[0], c[1], c[2]
		if x++; x < f.frameWidth {
			return false
		}
		x = 0
		for y += steps[pass]; y >= f.frameHeight; y = firsts[pass] {
			if pass++; pass > 3 {
				return true
			}
		}
		row = m.row(f.y + y)[3*f.x:]
		return false
	}
	broken := func() error { return fmt.Errorf("no such code in row %d of the frame", y) }
	for {
		for have < size {
			for block == 0 {
				if at >= len(f.codes) || at+1+int(f.codes[at]) > len(f.codes) {
					return io.ErrUnexpectedEOF
				}
				block = int(f.codes[at])
				at++
			}
			acc |= uint32(f.codes[at]) << have
			at, block, have = at+1, block-1, have+8
		}
		code := int(acc & (1<<size - 1))
		acc, have = acc>>size, have-size
		switch {
		case code == clear:
			next, size, fresh = clear+2, f.bits+1, true
			continue
		case code == clear+1:
			return fmt.Errorf("the frame ends in row %d of %d: %w", y, f.frameHeight, io.ErrUnexpectedEOF)
		case fresh && code > clear, code > next:
			return broken()
		case fresh:
			fresh, old, first = false, code, uint8(code)
			if put(first) {
				return nil
			}
			continue
		}
		n, c := len(stack), code
		if c == next {
			n--
			stack[n] = first
			c = old
		}
		for c >= clear {
			if n == 0 || c >= gifCodes {
				return broken()
			}
			n--
			stack[n] = last[c]
			c = int(link[c])
		}
		first = uint8(c)
		if next < gifCodes {
			last[next], link[next] = first, uint16(old)
			if next == 1<<size-1 && size < 12 {
				size++
			}
			next++
		}
		old = code
		if put(first) {
			return nil
		}
		for _, v := range stack[n:] {
			if put(v) {
				return nil
			}
		}
	}
}
