package vision

import (
	"encoding/binary"
	"math"
)

// EXIF data has the form of a TIFF file, so one reader of directories serves both.

// exifOrientation is the tag of the orientation.
const exifOrientation = 0x0112

// ifdTypeSize is the number of bytes of a value, by the number of its type: those that Pillow knows. 0 means that an entry
// of the type is passed over.
var ifdTypeSize = [...]int64{
	1:  1, // unsigned byte
	2:  1, // text
	3:  2, // unsigned
	4:  4,
	5:  8, // two unsigned numbers, a fraction
	6:  1, // signed byte
	7:  1, // bytes of any meaning
	8:  2, // signed
	9:  4,
	10: 8, // two signed numbers, a fraction
	11: 4, // floating point
	12: 8,
	13: 4, // the offset of a directory
	16: 8, // unsigned
}

// ifd is the first directory of a TIFF block: the bytes of each tag's values.
type ifd struct {
	order   binary.ByteOrder
	entries map[uint16]ifdEntry
	cut     bool // entries are missing
}

type ifdEntry struct {
	kind  uint16
	bytes []byte // a whole number of values, at least one
}

// parseIFD reads the first directory as Pillow's ImageFileDirectory does. Entries of an unknown type, without a value, or
// whose values take more bytes than the block has are passed over, and the first of several entries with one tag
// counts. Values outside the block end the directory. ok is false when the block is not in TIFF form.
func parseIFD(block []byte) (d ifd, ok bool) {
	if len(block) < 8 {
		return d, false
	}
	switch string(block[:4]) {
	case "II*\x00", "II\x00*":
		d.order = binary.LittleEndian
	case "MM\x00*", "MM*\x00":
		d.order = binary.BigEndian
	default:
		return d, false
	}
	d.entries = map[uint16]ifdEntry{}
	size := int64(len(block))
	p := int64(d.order.Uint32(block[4:]))
	if p+2 > size {
		d.cut = true
		return d, true
	}
	n := int64(d.order.Uint16(block[p:]))
	total := int64(0)
	for e := p + 2; n > 0 && e+12 <= size; e, n = e+12, n-1 {
		tag, kind, count := d.order.Uint16(block[e:]), d.order.Uint16(block[e+2:]), int64(d.order.Uint32(block[e+4:]))
		if _, twice := d.entries[tag]; twice || int(kind) >= len(ifdTypeSize) || ifdTypeSize[kind] == 0 || count == 0 {
			continue
		}
		length := count * ifdTypeSize[kind]
		at := e + 8
		if length > 4 { // up to 4 bytes stand in the entry itself
			at = int64(d.order.Uint32(block[at:]))
			if total += length; total > size {
				continue
			}
			if at+length > size {
				break
			}
		}
		d.entries[tag] = ifdEntry{kind, block[at : at+length : at+length]}
	}
	d.cut = n > 0
	return d, true
}

// number returns the first value of a tag. present reports whether there is such a tag. A tag of text or bytes is
// present, but no number, as in Pillow.
func (d *ifd) number(tag uint16) (v float64, present bool) {
	e, present := d.entries[tag]
	if !present {
		return 0, false
	}
	return d.value(e, 0), true
}

// value returns value i of an entry, NaN where it is not a number.
func (d *ifd) value(e ifdEntry, i int) float64 {
	b := e.bytes[int64(i)*ifdTypeSize[e.kind]:]
	u32 := func(at int) uint32 { return d.order.Uint32(b[at:]) }
	fraction := func(a, b float64) float64 {
		if b == 0 {
			return math.NaN()
		}
		return a / b
	}
	switch e.kind {
	case 3:
		return float64(d.order.Uint16(b))
	case 4, 13:
		return float64(u32(0))
	case 5:
		return fraction(float64(u32(0)), float64(u32(4)))
	case 6:
		return float64(int8(b[0]))
	case 8:
		return float64(int16(d.order.Uint16(b)))
	case 9:
		return float64(int32(u32(0)))
	case 10:
		return fraction(float64(int32(u32(0))), float64(int32(u32(4))))
	case 11:
		return float64(math.Float32frombits(u32(0)))
	case 12:
		return math.Float64frombits(d.order.Uint64(b))
	case 16:
		return float64(d.order.Uint64(b))
	}
	return math.NaN()
}

// bytes returns the value of a tag of bytes, nil where there is none.
func (d *ifd) bytes(tag uint16) []byte {
	if e := d.entries[tag]; e.kind == 1 || e.kind == 7 {
		return e.bytes
	}
	return nil
}
