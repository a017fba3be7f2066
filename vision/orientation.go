package vision

import "encoding/binary"

// tiffEntry returns the order of a TIFF block's bytes, and the 12 bytes of a tag in its first directory.
func tiffEntry(tiff []byte, tag uint16) (o binary.ByteOrder, entry []byte) {
	if len(tiff) < 8 {
		return nil, nil
	}
	switch string(tiff[:4]) {
	case "II*\x00":
		o = binary.LittleEndian
	case "MM\x00*":
		o = binary.BigEndian
	default:
		return nil, nil
	}
	p := int64(o.Uint32(tiff[4:]))
	if p+2 > int64(len(tiff)) {
		return nil, nil
	}
	n := int64(o.Uint16(tiff[p:]))
	for i := range n {
		e := p + 2 + 12*i
		if e+12 > int64(len(tiff)) {
			break
		}
		if o.Uint16(tiff[e:]) == tag {
			return o, tiff[e : e+12]
		}
	}
	return nil, nil
}

// tiffTag returns a whole number of 16 or 32 bits in the first directory of a TIFF block, the first of them where
// there are several and fit; ok is whether there is such a tag at all.
func tiffTag(tiff []byte, tag uint16) (value int, ok bool) {
	o, e := tiffEntry(tiff, tag)
	if e == nil {
		return 0, false
	}
	switch o.Uint16(e[2:]) {
	case 3: // stored in the first bytes of the value field
		return int(o.Uint16(e[8:])), true
	case 4:
		return int(o.Uint32(e[8:])), true
	}
	return 0, true
}

// tiffBytes returns the bytes of a tag, nil where there is none of bytes.
func tiffBytes(tiff []byte, tag uint16) []byte {
	o, e := tiffEntry(tiff, tag)
	if e == nil {
		return nil
	}
	kind, n, at := o.Uint16(e[2:]), int64(o.Uint32(e[4:])), int64(o.Uint32(e[8:]))
	if kind != 1 && kind != 7 || n <= 4 || at+n > int64(len(tiff)) { // no more than 4 stand in the entry
		return nil
	}
	return tiff[at : at+n]
}

// Orient returns the image as it is to be looked at, given the EXIF orientation with which it was stored: 1 as
// it is (m itself is returned), 2 mirrored, 3 upside down, 4 flipped, 5 transposed, 6 to be turned clockwise,
// 7 transversed, 8 to be turned counter-clockwise. Other numbers count as 1.
func (m *Image) Orient(orientation int) *Image {
	if orientation < 2 || orientation > 8 {
		return m
	}
	w, h := m.Width, m.Height
	out := NewImage(w, h, m.Channels)
	if orientation >= 5 {
		out = NewImage(h, w, m.Channels)
	}
	c := m.Channels
	for y := range out.Height {
		d := out.row(y)
		for x := range out.Width {
			var sx, sy int
			switch orientation {
			case 2:
				sx, sy = w-1-x, y
			case 3:
				sx, sy = w-1-x, h-1-y
			case 4:
				sx, sy = x, h-1-y
			case 5:
				sx, sy = y, x
			case 6:
				sx, sy = y, h-1-x
			case 7:
				sx, sy = w-1-y, h-1-x
			case 8:
				sx, sy = w-1-y, x
			}
			copy(d[c*x:c*x+c], m.Pix[(sy*w+sx)*c:])
		}
	}
	return out
}
