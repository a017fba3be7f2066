package draw

import (
	"fmt"

	"github.com/fovea-ml/fovea/vision"
)

// roomForText is the side in pixels to which small images are enlarged when text stands beside them.
const roomForText = 96

// GridOptions describe the sheet of [Grid].
type GridOptions struct {
	Columns int // 0 or less, or more than there are images, means all in one row
	Gap     int // white pixels between cells

	// Captions are one per image ("" for none), or empty. A caption stands below its image and is cut to the width of
	// the cell. Images of less than 96 pixels a side are then enlarged by a whole factor.
	Captions []string
}

// Grid lays images out on one sheet, row by row from the top left. Cells are as large as the largest image, and smaller
// images sit in the top left corner of their cell. Gray is shown as RGB and alpha is dropped.
//
// Grid returns an error that matches [vision.ErrSize] when there are no images, one of them is malformed, or the
// number of captions differs from the number of images. For a sheet of more than [vision.DefaultMaxPixels] the error
// matches [vision.ErrTooLarge].
func Grid(images []*vision.Image, o GridOptions) (*vision.Image, error) {
	if len(images) == 0 {
		return nil, fmt.Errorf("draw: grid of no images: %w", vision.ErrSize)
	}
	if len(o.Captions) != 0 && len(o.Captions) != len(images) {
		return nil, fmt.Errorf("draw: grid: %d captions for %d images: %w", len(o.Captions), len(images), vision.ErrSize)
	}
	w, h := 0, 0
	for i, m := range images {
		if err := m.Validate(); err != nil {
			return nil, fmt.Errorf("draw: grid: image %d: %w", i, err)
		}
		w, h = max(w, m.Width), max(h, m.Height)
	}
	zoom, below := 1, 0
	var letters *lettering
	if len(o.Captions) > 0 {
		zoom = (roomForText + max(w, h) - 1) / max(w, h)
		w, h = w*zoom, h*zoom
		var err error
		if letters, err = newLettering(lettersFor(h, w)); err != nil {
			return nil, fmt.Errorf("draw: grid: %w", err)
		}
		below = letters.height() + letters.height()/4
	}
	columns := o.Columns
	if columns <= 0 || columns > len(images) {
		columns = len(images)
	}
	gap := min(max(o.Gap, 0), vision.DefaultMaxPixels) // the sums below stay small, and two such cells are too large anyway
	rows := (len(images) + columns - 1) / columns
	out, err := blank(int64(rows)*int64(h+below+gap)-int64(gap), int64(columns)*int64(w+gap)-int64(gap))
	if err != nil {
		return nil, fmt.Errorf("draw: grid: %w", err)
	}
	for i, m := range images {
		x, y := i%columns*(w+gap), i/columns*(h+below+gap)
		m = m.RGB()
		if zoom > 1 {
			if m, err = vision.Resize(m, m.Height*zoom, m.Width*zoom, vision.Nearest); err != nil {
				return nil, fmt.Errorf("draw: grid: image %d: %w", i, err)
			}
		}
		out.paste(canvas{m}, x, y)
		if letters != nil {
			text := letters.fit(o.Captions[i], w)
			letters.draw(out, text, x+max(0, m.Width-letters.width(text))/2, y+m.Height+letters.height()/8+letters.ascent, ink)
		}
	}
	return out.Image, nil
}

// BeforeAfter shows pairs of images side by side, one pair per row, with a heading above each side. The lower image
// of a pair is enlarged to the height of the other. BeforeAfter returns an error that matches [vision.ErrSize] when
// there are no pairs or an image is malformed, and [vision.ErrTooLarge] for a sheet of more than
// [vision.DefaultMaxPixels].
func BeforeAfter(pairs [][2]*vision.Image, before, after string) (*vision.Image, error) {
	if len(pairs) == 0 {
		return nil, fmt.Errorf("draw: no pairs to show: %w", vision.ErrSize)
	}
	shown := make([][2]canvas, len(pairs))
	var w [2]int
	h := 0
	for i, pair := range pairs {
		high := 0
		for side, m := range pair {
			if err := m.Validate(); err != nil {
				return nil, fmt.Errorf("draw: pair %d, side %d: %w", i, side, err)
			}
			high = max(high, m.Height)
		}
		high *= max(1, (roomForText+high-1)/high)
		for side, m := range pair {
			m, err := ofHeight(m.RGB(), high)
			if err != nil {
				return nil, fmt.Errorf("draw: pair %d, side %d: %w", i, side, err)
			}
			shown[i][side] = canvas{m}
			w[side] = max(w[side], m.Width)
		}
		h += high
	}
	letters, err := newLettering(lettersFor(shown[0][0].Height, max(w[0], w[1])))
	if err != nil {
		return nil, fmt.Errorf("draw: before and after: %w", err)
	}
	gap := max(4, letters.height()/2)
	top := letters.height() + gap
	out, err := blank(int64(top+h+len(pairs)*gap), int64(w[0]+w[1]+3*gap))
	if err != nil {
		return nil, fmt.Errorf("draw: before and after: %w", err)
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
	return out.Image, nil
}

// ofHeight enlarges an image. Where the factor is whole, small images show their pixels.
func ofHeight(m *vision.Image, height int) (*vision.Image, error) {
	if m.Height == height {
		return m, nil
	}
	f := vision.Bicubic
	if height%m.Height == 0 {
		f = vision.Nearest
	}
	width := max(1, int((int64(m.Width)*int64(height)+int64(m.Height)/2)/int64(m.Height)))
	if width > vision.DefaultMaxPixels/height {
		return nil, fmt.Errorf("enlarged to %d×%d pixels, the limit is %d: %w", width, height, vision.DefaultMaxPixels, vision.ErrTooLarge)
	}
	return vision.Resize(m, height, width, f)
}

// blank returns a white sheet. A wide and a high image are enough to ask for one that no memory holds.
func blank(height, width int64) (canvas, error) {
	if width > vision.DefaultMaxPixels/height {
		return canvas{}, fmt.Errorf("a sheet of %d×%d pixels, the limit is %d: %w", width, height, vision.DefaultMaxPixels, vision.ErrTooLarge)
	}
	out := canvas{vision.NewImage(int(height), int(width), 3)}
	out.fill(out.Bounds(), white, 255)
	return out, nil
}
