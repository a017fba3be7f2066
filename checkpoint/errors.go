package checkpoint

import (
	"fmt"
	"strings"
)

// A FormatError reports a file that breaks the rules of its format: cut short, contradictory, or of another format
// altogether. errors.As tells it from an error of the operating system and from a [MismatchError].
type FormatError struct {
	File   string // as given to Open
	Tensor string // "" when the fault is not in one tensor
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

// A MismatchError reports a file whose tensors do not match the model. It lists every difference that [Load] found. No
// parameter of the model was changed.
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
