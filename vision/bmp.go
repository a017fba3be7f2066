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
	ramp          bool      // color i of the palette is gray of level i
	start         int       // of the pixels
	pixels        []byte    // from there to the end of the file
}

func parseBMP(data []byte) (bmpInfo, error) {
	var b bmpInfo
	if len(data) < 14+12 {
		return b, io.ErrUnexpectedEOF
	}
	u16 := func(o int) int { return int(binary.LittleEndian.Uint16(data[o:])) }
	u32 := func(o int) uint32 { return binary.LittleEndian.Uint32(data[o:]) }
	start, size := u32(10), u32(14)
	colors := uint32(0)
	b.upsideDown = true
	switch {
	case size > 124:
		return b, fmt.Errorf("header of %d bytes: %w", size, ErrFormat)
	case uint64(14+size) > uint64(len(data)):
		return b, fmt.Errorf("header of %d bytes in a file of %d", size, len(data))
	case size == 12:
		b.width, b.height, b.depth, b.entry = u16(18), u16(20), u16(24), 3
	case size >= 40:
		w, h := int32(u32(18)), int32(u32(22))
		if h < 0 && h != -h {
			h, b.upsideDown = -h, false
		}
		b.width, b.height, b.depth, b.entry = int(w), int(h), u16(28), 4
		b.compression, colors = u32(30), u32(46)
	default:
		return b, fmt.Errorf("header of %d bytes: %w", size, ErrFormat)
	}
	if b.width <= 0 || b.height <= 0 {
		return b, fmt.Errorf("%d×%d pixels", b.width, b.height)
	}
	at := 14 + int(size)
	switch b.compression {
	case bmpPlain:
		b.masks = bmpUsual
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
		if b.masks == [3]uint32{} && b.depth == 32 {
			b.masks = bmpUsual
		}
	}
	ok := false
	switch b.depth {
	case 1, 2, 4, 8:
		ok = b.compression == bmpPlain || b.compression == bmpRLE8 && b.depth == 8 || b.compression == bmpRLE4 && b.depth == 4
	case 16, 32:
		ok = b.compression == bmpPlain || b.compression == bmpMasks || b.compression == bmpAlpha
	case 24:
		ok = b.compression == bmpPlain || b.compression == bmpMasks && b.masks == bmpUsual
	}
	if !ok {
		return b, fmt.Errorf("%d bits per pixel with compression %d: %w", b.depth, b.compression, ErrFormat)
	}
	if b.depth <= 8 {
		n := 1 << b.depth
		if colors > 0 {
			if colors > 256 {
				return b, fmt.Errorf("a palette of %d colors", colors)
			}
			n = int(colors)
		}
		n *= b.entry
		switch {
		case size == 12 && start > uint32(at): // OS/2 does not say how many colors there are
			n = min(n, int(start)-at)
		case start == uint32(at): // written by programs that forget the palette
			start += uint32(n)
		}
		// A palette may reach into the pixels, or to the end of the file: those colors are not used.
		b.palette = data[at:min(at+n, len(data))]
		b.ramp = b.depth == 8 && len(b.palette) == n
		for i := range len(b.palette) / b.entry {
			c := b.palette[i*b.entry:]
			b.ramp = b.ramp && int(c[0]) == i && int(c[1]) == i && int(c[2]) == i
		}
		at = min(at+n, len(data))
	}
	if start == 0 {
		start = uint32(at)
	}
	if uint64(start) > uint64(len(data)) {
		return b, fmt.Errorf("pixels at byte %d of a file of %d", start, len(data))
	}
	b.start, b.pixels = int(start), data[start:]
	return b, nil
}

// bmpUsual are the masks of 8-bit blue, green and red, in this order in the file.
var bmpUsual = [3]uint32{0xff0000, 0xff00, 0xff}

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
	m := NewImage(b.height, b.width, 3)
	row := func(y int) []uint8 {
		if b.upsideDown {
			y = b.height - 1 - y
		}
		return m.row(y)
	}
	if b.compression == bmpRLE8 || b.compression == bmpRLE4 {
		return m, b.runs(row)
	}
	// Rows are padded to four bytes. The padding of the last one may be missing.
	used := (int64(b.width)*int64(b.depth) + 7) / 8
	stride := (used + 3) / 4 * 4
	if stride*int64(b.height-1)+used > int64(len(b.pixels)) {
		return nil, io.ErrUnexpectedEOF
	}
	var channels [3]bmpChannel
	for i, mask := range b.masks {
		channels[i] = newBMPChannel(mask)
	}
	for y := range b.height {
		s, d := b.pixels[int64(y)*stride:][:used], row(y)
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

// paint writes a color of the palette. An index outside the palette leaves the pixel black, or, where the palette is
// gray of level i for color i, continues it, as in Pillow.
func (b *bmpInfo) paint(d []uint8, index int) {
	if b.ramp {
		d[0], d[1], d[2] = uint8(index), uint8(index), uint8(index)
	} else if o := index * b.entry; o+3 <= len(b.palette) {
		d[0], d[1], d[2] = b.palette[o+2], b.palette[o+1], b.palette[o]
	}
}

// runs decodes run lengths. A run is a count and a value (with 4 bits, two values that alternate). A count of zero
// begins an escape: the end of a row (0), the end of the image (1), a jump (2), or that many single values. Skipped
// pixels have color 0. As in Pillow, a run ends with its row, and single values go on in the next one.
func (b *bmpInfo) runs(row func(int) []uint8) error {
	for y := range b.height {
		for d := row(y); len(d) > 0; d = d[3:] {
			b.paint(d, 0)
		}
	}
	four := b.compression == bmpRLE4
	n, all, x := 0, b.width*b.height, 0 // pixels so far, of all, and of the row as far as its runs are concerned
	put := func(index int) {
		b.paint(row(n / b.width)[n%b.width*3:], index)
		n++
	}
	nibble := func(v byte, i int) int {
		if !four {
			return int(v)
		}
		return int(v >> (4 - 4*(i%2)) & 15)
	}
	s := b.pixels
	for n < all && len(s) >= 2 {
		count, v := int(s[0]), s[1]
		s = s[2:]
		switch {
		case count > 0:
			count = min(count, max(b.width-x, 0), all-n)
			for i := range count {
				put(nibble(v, i))
			}
			x += count
		case v == 0:
			n, x = (n+b.width-1)/b.width*b.width, 0
		case v == 1:
			return nil
		case v == 2:
			if len(s) < 2 {
				return io.ErrUnexpectedEOF
			}
			n = min(n+int(s[0])+int(s[1])*b.width, all)
			x = n % b.width
			s = s[2:]
		default:
			count = min(int(v), all-n)
			size := count
			if four {
				size = (size + 1) / 2
			}
			if size > len(s) {
				return io.ErrUnexpectedEOF
			}
			for i := range count {
				if four {
					put(nibble(s[i/2], i))
				} else {
					put(int(s[i]))
				}
			}
			x += int(v)
			// The next pair begins at an even byte of the file.
			at := b.start + len(b.pixels) - len(s) + size
			s = s[min(size+at%2, len(s)):]
		}
	}
	if n < all {
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
