package console

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"
)

// Run runs a program and returns its exit status.
//
// parse reads the flags. run does the work; its context ends at Ctrl-C. An error of either is printed to stderr as one
// line that starts with the program's name. After -h the status is 0. What cannot be written to stdout is an error too,
// although run may not look at the errors of its writes.
func Run[S any](program string, args []string, stdout, stderr io.Writer,
	parse func(args []string, stdout io.Writer) (S, error),
	run func(ctx context.Context, settings S, stdout, stderr io.Writer) error) int {
	out := &output{to: stdout}
	settings, err := parse(args, out)
	if errors.Is(err, flag.ErrHelp) {
		err = out.Err()
		return Exit(context.Background(), stderr, program, err)
	}
	if err != nil {
		return Exit(context.Background(), stderr, program, err)
	}
	ctx, stop := UntilSignal()
	defer stop()
	if err = run(ctx, settings, out, stderr); err == nil {
		err = out.Err()
	}
	return Exit(ctx, stderr, program, err)
}

// An output keeps the first error of a write to standard output. It is safe for concurrent use where to is.
type output struct {
	to    io.Writer
	mutex sync.Mutex
	err   error
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.to.Write(b)
	if err != nil {
		o.mutex.Lock()
		defer o.mutex.Unlock()
		if o.err == nil {
			o.err = err
		}
	}
	return n, err
}

// Err returns the error of the first write that failed.
func (o *output) Err() error {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if o.err != nil {
		return fmt.Errorf("standard output: %w", o.err)
	}
	return nil
}

// OnTerminal reports whether w, such as the stdout that [Run] passes on, is a terminal.
func OnTerminal(w io.Writer) bool {
	if o, ok := w.(*output); ok {
		w = o.to
	}
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// ParseFlags parses args. For -h it prints about and the flags to stdout and returns [flag.ErrHelp]. The text of any
// other error mentions -h.
func ParseFlags(f *flag.FlagSet, args []string, stdout io.Writer, about string) error {
	f.SetOutput(io.Discard)
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(stdout, "%s\n\n", about)
		f.SetOutput(stdout)
		f.PrintDefaults()
		return err
	case err != nil:
		return fmt.Errorf("%w; -h lists the flags", err)
	}
	return nil
}

// maxThreads is far above any useful number of threads. Each one costs memory.
const maxThreads = 4096

// CheckThreads checks the value of -threads: 0 for all cores, or a number of threads.
func CheckThreads(n int) error {
	if n < 0 || n > maxThreads {
		return fmt.Errorf("-threads: expected 0 to %d, found %d", maxThreads, n)
	}
	return nil
}
