package jpeg

// Arithmetic coding (T.81, annex D) codes decisions between two symbols, one of which is more probable. What it has learned
// about a decision is in a bin: the state of table D.3 in the lower seven bits, the more probable symbol in the eighth.
// The register c is libjpeg's (jdarith.c): its cut between code and buffered bits floats with ct.

// An estimate is a state: the share of the less probable symbol, the next states after it and after the other one,
// and whether the symbols change places after it.
type estimate struct{ share, lps, mps, swap uint16 }

// estimates is table D.3, and a last state that never changes, of even odds.
var estimates = [114]estimate{
	{0x5a1d, 1, 1, 1}, {0x2586, 14, 2, 0}, {0x1114, 16, 3, 0}, {0x080b, 18, 4, 0}, {0x03d8, 20, 5, 0}, {0x01da, 23, 6, 0},
	{0x00e5, 25, 7, 0}, {0x006f, 28, 8, 0}, {0x0036, 30, 9, 0}, {0x001a, 33, 10, 0}, {0x000d, 35, 11, 0}, {0x0006, 9, 12, 0},
	{0x0003, 10, 13, 0}, {0x0001, 12, 13, 0}, {0x5a7f, 15, 15, 1}, {0x3f25, 36, 16, 0}, {0x2cf2, 38, 17, 0}, {0x207c, 39, 18, 0},
	{0x17b9, 40, 19, 0}, {0x1182, 42, 20, 0}, {0x0cef, 43, 21, 0}, {0x09a1, 45, 22, 0}, {0x072f, 46, 23, 0}, {0x055c, 48, 24, 0},
	{0x0406, 49, 25, 0}, {0x0303, 51, 26, 0}, {0x0240, 52, 27, 0}, {0x01b1, 54, 28, 0}, {0x0144, 56, 29, 0}, {0x00f5, 57, 30, 0},
	{0x00b7, 59, 31, 0}, {0x008a, 60, 32, 0}, {0x0068, 62, 33, 0}, {0x004e, 63, 34, 0}, {0x003b, 32, 35, 0}, {0x002c, 33, 9, 0},
	{0x5ae1, 37, 37, 1}, {0x484c, 64, 38, 0}, {0x3a0d, 65, 39, 0}, {0x2ef1, 67, 40, 0}, {0x261f, 68, 41, 0}, {0x1f33, 69, 42, 0},
	{0x19a8, 70, 43, 0}, {0x1518, 72, 44, 0}, {0x1177, 73, 45, 0}, {0x0e74, 74, 46, 0}, {0x0bfb, 75, 47, 0}, {0x09f8, 77, 48, 0},
	{0x0861, 78, 49, 0}, {0x0706, 79, 50, 0}, {0x05cd, 48, 51, 0}, {0x04de, 50, 52, 0}, {0x040f, 50, 53, 0}, {0x0363, 51, 54, 0},
	{0x02d4, 52, 55, 0}, {0x025c, 53, 56, 0}, {0x01f8, 54, 57, 0}, {0x01a4, 55, 58, 0}, {0x0160, 56, 59, 0}, {0x0125, 57, 60, 0},
	{0x00f6, 58, 61, 0}, {0x00cb, 59, 62, 0}, {0x00ab, 61, 63, 0}, {0x008f, 61, 32, 0}, {0x5b12, 65, 65, 1}, {0x4d04, 80, 66, 0},
	{0x412c, 81, 67, 0}, {0x37d8, 82, 68, 0}, {0x2fe8, 83, 69, 0}, {0x293c, 84, 70, 0}, {0x2379, 86, 71, 0}, {0x1edf, 87, 72, 0},
	{0x1aa9, 87, 73, 0}, {0x174e, 72, 74, 0}, {0x1424, 72, 75, 0}, {0x119c, 74, 76, 0}, {0x0f6b, 74, 77, 0}, {0x0d51, 75, 78, 0},
	{0x0bb6, 77, 79, 0}, {0x0a40, 77, 48, 0}, {0x5832, 80, 81, 1}, {0x4d1c, 88, 82, 0}, {0x438e, 89, 83, 0}, {0x3bdd, 90, 84, 0},
	{0x34ee, 91, 85, 0}, {0x2eae, 92, 86, 0}, {0x299a, 93, 87, 0}, {0x2516, 86, 71, 0}, {0x5570, 88, 89, 1}, {0x4ca9, 95, 90, 0},
	{0x44d9, 96, 91, 0}, {0x3e22, 97, 92, 0}, {0x3824, 99, 93, 0}, {0x32b4, 99, 94, 0}, {0x2e17, 93, 86, 0}, {0x56a8, 95, 96, 1},
	{0x4f46, 101, 97, 0}, {0x47e5, 102, 98, 0}, {0x41cf, 103, 99, 0}, {0x3c3d, 104, 100, 0}, {0x375e, 99, 93, 0}, {0x5231, 105, 102, 0},
	{0x4c0f, 106, 103, 0}, {0x4639, 107, 104, 0}, {0x415e, 103, 99, 0}, {0x5627, 105, 106, 1}, {0x50e7, 108, 107, 0}, {0x4b85, 109, 103, 0},
	{0x5597, 110, 109, 0}, {0x504f, 111, 107, 0}, {0x5a10, 110, 111, 1}, {0x5522, 112, 109, 0}, {0x59eb, 112, 111, 1}, {0x5a1d, 113, 113, 0},
}

// evenOdds is the state of decisions that are not learned from.
const evenOdds = 113

// arithmetic decodes the data of one restart interval.
type arithmetic struct {
	src   []byte
	at    int  // of the next byte; of a marker once there is one
	ended bool // a marker follows: zeros stand in for data, as the format has it
	short bool // the file ends instead
	c     uint64
	a     uint32
	ct    int

	dc   [16][64]uint8 // bins
	ac   [16][256]uint8
	even uint8

	// Conditioning: a difference between means is small from 1<<low>>1 to 1<<high>>1, and a coefficient up to kx is
	// one of low frequency (T.81, F.1.4.4).
	low, high, kx [16]uint8
}

// condition sets the values that hold where the file gives no others.
func (d *arithmetic) condition() {
	for i := range 16 {
		d.low[i], d.high[i], d.kx[i] = 0, 1, 5
	}
}

// setConditions reads the segment DAC (T.81, B.2.4.3).
func (d *arithmetic) setConditions(p []byte) error {
	for ; len(p) >= 2; p = p[2:] {
		t, v := p[0], p[1]
		switch {
		case t > 31 || t < 16 && v&15 > v>>4:
			return corrupt("arithmetic conditioning %#x of table %#x", v, t)
		case t < 16:
			d.low[t], d.high[t] = v&15, v>>4
		default:
			d.kx[t-16] = v
		}
	}
	if len(p) > 0 {
		return corrupt("arithmetic conditioning of an odd length")
	}
	return nil
}

// start begins an interval of a scan at src[at].
func (d *arithmetic) start(src []byte, at int, s *scanHeader) {
	d.src, d.at, d.ended = src, at, false
	d.c, d.a, d.ct = 0, 0, -16
	d.even = evenOdds
	for _, c := range s.comps {
		if s.from == 0 && s.high == 0 {
			d.dc[c.dcTable] = [64]uint8{}
			c.context = 0
		}
		if s.to > 0 {
			d.ac[c.acTable] = [256]uint8{}
		}
	}
}

// next returns the next byte of data.
func (d *arithmetic) next() uint64 {
	if d.ended {
		return 0
	}
	if d.at < len(d.src) && d.src[d.at] != 0xff {
		d.at++
		return uint64(d.src[d.at-1])
	}
	j := d.at + 1
	for j < len(d.src) && d.src[j] == 0xff {
		j++
	}
	switch {
	case j >= len(d.src):
		d.at, d.ended, d.short = len(d.src), true, true
	case d.src[j] == 0:
		d.at = j + 1
		return 0xff
	default:
		d.at, d.ended = j-1, true
	}
	return 0
}

// decide decodes one decision.
func (d *arithmetic) decide(bin *uint8) bool {
	for d.a < 0x8000 {
		if d.ct--; d.ct < 0 {
			d.c = d.c<<8 | d.next()
			if d.ct += 8; d.ct < 0 { // the first two bytes
				if d.ct++; d.ct == 0 {
					d.a = 0x8000
				}
			}
		}
		d.a <<= 1
	}
	state := *bin
	e := &estimates[state&127]
	lps := state&0x80 ^ uint8(e.swap)<<7 | uint8(e.lps)
	mps := state&0x80 | uint8(e.mps)
	share := uint32(e.share)
	d.a -= share
	if limit := uint64(d.a) << d.ct; d.c >= limit {
		d.c -= limit
		if d.a < share {
			*bin = mps
		} else {
			*bin = lps
			state ^= 0x80
		}
		d.a = share
	} else if d.a < 0x8000 {
		if d.a < share {
			*bin = lps
			state ^= 0x80
		} else {
			*bin = mps
		}
	}
	return state >= 0x80
}

// magnitude decodes how large a value is, beyond the decisions about its first bits, from bins of which the first is
// bins[at]; m is 1 for a value of at least 2, shifted by what is known. The last bin used is returned.
func (d *arithmetic) magnitude(bins []uint8, at int, m int32) (int32, int, bool) {
	for d.decide(&bins[at]) {
		if m <<= 1; m == 0x8000 {
			return 0, at, false
		}
		at++
	}
	return m, at, true
}

// bits decodes the lower bits of a value whose highest one is m, all with one bin.
func (d *arithmetic) bits(bin *uint8, m int32) int32 {
	v := m
	for m >>= 1; m > 0; m >>= 1 {
		if d.decide(bin) {
			v |= m
		}
	}
	return v
}

// mean decodes the first coefficient of a block (T.81, F.2.4.1), less its low bits.
func (d *arithmetic) mean(b *block, c *component, low uint) bool {
	bins := d.dc[c.dcTable][:]
	at := c.context
	c.context = 0
	if d.decide(&bins[at]) {
		sign := 0
		if d.decide(&bins[at+1]) {
			sign = 1
		}
		at += 2 + sign
		m := int32(0)
		if d.decide(&bins[at]) {
			var ok bool
			if m, at, ok = d.magnitude(bins, 20, 1); !ok {
				return false
			}
		}
		switch {
		case m < 1<<d.low[c.dcTable]>>1:
		case m > 1<<d.high[c.dcTable]>>1:
			c.context = 12 + 4*sign
		default:
			c.context = 4 + 4*sign
		}
		v := d.bits(&bins[at+14], m) + 1
		if sign == 1 {
			v = -v
		}
		c.pred = (c.pred + v) & 0xffff
	}
	b[0] = int16(c.pred << low)
	return true
}

// meanBit adds a bit to the first coefficient.
func (d *arithmetic) meanBit(b *block, low uint) {
	if d.decide(&d.even) {
		b[0] |= 1 << low
	}
}

// band decodes a band of coefficients (T.81, F.2.4.2), less their low bits.
func (d *arithmetic) band(b *block, filled *uint64, c *component, from, to, low uint) bool {
	bins := d.ac[c.acTable][:]
	for k := from; k <= to; k++ {
		at := 3 * int(k-1)
		if d.decide(&bins[at]) { // the end of the block
			break
		}
		for !d.decide(&bins[at+1]) {
			at += 3
			if k++; k > to {
				return false
			}
		}
		negative := d.decide(&d.even)
		at += 2
		m := int32(0)
		if d.decide(&bins[at]) {
			m = 1
			if d.decide(&bins[at]) {
				at = 217
				if k <= uint(d.kx[c.acTable]) {
					at = 189
				}
				var ok bool
				if m, at, ok = d.magnitude(bins, at, 2); !ok {
					return false
				}
			}
		}
		v := m + 1
		if m > 1 {
			v = d.bits(&bins[at+14], m) + 1
		}
		if negative {
			v = -v
		}
		b[unzig[k]] = int16(v << low)
		*filled |= 1 << k
	}
	return true
}

// bandBit adds a bit to each coefficient of a band, as libjpeg does (decode_mcu_AC_refine; T.81, G.1.3.3).
func (d *arithmetic) bandBit(b *block, filled *uint64, c *component, from, to, low uint) bool {
	bins := d.ac[c.acTable][:]
	last := to // coefficient that is not zero yet
	for last > 0 && b[unzig[last]] == 0 {
		last--
	}
	bit := int16(1) << low
	for k := from; k <= to; k++ {
		at := 3 * int(k-1)
		if k > last && d.decide(&bins[at]) { // the end of the block
			break
		}
		for {
			p := &b[unzig[k]]
			if *p != 0 {
				if d.decide(&bins[at+2]) {
					if *p < 0 {
						*p -= bit
					} else {
						*p += bit
					}
				}
				break
			}
			if d.decide(&bins[at+1]) {
				*p = bit
				if d.decide(&d.even) {
					*p = -bit
				}
				*filled |= 1 << k
				break
			}
			at += 3
			if k++; k > to {
				return false
			}
		}
	}
	return true
}

// keepArithmetic decodes a scan's part of block i of a component.
func (d *decoder) keepArithmetic(s *scanHeader, c *component, i int) (ok bool) {
	b, filled, a := &c.coeffs[i], &c.filled[i], d.arithmetic
	switch {
	case !d.progressive:
		ok = a.mean(b, c, 0) && a.band(b, filled, c, 1, 63, 0)
	case s.from == 0 && s.high == 0:
		ok = a.mean(b, c, s.low)
	case s.from == 0:
		a.meanBit(b, s.low)
		ok = true
	case s.high == 0:
		ok = a.band(b, filled, c, s.from, s.to, s.low)
	default:
		ok = a.bandBit(b, filled, c, s.from, s.to, s.low)
	}
	return ok && !a.short
}
