package vision

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fovea-ml/fovea/internal/printable"
)

// Kinds of failure, for errors.Is.
var (
	// ErrFormat: the format, or a feature of it, is unknown or unsupported.
	ErrFormat = errors.New("unknown or unsupported image format")
	// ErrCorrupt: the data ends early or contradicts itself.
	ErrCorrupt = errors.New("corrupted or truncated image")
	// ErrTooLarge: more pixels or bytes than the limit in force.
	ErrTooLarge = errors.New("image too large")
	// ErrSize: an image, a requested size or a source box has no pixels, contradicts itself, or leaves the image.
	ErrSize = errors.New("invalid image size")
)

// DecodeError reports an image that could not be read. errors.Is finds its kind ([ErrFormat], [ErrCorrupt],
// [ErrTooLarge], or an error of the reader or file system) and errors.As this type.
type DecodeError struct {
	Name   string // the file, "" when unknown
	Format string // "jpeg", "png", "gif", "webp", "bmp", "tiff", a registered format's name, or "" where none is known
	Kind   error  // ErrFormat, ErrCorrupt, ErrTooLarge, or nil when reading itself failed
	Err    error  // the detail
}

func (e *DecodeError) Error() string {
	s := "vision: "
	if e.Name != "" {
		s += printable.Name(e.Name) + ": "
	}
	if e.Format != "" {
		s += e.Format + ": "
	}
	if e.Kind == nil {
		return s + e.Err.Error()
	}
	if e.Err == nil {
		return s + e.Kind.Error()
	}
	return fmt.Sprintf("%s%v: %v", s, e.Kind, e.Err)
}

// Unwrap returns the kind and the cause.
func (e *DecodeError) Unwrap() []error {
	var errs []error
	if e.Kind != nil {
		errs = append(errs, e.Kind)
	}
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	return errs
}

// BatchError reports an image of a batch that could not be prepared.
type BatchError struct {
	Index int // its position in the batch
	Err   error
}

func (e *BatchError) Error() string {
	return fmt.Sprintf("vision: image %d: %s", e.Index, strings.TrimPrefix(e.Err.Error(), "vision: "))
}

// Unwrap returns the cause.
func (e *BatchError) Unwrap() error { return e.Err }
