package main

import (
	"context"
	"io"
	"testing"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/vision"
)

// TestBaseline fits logistic regression to pixels: of few and many, and of one image in each class.
func TestBaseline(t *testing.T) {
	d := dots(48)
	train, test, err := vision.Split(d, 0.25, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name       string
		size, each int // side of the images, and labels in each class
		least      float64
	}{
		{"16 pixels", 16, 4, 0.9},
		{"64 pixels, reduced", 64, 4, 0.9},
		{"one label in each class", 16, 1, 0.5},
	} {
		r := &run{settings: settings{Labels: 4, Threads: 2}, console: console.Plain(io.Discard)}
		r.images = &images{train: train, labeled: perClass(train, c.each, 1), test: test}
		accuracy, err := r.baseline(context.Background(), vision.Half(c.size))
		if err != nil || accuracy < c.least {
			t.Errorf("%s: accuracy %v, expected at least %v, error %v", c.name, accuracy, c.least, err)
		}
	}
}
