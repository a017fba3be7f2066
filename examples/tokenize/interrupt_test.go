package main

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/text"
)

// TestInterrupt ends waiting for standard input and counting of files at once.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(console.ErrInterrupted)
	never, w := io.Pipe()
	defer w.Close()
	if _, err := readAll(ctx, never); !errors.Is(err, console.ErrInterrupted) {
		t.Errorf("found %v", err)
	}
	tok, err := text.Parse([]byte(byteLevel))
	if err != nil {
		t.Fatal(err)
	}
	// -lines looks at the context at every line.
	if _, err := countText(ctx, tok, "hi\nhi", true); !errors.Is(err, console.ErrInterrupted) {
		t.Errorf("found %v", err)
	}
}
