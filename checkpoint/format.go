package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Format is a file format, as people call it.
type Format string

// The formats that can be read.
const (
	Safetensors Format = "safetensors"
	Torch       Format = "PyTorch"        // the zip archives of torch.save and of TorchScript
	TorchLegacy Format = "PyTorch legacy" // the pickles of torch.save before 1.6
)

// formatOf tells the format of a file by its first bytes; "" is none of them. No file of PyTorch starts as one of
// safetensors does: at the ninth byte a zip archive has the number of a method of compression, and the length in front
// of a header is below 2³².
func formatOf(head []byte) Format {
	switch {
	case len(head) > prefixSize && head[prefixSize] == '{' && binary.LittleEndian.Uint64(head) <= maxHeader:
		return Safetensors
	case bytes.HasPrefix(head, []byte(zipMagic)):
		return Torch
	case len(head) > 1 && head[0] == 0x80 && head[1] <= 5: // a pickle names its protocol first
		return TorchLegacy
	}
	return ""
}

// of fills f from its only source, in the format that its first bytes show, whatever the file is called.
func (f *File) of(src *source, opts OpenOptions) (*File, error) {
	var err error
	var inflated []*source
	data := src.data
	switch format := formatOf(data); {
	case format == Safetensors:
		err = f.ofSafetensors(src, opts)
	case format == Torch:
		f.tensors, f.metadata, inflated, err = parseTorchZip(src, opts.Root)
	case format == TorchLegacy:
		f.tensors, f.metadata, err = parseTorchLegacy(src, opts.Root)
	case bytes.HasPrefix(data, []byte("version https://git-lfs")):
		err = formatErrorf(src.name, "", "found a pointer of Git LFS, which stands for the file: fetch the file with git lfs pull")
	default:
		// Whatever it is, it is not of PyTorch; the parser says why it is not the other either.
		if err = f.ofSafetensors(src, opts); err != nil {
			err = formatErrorf(src.name, "", "%w; it does not start as a file of PyTorch either", errors.Unwrap(err))
		}
	}
	f.sources = append(inflated, src)
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (f *File) ofSafetensors(src *source, opts OpenOptions) (err error) {
	if f.tensors, f.metadata, err = parseSafetensors(src); err == nil && len(opts.Root) > 0 {
		err = formatErrorf(src.name, "", "expected a file of PyTorch to look for the root %q in, found safetensors, which has none", opts.Root)
	}
	return err
}
