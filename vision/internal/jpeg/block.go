package jpeg

import bits64 "math/bits"

// A block is 64 coefficients in storage order.
//
// The inverse transform works on pairs of rows (then columns), so that one instruction multiplies and adds both:
// 0 with 4, 2 with 6, 7 with 1, 5 with 3. Storage follows it: the pairs one after the other, in each the columns,
// in each column the two rows. Columns come in the order in which they pair up in turn.
type block [64]int16

// order lists rows, and columns, as they are stored: the i-th pairs with the (i+4)-th.
var order = [8]int{0, 2, 7, 5, 4, 6, 1, 3}

// place is where order has each row or column.
var place = func() (p [8]int) {
	for i, k := range order {
		p[k] = i
	}
	return p
}()

// stored is the index in a block of the coefficient in a row and a column.
func stored(row, col int) int {
	return 16*(place[row]%4) + 2*place[col] + place[row]/4
}

// unzig gives the index in a block of the k-th coefficient of the file, which runs along the diagonals (T.81, figure
// A.6). Beyond the 64th it is any index: a block that gets so far is rejected afterwards.
var unzig = func() (u [128]uint8) {
	k := 0
	for d := range 15 {
		for i := range 8 {
			row, col := d-i, i // upwards along even diagonals
			if d%2 == 1 {
				row, col = col, row
			}
			if row >= 0 && row < 8 && col >= 0 && col < 8 {
				u[k] = uint8(stored(row, col))
				k++
			}
		}
	}
	return u
}()

// sequential decodes one block, which must be zero. c.pred is the first coefficient of the block before. many reports
// whether the block has other coefficients than the first; ok is false when the bits are not codes.
//
// A refill gives 56 bits: at most three look-ups of ten bits, or two and one long code with its value.
func (b *bits) sequential(blk *block, c *component) (many, ok bool) {
	_, _, diff, ok := b.symbol(c.dc)
	if !ok {
		return false, false
	}
	c.pred += diff
	blk[0] = int16(c.pred)

	look := &c.ac.look
	window, acc, n, pos := b.window[:], b.acc, b.n, b.pos
	k := uint(1)
	for k < 64 {
		acc, n, pos = refill(window, acc, n, pos)
		e := look[acc>>(64-lookBits)]
		if e >= 1<<16 {
			acc, n = acc<<(e&63), n-uint(e&63)
			k += uint(e >> 12 & 15)
			blk[unzig[k&127]&63] = int16(e >> 16)
			k++
			if k > 63 {
				break
			}
			e = look[acc>>(64-lookBits)]
			if e >= 1<<16 {
				acc, n = acc<<(e&63), n-uint(e&63)
				k += uint(e >> 12 & 15)
				blk[unzig[k&127]&63] = int16(e >> 16)
				k++
				if k > 63 {
					break
				}
				e = look[acc>>(64-lookBits)]
				if e >= 1<<16 {
					acc, n = acc<<(e&63), n-uint(e&63)
					k += uint(e >> 12 & 15)
					blk[unzig[k&127]&63] = int16(e >> 16)
					k++
					continue
				}
			}
		}
		run, size, l := uint(e>>12&15), uint(e>>8&15), uint(e&63)
		if l == 0 {
			var s uint8
			if s, l = c.ac.long(acc); l > 16 {
				return false, false
			}
			run, size = uint(s>>4), uint(s&15)
		}
		acc, n = acc<<(l&63), n-l
		if size == 0 {
			if run < 15 { // the end of the block
				break
			}
			k += 16
			continue
		}
		k += run
		blk[unzig[k&127]&63] = int16(extend(uint32(acc>>(64-size)), size))
		acc, n = acc<<(size&63), n-size
		k++
	}
	b.acc, b.n, b.pos = acc, n, pos
	return k > 1, k <= 64
}

// The four kinds of progressive scan (T.81, G.1.2). A scan codes coefficients from..to without their low bits, or
// adds one more bit to each.

// firstDC decodes the first coefficient without its low bits.
func (b *bits) firstDC(blk *block, c *component, low uint) bool {
	_, _, diff, ok := b.symbol(c.dc)
	c.pred += diff
	blk[0] = int16(c.pred << low)
	return ok
}

// nextDC adds a bit to the first coefficient.
func (b *bits) nextDC(blk *block, low uint) {
	blk[0] |= int16(b.bit() << low)
}

// firstAC decodes a band of coefficients without their low bits, and marks in filled the ones that are not zero. It
// returns how many blocks after this one hold nothing in the band.
func (b *bits) firstAC(blk *block, filled *uint64, h *huffman, from, to, low uint) (empty int, ok bool) {
	for k := from; k <= to; k++ {
		run, size, v, ok := b.symbol(h)
		if !ok {
			return 0, false
		}
		if size == 0 {
			if run < 15 {
				return 1<<run + int(b.take(run)) - 1, true
			}
			k += 15
			if k > to {
				return 0, false
			}
			continue
		}
		k += run
		if k > to {
			return 0, false
		}
		blk[unzig[k&127]&63] = int16(v << low)
		*filled |= 1 << k
	}
	return 0, true
}

// nextAC adds a bit to each coefficient of a band that is not zero, and sets the coefficients that become ±1 in that
// bit. empty is the number of blocks, from this one on, in which no coefficient becomes ±1. nextAC returns that number
// for the next block.
func (b *bits) nextAC(blk *block, filled *uint64, h *huffman, from, to, low uint, empty int) (int, bool) {
	k := from
	if empty == 0 {
		for ; k <= to; k++ {
			run, size, v, ok := b.symbol(h)
			if !ok || size > 1 {
				return 0, false
			}
			if size == 0 && run < 15 {
				empty = 1<<run + int(b.take(run))
				break
			}
			k = b.skip(blk, *filled, k, to, low, run)
			if size == 0 {
				continue
			}
			if k > to {
				return 0, false
			}
			blk[unzig[k&127]&63] = int16(v << low)
			*filled |= 1 << k
		}
	}
	if empty > 0 {
		b.skip(blk, *filled, k, to, low, 64)
		empty--
	}
	return empty, true
}

// skip passes over so many zeros, to the next zero or past the band, and adds a bit to each coefficient on the way
// that is not zero. A block costs as many steps as it has of these, not as it has places.
func (b *bits) skip(blk *block, filled uint64, k, to, low, zeros uint) uint {
	for k <= to {
		gap := min(uint(bits64.TrailingZeros64(filled>>k)), to+1-k)
		if zeros < gap {
			return k + zeros
		}
		zeros -= gap
		if k += gap; k > to {
			break
		}
		p := &blk[unzig[k&127]&63]
		k++
		// Away from zero by the bit, unless a scan has set it already; without branches, as the bits are noise.
		sign := *p >> 15
		more := int16(b.bit()) &^ (*p >> low) << low
		*p += more ^ sign - sign
	}
	return k
}
