package vision

// Orient returns the image upright, given its EXIF orientation. 1 is upright already, and m itself is returned; so it
// is for unknown numbers. The stored image is 2 mirrored, 3 upside down, 4 flipped, 5 transposed or 7 transversed; 6 is
// to be turned clockwise, and 8 counter-clockwise.
func (m *Image) Orient(orientation int) *Image {
	if orientation < 2 || orientation > 8 {
		return m
	}
	w, h := m.Width, m.Height
	out := NewImage(h, w, m.Channels)
	if orientation >= 5 {
		out = NewImage(w, h, m.Channels)
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
