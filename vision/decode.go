package vision

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"

	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"
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
	// ApplyOrientation turns and mirrors the pixels as the file's EXIF orientation says. It is off by default,
	// as in Pillow's Image.open; transformers' load_image applies it.
	ApplyOrientation bool
	// Name is the file's name for error messages. DecodeFile sets it.
	Name string
}

// Decode reads a JPEG, PNG, GIF (first frame), WebP (not animated) or BMP image as RGB.
//
// The file is read to the end, at most o.MaxBytes of it. Errors are of type *DecodeError. Memory stays below
// the length of the file plus about 20 bytes a pixel, and files whose length cannot hold the pixels they claim
// are refused before that.
//
// Pixels are those of Pillow's Image.open(file).convert("RGB"), JPEG within three levels, with these exceptions:
// 16-bit grey keeps its high byte, where Pillow turns everything above 255 white; chroma of JPEG files that hold
// YCbCr and black together is repeated; CMYK JPEG files without Adobe's marker, run-length encoded BMP and
// animated WebP are refused with [ErrFormat].
func Decode(r io.Reader, o DecodeOptions) (*Image, error) {
	limit := o.MaxBytes
	if limit <= 0 {
		limit = DefaultMaxBytes
	}
	var buf bytes.Buffer
	if _, err := io.Copy(&buf, io.LimitReader(r, limit+1)); err != nil {
		return nil, &DecodeError{Name: o.Name, Err: err}
	}
	if int64(buf.Len()) > limit {
		return nil, &DecodeError{Name: o.Name, Kind: ErrTooLarge, Err: fmt.Errorf("more than %d bytes", limit)}
	}
	return DecodeBytes(buf.Bytes(), o)
}

// DecodeFile decodes the named file of fsys; see [Decode]. Symbolic links are followed where fsys follows them.
func DecodeFile(fsys fs.FS, name string, o DecodeOptions) (*Image, error) {
	o.Name = name
	f, err := fsys.Open(name)
	if err != nil {
		return nil, &DecodeError{Name: name, Err: err}
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.IsDir() {
		return nil, &DecodeError{Name: name, Err: errors.New("is a directory, expected an image file")}
	}
	return Decode(f, o)
}

// DecodeBytes is [Decode] for a file that is already in memory. It keeps no reference to data.
func DecodeBytes(data []byte, o DecodeOptions) (*Image, error) {
	c, problem := identify(data)
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
	// Sides are checked first so that their product cannot overflow.
	if hdr.width > limit || hdr.height > limit || int64(hdr.width)*int64(hdr.height) > int64(limit) {
		return fail(ErrTooLarge, fmt.Errorf("%d×%d pixels, the limit is %d", hdr.width, hdr.height, limit))
	}
	if err := hdr.plausible(len(data)); err != nil {
		return fail(ErrDamaged, err)
	}
	var m *Image
	err = guard(func() (err error) { m, err = c.decode(data); return err })
	if err != nil {
		return fail(kindOf(err), err)
	}
	if m.Width != hdr.width || m.Height != hdr.height {
		return fail(ErrDamaged, fmt.Errorf("header says %d×%d pixels, data %d×%d", hdr.width, hdr.height, m.Width, m.Height))
	}
	if o.ApplyOrientation && c.exif != nil {
		m = m.Orient(exifOrientation(c.exif(data)))
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

// codec is one file format.
type codec struct {
	name   string
	header func([]byte) (header, error)
	decode func([]byte) (*Image, error)
	exif   func([]byte) []byte // the TIFF block of the EXIF data, nil when there is none
}

var codecs = struct{ jpeg, png, gif, webp, bmp *codec }{
	jpeg: &codec{"jpeg", jpegHeader, func(b []byte) (*Image, error) {
		m, err := jpeg.Decode(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		return fromImage(m), nil
	}, jpegEXIF},
	png: &codec{"png", pngHeader, func(b []byte) (*Image, error) {
		m, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		return fromImage(m), nil
	}, pngEXIF},
	gif: &codec{"gif", gifHeader, decodeGIF, nil},
	webp: &codec{"webp", webpHeader, func(b []byte) (*Image, error) {
		m, err := webp.Decode(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		return fromWebP(m), nil
	}, webpEXIF},
	bmp: &codec{"bmp", bmpHeader, func(b []byte) (*Image, error) {
		m, err := bmp.Decode(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		return fromImage(m), nil
	}, nil},
}

// identify returns the codec for data, or what the data seems to be instead.
func identify(data []byte) (*codec, error) {
	at := func(o int, s string) bool { return len(data) >= o+len(s) && string(data[o:o+len(s)]) == s }
	switch {
	case len(data) == 0:
		return nil, errors.New("the file is empty")
	case at(0, "\xff\xd8\xff"):
		return codecs.jpeg, nil
	case at(0, "\x89PNG\r\n\x1a\n"):
		return codecs.png, nil
	case at(0, "GIF87a"), at(0, "GIF89a"):
		return codecs.gif, nil
	case at(0, "RIFF") && at(8, "WEBP"):
		return codecs.webp, nil
	case at(0, "BM"):
		return codecs.bmp, nil
	}
	const want = "expected JPEG, PNG, GIF, WebP or BMP"
	for _, k := range []struct {
		offset      int
		magic, name string
	}{
		{4, "ftypavif", "an AVIF image"}, {4, "ftypavis", "an AVIF sequence"},
		{4, "ftyphei", "a HEIC image"}, {4, "ftyphev", "a HEIC sequence"},
		{4, "ftypmif1", "a HEIF image"}, {4, "ftypmsf1", "a HEIF sequence"},
		{4, "ftyp", "an MP4 or similar video"},
		{0, "II*\x00", "a TIFF image"}, {0, "MM\x00*", "a TIFF image"},
		{0, "\x00\x00\x00\x0cJXL ", "a JPEG XL image"}, {0, "\xff\x0a", "a JPEG XL image"},
		{0, "\x00\x00\x00\x0cjP  ", "a JPEG 2000 image"}, {0, "\xff\x4f\xff\x51", "a JPEG 2000 image"},
		{0, "%PDF", "a PDF document"}, {0, "8BPS", "a Photoshop document"},
		{0, "\x00\x00\x01\x00", "an icon"}, {0, "<svg", "an SVG drawing"}, {0, "<?xml", "an XML document"},
		{0, "<!DOCTYPE", "an HTML page"}, {0, "<html", "an HTML page"},
		{0, "version https://git-lfs", "a Git LFS pointer, not the file it stands for"},
	} {
		if at(k.offset, k.magic) {
			return nil, fmt.Errorf("found %s, %s", k.name, want)
		}
	}
	return nil, fmt.Errorf("file begins with %q, %s", data[:min(len(data), 8)], want)
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

// kindOf sorts a decoder's error into unsupported features and damage.
func kindOf(err error) error {
	var j jpeg.UnsupportedError
	var p png.UnsupportedError
	switch {
	case errors.Is(err, ErrFormat), errors.As(err, &j), errors.As(err, &p), errors.Is(err, bmp.ErrUnsupported):
		return ErrFormat
	case errors.Is(err, ErrTooLarge):
		return ErrTooLarge
	}
	return ErrDamaged
}

// decodeConfig adapts a DecodeConfig function.
func decodeConfig(f func(io.Reader) (image.Config, error), data []byte) (header, error) {
	c, err := f(bytes.NewReader(data))
	return header{width: c.Width, height: c.Height}, err
}

// decodeGIF reads the first frame onto a canvas of the file's size. Around a smaller frame the canvas has the
// transparent colour when there is one and colour 0 otherwise, as in Pillow.
func decodeGIF(data []byte) (*Image, error) {
	m, err := gif.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	p, ok := m.(*image.Paletted)
	if !ok {
		return fromImage(m), nil
	}
	f, err := gifFirstFrame(data)
	if err != nil {
		return nil, err
	}
	out := NewImage(f.width, f.height, 3)
	fill := f.colour(f.transparent)
	for i := 0; i < len(out.Pix); i += 3 {
		copy(out.Pix[i:i+3], fill[:])
	}
	b := p.Rect.Intersect(out.Bounds())
	for y := b.Min.Y; y < b.Max.Y; y++ {
		s := p.Pix[p.PixOffset(b.Min.X, y):][:b.Dx()]
		d := out.row(y)[3*b.Min.X:]
		for i, v := range s {
			c := f.colour(int(v))
			d[3*i], d[3*i+1], d[3*i+2] = c[0], c[1], c[2]
		}
	}
	return out, nil
}
