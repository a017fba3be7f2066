package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Format is the common name of a file format.
type Format string

// The formats that can be read.
const (
	Safetensors Format = "safetensors"
	Torch       Format = "PyTorch"        // the zip archives of torch.save and of TorchScript
	TorchLegacy Format = "PyTorch legacy" // the pickles of torch.save before 1.6
	NumPy       Format = "NumPy"          // the zip archives of numpy.savez
)

// formatOf tells the format of a file by its first bytes; "" is an unknown one. Archives of NumPy start like those of
// PyTorch. No PyTorch file starts like a
// safetensors file. The ninth byte of a zip archive is the number of a compression method, never '{'. The length in
// front of a header is below 2³².
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

// of fills f from its only source. The first bytes decide the format, not the name.
func (f *File) of(src *source, opts OpenOptions) (*File, error) {
	var err error
	var c *torchContents
	var inflated []*source
	data := src.data
	switch src.format = formatOf(data); {
	case src.format == Safetensors:
		err = f.ofSafetensors(src, opts)
	case src.format == Torch:
		if c, inflated, err = parseTorchZip(src, opts.Root); c != nil && c.arrays {
			src.format = NumPy
		}
	case src.format == TorchLegacy:
		c, err = parseTorchLegacy(src, opts.Root)
	case bytes.HasPrefix(data, []byte("version https://git-lfs")):
		err = formatErrorf(src.name, "", "found a Git LFS pointer instead of the file: fetch the file with git lfs pull")
	default:
		// It is not a PyTorch file. The safetensors parser says why it is not one of its own either.
		if err = f.ofSafetensors(src, opts); err != nil {
			err = formatErrorf(src.name, "", "%w; it does not start like a PyTorch file either", errors.Unwrap(err))
		}
	}
	if c != nil {
		f.tensors, f.metadata, f.root, f.roots = c.tensors, c.metadata, c.root, c.roots
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
		err = formatErrorf(src.name, "", "expected a PyTorch file to look for the root %q in, found safetensors, which has no roots", opts.Root)
	}
	return err
}
