package vision

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"strings"
)

// codec is one file format.
type codec struct {
	name     string
	header   func([]byte) (header, error)
	decode   func([]byte) (*Image, error) // nil for JPEG: decodeJPEG has more parameters
	metadata func([]byte) metadata        // nil for a format without
	storage  func([]byte) Storage         // nil for a format of StoredPixels
	upright  bool                         // the orientation is always applied, as in Pillow
}

var codecs = struct{ jpeg, png, gif, webp, bmp, tiff *codec }{
	jpeg: &codec{name: "jpeg", header: jpegHeader, metadata: jpegMetadata},
	png:  &codec{name: "png", header: pngHeader, decode: decodePNG, metadata: pngMetadata, storage: pngStorage},
	gif:  &codec{name: "gif", header: gifHeader, decode: decodeGIF, storage: gifStorage},
	webp: &codec{name: "webp", header: webpHeader, decode: decodeWebP, metadata: webpMetadata},
	bmp:  &codec{name: "bmp", header: bmpHeader, decode: decodeBMP, storage: bmpStorage},
	tiff: &codec{name: "tiff", header: tiffHeader, decode: decodeTIFF, metadata: tiffMetadata, storage: tiffStorage, upright: true},
}

// decodeBy adapts a Decode function.
func decodeBy(decode func(io.Reader) (image.Image, error)) func([]byte) (*Image, error) {
	return func(data []byte) (*Image, error) {
		m, err := decode(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		return FromImage(m)
	}
}

// headerBy calls a DecodeConfig function.
func headerBy(decodeConfig func(io.Reader) (image.Config, error), data []byte) (header, error) {
	c, err := decodeConfig(bytes.NewReader(data))
	return header{width: c.Width, height: c.Height}, err
}

// codecOf returns the codec for data. Where there is none, the error says what the data seems to be.
func codecOf(data []byte) (*codec, error) {
	c, err := identify(data)
	if c == nil {
		c = registered(data)
	}
	if c == nil {
		return nil, err
	}
	return c, nil
}

// identify returns the codec of this package for data, or an error that says what the data seems to be.
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
	case at(0, "II*\x00"), at(0, "MM\x00*"), at(0, "II\x00*"), at(0, "MM*\x00"):
		return codecs.tiff, nil
	case at(4, "ftyp"):
		return nil, errors.New("found " + ftypName(data))
	}
	const want = "expected JPEG, PNG, GIF, WebP, BMP or TIFF"
	for _, k := range []struct{ magic, name string }{
		{"\x00\x00\x00\x0cJXL ", "a JPEG XL image"}, {"\xff\x0a", "a JPEG XL image"},
		{"\x00\x00\x00\x0cjP  ", "a JPEG 2000 image"}, {"\xff\x4f\xff\x51", "a JPEG 2000 image"},
		{"II+\x00", "a BigTIFF image"}, {"MM\x00+", "a BigTIFF image"},
		{"%PDF", "a PDF document"}, {"8BPS", "a Photoshop document"},
		{"\x00\x00\x01\x00", "an icon"}, {"<svg", "an SVG drawing"}, {"<?xml", "an XML document"},
		{"<!DOCTYPE", "an HTML page"}, {"<html", "an HTML page"},
		{"version https://git-lfs", "a Git LFS pointer, not the file it stands for"},
	} {
		if at(0, k.magic) {
			return nil, fmt.Errorf("found %s, %s", k.name, want)
		}
	}
	return nil, fmt.Errorf("file begins with %q, %s", data[:min(len(data), 8)], want)
}

// registered returns a codec for a format that the program has registered with the image package, or nil.
func registered(data []byte) *codec {
	c := &codec{name: "registered format", decode: decodeBy(func(r io.Reader) (image.Image, error) {
		m, _, err := image.Decode(r)
		return m, err
	})}
	var config image.Config
	err := guard(func() (err error) {
		var name string
		if config, name, err = image.DecodeConfig(bytes.NewReader(data)); name != "" {
			c.name = name
		}
		return err
	})
	if errors.Is(err, image.ErrFormat) {
		return nil
	}
	c.header = func([]byte) (header, error) { return header{width: config.Width, height: config.Height}, err }
	return c
}

// ftypName names the kind of an ISO media file, by the brands in its first box, and the package that would read it.
func ftypName(data []byte) string {
	n := min(uint64(binary.BigEndian.Uint32(data)), uint64(len(data)), 256)
	brands := string(data[8:max(n, 8)])
	name := "a HEIF image"
	switch {
	case strings.HasPrefix(brands, "hei"):
		name = "a HEIC image"
	case strings.HasPrefix(brands, "hev"):
		name = "a HEIC sequence"
	case strings.Contains(brands, "avif"), strings.Contains(brands, "avis"):
		return `an AVIF image, read by programs that import _ "github.com/gen2brain/avif"`
	case strings.Contains(brands, "heic"), strings.Contains(brands, "mif1"), strings.Contains(brands, "msf1"):
	default:
		return "an MP4 or similar video, expected an image"
	}
	return name + `, read by programs that import _ "github.com/gen2brain/heic"`
}

// kindOf returns the kind of a decoder's error: unsupported features, too large, or corrupted.
func kindOf(err error) error {
	var p png.UnsupportedError
	switch {
	case errors.Is(err, ErrFormat), unsupportedJPEG(err), errors.As(err, &p):
		return ErrFormat
	case errors.Is(err, ErrTooLarge):
		return ErrTooLarge
	}
	return ErrCorrupt
}
