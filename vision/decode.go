package vision

import (
	"bytes"
	"fmt"
	"image"
	"io"
	"io/fs"
)

const (
	// DefaultMaxPixels is the number of pixels above which Pillow speaks of a decompression bomb: what fills
	// 512 MiB as RGB.
	DefaultMaxPixels = 178_956_970
	// DefaultMaxBytes bounds how much of a reader is read.
	DefaultMaxBytes = 512 << 20
)

// DecodeOptions says how a file is decoded. The zero value reads ordinary photographs.
type DecodeOptions struct {
	// MaxPixels refuses larger images before memory is set aside for them; 0 means DefaultMaxPixels.
	MaxPixels int
	// MaxBytes refuses longer files; 0 means DefaultMaxBytes.
	MaxBytes int64
	// ApplyOrientation turns and mirrors the pixels as the orientation in the file's EXIF data says, or that in its
	// XMP data where EXIF has none. It is off by default, as in Pillow's Image.open; transformers' load_image applies
	// it. (A TIFF file is turned in any case, as by both.)
	ApplyOrientation bool
	// ReduceTo, where it is not 0, lets a JPEG file be decoded at a half, a quarter or an eighth of its size, rounded
	// up: the smallest whose sides both have at least this many pixels. It takes a fraction of the time, and gives the
	// pixels of Pillow's draft mode. What a resize to less makes of them is not what it makes of the whole picture,
	// which models were trained on: the colors of a photograph full of detail differ by 4 levels on the mean where
	// the resize halves the reduced picture, by 1 where it takes a quarter. Other formats are decoded whole.
	ReduceTo int
	// Name is the file's name for error messages. DecodeFile sets it.
	Name string
}

// Decode reads a JPEG, PNG, GIF (first frame), WebP (first frame), BMP or TIFF (first page) image as RGB, and any
// format that the program has registered with image.RegisterFormat, as
//
//	import _ "github.com/gen2brain/heic"
//	import _ "github.com/gen2brain/avif"
//
// register HEIC and AVIF. (These two run the C libraries' code inside Go, without cgo.)
//
// The file is read to the end, at most o.MaxBytes of it. Errors are of type *DecodeError. Memory stays below
// the length of the file plus about 20 bytes a pixel, and files whose length cannot hold the pixels they claim
// are refused before that. Of a registered format, the size that its DecodeConfig finds is held against
// o.MaxPixels before its Decode is called.
//
// Pixels are those of Pillow's Image.open(file).convert("RGB"), with these exceptions.
// 16-bit gray keeps its high byte; Pillow, and so transformers' load_image, turns everything above 255 of 65535
// white. TIFF in CMYK, of gray with alpha, of 2 or 4 bits, of floating-point samples, or with JPEG inside is refused
// with [ErrFormat].
func Decode(r io.Reader, o DecodeOptions) (*Image, error) {
	return new(workspace).decode(r, 0, o)
}

// DecodeFile decodes the named file of fsys; see [Decode]. Symbolic links are followed where fsys follows them.
func DecodeFile(fsys fs.FS, name string, o DecodeOptions) (*Image, error) {
	return new(workspace).decodeFile(fsys, name, o)
}

// DecodeBytes is [Decode] for a file that is already in memory. It keeps no reference to data.
func DecodeBytes(data []byte, o DecodeOptions) (*Image, error) {
	return new(workspace).decodeBytes(data, o)
}

// decodeBytes is DecodeBytes in the workspace.
func (w *workspace) decodeBytes(data []byte, o DecodeOptions) (*Image, error) {
	c, problem := identify(data)
	if c == nil {
		c = registered(data)
	}
	fail := func(kind, err error) (*Image, error) {
		e := &DecodeError{Name: o.Name, Kind: kind, Err: err}
		if c != nil {
			e.Format = c.name
		}
		return nil, e
	}
	if c == nil {
		return fail(ErrFormat, problem)
	}
	var hdr header
	err := guard(func() (err error) { hdr, err = c.header(data); return err })
	if err != nil {
		return fail(kindOf(err), err)
	}
	if hdr.width <= 0 || hdr.height <= 0 {
		return fail(ErrDamaged, fmt.Errorf("%d×%d pixels", hdr.width, hdr.height))
	}
	limit := o.MaxPixels
	if limit <= 0 {
		limit = DefaultMaxPixels
	}
	if hdr.width > limit/hdr.height { // a product could overflow
		return fail(ErrTooLarge, fmt.Errorf("%d×%d pixels, the limit is %d", hdr.width, hdr.height, limit))
	}
	if err := hdr.plausible(len(data)); err != nil {
		return fail(ErrDamaged, err)
	}
	decode := c.decode
	if c == codecs.jpeg {
		decode = hdr.reduceJPEG(o.ReduceTo)
	}
	var m *Image
	err = guard(func() (err error) { m, err = decode(data, w.decoded); return err })
	if err != nil {
		return fail(kindOf(err), err)
	}
	if c == codecs.jpeg {
		w.decoded = m
	}
	if m.Width != hdr.width || m.Height != hdr.height {
		return fail(ErrDamaged, fmt.Errorf("header says %d×%d pixels, data %d×%d", hdr.width, hdr.height, m.Width, m.Height))
	}
	if c.metadata != nil && (o.ApplyOrientation || c.upright) {
		m = m.Orient(c.metadata(data).orientation())
	}
	return m, nil
}

// header is what is known of a file before its pixels are decoded.
type header struct {
	width, height int
	// perByte is how many pixels one byte of the file can stand for at the most; 0 when there is no bound.
	perByte float64
}

// plausible refuses a file too short for the pixels it claims, before memory is set aside for them. Small images
// pass in any case: a few hundred bytes of tables are no measure.
func (h header) plausible(n int) error {
	pixels := float64(h.width) * float64(h.height)
	if h.perByte > 0 && pixels > 1<<16 && pixels > h.perByte*float64(n) {
		return fmt.Errorf("%d bytes cannot hold %d×%d pixels", n, h.width, h.height)
	}
	return nil
}

// guard turns a panic inside a decoder into an error: a damaged file must not take the program down.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the decoder failed: %v", p)
		}
	}()
	return f()
}

// decodeConfig adapts a DecodeConfig function.
func decodeConfig(f func(io.Reader) (image.Config, error), data []byte) (header, error) {
	c, err := f(bytes.NewReader(data))
	return header{width: c.Width, height: c.Height}, err
}
