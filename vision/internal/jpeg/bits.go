package jpeg

import (
	"bytes"
	"encoding/binary"
)

const (
	// mcuBytes bounds the bytes of one MCU: ten blocks of 64 coefficients, each with at most a code of 16 bits and 15
	// bits of value.
	mcuBytes = 10 * 64 * 31 / 8
	// windowBytes of coded data are held without stuffing; a fraction of the first-level cache.
	windowBytes = 12 << 10
	// loadBytes may be read beyond the end of the window's data.
	loadBytes = 16
)

// bits reads the coded data of one restart interval.
//
// The data is copied into a window, with ff in place of ff 00, so that the decoder takes eight bytes at a time without
// looking at them. The window always holds a whole MCU, or the rest of the interval and enough zeros for one. Before an
// MCU, the decoder compares pos with mark, and calls more where pos is greater. Inside an MCU it checks nothing.
type bits struct {
	acc  uint64 // the next bits, from the top; bits below the n-th are correct or zero
	n    uint   // valid bits in acc
	pos  int    // the byte of window that comes after those in acc
	mark int    // the greatest pos at which an MCU may begin without a call of more
	end  int    // bytes in window
	last bool   // the window holds the end of the interval

	src []byte // the file
	at  int    // of the data after the window; at the marker when last is set

	window [windowBytes + mcuBytes + loadBytes]byte
}

// start begins an interval at src[at].
func (b *bits) start(src []byte, at int) {
	b.src, b.at = src, at
	b.acc, b.n, b.pos, b.end, b.mark, b.last = 0, 0, 0, 0, -1, false
}

// more makes room for another MCU, or reports that the interval has ended before pos.
func (b *bits) more() error {
	if !b.last {
		b.fill()
	}
	if b.pos*8-int(b.n) > b.end*8 {
		return corrupt("the coded data of the pixels ends early")
	}
	return nil
}

// fill moves the remaining data to the front of the window and tops it up.
func (b *bits) fill() {
	w := copy(b.window[:], b.window[b.pos:max(b.end, b.pos)])
	b.pos = 0
	for w < windowBytes && !b.last {
		s := b.src[b.at:]
		s = s[:min(len(s), windowBytes-w)]
		i := bytes.IndexByte(s, 0xff)
		if i < 0 {
			w += copy(b.window[w:], s)
			b.at += len(s)
			b.last = b.at == len(b.src)
			continue
		}
		w += copy(b.window[w:], s[:i])
		b.at += i
		// Any number of ff bytes may stand before a marker; before a zero, libjpeg takes them for one.
		j := b.at + 1
		for j < len(b.src) && b.src[j] == 0xff {
			j++
		}
		switch {
		case j == len(b.src):
			b.last = true
		case b.src[j] == 0:
			b.window[w] = 0xff
			w++
			b.at = j + 1
		default:
			b.at = j - 1
			b.last = true
		}
	}
	b.end = w
	clear(b.window[w : w+mcuBytes+loadBytes])
	b.mark = w - mcuBytes - loadBytes
}

// finish ends an interval, and returns the place in the file where the next marker is expected. It returns an error when
// the interval ended before the bits that were consumed.
func (b *bits) finish() (at int, err error) {
	if b.pos*8-int(b.n) > b.end*8 {
		return 0, corrupt("the coded data of the pixels ends early")
	}
	return b.at, nil
}

// refill returns acc, n and pos after topping acc up to at least 56 bits.
func refill(window []byte, acc uint64, n uint, pos int) (uint64, uint, int) {
	acc |= binary.BigEndian.Uint64(window[pos:]) >> (n & 63)
	return acc, n | 56, pos + int((63-n)>>3)
}

// bit takes one bit.
func (b *bits) bit() uint32 {
	if b.n == 0 {
		b.acc, b.n, b.pos = refill(b.window[:], b.acc, b.n, b.pos)
	}
	v := uint32(b.acc >> 63)
	b.acc <<= 1
	b.n--
	return v
}

// take takes 0 to 16 bits.
func (b *bits) take(n uint) uint32 {
	if b.n < n {
		b.acc, b.n, b.pos = refill(b.window[:], b.acc, b.n, b.pos)
	}
	v := uint32(b.acc >> 32 >> (32 - n))
	b.acc <<= n
	b.n -= n
	return v
}
