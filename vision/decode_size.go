package vision

import (
	"fmt"
	"io"
	"io/fs"
)

// DecodeSize returns the size of the image that [DecodeFile] returns for the same file and options, from the header of the
// file. No pixels are decoded, so a file whose pixels are corrupted has a size too. Of ordinary JPEG and PNG files, the first
// 64 KiB are read. Errors are those of DecodeFile.
func DecodeSize(fsys fs.FS, name string, o DecodeOptions) (height, width int, err error) {
	f, st, err := openRegular(fsys, name)
	if err != nil {
		return 0, 0, &DecodeError{Name: name, Err: err}
	}
	defer f.Close()
	limit := o.MaxBytes
	if limit <= 0 {
		limit = DefaultMaxBytes
	}
	const first = 64 << 10
	data, err := readAll(nil, io.LimitReader(f, first), min(st.Size(), first))
	if err == nil && len(data) == first && !headerWithin(data, o) {
		var rest []byte
		rest, err = readAll(nil, io.LimitReader(f, limit+1-first), min(st.Size()-first, limit))
		data = append(data, rest...)
	}
	if err != nil {
		return 0, 0, &DecodeError{Name: name, Err: err}
	}
	if max(int64(len(data)), st.Size()) > limit {
		return 0, 0, &DecodeError{Name: name, Kind: ErrTooLarge, Err: fmt.Errorf("more than %d bytes", limit)}
	}
	c, err := codecOf(data)
	if err != nil {
		return 0, 0, &DecodeError{Name: name, Kind: ErrFormat, Err: err}
	}
	var h header
	err = guard(func() (err error) { h, err = c.header(data); return err })
	kind := kindOf(err)
	if err == nil {
		kind, err = h.check(max(len(data), int(min(st.Size(), limit))), o.MaxPixels)
	}
	if err != nil {
		return 0, 0, &DecodeError{Name: name, Format: c.name, Kind: kind, Err: err}
	}
	if c == codecs.jpeg {
		h.reduceJPEG(o.ReduceTo)
	}
	if c.metadata != nil && (o.ApplyOrientation || c.upright) && c.metadata(data).orientation() >= 5 {
		h.height, h.width = h.width, h.height
	}
	return h.height, h.width, nil
}

// headerWithin reports whether the first bytes of a file hold all that decides about its size.
func headerWithin(data []byte, o DecodeOptions) bool {
	c, _ := identify(data)
	switch c {
	case codecs.jpeg:
		pixels := false
		jpegSegments(data, func(marker byte, _ []byte) bool {
			pixels = marker == 0xda
			return !pixels
		})
		return pixels // they follow the header and the metadata
	case codecs.png:
		return !o.ApplyOrientation // metadata may follow the pixels
	}
	return false
}
