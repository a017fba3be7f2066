package vision

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"golang.org/x/image/ccitt"
	"golang.org/x/image/tiff/lzw"
)

// decodeTIFF reads the first page.
func decodeTIFF(data []byte) (*Image, error) {
	p, err := parseTIFF(data)
	if err != nil {
		return nil, err
	}
	// The samples of each pixel that are used, side by side, in 8 bits. Those of fewer bits keep their value.
	samples := make([]uint8, p.width*p.height*p.used)
	planes := 1
	if p.planes {
		planes = p.used
	}
	across := (p.width + p.blockWidth - 1) / p.blockWidth
	down := (p.height + p.blockHeight - 1) / p.blockHeight
	// Tiles may be wider than the page, and strips may share their bytes: both are bounded before anything is decoded.
	decoded := float64(planes) * float64(across) * float64(p.height) * float64(p.rowLength())
	if most := 16*float64(len(samples)) + 64<<20; decoded > most {
		return nil, fmt.Errorf("strips or tiles of %.0f bytes, expected at most %.0f for %d×%d pixels", decoded, most, p.width, p.height)
	}
	b := tiffBlocks{left: 4*len(data) + 2*int(decoded) + 1<<20}
	for plane := range planes {
		for i := range across * down {
			x, y := i%across*p.blockWidth, i/across*p.blockHeight
			if err := b.read(&p, samples, plane, plane*across*down+i, x, y); err != nil {
				return nil, fmt.Errorf("the pixels at (%d, %d): %w", x, y, err)
			}
		}
	}
	return p.colors(samples), nil
}

// tiffBlocks reads strips and tiles. It keeps memory from one to the next.
type tiffBlocks struct {
	row     []byte
	deflate io.ReadCloser
	left    int // bytes of the file that may still be read: blocks may share them
}

// Read reads from r until the allowance is used up.
func (c countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if *c.left -= n; *c.left < 0 {
		return 0, errors.New("strips or tiles read the same bytes too often")
	}
	return n, err
}

// ReadByte is Read of one byte.
func (c countedReader) ReadByte() (byte, error) {
	b, err := c.r.ReadByte()
	if *c.left--; *c.left < 0 {
		return 0, errors.New("strips or tiles read the same bytes too often")
	}
	return b, err
}

// countedReader counts the bytes that are read.
type countedReader struct {
	r    *bytes.Reader
	left *int
}

// rowLength is the length in bytes of a row of a strip or tile.
func (p *tiffPage) rowLength() int {
	each := p.samples // of a pixel that stand side by side
	if p.planes {
		each = 1
	}
	return (p.blockWidth*each*p.bits + 7) / 8
}

// read reads block i, whose upper left corner is at (x, y), of a plane.
func (b *tiffBlocks) read(p *tiffPage, samples []uint8, plane, i, x, y int) error {
	rows := min(p.blockHeight, p.height-y)
	r, err := b.open(p, i, rows)
	if err != nil {
		return err
	}
	each := p.samples // of a pixel that stand side by side
	if p.planes {
		each = 1
	}
	length := p.rowLength()
	if cap(b.row) < length {
		b.row = make([]byte, length)
	}
	row := b.row[:length]
	width := min(p.blockWidth, p.width-x)
	for to := y; to < y+rows; to++ {
		if _, err := io.ReadFull(r, row); err == io.EOF {
			return io.ErrUnexpectedEOF
		} else if err != nil {
			return err
		}
		if p.differences {
			p.sum(row, each)
		}
		d := samples[(to*p.width+x)*p.used:][:width*p.used]
		if p.planes {
			p.unpack(d, row, plane, 0, 1)
		} else {
			for s := range p.used {
				p.unpack(d, row, s, s, each)
			}
		}
	}
	return nil
}

// open returns a reader of the bytes of block i, of which rows rows are needed.
func (b *tiffBlocks) open(p *tiffPage, i, rows int) (io.Reader, error) {
	number := func(tag uint16, n int) (int, error) { return wholeNumber(tag, p.value(p.entries[tag], n)) }
	n := p.count(p.offsets)
	if p.compression == tiffPlain && p.blockWidth == p.width && p.blockHeight == p.height && !p.planes {
		i = n - 1 // a block for the whole page: where there are several, Pillow takes the last
	}
	if i >= n {
		return nil, fmt.Errorf("%d strips or tiles, expected more", n)
	}
	at, err := number(p.offsets, i)
	if err != nil {
		return nil, err
	}
	if at > len(p.data) {
		return nil, fmt.Errorf("byte %d of a file of %d: %w", at, len(p.data), io.ErrUnexpectedEOF)
	}
	data := p.data[at:]
	if p.compression != tiffPlain && i < p.count(p.lengths) {
		length, err := number(p.lengths, i)
		if err != nil {
			return nil, err
		}
		if length > len(data) {
			return nil, fmt.Errorf("%d bytes from byte %d of a file of %d: %w", length, at, len(p.data), io.ErrUnexpectedEOF)
		}
		data = data[:length]
	}
	var r tiffReader = countedReader{bytes.NewReader(data), &b.left}
	if p.reversed {
		r = reversedBits{r}
	}
	switch p.compression {
	case tiffPackBits:
		return &packBits{r: r}, nil
	case tiffLZW:
		if len(data) > 1 && data[0] == 0 && data[1]&1 != 0 {
			return nil, p.unsupported("LZW in its old form")
		}
		return lzw.NewReader(r, lzw.MSB, 8), nil
	case tiffDeflate, tiffOldDeflate:
		if b.deflate != nil {
			return b.deflate, b.deflate.(zlib.Resetter).Reset(r, nil)
		}
		b.deflate, err = zlib.NewReader(r)
		return b.deflate, err
	case tiffFax3, tiffFax4:
		form := ccitt.Group4
		if p.compression == tiffFax3 {
			form = ccitt.Group3
		}
		// A fax codes runs of paper and ink; libtiff writes 0 for paper.
		return ccitt.NewReader(r, ccitt.MSB, form, p.blockWidth, rows, &ccitt.Options{Invert: true}), nil
	}
	return r, nil
}

// sum adds to each sample its left neighbor in the row.
func (p *tiffPage) sum(row []byte, each int) {
	if p.bits == 8 {
		for i := each; i < len(row); i++ {
			row[i] += row[i-each]
		}
		return
	}
	for i := 2 * each; i+2 <= len(row); i += 2 {
		p.order.PutUint16(row[i:], p.order.Uint16(row[i:])+p.order.Uint16(row[i-2*each:]))
	}
}

// unpack writes sample to of each pixel to d, which has p.used of them: sample from of the each in a row.
func (p *tiffPage) unpack(d []uint8, row []byte, to, from, each int) {
	switch p.bits {
	case 8:
		for o, i := to, from; o < len(d); o, i = o+p.used, i+each {
			d[o] = row[i]
		}
	case 16: // the high byte
		high := from * 2
		if p.order == binary.LittleEndian {
			high++
		}
		for o, i := to, high; o < len(d); o, i = o+p.used, i+2*each {
			d[o] = row[i]
		}
	default: // one sample a pixel
		for x := range d {
			bit := x * p.bits
			d[x] = row[bit/8] >> (8 - p.bits - bit%8) & (1<<p.bits - 1)
		}
	}
}

// colors makes RGB of the samples.
func (p *tiffPage) colors(samples []uint8) *Image {
	if p.premultiplied {
		divideByAlpha(samples, p.used)
	}
	if p.used == 3 {
		return &Image{Pix: samples, Width: p.width, Height: p.height, Channels: 3}
	}
	m := NewImage(p.height, p.width, 3)
	d := m.Pix
	switch p.photometric {
	case tiffRGB:
		for i := 0; i < len(samples); i, d = i+4, d[3:] {
			d[0], d[1], d[2] = samples[i], samples[i+1], samples[i+2]
		}
	case tiffCMYK:
		for i := 0; i < len(samples); i, d = i+4, d[3:] {
			d[0], d[1], d[2] = cmykToRGB(samples[i], samples[i+1], samples[i+2], samples[i+3])
		}
	default:
		table := p.table()
		for i := 0; i < len(samples); i, d = i+p.used, d[3:] {
			c := table[samples[i]]
			d[0], d[1], d[2] = c[0], c[1], c[2]
		}
	}
	return m
}

// table returns the color of each value of the only sample.
func (p *tiffPage) table() (colors [256][3]uint8) {
	most := 1<<min(p.bits, 8) - 1
	for v := range most + 1 {
		g := uint8(v * 255 / most)
		if p.photometric == tiffWhiteIs0 {
			g = ^g
		}
		colors[v] = [3]uint8{g, g, g}
		for c := range colors[v] {
			if p.photometric == tiffPalette { // all reds, then all greens, then all blues, in 16 bits
				n, err := wholeNumber(tiffColorMap, p.value(p.entries[tiffColorMap], c<<p.bits+v))
				if err != nil {
					n = 0 // black, as the colors beyond the end of the table
				}
				colors[v][c] = uint8(n >> 8)
			}
		}
	}
	return colors
}

// divideByAlpha divides the color of each pixel by its last sample, rounding down. Without alpha it is black, as in
// Pillow.
func divideByAlpha(samples []uint8, each int) {
	for ; len(samples) >= each; samples = samples[each:] {
		a := uint32(samples[each-1])
		for i, v := range samples[:each-1] {
			switch a {
			case 0:
				samples[i] = 0
			case 255:
			default:
				samples[i] = uint8(min(uint32(v)*255/a, 255))
			}
		}
	}
}

type tiffReader interface {
	io.Reader
	io.ByteReader
}

// reversedBits reverses the bits of each byte.
type reversedBits struct{ r tiffReader }

func (r reversedBits) ReadByte() (byte, error) {
	b, err := r.r.ReadByte()
	return bits.Reverse8(b), err
}

func (r reversedBits) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	for i, b := range p[:n] {
		p[i] = bits.Reverse8(b)
	}
	return n, err
}

// packBits decodes runs: a count of up to 127 is followed by that many bytes and one more, a negative count by the byte to
// repeat (TIFF 6.0, section 9).
type packBits struct {
	r        tiffReader
	left     int
	repeated bool
	value    byte
}

func (r *packBits) Read(p []byte) (int, error) {
	for n := range p {
		for r.left == 0 {
			c, err := r.r.ReadByte()
			if err != nil {
				return n, err
			}
			switch count := int(int8(c)); {
			case count >= 0:
				r.left, r.repeated = count+1, false
			case count > -128:
				if r.value, err = r.r.ReadByte(); err != nil {
					return n, io.ErrUnexpectedEOF
				}
				r.left, r.repeated = 1-count, true
			}
		}
		if !r.repeated {
			var err error
			if r.value, err = r.r.ReadByte(); err != nil {
				return n, io.ErrUnexpectedEOF
			}
		}
		p[n] = r.value
		r.left--
	}
	return len(p), nil
}
