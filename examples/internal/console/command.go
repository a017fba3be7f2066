package console

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
)

// Run runs a program and returns its exit status.
//
// parse reads the flags. run does the work; its context ends at Ctrl-C. An error of either is printed to stderr as one
// line that starts with the program's name. After -h the status is 0.
func Run[S any](program string, args []string, stdout, stderr io.Writer,
	parse func(args []string, stderr io.Writer) (S, error),
	run func(ctx context.Context, settings S, stdout, stderr io.Writer) error) int {
	settings, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return Exit(context.Background(), stderr, program, err)
	}
	ctx, stop := UntilSignal()
	defer stop()
	return Exit(ctx, stderr, program, run(ctx, settings, stdout, stderr))
}

// ParseFlags parses args. For -h it prints about and the flags to stderr and returns [flag.ErrHelp]. The text of any
// other error mentions -h.
func ParseFlags(f *flag.FlagSet, args []string, stderr io.Writer, about string) error {
	f.SetOutput(io.Discard)
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(stderr, "%s\n\n", about)
		f.SetOutput(stderr)
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
