package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/models/detect"
	"github.com/fovea-ml/fovea/vision"
)

// A format is how images follow each other on standard input.
type format struct {
	width, height int // of raw images; 0 for JPEG files
}

// mjpeg is the name of JPEG files one after the other.
const mjpeg = "mjpeg"

// maxSide bounds the sides of raw images.
const maxSide = 1 << 14

// parseFormat reads the value of -frames: mjpeg, or width and height of raw RGB images.
func parseFormat(value string) (format, error) {
	if value == mjpeg {
		return format{}, nil
	}
	w, h, ok := strings.Cut(value, "x")
	width, err1 := strconv.Atoi(w)
	height, err2 := strconv.Atoi(h)
	if !ok || err1 != nil || err2 != nil || width < 1 || height < 1 || width > maxSide || height > maxSide {
		return format{}, fmt.Errorf("-frames: expected mjpeg, or the size of raw images such as 640x480, found %q", value)
	}
	return format{width, height}, nil
}

// A badFrame is the error of one image alone: the next one follows it.
type badFrame struct{ error }

// next reads an image. It returns io.EOF when there is none, and a badFrame for one that cannot be decoded. After any other error,
// nothing more can be read.
func (f format) next(r *bufio.Reader) (*vision.Image, error) {
	if f.width == 0 {
		data, err := nextJPEG(r)
		if err != nil {
			return nil, err
		}
		img, err := vision.Decode(bytes.NewReader(data), vision.DecodeOptions{})
		if err != nil {
			return nil, badFrame{err}
		}
		return img, nil
	}
	img := vision.NewImage(f.height, f.width, 3)
	if n, err := io.ReadFull(r, img.Pix); errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("the last frame has %d of %d bytes: is %dx%d its size, in three bytes a pixel?", n, len(img.Pix), f.width, f.height)
	} else if err != nil {
		return nil, err
	}
	return img, nil
}

// maxJPEG bounds the bytes of a frame.
const maxJPEG = 1 << 26

// nextJPEG reads one JPEG file: markers and segments up to the scan, and the scan up to the end marker (ITU-T T.81, annex B).
func nextJPEG(r *bufio.Reader) ([]byte, error) {
	var data []byte
	read := func() (byte, error) {
		b, err := r.ReadByte()
		if err == io.EOF && len(data) > 0 {
			err = fmt.Errorf("the last frame is cut off: %w", io.ErrUnexpectedEOF)
		}
		if data = append(data, b); len(data) > maxJPEG {
			err = fmt.Errorf("a frame of more than %d bytes", maxJPEG)
		}
		return b, err
	}
	if first, err := read(); err == io.EOF {
		return nil, io.EOF
	} else if second, err2 := read(); err != nil || err2 != nil || first != 0xff || second != 0xd8 {
		return nil, errors.New("expected JPEG files one after the other, found other data")
	}
	scan := false // within the data of a scan
	for {
		b, err := read()
		if err != nil {
			return nil, err
		}
		if b != 0xff {
			if !scan {
				return nil, errors.New("a JPEG file without a marker where one is expected")
			}
			continue
		}
		for b == 0xff { // bytes that fill up
			if b, err = read(); err != nil {
				return nil, err
			}
		}
		switch {
		case b == 0xd9:
			return data, nil
		case b == 0 || b == 1 || b >= 0xd0 && b <= 0xd7: // a byte of the scan, or a marker without a segment
			continue
		}
		var size int
		for range 2 {
			if b, err := read(); err != nil {
				return nil, err
			} else {
				size = size<<8 | int(b)
			}
		}
		for range size - 2 {
			if _, err := read(); err != nil {
				return nil, err
			}
		}
		scan = scan || b == 0xda
	}
}

// watch finds the objects in the images on a stream and calls each with the number of an image and its result. An image that cannot
// be decoded has an error for a result, and so has the place where the stream is cut off or is not in the format. It returns the
// number of results.
func watch(ctx context.Context, m *detect.Model, from io.Reader, f format, tracks *tracker, each func(int, *result) error) (int, error) {
	r := bufio.NewReaderSize(from, 1<<16)
	for i := 0; ; i++ {
		if err := context.Cause(ctx); err != nil {
			return i, err
		}
		img, err := f.next(r)
		if err == io.EOF {
			return i, nil
		}
		one := &result{name: fmt.Sprintf("frame-%06d", i), image: img}
		if err != nil {
			one.err = fmt.Errorf("standard input: %s: %w", one.name, err)
		} else {
			found, err := m.Detect(ctx, img)
			if err != nil {
				return i, err
			}
			one.found = found[0]
			if tracks != nil {
				one.tracks = tracks.update(one.found)
			}
		}
		if err := each(i, one); err != nil {
			return i, err
		}
		if err != nil && !errors.As(err, new(badFrame)) {
			return i + 1, nil
		}
	}
}
