package vision

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
)

// BMP files come in more forms than x/image reads. 16 bits per pixel, run lengths, and the header of OS/2 still occur in
// scanned archives and industrial cameras.

// Compressions of a BMP file.
const (
	bmpPlain = 0
	bmpRLE8  = 1
	bmpRLE4  = 2
	bmpMasks = 3
	bmpAlpha = 6 // masks, one of them for alpha
)

// bmpInfo is the header of a BMP file.
type bmpInfo struct {
	width, height int
	upsideDown    bool // the first row of the file is the lowest, as usual
	depth         int  // bits per pixel
	compression   uint32
	masks         [3]uint32 // of red, green and blue
	palette       []byte    // blue, green, red, and an unused byte where entry is 4
	entry         int       // bytes per color of the palette
	pixels        []byte    // to the end of the file
}

func parseBMP(data []byte) (bmpInfo, error) {
	var b bmpInfo
	if len(data) < 14+12 {
		return b, io.ErrUnexpectedEOF
	}
	u16 := func(o int) int { return int(binary.LittleEndian.Uint16(data[o:])) }
	u32 := func(o int) uint32 { return binary.LittleEndian.Uint32(data[o:]) }
	start, size := u32(10), u32(14)
	planes, colors := 1, uint32(0)
	b.upsideDown = true
	switch {
	case size > 124 || uint64(14+size) > uint64(len(data)):
		return b, fmt.Errorf("header of %d bytes in a file of %d", size, len(data))
	case size == 12:
		b.width, b.height, planes, b.depth, b.entry = u16(18), u16(20), u16(22), u16(24), 3
	case size >= 40:
		w, h := int32(u32(18)), int32(u32(22))
		if h < 0 && h != -h {
			h, b.upsideDown = -h, false
		}
		b.width, b.height, planes, b.depth, b.entry = int(w), int(h), u16(26), u16(28), 4
		b.compression, colors = u32(30), u32(46)
	default:
		return b, fmt.Errorf("header of %d bytes: %w", size, ErrFormat)
	}
	if b.width <= 0 || b.height <= 0 || planes != 1 {
		return b, fmt.Errorf("%d×%d pixels in %d planes", b.width, b.height, planes)
	}
	at := 14 + int(size)
	switch b.compression {
	case bmpPlain:
		b.masks = [3]uint32{0xff0000, 0xff00, 0xff}
		if b.depth == 16 {
			b.masks = [3]uint32{0x7c00, 0x3e0, 0x1f}
		}
	case bmpMasks, bmpAlpha:
		if size == 40 { // later headers hold the masks themselves, at the same place
			at += 12
			if b.compression == bmpAlpha {
				at += 4
			}
		}
		if len(data) < 14+40+12 {
			return b, io.ErrUnexpectedEOF
		}
		for i := range b.masks {
			b.masks[i] = u32(54 + 4*i)
		}
	}
	ok := false
	switch b.depth {
	case 1, 2, 4, 8:
		ok = b.compression == bmpPlain || b.compression == bmpRLE8 && b.depth == 8 || b.compression == bmpRLE4 && b.depth == 4
	case 16, 32:
		ok = b.compression == bmpPlain || b.compression == bmpMasks || b.compression == bmpAlpha
	case 24:
		ok = b.compression == bmpPlain
	}
	if !ok {
		return b, fmt.Errorf("%d bits per pixel with compression %d: %w", b.depth, b.compression, ErrFormat)
	}
	if b.depth <= 8 {
		n := 1 << b.depth
		if colors > 0 && colors < uint32(n) {
			n = int(colors)
		}
		n *= b.entry
		if size == 12 && start > uint32(at) { // OS/2 does not say how many colors there are
			n = min(n, int(start)-at)
		}
		if at+n > len(data) {
			return b, io.ErrUnexpectedEOF
		}
		b.palette = data[at : at+n]
		at += n
	}
	if uint64(start) < uint64(at) || uint64(start) > uint64(len(data)) {
		return b, fmt.Errorf("pixels at byte %d of a file of %d, after %d of headers", start, len(data), at)
	}
	b.pixels = data[start:]
	return b, nil
}

func bmpHeader(data []byte) (header, error) {
	b, err := parseBMP(data)
	h := header{width: b.width, height: b.height}
	if err != nil {
		return h, err
	}
	h.perByte = 8 / float64(b.depth)
	if b.compression == bmpRLE8 || b.compression == bmpRLE4 {
		h.perByte = 255 / 2. // the longest run
	}
	return h, nil
}

func decodeBMP(data []byte) (*Image, error) {
	b, err := parseBMP(data)
	if err != nil {
		return nil, err
	}
	m := NewImage(b.width, b.height, 3)
	row := func(y int) []uint8 {
		if b.upsideDown {
			y = b.height - 1 - y
		}
		return m.row(y)
	}
	if b.compression == bmpRLE8 || b.compression == bmpRLE4 {
		return m, b.runs(row)
	}
	stride := (int64(b.width)*int64(b.depth) + 31) / 32 * 4
	if stride*int64(b.height) > int64(len(b.pixels)) {
		return nil, io.ErrUnexpectedEOF
	}
	var channels [3]bmpChannel
	for i, mask := range b.masks {
		channels[i] = newBMPChannel(mask)
	}
	for y := range b.height {
		s, d := b.pixels[int64(y)*stride:][:stride], row(y)
		switch b.depth {
		case 24:
			for x := range b.width {
				d[3*x], d[3*x+1], d[3*x+2] = s[3*x+2], s[3*x+1], s[3*x]
			}
		case 16, 32:
			for x := range b.width {
				var v uint32
				if b.depth == 16 {
					v = uint32(binary.LittleEndian.Uint16(s[2*x:]))
				} else {
					v = binary.LittleEndian.Uint32(s[4*x:])
				}
				for c := range channels {
					d[3*x+c] = channels[c].level(v)
				}
			}
		default:
			for x := range b.width {
				bit := x * b.depth
				index := s[bit/8] >> (8 - b.depth - bit%8) & (1<<b.depth - 1)
				b.paint(d[3*x:], int(index))
			}
		}
	}
	return m, nil
}

// paint writes a color of the palette. An index outside the palette leaves the pixel black.
func (b *bmpInfo) paint(d []uint8, index int) {
	if o := index * b.entry; o+3 <= len(b.palette) {
		d[0], d[1], d[2] = b.palette[o+2], b.palette[o+1], b.palette[o]
	}
}

// runs decodes run lengths. A run is a count and a value (with 4 bits, two values that alternate). A count of zero
// begins an escape: the end of a row (0), the end of the image (1), a jump (2), or that many single values. Skipped
// pixels have color 0.
func (b *bmpInfo) runs(row func(int) []uint8) error {
	for y := range b.height {
		for d := row(y); len(d) > 0; d = d[3:] {
			b.paint(d, 0)
		}
	}
	four := b.compression == bmpRLE4
	x, y := 0, 0
	put := func(index int) {
		if x < b.width && y < b.height {
			b.paint(row(y)[3*x:], index)
		}
		x++
	}
	nibble := func(v byte, i int) int {
		if !four {
			return int(v)
		}
		return int(v >> (4 - 4*(i%2)) & 15)
	}
	s := b.pixels
	for len(s) >= 2 {
		n, v := int(s[0]), s[1]
		s = s[2:]
		switch {
		case n > 0:
			for i := range n {
				put(nibble(v, i))
			}
		case v == 0:
			x, y = 0, y+1
		case v == 1:
			return nil
		case v == 2:
			if len(s) < 2 {
				return io.ErrUnexpectedEOF
			}
			x, y = x+int(s[0]), y+int(s[1])
			s = s[2:]
		default:
			size := int(v)
			if four {
				size = (size + 1) / 2
			}
			size += size % 2
			if size > len(s) {
				return io.ErrUnexpectedEOF
			}
			for i := range int(v) {
				if four {
					put(nibble(s[i/2], i))
				} else {
					put(int(s[i]))
				}
			}
			s = s[size:]
		}
		if y > b.height || x > b.width+2*255 { // the rest would be invisible
			return fmt.Errorf("runs leave the image of %d×%d pixels", b.width, b.height)
		}
	}
	if y < b.height-1 || y == b.height-1 && x < b.width {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// bmpChannel is where a channel lies in a pixel.
type bmpChannel struct {
	mask  uint32
	shift int
	most  uint64 // its maximum, 0 for a channel without bits
}

func newBMPChannel(mask uint32) bmpChannel {
	shift := bits.TrailingZeros32(mask) & 31
	return bmpChannel{mask, shift, uint64(mask >> shift)}
}

// level is the channel's value in 0..255, rounded down, as in Pillow.
func (c *bmpChannel) level(pixel uint32) uint8 {
	if c.most == 0 {
		return 0
	}
	return uint8(uint64(pixel&c.mask>>c.shift) * 255 / c.most)
}
