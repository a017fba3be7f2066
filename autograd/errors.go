package autograd

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// ShapeError is the panic value of an operation whose operands do not fit together. It is a
// programming error, so it panics; [Tape.Try] turns it into an error at the edge of a model.
type ShapeError struct {
	Op     string  // the operation, as in "matmul"
	Shapes [][]int // the operands' shapes
	Reason string  // what was expected
}

func (e *ShapeError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "autograd: %s: ", e.Op)
	for i, s := range e.Shapes {
		if i > 0 {
			b.WriteString(" and ")
		}
		fmt.Fprint(&b, s)
	}
	if e.Reason != "" {
		if len(e.Shapes) > 0 {
			b.WriteString(": ")
		}
		b.WriteString(e.Reason)
	}
	return b.String()
}

// UseError is the panic value of a call that is wrong whatever the shapes. Examples are a missing operand, a
// parameter updated between forward and backward, and a layer without the part that a call needs. Others are a
// Tensor used after its tape was reset, after a [Tape.Segment] or [Backward] consumed it, or with a Tensor of
// another tape.
type UseError struct {
	Op     string
	Reason string
}

func (e *UseError) Error() string { return "autograd: " + e.Op + ": " + e.Reason }

// CanceledError is the panic value of a tape whose context ended; [Tape.Try] returns it. It wraps the
// context's cause. A function that reads data within a pass panics with one when it cannot.
type CanceledError struct{ Cause error }

func (e *CanceledError) Error() string { return "autograd: " + e.Cause.Error() }

func (e *CanceledError) Unwrap() error { return e.Cause }

// Try runs f, unless the tape's context has ended, and returns its error. A [ShapeError] or a [CanceledError]
// that f panics with is returned as an error; every other panic continues. The tape is reset afterwards in every
// case, a panic included: values leave it inside f, by copying.
func (t *Tape) Try(f func() error) (err error) {
	defer t.Reset()
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *ShapeError:
			err = r
		case *CanceledError:
			err = r
		default:
			panic(r)
		}
	}()
	t.checkContext()
	return f()
}

// checkContext panics with a CanceledError when the tape's context has ended.
func (t *Tape) checkContext() {
	if t.ctx == nil {
		return
	}
	if t.ctx.Err() != nil {
		cause := context.Cause(t.ctx)
		if cause == nil {
			cause = errors.New("context ended")
		}
		panic(&CanceledError{Cause: cause})
	}
}

func shapePanic(op, reason string, shapes ...[]int) {
	panic(&ShapeError{Op: op, Shapes: shapes, Reason: reason})
}

func usePanic(op, reason string) { panic(&UseError{Op: op, Reason: reason}) }
