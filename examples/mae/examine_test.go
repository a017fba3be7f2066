package main

import (
	"context"
	"testing"

	"github.com/fovea-ml/fovea/vision"
)

// TestExamineKeepsWithinBounds checks that the memory bound counts bytes, not images. A narrow image is not reduced and
// may be a thousand times larger than a square one.
func TestExamineKeepsWithinBounds(t *testing.T) {
	narrow := vision.NewImage(65536, 4, 3)
	d := &vision.Memory{ClassNames: []string{"narrow"}}
	examined := func(n int) vision.Dataset {
		for d.Len() < n { // always the same image, so that the test itself needs little memory
			d.Images, d.Labels = append(d.Images, narrow), append(d.Labels, 0)
		}
		got, _, err := examine(context.Background(), d, 32, 2, false)
		if err != nil || got.Len() != n {
			t.Fatalf("%v, %v of %d images", err, got, n)
		}
		return got
	}
	if _, ok := examined(1000).(*vision.Memory); !ok {
		t.Error("800 MB of images are not kept")
	}
	if _, ok := examined(1500).(*vision.Memory); ok {
		t.Error("1.2 GB of images are kept")
	}
}
