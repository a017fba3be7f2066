package jpeg

import (
	"errors"
	"fmt"
)

// Kinds of failure, for errors.Is. Every error of this package is one of them.
var (
	// ErrUnsupported: the file uses a feature of the format that is not read.
	ErrUnsupported = errors.New("unsupported JPEG feature")
	// ErrCorrupt: the file ends early or contradicts itself.
	ErrCorrupt = errors.New("corrupted JPEG data")
	// ErrTooMuchWork: a progressive file passes over its pixels more often than any encoder has reason to.
	ErrTooMuchWork = errors.New("too many JPEG scans")
)

func unsupported(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrUnsupported)
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrCorrupt)
}
