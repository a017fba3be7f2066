package vision

import (
	"fmt"
	"io"
	"math"
)

// Tags of a TIFF directory that decide about pixels. The other tags of TIFF 6.0 do not: they describe, or calibrate.
const (
	tiffWidth         = 256
	tiffHeight        = 257
	tiffBits          = 258
	tiffCompression   = 259
	tiffPhotometric   = 262
	tiffFillOrder     = 266
	tiffStripOffsets  = 273
	tiffSamples       = 277
	tiffRowsPerStrip  = 278
	tiffStripLengths  = 279
	tiffPlanar        = 284
	tiffT4Options     = 292
	tiffT6Options     = 293
	tiffPredictor     = 317
	tiffColorMap      = 320
	tiffTileWidth     = 322
	tiffTileHeight    = 323
	tiffTileOffsets   = 324
	tiffTileLengths   = 325
	tiffInkSet        = 332
	tiffExtraSamples  = 338
	tiffSampleFormat  = 339
	tiffXMP           = 700
	maxTIFFSamples    = 6       // as in Pillow
	maxTIFFTileMargin = 1 << 16 // by which a tile may be wider than the image
)

// Compressions.
const (
	tiffPlain      = 1
	tiffFax3       = 3
	tiffFax4       = 4
	tiffLZW        = 5
	tiffDeflate    = 8
	tiffOldDeflate = 32946
	tiffPackBits   = 32773
)

// Photometric interpretations.
const (
	tiffWhiteIs0 = 0
	tiffBlackIs0 = 1
	tiffRGB      = 2
	tiffPalette  = 3
	tiffCMYK     = 5
)

var tiffCompressionNames = map[int]string{
	2: "modified Huffman runs", 6: "JPEG in its old form", 7: "JPEG", 9: "JBIG", 10: "JBIG", 32766: "NeXT", 32771: "padded words",
	32809: "ThunderScan", 33003: "JPEG 2000", 33005: "JPEG 2000", 34661: "JBIG", 34676: "LogLuv", 34677: "LogLuv",
	34712: "JPEG 2000", 34887: "LERC", 34925: "LZMA", 50000: "Zstandard", 50001: "WebP", 50002: "JPEG XL",
}

var tiffPhotometricNames = map[int]string{
	4: "a transparency mask", 6: "YCbCr", 8: "CIE Lab", 9: "ICC Lab", 10: "ITU Lab",
	32803: "a color filter array", 32844: "LogL", 32845: "LogLuv", 34892: "linear raw",
}

// tiffPage is the first page of a TIFF file, as its tags describe it.
type tiffPage struct {
	ifd
	data          []byte
	width, height int
	compression   int
	photometric   int
	reversed      bool // each byte begins with its lowest bit
	bits          int  // of a sample
	samples       int  // of a pixel
	used          int  // samples that make a color: the first ones. The others are passed over.
	premultiplied bool // the last sample that is used is alpha, and the others are multiplied by it
	planes        bool // each sample has strips or tiles of its own
	differences   bool // samples are the difference to their left neighbor

	// A page is cut into blocks: strips of its width, or tiles.
	blockWidth, blockHeight int
	offsets, lengths        uint16 // tags
}

func (p *tiffPage) unsupported(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrFormat)
}

// named describes a value of a tag.
func named(v int, names map[int]string) string {
	if n := names[v]; n != "" {
		return fmt.Sprintf("%d (%s)", v, n)
	}
	return fmt.Sprint(v)
}

// whole returns the first value of a tag, or otherwise where there is no such tag.
func (p *tiffPage) whole(tag uint16, otherwise int) (int, error) {
	v, ok := p.number(tag)
	if !ok {
		return otherwise, nil
	}
	return wholeNumber(tag, v)
}

func wholeNumber(tag uint16, v float64) (int, error) {
	if !(v >= 0) || v != math.Trunc(v) || v > 1<<53 {
		return 0, fmt.Errorf("tag %d is %v, expected a whole number", tag, v)
	}
	if v > math.MaxInt32 {
		return math.MaxInt32, nil // more than any size can be
	}
	return int(v), nil
}

// count is the number of values of a tag.
func (p *tiffPage) count(tag uint16) int {
	e := p.entries[tag]
	if len(e.bytes) == 0 {
		return 0
	}
	return len(e.bytes) / int(ifdTypeSize[e.kind])
}

// wholes returns all values of a tag, which are few.
func (p *tiffPage) wholes(tag uint16) (values []int, err error) {
	n := p.count(tag)
	if n > 64 {
		return nil, fmt.Errorf("tag %d has %d values", tag, n)
	}
	for i := range n {
		v, err := wholeNumber(tag, p.value(p.entries[tag], i))
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

// parseTIFF reads the tags of the first page. Every tag that decides about pixels is used or checked; a value that is not
// supported gives an error that matches ErrFormat and names the tag's meaning.
func parseTIFF(data []byte) (p tiffPage, err error) {
	p.data = data
	var ok bool
	if p.ifd, ok = parseIFD(data); !ok || p.cut {
		return p, fmt.Errorf("the tags: %w", io.ErrUnexpectedEOF)
	}
	var planar, fill, predictor, inks, t4, t6 int
	for _, f := range []struct {
		to        *int
		tag       uint16
		otherwise int
	}{
		{&p.width, tiffWidth, 0}, {&p.height, tiffHeight, 0},
		{&p.compression, tiffCompression, tiffPlain}, {&p.photometric, tiffPhotometric, tiffWhiteIs0},
		{&p.samples, tiffSamples, 1}, {&fill, tiffFillOrder, 1}, {&planar, tiffPlanar, 1}, {&predictor, tiffPredictor, 1},
		{&inks, tiffInkSet, 1}, {&t4, tiffT4Options, 0}, {&t6, tiffT6Options, 0},
	} {
		if *f.to, err = p.whole(f.tag, f.otherwise); err != nil {
			return p, err
		}
	}
	if p.width == 0 || p.height == 0 {
		return p, fmt.Errorf("%d×%d pixels", p.width, p.height)
	}
	switch {
	case fill != 1 && fill != 2:
		return p, p.unsupported("fill order %d", fill)
	case planar != 1 && planar != 2:
		return p, p.unsupported("planar configuration %d", planar)
	case p.photometric == tiffCMYK && inks != 1:
		return p, p.unsupported("ink set %d", inks)
	}
	p.reversed, p.planes = fill == 2, planar == 2
	if err := p.parseSamples(); err != nil {
		return p, err
	}
	if err := p.parseCompression(predictor, t4, t6); err != nil {
		return p, err
	}
	return p, p.parseBlocks()
}

// parseCompression checks the compression and what it leaves to other tags.
func (p *tiffPage) parseCompression(predictor, t4, t6 int) error {
	switch p.compression {
	case tiffPlain, tiffPackBits: // with these libtiff ignores the predictor
	case tiffLZW, tiffDeflate, tiffOldDeflate:
		p.differences = predictor == 2
		if predictor != 1 && (predictor != 2 || p.bits < 8) {
			return p.unsupported("predictor %d of samples of %d bits", predictor, p.bits)
		}
	case tiffFax3, tiffFax4:
		if p.bits != 1 || p.samples != 1 {
			return fmt.Errorf("a fax of %d samples of %d bits", p.samples, p.bits)
		}
		if p.compression == tiffFax3 && t4&3 != 0 || p.compression == tiffFax4 && t6&2 != 0 {
			return p.unsupported("fax options %d and %d", t4, t6)
		}
	default:
		return p.unsupported("compression %s", named(p.compression, tiffCompressionNames))
	}
	return nil
}

// parseSamples finds out how a pixel is made of samples.
func (p *tiffPage) parseSamples() error {
	bits, err := p.wholes(tiffBits)
	if err != nil {
		return err
	}
	extra, err := p.wholes(tiffExtraSamples)
	if err != nil {
		return err
	}
	formats, err := p.wholes(tiffSampleFormat)
	if err != nil {
		return err
	}
	switch p.photometric {
	case tiffWhiteIs0, tiffBlackIs0, tiffPalette:
		p.used = 1
	case tiffRGB:
		p.used = 3
	case tiffCMYK:
		p.used = 4
	default:
		return p.unsupported("photometric interpretation %s", named(p.photometric, tiffPhotometricNames))
	}
	if p.samples == 0 || p.samples > maxTIFFSamples {
		return p.unsupported("%d samples a pixel", p.samples)
	}

	// One number of bits for all samples will do, and more than there are samples are ignored, as in Pillow.
	p.bits = 1
	if len(bits) > 0 {
		p.bits = bits[0]
	}
	if len(bits) > 1 && len(bits) < p.samples {
		return fmt.Errorf("bits of %d samples where a pixel has %d", len(bits), p.samples)
	}
	for _, b := range bits[:min(len(bits), p.samples)] {
		if b != p.bits {
			return p.unsupported("samples of %v bits", bits)
		}
	}
	for _, f := range formats {
		// Pillow reads signed bytes of gray as if they had no sign.
		if f != 1 && (f != 2 || p.photometric != tiffBlackIs0 || p.bits != 8 || p.samples != 1) {
			return p.unsupported("sample format %v of %d bits (2 is signed, 3 floating point)", formats, p.bits)
		}
	}
	if len(extra) == 0 && p.photometric == tiffRGB && p.samples == 4 && p.bits >= 8 {
		extra = []int{2} // often forgotten
	}
	if p.used+len(extra) != p.samples {
		return fmt.Errorf("%d samples a pixel, expected %d for its color and %d extra ones", p.samples, p.used, len(extra))
	}
	kind := p.bits
	switch p.photometric {
	case tiffWhiteIs0, tiffPalette:
		if kind == 16 {
			kind = 0
		}
	}
	switch kind {
	case 1, 2, 4:
		if p.used != 1 || len(extra) > 0 {
			kind = 0
		}
	case 8, 16:
	default:
		kind = 0
	}
	if kind == 0 {
		return p.unsupported("photometric interpretation %d with %d samples of %d bits", p.photometric, p.samples, p.bits)
	}
	for i, e := range extra {
		switch {
		case i > 0 && e != 0:
			return p.unsupported("extra samples %v", extra)
		case e == 0 || e == 2 || e == 999: // unspecified, straight alpha, and what Corel Draw writes for it
		case e == 1 && (p.photometric == tiffRGB || p.photometric == tiffBlackIs0):
			p.premultiplied = true
			p.used++
		default:
			return p.unsupported("extra samples %v beside photometric interpretation %d", extra, p.photometric)
		}
	}
	if p.photometric == tiffPalette && p.count(tiffColorMap) != 3<<p.bits {
		return fmt.Errorf("a palette of %d numbers for %d bits, expected %d", p.count(tiffColorMap), p.bits, 3<<p.bits)
	}
	return nil
}

// parseBlocks finds the strips or tiles.
func (p *tiffPage) parseBlocks() (err error) {
	_, strips := p.entries[tiffStripOffsets]
	_, tiles := p.entries[tiffTileOffsets]
	switch {
	case strips && tiles:
		return p.unsupported("strips and tiles in one page")
	case strips:
		p.blockWidth, p.offsets, p.lengths = p.width, tiffStripOffsets, tiffStripLengths
		p.blockHeight, err = p.whole(tiffRowsPerStrip, p.height)
		p.blockHeight = min(p.blockHeight, p.height)
	case tiles:
		p.offsets, p.lengths = tiffTileOffsets, tiffTileLengths
		if p.blockWidth, err = p.whole(tiffTileWidth, 0); err == nil {
			p.blockHeight, err = p.whole(tiffTileHeight, 0)
		}
	default:
		return fmt.Errorf("neither strips nor tiles")
	}
	if err != nil {
		return err
	}
	if p.blockWidth <= 0 || p.blockHeight <= 0 || p.blockWidth-p.width > maxTIFFTileMargin {
		return fmt.Errorf("strips or tiles of %d×%d pixels in an image of %d×%d", p.blockWidth, p.blockHeight, p.width, p.height)
	}
	return nil
}

func tiffHeader(data []byte) (header, error) {
	p, err := parseTIFF(data)
	h := header{width: p.width, height: p.height}
	if err != nil {
		return h, err
	}
	expands := 1.0
	switch p.compression {
	case tiffLZW: // a code of at most 12 bits encodes at most 4096 bytes
		expands = 4096 * 8 / 12.
	case tiffDeflate, tiffOldDeflate:
		expands = 1032
	case tiffPackBits: // two bytes encode at most 128
		expands = 64
	}
	h.perByte = expands * 8 / float64(p.bits*p.samples)
	if p.compression == tiffFax3 || p.compression == tiffFax4 {
		h.perByte = 0
		h.boundFlat()
	}
	return h, nil
}
