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

// slow is a data set with one picture that takes its time, at whose beginning it calls opened.
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

// TestInterruptedWhileReading stops a run that waits for a picture.
func TestInterruptedWhileReading(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	r := tinyRun(t.TempDir())
	r.pictures.train = slow{r.pictures.train, func() { cancel(console.ErrInterrupted) }}
	var stdout, stderr bytes.Buffer
	if status := execute(ctx, r, &stdout, &stderr); status != console.StatusInterrupted {
		t.Errorf("exit status %d, expected %d", status, console.StatusInterrupted)
	}
	if text := stderr.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "-resume -out "+r.settings.Out) {
		t.Errorf("expected one line that says how to continue, found %q", text)
	}
}

// TestInterruptedBeforeTraining stops a run that has nothing to continue yet.
func TestInterruptedBeforeTraining(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(console.ErrInterrupted)
	r := tinyRun(t.TempDir())
	r.pictures, r.settings.Data = nil, folder(t, 4, "cats", "dogs")
	var stdout, stderr bytes.Buffer
	if status := execute(ctx, r, &stdout, &stderr); status != console.StatusInterrupted {
		t.Errorf("exit status %d, expected %d", status, console.StatusInterrupted)
	}
	if text := stderr.String(); text != "mae: interrupted\n" {
		t.Errorf("expected that the run was interrupted and nothing to continue, found %q", text)
	}
}
