package vision

// Storage says how a file holds the pixels of an image. It counts where a library resizes before it converts to RGB, as
// [AlphaDroppedLast] says.
type Storage uint8

const (
	// StoredPixels is a color for each pixel, and perhaps its alpha.
	StoredPixels Storage = iota
	// StoredKey is a color for each pixel, where pixels of one color may be transparent. Pillow resizes without their alpha.
	StoredKey
	// StoredPalette is an index of a palette for each pixel, or black and white. Pillow takes the nearest pixel, whatever
	// the filter.
	StoredPalette
)

// pngStorage reads the storage off the header: gray of one bit is black and white, Pillow's mode "1".
func pngStorage(data []byte) Storage {
	info, err := parsePNG(data)
	if err != nil {
		return StoredPixels
	}
	const gray, palette, grayAlpha, colorAlpha = 0, 3, 4, 6
	switch bits, color := info.ihdr[8], info.ihdr[9]; {
	case color == palette, color == gray && bits == 1:
		return StoredPalette
	case color == grayAlpha, color == colorAlpha:
		return StoredPixels
	}
	return StoredKey
}

func gifStorage(data []byte) Storage {
	if f, err := gifFirstFrame(data); err == nil && f.palette != nil {
		return StoredPalette
	}
	return StoredPixels
}

// bmpStorage is that of BmpImagePlugin.py: a palette of grays in their order counts for nothing, unless it has two colors.
func bmpStorage(data []byte) Storage {
	b, err := parseBMP(data)
	if err != nil || b.depth > 8 {
		return StoredPixels
	}
	colors := len(b.palette) / b.entry
	for i := range colors {
		if c := b.palette[i*b.entry:]; int(c[0]) != i || int(c[1]) != i || int(c[2]) != i {
			return StoredPalette
		}
	}
	if colors <= 2 {
		return StoredPalette
	}
	return StoredPixels
}

func tiffStorage(data []byte) Storage {
	p, err := parseTIFF(data)
	if err == nil && (p.photometric == tiffPalette || p.bits == 1 && p.samples == 1) {
		return StoredPalette
	}
	return StoredPixels
}
