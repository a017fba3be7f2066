package vision

import "fmt"

var white = [3]uint8{255, 255, 255}

// ink is the color of text beside pictures.
var ink = [3]uint8{40, 40, 40}

// Grid lays images out on one sheet, row by row from the top left, in cells as large as the largest of them with
// gap pixels of white between. Smaller images sit in the top left corner of their cell; gray is shown as RGB and
// alpha is dropped. columns of 0 or less, or more than there are images, means all in one row.
//
// captions, where there are any, are one an image ("" for none) and stand below it, cut to its cell; images of less
// than 96 pixels a side are then enlarged by a whole factor, so that the text has room.
//
// It returns an error that matches [ErrSize] when there are no images, one of them is malformed, or there are
// captions but not as many as images, and [ErrTooLarge] for a sheet of more than [DefaultMaxPixels].
func Grid(images []*Image, columns, gap int, captions ...string) (*Image, error) {
	if len(images) == 0 {
		return nil, fmt.Errorf("vision: grid of no images: %w", ErrSize)
	}
	if len(captions) != 0 && len(captions) != len(images) {
		return nil, fmt.Errorf("vision: grid: %d captions for %d images: %w", len(captions), len(images), ErrSize)
	}
	w, h := 0, 0
	for i, m := range images {
		if err := m.check(); err != nil {
			return nil, fmt.Errorf("vision: grid: image %d: %w", i, err)
		}
		w, h = max(w, m.Width), max(h, m.Height)
	}
	zoom, below := 1, 0
	var letters *lettering
	if len(captions) > 0 {
		zoom = (96 + max(w, h) - 1) / max(w, h)
		w, h = w*zoom, h*zoom
		var err error
		if letters, err = newLettering(lettersFor(w, h)); err != nil {
			return nil, fmt.Errorf("vision: grid: %w", err)
		}
		below = letters.height() + letters.height()/4
	}
	if columns <= 0 || columns > len(images) {
		columns = len(images)
	}
	gap = max(gap, 0)
	rows := (len(images) + columns - 1) / columns
	out, err := sheet(columns, rows, w, h+below, gap)
	if err != nil {
		return nil, fmt.Errorf("vision: grid: %w", err)
	}
	for i, m := range images {
		x, y := i%columns*(w+gap), i/columns*(h+below+gap)
		if m, err = enlarged(m.RGB(), zoom); err != nil {
			return nil, err
		}
		out.paste(m, x, y)
		if letters != nil {
			text := letters.fit(captions[i], w)
			letters.draw(out, text, x+max(0, m.Width-letters.width(text))/2, y+m.Height+letters.height()/8+letters.ascent, ink)
		}
	}
	return out, nil
}

// BeforeAfter shows pairs of images side by side, one pair a row, with a heading above each side. An image that is
// not as high as its partner is enlarged to be. It returns an error that matches [ErrSize] when there are no pairs or
// an image is malformed, and [ErrTooLarge] for a sheet of more than [DefaultMaxPixels].
func BeforeAfter(pairs [][2]*Image, before, after string) (*Image, error) {
	if len(pairs) == 0 {
		return nil, fmt.Errorf("vision: no pairs to show: %w", ErrSize)
	}
	shown := make([][2]*Image, len(pairs))
	var w [2]int
	h := 0
	for i, pair := range pairs {
		high := 0
		for side, m := range pair {
			if err := m.check(); err != nil {
				return nil, fmt.Errorf("vision: pair %d, side %d: %w", i, side, err)
			}
			high = max(high, m.Height)
		}
		high *= max(1, (96+high-1)/high)
		for side, m := range pair {
			m = m.RGB()
			if m.Height != high {
				f := Bicubic
				if high%m.Height == 0 {
					f = Nearest // small pictures show their pixels
				}
				width := max(1, int((int64(m.Width)*int64(high)+int64(m.Height)/2)/int64(m.Height)))
				if width > DefaultMaxPixels/high {
					return nil, fmt.Errorf("vision: pair %d, side %d: enlarged to %d×%d pixels, the limit is %d: %w", i, side, width, high, DefaultMaxPixels, ErrTooLarge)
				}
				var err error
				if m, err = Resize(m, width, high, f); err != nil {
					return nil, fmt.Errorf("vision: pair %d, side %d: %w", i, side, err)
				}
			}
			shown[i][side] = m
			w[side] = max(w[side], m.Width)
		}
		h += high
	}
	letters, err := newLettering(lettersFor(max(w[0], w[1]), shown[0][0].Height))
	if err != nil {
		return nil, fmt.Errorf("vision: before and after: %w", err)
	}
	gap := max(4, letters.height()/2)
	top := letters.height() + gap
	out, err := blank(int64(w[0]+w[1]+3*gap), int64(top+h+len(pairs)*gap))
	if err != nil {
		return nil, fmt.Errorf("vision: before and after: %w", err)
	}
	x := [2]int{gap, w[0] + 2*gap}
	for side, heading := range []string{before, after} {
		text := letters.fit(heading, w[side])
		letters.draw(out, text, x[side]+(w[side]-letters.width(text))/2, gap/2+letters.ascent, ink)
	}
	y := top
	for _, pair := range shown {
		for side, m := range pair {
			out.paste(m, x[side]+(w[side]-m.Width)/2, y)
		}
		y += pair[0].Height + gap
	}
	return out, nil
}

// sheet returns a white image with room for cells and the gaps between them.
func sheet(columns, rows, w, h, gap int) (*Image, error) {
	width, height := int64(columns)*(int64(w)+int64(gap))-int64(gap), int64(rows)*(int64(h)+int64(gap))-int64(gap)
	if width > maxSide || height > maxSide {
		return nil, fmt.Errorf("%d×%d cells of %d×%d pixels: %w", columns, rows, w, h, ErrTooLarge)
	}
	return blank(width, height)
}

// blank returns a white image. One wide and one high picture are enough to ask for a sheet that no memory holds.
func blank(width, height int64) (*Image, error) {
	if width > DefaultMaxPixels/height {
		return nil, fmt.Errorf("a sheet of %d×%d pixels, the limit is %d: %w", width, height, DefaultMaxPixels, ErrTooLarge)
	}
	out := NewImage(int(width), int(height), 3)
	out.fill(out.Bounds(), white, 255)
	return out, nil
}

// paste copies an RGB image into another one that has room for it.
func (m *Image) paste(part *Image, x, y int) {
	for r := range part.Height {
		copy(m.row(y + r)[3*x:], part.row(r))
	}
}

// enlarged shows each pixel as zoom × zoom of them.
func enlarged(m *Image, zoom int) (*Image, error) {
	if zoom == 1 {
		return m, nil
	}
	return Resize(m, m.Width*zoom, m.Height*zoom, Nearest)
}
