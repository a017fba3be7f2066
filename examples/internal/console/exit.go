package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"unicode"
)

// Exit statuses. That of success is 0.
const (
	StatusError       = 1
	StatusInterrupted = 130 // what a shell reports of a program ended by Ctrl-C
)

// ErrInterrupted is the end of a program that is told to stop.
var ErrInterrupted = errors.New("interrupted")

// UntilSignal returns a context that ends, with ErrInterrupted as its cause, at Ctrl-C or when the program is
// told to end. The second time, the program ends at once. The returned function lets go of the signals.
func UntilSignal() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	done := make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for range 2 {
			select {
			case <-signals:
				if ctx.Err() != nil {
					os.Exit(StatusInterrupted)
				}
				cancel(ErrInterrupted)
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}

// Interrupted says whether err comes of ctx having been told to stop. Some code reports the end of the context
// and not its cause; that counts.
func Interrupted(ctx context.Context, err error) bool {
	return errors.Is(err, ErrInterrupted) || errors.Is(err, context.Canceled) && errors.Is(context.Cause(ctx), ErrInterrupted)
}

// Exit returns the exit status of a program that ended with err, after writing it to stderr as one line that
// begins with the program's name.
func Exit(ctx context.Context, stderr io.Writer, program string, err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "%s: %s\n", program, OneLine(err))
	if Interrupted(ctx, err) {
		return StatusInterrupted
	}
	return StatusError
}

// OneLine is an error's text without line breaks and characters that would steer a terminal.
func OneLine(err error) string {
	parts := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' })
	for i, p := range parts {
		parts[i] = strings.TrimSpace(p)
	}
	return Printable(strings.Join(parts, "; "))
}

// Printable is text from a file or its name as a terminal may see it: characters that would steer the terminal are
// replaced.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}
