package vision

import (
	"fmt"
	"io"
	"io/fs"
)

const (
	// DefaultMaxPixels is the number of pixels above which Pillow raises an error about a decompression bomb: 512 MiB
	// as RGB.
	DefaultMaxPixels = 178_956_970
	// DefaultMaxBytes bounds the number of bytes read.
	DefaultMaxBytes = 512 << 20
)

// DecodeOptions says how a file is decoded. The zero value reads ordinary photographs.
type DecodeOptions struct {
	// MaxPixels rejects larger images before memory is set aside for them; 0 means DefaultMaxPixels.
	MaxPixels int
	// MaxBytes rejects longer files; 0 means DefaultMaxBytes.
	MaxBytes int64
	// ApplyOrientation turns and mirrors the pixels by the orientation in the file's EXIF data, or in its XMP data
	// where EXIF has none. It is off by default, as in Pillow's Image.open; transformers' load_image applies it. (TIFF
	// files are always turned, by both libraries and here.)
	ApplyOrientation bool
	// ReduceTo, where it is not 0, decodes a JPEG file at a half, a quarter or an eighth of its size, rounded up. It
	// takes the smallest size whose sides both have at least ReduceTo pixels. This costs a fraction of the time, and
	// gives the pixels of Pillow's draft mode.
	//
	// Resizing the reduced image gives different pixels from resizing the whole one, on which models were trained. In a
	// photograph full of detail, colors differ by 4 levels on average where the resize halves the reduced image, and by
	// 1 where it takes a quarter. Other formats are decoded whole.
	ReduceTo int
	// Alpha keeps the alpha of a PNG file that is not opaque everywhere: the image then has four channels. It also sets
	// Image.Storage. A Preprocess says what a model does with both. Without Alpha, and in other formats, alpha is dropped.
	Alpha bool
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
// The file is read to the end, up to o.MaxBytes. Errors are of type *DecodeError. Memory stays below the length of the
// file plus about 20 bytes per pixel. A file that is too short for the pixels it claims is rejected before that. For a
// registered format, the size that its DecodeConfig finds is compared with o.MaxPixels before its Decode is called.
//
// Pixels are those of Pillow's Image.open(file).convert("RGB"), with these exceptions:
//
//   - 16-bit gray keeps its high byte. Pillow, and so transformers' load_image, turns everything above 255 of 65535
//     white.
//   - JPEG whose coded data is corrupted, or ends before the first scan of each color, is rejected with [ErrCorrupt].
//     libjpeg paints the missing part gray. Lossless JPEG is rejected with [ErrFormat].
//   - BigTIFF is rejected with [ErrFormat], and so is TIFF of YCbCr, CIE Lab, floating-point samples, samples of 12 or
//     32 bits, 16-bit gray where 0 is white, or with JPEG, Zstandard, LZMA or WebP inside. The error names the feature.
//   - TIFF without compression, of 16-bit samples in separate planes, has the pixels that it has with compression. Pillow
//     takes every byte for a sample.
//   - PNG whose chunks of pixels do not match their checksums is rejected with [ErrCorrupt]. Pillow does not compare them.
//
// Where Pillow forgives what does not concern pixels, so does Decode: a missing end, bytes between blocks, a GIF frame
// that leaves the screen, a palette too many. Where Pillow rejects a file about which nothing is unclear, Decode may read
// it.
func Decode(r io.Reader, o DecodeOptions) (*Image, error) {
	return new(workspace).decode(r, 0, o)
}

// DecodeFile decodes the named file of fsys; see [Decode]. Symbolic links are followed where fsys follows them. A name that
// is no regular file gives an error that matches [ErrNotRegular], without waiting for a writer as opening a named pipe
// would.
func DecodeFile(fsys fs.FS, name string, o DecodeOptions) (*Image, error) {
	return new(workspace).decodeFile(fsys, name, o)
}

// DecodeBytes is [Decode] for a file that is already in memory. It keeps no reference to data.
func DecodeBytes(data []byte, o DecodeOptions) (*Image, error) {
	return new(workspace).decodeBytes(data, o)
}

// The path of a file through this package: decodeFile opens it, decode reads its bytes, decodeBytes finds the codec,
// checks the header, decodes the pixels, and turns them upright.

// decodeFile is DecodeFile in the workspace.
func (w *workspace) decodeFile(fsys fs.FS, name string, o DecodeOptions) (*Image, error) {
	o.Name = name
	f, st, err := openRegular(fsys, name)
	if err != nil {
		return nil, &DecodeError{Name: name, Err: err}
	}
	defer f.Close()
	return w.decode(f, st.Size(), o)
}

// decode is Decode in the workspace; size is the expected length of the file, 0 if unknown.
func (w *workspace) decode(r io.Reader, size int64, o DecodeOptions) (*Image, error) {
	limit := o.MaxBytes
	if limit <= 0 {
		limit = DefaultMaxBytes
	}
	data, err := readAll(w.file, io.LimitReader(r, limit+1), min(size, limit))
	w.file = data
	if err != nil {
		return nil, &DecodeError{Name: o.Name, Err: err}
	}
	if int64(len(data)) > limit {
		return nil, &DecodeError{Name: o.Name, Kind: ErrTooLarge, Err: fmt.Errorf("more than %d bytes", limit)}
	}
	return w.decodeBytes(data, o)
}

// decodeBytes is DecodeBytes in the workspace.
func (w *workspace) decodeBytes(data []byte, o DecodeOptions) (*Image, error) {
	c, err := codecOf(data)
	if err != nil {
		return nil, &DecodeError{Name: o.Name, Kind: ErrFormat, Err: err}
	}
	fail := func(kind, err error) (*Image, error) {
		return nil, &DecodeError{Name: o.Name, Format: c.name, Kind: kind, Err: err}
	}

	var h header
	if err := guard(func() (err error) { h, err = c.header(data); return err }); err != nil {
		return fail(kindOf(err), err)
	}
	if kind, err := h.check(len(data), o.MaxPixels); err != nil {
		return fail(kind, err)
	}

	decode := c.decode
	if c == codecs.jpeg {
		eighths := h.reduceJPEG(o.ReduceTo)
		decode = func(data []byte) (*Image, error) { return decodeJPEG(data, eighths, w.decoded) }
	}
	if c == codecs.png && o.Alpha {
		decode = func(data []byte) (*Image, error) { return decodePNGAs(data, fromImageAlpha) }
	}
	var m *Image
	err = guard(func() (err error) { m, err = decode(data); return err })
	if err != nil {
		return fail(kindOf(err), err)
	}
	if m.Width != h.width || m.Height != h.height {
		return fail(ErrCorrupt, fmt.Errorf("header says %d×%d pixels, data %d×%d", h.width, h.height, m.Width, m.Height))
	}
	if c == codecs.jpeg {
		w.decoded = m
	}

	if c.metadata != nil && (o.ApplyOrientation || c.upright) {
		m = m.Orient(c.metadata(data).orientation())
	}
	if o.Alpha && c.storage != nil {
		m.Storage = c.storage(data)
	}
	return m, nil
}

// header is the part of a file that is read before its pixels are decoded.
type header struct {
	width, height int
	// perByte is the largest number of pixels that one byte of the file can encode; 0 when there is no bound.
	perByte float64
}

// check rejects a size that is empty or above the limit, and a file too short for its pixels, before memory is set
// aside for them. Small images always pass: in a few hundred bytes, tables outweigh pixels.
func (h header) check(fileBytes, limit int) (kind, err error) {
	if limit <= 0 {
		limit = DefaultMaxPixels
	}
	pixels := float64(h.width) * float64(h.height)
	switch {
	case h.width <= 0 || h.height <= 0:
		return ErrCorrupt, fmt.Errorf("%d×%d pixels", h.width, h.height)
	case h.width > limit/h.height: // a product could overflow
		return ErrTooLarge, fmt.Errorf("%d×%d pixels, the limit is %d", h.width, h.height, limit)
	case h.perByte > 0 && pixels > 1<<16 && pixels > h.perByte*float64(fileBytes):
		return ErrCorrupt, fmt.Errorf("%d bytes cannot hold %d×%d pixels", fileBytes, h.width, h.height)
	}
	return nil, nil
}

// guard turns a panic inside a decoder into an error: a corrupted file must not take the program down.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the decoder failed: %v", p)
		}
	}()
	return f()
}

// readAll reads r to the end into buf[:0], which grows as data arrives. The size that a file system claims sets aside a
// mebibyte at most.
func readAll(buf []byte, r io.Reader, size int64) ([]byte, error) {
	buf = buf[:0]
	if n := max(min(size, 1<<20)+1, 1<<15); int64(cap(buf)) < n {
		buf = make([]byte, 0, n)
	}
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return buf, err
		case len(buf) == cap(buf):
			grown := make([]byte, len(buf), max(2*int64(cap(buf)), min(size+1, 8*int64(cap(buf)))))
			copy(grown, buf)
			buf = grown
		}
	}
}
