package vision

import "encoding/binary"

// exifOrientation returns the orientation tag (0x0112) of the first directory of a TIFF block, 1 to 8; 1 when
// it is absent or unreadable.
func exifOrientation(tiff []byte) int {
	if v, ok := tiffTag(tiff, 0x0112); ok && v >= 1 && v <= 8 {
		return v
	}
	return 1
}

// tiffTag returns a tag of the first directory of a TIFF block that holds 16-bit numbers, the first of them.
func tiffTag(tiff []byte, tag uint16) (value int, ok bool) {
	if len(tiff) < 8 {
		return 0, false
	}
	var o binary.ByteOrder
	switch string(tiff[:4]) {
	case "II*\x00":
		o = binary.LittleEndian
	case "MM\x00*":
		o = binary.BigEndian
	default:
		return 0, false
	}
	p := int64(o.Uint32(tiff[4:]))
	if p+2 > int64(len(tiff)) {
		return 0, false
	}
	n := int64(o.Uint16(tiff[p:]))
	for i := range n {
		e := p + 2 + 12*i
		if e+12 > int64(len(tiff)) {
			break
		}
		if o.Uint16(tiff[e:]) == tag {
			// Type 3 is a 16-bit number, stored in the first bytes of the value field.
			return int(o.Uint16(tiff[e+8:])), o.Uint16(tiff[e+2:]) == 3
		}
	}
	return 0, false
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
