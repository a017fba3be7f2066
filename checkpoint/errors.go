package checkpoint

import (
	"fmt"
	"strings"
)

// A FormatError reports a file that is not what its format promises: cut short, contradictory, or not of
// this format at all. errors.As tells it from an operating system's error and from a [MismatchError].
type FormatError struct {
	File   string // as given to Open
	Tensor string // empty when the fault is the file's own
	Err    error  // what was expected and what was found
}

func (e *FormatError) Error() string {
	if e.Tensor != "" {
		return fmt.Sprintf("checkpoint: %s: tensor %q: %v", e.File, e.Tensor, e.Err)
	}
	return fmt.Sprintf("checkpoint: %s: %v", e.File, e.Err)
}

func (e *FormatError) Unwrap() error { return e.Err }

func formatErrorf(file, tensor, format string, args ...any) error {
	return &FormatError{File: file, Tensor: tensor, Err: fmt.Errorf(format, args...)}
}

// A MismatchError reports a file whose tensors are not those of the model. It holds every difference
// that [Load] found, not only the first; none of the model's parameters was changed.
type MismatchError struct {
	File string
	Report
}

func (e *MismatchError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "checkpoint: %s does not fit the model: %d missing, %d unexpected, %d of another shape or type",
		e.File, len(e.Missing), len(e.Unexpected), len(e.Misfits))
	for _, m := range e.Missing {
		fmt.Fprintf(&b, "\n\tmissing: %s", m)
	}
	for _, name := range e.Unexpected {
		fmt.Fprintf(&b, "\n\tunexpected: %q", name)
	}
	for _, m := range e.Misfits {
		fmt.Fprintf(&b, "\n\t%s", m)
	}
	return b.String()
}
