package console

import (
	"context"
	"fmt"
	"io"
)

// Execute does a run and prints its results. do gets a Console whose lines go to stdout. With asJSON they go to stderr,
// and the value that do returns goes to stdout as JSON. After an interrupt, the error ends with the text of
// [Console.Resume].
func Execute(ctx context.Context, asJSON bool, stdout, stderr io.Writer, do func(c *Console) (any, error)) error {
	lines := stdout
	if asJSON {
		lines = stderr
	}
	c := New(lines)
	result, err := do(c)
	switch {
	case err != nil && c.resume != "" && Interrupted(ctx, err):
		return fmt.Errorf("%w; %s", err, c.resume)
	case err == nil && asJSON:
		return PrintJSON(stdout, result)
	}
	return err
}

// Resume says how to continue a run after an interrupt, for [Execute]: "continue with -resume -out DIR". A program calls it
// as soon as its run can be continued.
func (c *Console) Resume(format string, args ...any) { c.resume = fmt.Sprintf(format, args...) }
