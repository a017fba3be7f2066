package train

import (
	"fmt"
)

// A NonFiniteError reports a loss or a gradient that is not finite. The parameters are as they were
// before the step.
type NonFiniteError struct {
	Record Record
	Err    error // what OnNonFinite returned, if anything
}

func (e *NonFiniteError) Error() string {
	what := fmt.Sprintf("the loss is %v", e.Record.Loss)
	if finite(e.Record.Loss) {
		what = fmt.Sprintf("the norm of the gradient is %v (loss %v)", e.Record.GradNorm, e.Record.Loss)
	}
	s := fmt.Sprintf("train: step %d of %d: %s at learning rate %v", e.Record.Step, e.Record.Steps, what, e.Record.LR)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *NonFiniteError) Unwrap() error { return e.Err }
