package vision

import "math"

// The size that an image is resized to. Each library rounds in its own way, and some compute in floating point instead
// of integers: a side of 223.99999 is cut to 223. The formulas below keep the libraries' order of operations. The
// conversions of products keep compilers from fusing them with sums, as on arm64.

// resized returns the size to which p resizes an image of h × w pixels. A size too large for an int becomes one that
// exceeds every limit.
func (p *Preprocess) resized(h, w int) (height, width int) {
	switch p.Mode {
	case Stretch:
		return p.Height, p.Width
	case ShortSide:
		if p.MaxLong > 0 {
			return shortWithin(h, w, p.Width, p.MaxLong, p.Multiple)
		}
		return ShortestEdge(h, w, p.Width)
	case LongSide:
		// SamImageProcessor: both sides times the scale, rounded half up.
		scale := float64(p.Width) / float64(max(w, h))
		return side(float64(float64(h)*scale) + 0.5), side(float64(float64(w)*scale) + 0.5)
	case Fit:
		if p.Backend != Timm {
			// transformers' max_height and max_width: cut off, not rounded.
			scale := min(float64(p.Height)/float64(h), float64(p.Width)/float64(w))
			return side(float64(h) * scale), side(float64(w) * scale)
		}
		return keepRatio(h, w, max(float64(h)/float64(p.Height), float64(w)/float64(p.Width)))
	case Cover:
		return keepRatio(h, w, min(float64(h)/float64(p.Height), float64(w)/float64(p.Width)))
	}
	return h, w
}

// keepRatio divides both sides by the ratio and rounds half to even: timm's ResizeKeepRatio.
func keepRatio(h, w int, ratio float64) (height, width int) {
	return side(math.RoundToEven(float64(h) / ratio)), side(math.RoundToEven(float64(w) / ratio))
}

// shortWithin is the rule of transformers' detectors for shortest_edge and longest_edge. The shorter side becomes short
// pixels long, or less where the longer one would exceed long. With a multiple above 1 it is YOLOS's (get_size_with_aspect_ratio_yolos):
// both sides are cut to multiples, and a tall image whose width stays gets another height.
func shortWithin(h, w, short, long, multiple int) (height, width int) {
	if multiple > 1 {
		defer func() { height, width = height-height%multiple, width-width%multiple }()
	}
	least, most := float64(min(w, h)), float64(max(w, h))
	raw := float64(short)
	if float64(most/least*raw) > float64(long) {
		raw = float64(long) * least / most
		short = int(math.RoundToEven(raw))
	}
	switch {
	case min(w, h) == short && (w >= h || multiple <= 1):
		return h, w
	case w < h:
		return side(float64(raw*float64(h)) / float64(w)), short
	}
	return short, side(float64(raw*float64(w)) / float64(h))
}

// side cuts a length to whole pixels. A length above maxSide becomes maxSide + 1, which does not overflow.
func side(v float64) int { return int(min(v, maxSide+1)) }
