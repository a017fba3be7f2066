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

// Exit statuses. Success is 0.
const (
	StatusError       = 1
	StatusInterrupted = 130 // the status that shells report after Ctrl-C
)

// ErrInterrupted is the cause of a context that ended at Ctrl-C or SIGTERM.
var ErrInterrupted = errors.New("interrupted")

// UntilSignal returns a context that ends at Ctrl-C or SIGTERM, with ErrInterrupted as its cause. A second signal
// ends the program at once. The returned function releases the signals.
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

// Interrupted reports whether err comes from an interrupt of ctx. Some code returns the context's error instead of its
// cause; that counts too.
func Interrupted(ctx context.Context, err error) bool {
	return errors.Is(err, ErrInterrupted) || errors.Is(err, context.Canceled) && errors.Is(context.Cause(ctx), ErrInterrupted)
}

// Exit returns the exit status for err, which may be nil. It first prints err to stderr as one line that starts with
// the program's name. After an interrupt the line says "interrupted", also where err has the context's own text.
func Exit(ctx context.Context, stderr io.Writer, program string, err error) int {
	if err == nil {
		return 0
	}
	text, status := OneLine(err), StatusError
	if Interrupted(ctx, err) {
		text, status = strings.ReplaceAll(text, context.Canceled.Error(), ErrInterrupted.Error()), StatusInterrupted
	}
	fmt.Fprintf(stderr, "%s: %s\n", program, text)
	return status
}

// OneLine returns an error's text without line breaks and terminal control characters.
func OneLine(err error) string {
	parts := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' })
	for i, p := range parts {
		parts[i] = strings.TrimSpace(p)
	}
	return Printable(strings.Join(parts, "; "))
}

// Printable replaces control characters, so that text from a file cannot control the terminal.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}
