// Package console is the command line of the example programs:
//
//	func main() {
//		os.Exit(console.Run("prog", os.Args[1:], os.Stdout, os.Stderr, parse, run))
//	}
//
//	func run(ctx context.Context, s settings, stdout, stderr io.Writer) error {
//		c := console.New(stderr)
//		progress := c.Phase("reading", console.Files, int64(len(s.Files)))
//		defer progress.End()
//		...
//		return console.PrintJSON(stdout, results)
//	}
//
// [Run] and [ParseFlags] handle flags, Ctrl-C, the error message and the exit status. A [Console] prints lines and
// shows progress. With -json, a program prints these to standard error, and [PrintJSON] writes one value to standard
// output. [Execute] does this for runs that are trained for long, and tells how to continue after Ctrl-C.
package console

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// A Console prints lines and shows the progress of a phase: as a bar on a terminal, elsewhere as occasional lines.
type Console struct {
	out   io.Writer  // lines
	bar   io.Writer  // bars; nil without a terminal
	width func() int // of the terminal in columns; 0 or nil: unknown

	resume string // how to continue after an interrupt; "" if that is impossible
}

// New returns a Console that prints lines to out. It draws bars on standard error if that is a terminal.
func New(out io.Writer) *Console {
	c := &Console{out: out}
	if fd := int(os.Stderr.Fd()); term.IsTerminal(fd) {
		c.bar = os.Stderr
		c.width = func() int {
			width, _, err := term.GetSize(fd)
			if err != nil {
				return 0
			}
			return width
		}
	}
	return c
}

// Plain returns a Console that never draws a bar.
func Plain(out io.Writer) *Console { return &Console{out: out} }

// Line prints a line.
func (c *Console) Line(format string, args ...any) {
	fmt.Fprintf(c.out, format+"\n", args...)
}
