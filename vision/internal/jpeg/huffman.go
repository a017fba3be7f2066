package jpeg

// lookBits is the number of bits that are looked up at once. Ten hold code and value of most coefficients of a
// photograph, and keep the four tables of an image within 16 KiB.
const lookBits = 10

// A huffman is a table of codes, ready for decoding.
//
// A symbol is a run of zeros (its upper four bits) and the number of bits of a value that follows (the lower four).
// look, indexed by the next bits of the stream, holds
//
//	bits  0-7   how many bits to take; 0 when the code is longer than lookBits
//	bits  8-11  the size of the value, bits 12-15 the run
//	bits 16-31  the value, when code and value fit in lookBits and are taken together; otherwise 0
//
// so that an entry of at least 1<<16 is complete.
type huffman struct {
	look  [1 << lookBits]uint32
	limit [18]uint32 // by length: the first 16 bits beyond all codes of up to this length
	base  [17]int32  // by length: code + base is the place in vals
	vals  [256]uint8
	isDC  bool // all symbols are sizes: no runs
	ready bool
}

// build makes the table of counts codes of each length and their symbols, in order of codes (T.81, annex C).
func (h *huffman) build(counts *[16]uint8, vals []uint8) error {
	h.ready = false
	h.vals = [256]uint8{}
	copy(h.vals[:], vals)
	h.isDC = true
	for _, v := range vals {
		if v > 15 {
			h.isDC = false
		}
	}
	clear(h.look[:])
	code, i := uint32(0), 0
	for l := 1; l <= 16; l++ {
		h.base[l] = int32(i) - int32(code)
		for range counts[l-1] {
			if l <= lookBits {
				h.enter(code, uint(l), h.vals[i])
			}
			code++
			i++
		}
		// A code of ones alone is reserved, so the codes of a length leave one free.
		if code >= 1<<l && counts[l-1] > 0 {
			return corrupt("a Huffman table with too many codes of %d bits", l)
		}
		h.limit[l] = code << (16 - l)
		code <<= 1
	}
	h.limit[17] = 1 << 16
	h.ready = true
	return nil
}

// enter fills the part of look that begins with a code of l bits.
func (h *huffman) enter(code uint32, l uint, symbol uint8) {
	if code >= 1<<l {
		return // one code too many; build reports it
	}
	free := lookBits - l
	part := h.look[code<<free : (code+1)<<free]
	entry := uint32(symbol>>4)<<12 | uint32(symbol&15)<<8 | uint32(l)
	for i := range part {
		part[i] = entry
	}
	size := uint(symbol & 15)
	if size == 0 || size > free {
		return
	}
	for i := range part {
		v := extend(uint32(i)>>(free-size), size)
		part[i] = entry&^0xff | uint32(l+size) | uint32(uint16(v))<<16
	}
}

// long finds the code at the top of acc that look does not hold. It returns its symbol and its length, 17 when the bits
// are not a code.
func (h *huffman) long(acc uint64) (symbol uint8, l uint) {
	top := uint32(acc >> 48)
	l = lookBits + 1
	for l < 17 && top >= h.limit[l] {
		l++
	}
	if l == 17 {
		return 0, l
	}
	return h.vals[uint8(h.base[l]+int32(top>>(16-l)))], l
}

// extend returns the value of size bits. The upper half of their range is positive, the lower half negative (T.81,
// F.2.2.1).
func extend(v uint32, size uint) int32 {
	if v < 1<<(size-1) {
		return int32(v) - 1<<size + 1
	}
	return int32(v)
}

// symbol takes a code and the value that follows it, and returns run, size and value. One refill is enough for two
// calls. ok is false when the bits are not a code.
func (b *bits) symbol(h *huffman) (run, size uint, v int32, ok bool) {
	if b.n < 32 {
		b.acc, b.n, b.pos = refill(b.window[:], b.acc, b.n, b.pos)
	}
	e := h.look[b.acc>>(64-lookBits)]
	run, size = uint(e>>12&15), uint(e>>8&15)
	l := uint(e & 255)
	if e >= 1<<16 {
		b.acc <<= l & 63
		b.n -= l
		return run, size, int32(e) >> 16, true
	}
	if l == 0 {
		var s uint8
		if s, l = h.long(b.acc); l > 16 {
			return 0, 0, 0, false
		}
		run, size = uint(s>>4), uint(s&15)
	}
	b.acc <<= l & 63
	b.n -= l
	if size == 0 {
		return run, 0, 0, true
	}
	v = extend(uint32(b.acc>>(64-size)), size)
	b.acc <<= size
	b.n -= size
	return run, size, v, true
}
