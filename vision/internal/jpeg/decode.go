package jpeg

import "sync"

// decoder is the state of decoding one file.
type decoder struct {
	reader
	bits
	frame
	framed bool // the frame header was read
	begun  bool // the first scan has begun

	quant    [4][64]int16 // in storage order
	hasQuant [4]bool
	dc, ac   [4]huffman
	interval int // MCUs between restart markers, 0 for none

	arithmetic *arithmetic // nil before there is a file that needs it

	jfif      bool
	adobe     bool
	transform byte // of Adobe's marker

	pix      []uint8 // the caller's
	size     int     // of the image in pix, in eighths of the coded one
	space    space
	buffered bool // the file has several scans: coefficients are kept
	work     int  // blocks that scans may still pass over

	scratch []uint8 // rows of chroma at full width
	rows    [][]uint8
	planes  []uint8
	coeffs  []block
	filled  []uint64
}

// maxPasses limits the passes of a progressive file over all its blocks, beyond those that its length pays for.
// Encoders write four to eight passes for a component.
const maxPasses = 32

// keepBlocks is the largest number of coefficient blocks that an idle decoder keeps: 64 MiB, enough for a progressive
// photograph of 20 megapixels. The garbage collector frees decoders that stay idle.
const keepBlocks = 1 << 19

var decoders = sync.Pool{New: func() any { return new(decoder) }}

// Decode decodes a file to RGB, at 8, 4, 2 or 1 eighths of its size. 8 is the whole image, and less takes less time.
// The slice pix takes 3 bytes per pixel, row after row. It must have the length of the size that [Header.Reduced]
// gives. Decode panics for other eighths. When Decode returns an error, the content of pix is undefined.
func Decode(pix []uint8, data []byte, eighths int) error {
	if eighths != 1 && eighths != 2 && eighths != 4 && eighths != 8 {
		panic("jpeg: an image can be reduced to 1, 2, 4 or 8 eighths")
	}
	d := decoders.Get().(*decoder)
	defer d.rest()
	d.reader = reader{data: data}
	d.pix, d.size = pix, eighths
	return d.decode()
}

// rest puts the decoder back, with the memory that is worth keeping.
func (d *decoder) rest() {
	d.reader, d.bits.src, d.frame, d.pix = reader{}, nil, frame{}, nil
	d.framed, d.begun, d.hasQuant, d.interval = false, false, [4]bool{}, 0
	d.jfif, d.adobe, d.transform, d.buffered, d.arithmetic = false, false, 0, false, nil
	for i := range 4 {
		d.dc[i].ready, d.ac[i].ready = false, false
	}
	clear(d.rows[:cap(d.rows)])
	if cap(d.coeffs) > keepBlocks {
		d.coeffs, d.filled = nil, nil
	}
	decoders.Put(d)
}

func (d *decoder) decode() error {
	if err := d.begin(); err != nil {
		return err
	}
	for {
		m, err := d.next()
		if err != nil {
			return err
		}
		if bare(m) {
			continue
		}
		if m == markEOI {
			return d.complete()
		}
		p, err := d.payload(m)
		if err != nil {
			return err
		}
		if err := d.segment(m, p); err != nil {
			return err
		}
		if m == markSOS && !d.buffered {
			return nil // one scan holds everything, and its pixels are written
		}
	}
}

// segment reads a segment. For a scan it also reads the coded data that follows.
func (d *decoder) segment(m byte, p []byte) error {
	switch {
	case isFrame(m):
		return d.setFrame(m, p)
	case m == markDHT:
		return d.setHuffman(p)
	case m == markDQT:
		return d.setQuant(p)
	case m == markSOS:
		return d.scan(p)
	case m == markDNL:
		return unsupported("height given after the pixels (DNL)")
	case m == markDAC:
		return d.arithmeticCoding().setConditions(p)
	case m == markDRI:
		if len(p) != 2 {
			return corrupt("restart interval of %d bytes", len(p))
		}
		d.interval = int(p[0])<<8 | int(p[1])
	case m == markAPP0:
		d.jfif = d.jfif || len(p) >= 14 && string(p[:5]) == "JFIF\x00"
	case m == markAPP14:
		if len(p) >= 12 && string(p[:5]) == "Adobe" {
			d.adobe, d.transform = true, p[11]
		}
	}
	return nil
}

// arithmeticCoding returns the decoder of arithmetic codes, which is made when it is first needed.
func (d *decoder) arithmeticCoding() *arithmetic {
	if d.arithmetic == nil {
		d.arithmetic = new(arithmetic)
		d.arithmetic.condition()
	}
	return d.arithmetic
}

// setFrame reads the frame header and prepares planes and rows for it.
func (d *decoder) setFrame(m byte, p []byte) (err error) {
	if d.framed {
		return corrupt("two frame headers")
	}
	if d.frame, err = parseFrame(m, p); err != nil {
		return err
	}
	if d.arithmetical {
		d.arithmeticCoding()
	}
	d.framed = true
	h := d.header()
	d.reduce(d.size)
	if len(d.pix) != 3*d.frame.width*d.frame.height {
		return corrupt("%d×%d pixels where the caller expects %d samples", d.frame.width, d.frame.height, len(d.pix))
	}
	if h.Width*h.Height > 1<<16 && h.MinBytes > len(d.data) {
		return corrupt("%d bytes cannot hold %d×%d pixels", len(d.data), h.Width, h.Height)
	}
	total, wide := 0, 0
	for i := range d.comps {
		c := &d.comps[i]
		total += c.planeSize()
		if c.up.h != 1 || c.up.v != 1 {
			wide += c.rowSize()
		}
	}
	d.planes, d.scratch = sized(d.planes, total), sized(d.scratch, wide)
	at := 0
	for i := range d.comps {
		c := &d.comps[i]
		c.plane = d.planes[at : at+c.planeSize()]
		at += c.planeSize()
	}
	return nil
}

// planeSize is two rows of MCUs.
func (c *component) planeSize() int { return 2 * c.v * c.size * c.stride * c.size }

// rowSize is a row of samples at full width.
func (c *component) rowSize() int { return c.up.h * c.stride * c.size }

// row is row y of the component's samples, one of the last two rows of MCUs decoded.
func (c *component) row(y int) []uint8 {
	stride := c.stride * c.size
	return c.plane[y%(2*c.v*c.size)*stride:][:c.width]
}

// sized returns s with n elements of any value.
func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// setQuant reads quantization tables (T.81, B.2.4.1).
func (d *decoder) setQuant(p []byte) error {
	for len(p) > 0 {
		wide, t := int(p[0]>>4), p[0]&15
		n := 1 + 64<<min(wide, 1)
		if wide > 1 || t > 3 || len(p) < n {
			return corrupt("quantization table %d of %d bytes", p[0], len(p))
		}
		for k := range 64 {
			v := int(p[1+k])
			if wide == 1 {
				v = int(p[1+2*k])<<8 | int(p[2+2*k])
			}
			d.quant[t][unzig[k]] = int16(v)
		}
		d.hasQuant[t] = true
		p = p[n:]
	}
	return nil
}

// setHuffman reads Huffman tables (T.81, B.2.4.2).
func (d *decoder) setHuffman(p []byte) error {
	for len(p) > 0 {
		if len(p) < 17 || p[0]>>4 > 1 || p[0]&15 > 3 {
			return corrupt("Huffman table %#x of %d bytes", p[0], len(p))
		}
		tables := &d.dc
		if p[0]>>4 == 1 {
			tables = &d.ac
		}
		counts := [16]uint8(p[1:17])
		n := 0
		for _, c := range counts {
			n += int(c)
		}
		if n > 256 || len(p) < 17+n {
			return corrupt("a Huffman table of %d codes in %d bytes", n, len(p))
		}
		if err := tables[p[0]&15].build(&counts, p[17:17+n]); err != nil {
			return err
		}
		p = p[17+n:]
	}
	return nil
}

// colors decides the color space of the components, as libjpeg does at the first scan.
func (d *decoder) colors() space {
	switch c := d.comps; {
	case len(c) == 1:
		return gray
	case len(c) == 4 && d.adobe && d.transform != 0:
		return ycck
	case len(c) == 4:
		return cmyk
	case d.jfif:
		return ycbcr
	case d.adobe && d.transform == 0:
		return rgb
	case !d.adobe && c[0].id == 'R' && c[1].id == 'G' && c[2].id == 'B':
		return rgb
	}
	return ycbcr
}

// complete makes the pixels of a file whose scans have all been read.
func (d *decoder) complete() error {
	if !d.buffered {
		return corrupt("no pixels before the end marker")
	}
	for i := range d.comps {
		c := &d.comps[i]
		if !d.progressive && !c.seen {
			return corrupt("the scan of component %d is missing", c.id)
		}
		if d.progressive && c.known[0] < 0 {
			return corrupt("the first scan of component %d is missing", c.id)
		}
	}
	smooths := d.smooths()
	for row := range d.mcusY {
		for i := range d.comps {
			if smooths {
				d.comps[i].rebuildSmooth(row)
			} else {
				d.comps[i].rebuild(row)
			}
		}
		d.emit(row)
	}
	return nil
}

// rebuild transforms the blocks of one row of MCUs.
func (c *component) rebuild(row int) {
	stride := c.size * c.stride
	for v := range c.v {
		y := row*c.v + v
		blocks := c.coeffs[y*c.stride:][:c.stride]
		dst := c.plane[y%(2*c.v)*c.size*stride:]
		filled := c.filled[y*c.stride:][:c.stride]
		for x := range blocks {
			c.inverse(dst[c.size*x:], stride, &blocks[x], filled[x] != 0)
		}
	}
}

// emit writes the pixels that are complete once a row of MCUs is decoded. Interpolation between rows needs the chroma of
// the next row of MCUs, so the last row of pixels waits for it.
func (d *decoder) emit(row int) {
	wait := 0
	for i := range d.comps {
		if d.comps[i].up.context() {
			wait = 1
		}
	}
	from, to := row*d.eighths*d.vmax-wait, (row+1)*d.eighths*d.vmax-wait
	if row == d.mcusY-1 {
		to = d.frame.height
	}
	d.rows = sized(d.rows, len(d.comps))
	n := 3 * d.frame.width
	for y := max(from, 0); y < min(to, d.frame.height); y++ {
		scratch := d.scratch
		for i := range d.comps {
			c := &d.comps[i]
			row := c.row(y / c.up.v)
			if c.up.h != 1 || c.up.v != 1 {
				wide := scratch[:c.rowSize()]
				scratch = scratch[c.rowSize():]
				row = c.up.full(wide, row, c, y)
			}
			d.rows[i] = row[:d.frame.width]
		}
		d.space.convert(d.pix[y*n:(y+1)*n:(y+1)*n], d.rows)
	}
}

// full returns the component's samples for row y of pixels. near is the row of samples that covers y. The result is near
// itself, or dst where samples are interpolated or repeated.
func (u upsampling) full(dst, near []uint8, c *component, y int) []uint8 {
	if !u.smooth {
		if u.h == 1 {
			return near
		}
		Repeat(dst, near, u.h)
		return dst
	}
	if u.v == 1 {
		UpsampleH2V1(dst, near)
		return dst
	}
	far := near
	if y%2 == 0 && y > 0 {
		far = c.row(y/2 - 1)
	} else if y%2 == 1 && y/2+1 < c.height {
		far = c.row(y/2 + 1)
	}
	if u.h == 1 {
		UpsampleH1V2(dst, near, far, y)
	} else {
		UpsampleH2V2(dst, near, far)
	}
	return dst
}
