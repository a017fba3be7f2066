package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/vision"
)

// slow is a data set with one image that takes long to open. It calls opened when that starts.
type slow struct {
	vision.Dataset
	opened func()
}

func (d slow) Open(i int) (*vision.Image, error) {
	if i == 5 {
		d.opened()
		time.Sleep(200 * time.Millisecond)
	}
	return d.Dataset.Open(i)
}

// TestInterruptedWhileReading interrupts a run that waits for an image.
func TestInterruptedWhileReading(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	r := tinyRun(t.TempDir())
	r.images.train = slow{r.images.train, func() { cancel(console.ErrInterrupted) }}
	var stdout, stderr bytes.Buffer
	if status := exitStatus(ctx, r, &stdout, &stderr); status != console.StatusInterrupted {
		t.Errorf("exit status %d, expected %d", status, console.StatusInterrupted)
	}
	if text := stderr.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "-resume -out "+r.settings.Out) {
		t.Errorf("expected one line with the command to continue, found %q", text)
	}
}

// TestInterruptedBeforeTraining interrupts a run before it has anything to resume.
func TestInterruptedBeforeTraining(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(console.ErrInterrupted)
	r := tinyRun(t.TempDir())
	r.images, r.settings.Data = nil, folder(t, 4, "cats", "dogs")
	var stdout, stderr bytes.Buffer
	if status := exitStatus(ctx, r, &stdout, &stderr); status != console.StatusInterrupted {
		t.Errorf("exit status %d, expected %d", status, console.StatusInterrupted)
	}
	if text := stderr.String(); text != "mae: interrupted\n" {
		t.Errorf("expected one line without a command to continue, found %q", text)
	}
}
