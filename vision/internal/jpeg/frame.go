package jpeg

// A component is one color of an image.
type component struct {
	id   byte
	h, v int // sampling factors
	tq   byte

	mcuRows int // rows of blocks in what libjpeg counts as a row of MCUs: v as the file has it

	size             int // of a block in samples: 8, or less in a reduced image
	width, height    int // in samples
	blocksX, blocksY int // blocks that hold samples, which a scan of this component alone codes
	stride, rows     int // blocks when padded to whole MCUs, which a scan of several components codes

	quant   [64]int16 // in storage order
	latched bool      // quant is set: tables defined later no longer change it
	up      upsampling
	coeffs  []block // stride × rows, for files of several scans
	// filled has a bit for each coefficient of a block, in the order of the file, that is not zero. The first coefficient
	// is not marked.
	filled []uint64
	seen   bool // a sequential scan has coded it
	// known is the lowest bit of each coefficient that a progressive file has coded so far, -1 before the first scan.
	known [64]int8

	plane  []uint8 // the samples of two rows of MCUs, alternating
	pred   int32   // of the next DC coefficient
	dc, ac *huffman

	dcTable, acTable int // of bins, and the first bin of the next DC coefficient
	context          int
}

// frame holds a frame header and the sizes that follow from it.
type frame struct {
	width, height int
	eighths       int // of the coded size that width and height are
	progressive   bool
	arithmetical  bool // arithmetic coding in place of Huffman's
	hmax, vmax    int
	mcusX, mcusY  int
	comps         []component
}

// parseFrame reads a frame header (T.81, B.2.2).
func parseFrame(m byte, p []byte) (f frame, err error) {
	if kind := frameKinds[m]; kind != "" {
		return f, unsupported("%s", kind)
	}
	if len(p) < 6 {
		return f, corrupt("frame header of %d bytes", len(p))
	}
	if p[0] != 8 {
		return f, unsupported("%d bits a sample", p[0])
	}
	f.progressive = m == markSOF2 || m == markSOF10
	f.arithmetical = m == markSOF9 || m == markSOF10
	f.height = int(p[1])<<8 | int(p[2])
	f.width = int(p[3])<<8 | int(p[4])
	n := int(p[5])
	switch {
	case f.width == 0:
		return f, corrupt("%d×%d pixels", f.width, f.height)
	case f.height == 0:
		return f, unsupported("height given after the pixels (DNL)")
	case len(p) != 6+3*n:
		return f, corrupt("frame header of %d bytes for %d components", len(p), n)
	case n != 1 && n != 3 && n != 4:
		return f, unsupported("%d components", n)
	}
	f.comps = make([]component, n)
	f.hmax, f.vmax = 1, 1
	for i := range f.comps {
		c := &f.comps[i]
		q := p[6+3*i:]
		*c = component{id: q[0], h: int(q[1] >> 4), v: int(q[1] & 15), tq: q[2]}
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 {
			return f, corrupt("sampling factors %d×%d", c.h, c.v)
		}
		if c.tq > 3 {
			return f, corrupt("quantization table %d", c.tq)
		}
		for _, o := range f.comps[:i] {
			if o.id == c.id {
				return f, corrupt("two components with number %d", c.id)
			}
		}
		c.mcuRows = c.v
		if n == 1 { // a ratio to nothing: the blocks of a single component are not interleaved
			c.h, c.v = 1, 1
		}
		f.hmax, f.vmax = max(f.hmax, c.h), max(f.vmax, c.v)
	}
	f.mcusX = ceil(f.width, 8*f.hmax)
	f.mcusY = ceil(f.height, 8*f.vmax)
	for i := range f.comps {
		c := &f.comps[i]
		if f.hmax%c.h != 0 || f.vmax%c.v != 0 {
			return f, unsupported("sampling factors %d×%d beside %d×%d", c.h, c.v, f.hmax, f.vmax)
		}
		c.blocksX, c.blocksY = ceil(f.width*c.h, f.hmax*8), ceil(f.height*c.v, f.vmax*8)
		c.stride, c.rows = f.mcusX*c.h, f.mcusY*c.v
		for k := range c.known {
			c.known[k] = -1
		}
	}
	return f, nil
}

// reduce sets the size at which the image is decoded. A component that is stored at a lower resolution than others is
// reduced by less where that saves interpolating its samples, as in libjpeg.
func (f *frame) reduce(eighths int) {
	for i := range f.comps {
		c := &f.comps[i]
		c.size = eighths
		for c.size < 8 && f.hmax*eighths%(c.h*c.size*2) == 0 && f.vmax*eighths%(c.v*c.size*2) == 0 {
			c.size *= 2
		}
		c.width, c.height = ceil(f.width*c.h*c.size, f.hmax*8), ceil(f.height*c.v*c.size, f.vmax*8)
		c.up = chooseUpsampling(f.hmax*eighths/(c.h*c.size), f.vmax*eighths/(c.v*c.size), c.width)
		c.up.smooth = c.up.smooth && eighths > 1
	}
	f.width, f.height, f.eighths = ceil(f.width*eighths, 8), ceil(f.height*eighths, 8), eighths
}

// blocks is the least number of blocks of 64 coefficients that a scan of the whole image codes.
func (f *frame) blocks() int {
	n := 0
	for i := range f.comps {
		n += f.comps[i].blocksX * f.comps[i].blocksY
	}
	return n
}

func ceil(a, b int) int { return (a + b - 1) / b }

// A Header is the size that a file claims to have.
type Header struct {
	Width, Height int
	Components    int
	Progressive   bool
	// MinBytes is the length below which the file cannot be complete. A code has at least one bit. A sequential block
	// costs a code for its first coefficient and one for the end of the block, a progressive block only the first.
	// Arithmetic coding has no such bound: a large image of less than a byte for 4096 pixels counts as incomplete.
	MinBytes int
}

// Reduced returns the size at the given eighths of the full one, rounded up.
func (h Header) Reduced(eighths int) (width, height int) {
	return ceil(h.Width*eighths, 8), ceil(h.Height*eighths, 8)
}

func (f *frame) header() Header {
	bits := f.blocks()
	if !f.progressive {
		bits *= 2
	}
	if f.arithmetical {
		bits = 0
		if f.width*f.height > 1<<22 {
			bits = f.width * f.height / 4096 * 8
		}
	}
	return Header{f.width, f.height, len(f.comps), f.progressive, bits / 8}
}

// ReadHeader reads a file up to its frame header, and returns the size in it.
func ReadHeader(data []byte) (Header, error) {
	r := reader{data: data}
	if err := r.begin(); err != nil {
		return Header{}, err
	}
	for {
		m, err := r.next()
		if err != nil {
			return Header{}, err
		}
		if bare(m) {
			continue
		}
		if m == markEOI || m == markSOS {
			return Header{}, corrupt("no frame header before the pixels")
		}
		p, err := r.payload(m)
		if err != nil {
			return Header{}, err
		}
		if isFrame(m) {
			f, err := parseFrame(m, p)
			return f.header(), err
		}
	}
}

// begin checks the start marker and moves behind it.
func (r *reader) begin() error {
	if len(r.data) < 2 || r.data[0] != 0xff || r.data[1] != markSOI {
		return corrupt("no start marker")
	}
	r.at = 2
	return nil
}
