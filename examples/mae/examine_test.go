package main

import (
	"context"
	"testing"

	"github.com/fovea-ml/fovea/vision"
)

// TestExamineKeepsWithinBounds counts pictures by what they take: narrow ones that are not made smaller may be
// a thousand times larger than a square one of the model's size.
func TestExamineKeepsWithinBounds(t *testing.T) {
	narrow := vision.NewImage(4, 65536, 3)
	d := &vision.Memory{ClassNames: []string{"narrow"}}
	examined := func(n int) vision.Dataset {
		for d.Len() < n { // all the same one, so that the test itself needs little
			d.Images, d.Labels = append(d.Images, narrow), append(d.Labels, 0)
		}
		got, _, err := examine(context.Background(), d, 32, 2, false)
		if err != nil || got.Len() != n {
			t.Fatalf("%v, %v of %d pictures", err, got, n)
		}
		return got
	}
	if _, ok := examined(1000).(*vision.Memory); !ok {
		t.Error("800 MB of pictures are not kept")
	}
	if _, ok := examined(1500).(*vision.Memory); ok {
		t.Error("1.2 GB of pictures are kept")
	}
}
