// Package console is how the example programs speak to people and to other programs: lines, progress, the one
// line that says what went wrong, the exit status, Ctrl-C, and JSON.
//
// A program of one file needs three things of it: [UntilSignal] for a context that ends at Ctrl-C, [Exit] for
// how the program ended, and a [Console] for lines and progress in between. With -json, its lines go to the
// standard error stream and [PrintJSON] writes the one value to standard output.
package console

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// A Console shows lines, and how far a phase has come: as a bar on a terminal and as a line now and then
// elsewhere.
type Console struct {
	out io.Writer // lines
	bar io.Writer // bars; nil when there is no terminal to draw them on
}

// New returns a Console that writes lines to out and draws bars on the standard error stream when that is a
// terminal.
func New(out io.Writer) *Console {
	c := &Console{out: out}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		c.bar = os.Stderr
	}
	return c
}

// Plain returns a Console that never draws a bar.
func Plain(out io.Writer) *Console { return &Console{out: out} }

// Line writes a line.
func (c *Console) Line(format string, args ...any) {
	fmt.Fprintf(c.out, format+"\n", args...)
}
