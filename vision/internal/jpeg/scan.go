package jpeg

import "slices"

// A scanHeader says which coefficients a scan codes.
type scanHeader struct {
	comps         []*component
	from, to      uint // the band
	high, low     uint // the lowest bit known before the scan, and after it
	mcusX, mcusY  int
	blocksPerMCU  int
	onlyComponent *component // of a scan whose blocks are not interleaved
}

// scan reads one scan (T.81, B.2.3) and moves behind its data.
func (d *decoder) scan(p []byte) error {
	s, err := d.parseScan(p)
	if err != nil {
		return err
	}
	if !d.begun {
		d.begun, d.space = true, d.colors()
	}
	if !d.buffered && (d.progressive || d.arithmetical || len(s.comps) < len(d.comps)) {
		if err := d.buffer(); err != nil {
			return err
		}
	}
	for _, c := range s.comps {
		if c.latched {
			continue
		}
		if !d.hasQuant[c.tq] {
			return corrupt("quantization table %d is missing", c.tq)
		}
		c.quant, c.latched = d.quant[c.tq], true
	}
	if d.buffered {
		if d.work -= s.mcusX * s.mcusY * s.blocksPerMCU; d.work < 0 {
			return ErrTooMuchWork
		}
		err = d.keep(&s)
	} else {
		err = d.stream(&s)
	}
	if err != nil {
		return err
	}
	d.reader.at, err = d.finishInterval()
	return err
}

// finishInterval ends an interval, and returns the place in the file where the next marker is expected.
func (d *decoder) finishInterval() (at int, err error) {
	if !d.arithmetical {
		return d.finish()
	}
	if d.arithmetic.short {
		return 0, corrupt("the coded data of the pixels ends early")
	}
	return d.arithmetic.at, nil
}

// startInterval begins an interval.
func (d *decoder) startInterval(s *scanHeader) {
	if d.arithmetical {
		d.arithmetic.start(d.data, d.reader.at, s)
	} else {
		d.start(d.data, d.reader.at)
	}
	for _, c := range s.comps {
		c.pred = 0
	}
}

// buffer sets memory aside for all coefficients.
func (d *decoder) buffer() error {
	total := 0
	for i := range d.comps {
		total += d.comps[i].stride * d.comps[i].rows
	}
	d.coeffs = sized(d.coeffs, total)
	clear(d.coeffs)
	d.filled = sized(d.filled, total)
	clear(d.filled)
	at := 0
	for i := range d.comps {
		c := &d.comps[i]
		n := c.stride * c.rows
		c.coeffs, c.filled = d.coeffs[at:at+n:at+n], d.filled[at:at+n:at+n]
		at += n
	}
	d.buffered = true
	d.work = maxPasses*total + 8*len(d.data)
	return nil
}

func (d *decoder) parseScan(p []byte) (s scanHeader, err error) {
	if !d.framed {
		return s, corrupt("pixels before the frame header")
	}
	if len(p) < 1 || int(p[0]) < 1 || int(p[0]) > len(d.comps) || len(p) != 4+2*int(p[0]) {
		return s, corrupt("scan header of %d bytes", len(p))
	}
	n := int(p[0])
	band := p[1+2*n:]
	s.from, s.to, s.high, s.low = uint(band[0]), uint(band[1]), uint(band[2]>>4), uint(band[2]&15)
	if d.progressive {
		if s.from > s.to || s.to > 63 || s.from == 0 && s.to != 0 || s.from > 0 && n > 1 || s.low > 13 ||
			s.high != 0 && s.high != s.low+1 {
			return s, corrupt("progressive scan of coefficients %d to %d, bits %d to %d", s.from, s.to, s.high, s.low)
		}
	} else {
		s.from, s.to, s.high, s.low = 0, 63, 0, 0 // whatever the header says, as in libjpeg
	}
	for i := range n {
		id, t := p[1+2*i], p[2+2*i]
		j := slices.IndexFunc(d.comps, func(c component) bool { return c.id == id })
		if j < 0 {
			return s, corrupt("scan of component %d, which the frame header lacks", id)
		}
		c := &d.comps[j]
		if slices.Contains(s.comps, c) {
			return s, corrupt("component %d twice in a scan", id)
		}
		if !d.arithmetical && (t>>4 > 3 || t&15 > 3) {
			return s, corrupt("Huffman tables %#x", t)
		}
		if err := d.tables(c, &s, int(t>>4), int(t&15)); err != nil {
			return s, err
		}
		s.comps = append(s.comps, c)
		s.blocksPerMCU += c.h * c.v
	}
	s.mcusX, s.mcusY = d.mcusX, d.mcusY
	if n == 1 {
		c := s.comps[0]
		s.onlyComponent, s.blocksPerMCU = c, 1
		s.mcusX, s.mcusY = c.blocksX, c.blocksY
	}
	if s.blocksPerMCU > 10 {
		return s, corrupt("%d blocks in an MCU", s.blocksPerMCU)
	}
	for _, c := range s.comps {
		if !d.progressive && c.seen {
			return s, corrupt("a second scan of component %d", c.id)
		}
		c.seen = true
		for k := s.from; d.progressive && k <= s.to; k++ {
			c.known[k] = int8(s.low)
		}
	}
	return s, nil
}

// tables gives a component the tables that the scan needs.
func (d *decoder) tables(c *component, s *scanHeader, dc, ac int) error {
	if d.arithmetical {
		c.dcTable, c.acTable = dc, ac
		return nil
	}
	c.dc, c.ac = &d.dc[dc], &d.ac[ac]
	if !d.progressive { // frames of motion JPEG leave out the usual tables
		if dc < 2 && !c.dc.ready {
			c.dc.build(&usualTables[dc].dcCounts, usualTables[dc].dc)
		}
		if ac < 2 && !c.ac.ready {
			c.ac.build(&usualTables[ac].acCounts, usualTables[ac].ac)
		}
	}
	if s.from == 0 && s.high == 0 && (!c.dc.ready || !c.dc.isDC) {
		return corrupt("Huffman table %d is missing or not of first coefficients", dc)
	}
	if s.to > 0 && !c.ac.ready {
		return corrupt("Huffman table %d is missing", ac)
	}
	return nil
}

// A restarts counts the MCUs to the next restart marker.
type restarts struct {
	left int
	next byte
}

// startScan begins the coded data of a scan.
func (d *decoder) startScan(s *scanHeader) restarts {
	d.startInterval(s)
	return restarts{d.interval, markRST0}
}

// restart reads the marker that ends an interval and begins the next one.
func (d *decoder) restart(s *scanHeader, r *restarts) (err error) {
	if d.reader.at, err = d.finishInterval(); err != nil {
		return err
	}
	m, err := d.next()
	if err != nil {
		return err
	}
	if m != r.next {
		return corrupt("marker %#x where restart marker %#x was expected", m, r.next)
	}
	*r = restarts{d.interval, markRST0 + (m-markRST0+1)%8}
	d.startInterval(s)
	return nil
}

// stream decodes the only scan of a file, writing pixels as it goes.
func (d *decoder) stream(s *scanHeader) error {
	// The blocks of an MCU, in the order in which they come.
	type unit struct {
		c             *component
		x, at         int // samples from the left of the MCU, and from its top row in the plane
		stride, plane int // of rows of samples, and of rows of MCUs
	}
	var units []unit
	for _, c := range s.comps {
		stride := c.size * c.stride
		for y := range c.v {
			for x := range c.h {
				units = append(units, unit{c, c.size * x, y * c.size * stride, stride, c.v * c.size * stride})
			}
		}
	}
	r := d.startScan(s)
	var blk block
	for row := range s.mcusY {
		for col := range s.mcusX {
			if d.interval > 0 {
				if r.left == 0 {
					if err := d.restart(s, &r); err != nil {
						return err
					}
				}
				r.left--
			}
			if d.bits.pos > d.mark {
				if err := d.more(); err != nil {
					return err
				}
			}
			for i := range units {
				u := &units[i]
				c := u.c
				many, ok := d.sequential(&blk, c)
				if !ok {
					return corrupt("no code, or more than a block, in row %d of the pixels", row)
				}
				c.inverse(c.plane[row%2*u.plane+u.at+col*c.h*c.size+u.x:], u.stride, &blk, many)
				if many {
					blk = block{}
				} else {
					blk[0] = 0
				}
			}
		}
		d.emit(row)
	}
	return nil
}

// keep decodes one of several scans into the coefficients.
func (d *decoder) keep(s *scanHeader) error {
	r := d.startScan(s)
	empty := 0 // blocks ahead that a progressive scan of a band does not code
	for row := range s.mcusY {
		for col := 0; col < s.mcusX; col++ {
			if d.interval > 0 {
				if r.left == 0 {
					if err := d.restart(s, &r); err != nil {
						return err
					}
					empty = 0
				}
				r.left--
			}
			if !d.arithmetical && d.bits.pos > d.mark {
				if err := d.more(); err != nil {
					return err
				}
			}
			ok := true
			if c := s.onlyComponent; c != nil {
				ok = d.keepBlock(s, c, row*c.stride+col, &empty)
			} else {
				for _, c := range s.comps {
					for y := range c.v {
						for x := range c.h {
							ok = d.keepBlock(s, c, (row*c.v+y)*c.stride+col*c.h+x, &empty) && ok
						}
					}
				}
			}
			if !ok {
				return corrupt("no code, or more than a block, in row %d of a scan", row)
			}
		}
	}
	return nil
}

// keepBlock decodes a scan's part of block i of a component.
func (d *decoder) keepBlock(s *scanHeader, c *component, i int, empty *int) (ok bool) {
	if d.arithmetical {
		return d.keepArithmetic(s, c, i)
	}
	b := &c.coeffs[i]
	switch {
	case !d.progressive:
		var many bool
		if many, ok = d.sequential(b, c); many {
			c.filled[i] = ^uint64(0) // counting costs more than it saves
		}
	case s.from == 0 && s.high == 0:
		ok = d.firstDC(b, c, s.low)
	case s.from == 0:
		d.nextDC(b, s.low)
		ok = true
	case s.high != 0:
		*empty, ok = d.nextAC(b, &c.filled[i], c.ac, s.from, s.to, s.low, *empty)
	case *empty > 0:
		*empty--
		ok = true
	default:
		*empty, ok = d.firstAC(b, &c.filled[i], c.ac, s.from, s.to, s.low)
	}
	return ok
}
