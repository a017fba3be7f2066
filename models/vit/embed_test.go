package vit

import (
	"context"
	"errors"
	"image"
	"image/color"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/vision"
)

// dots returns n different images of different sizes.
func dots(n int) []image.Image {
	images := make([]image.Image, n)
	for i := range images {
		m := image.NewGray(image.Rect(0, 0, 20+i, 30))
		for y := range 30 {
			m.SetGray(i%20, y, color.Gray{Y: uint8(10 * i)})
		}
		images[i] = m
	}
	return images
}

// TestEmbed gives each image of several batches the features of its own pixels, also without a head.
func TestEmbed(t *testing.T) {
	m, _ := load(t, "tiny")
	images := dots(35)
	var want [][]float32
	for _, img := range images {
		pixels, _, _, err := m.Preprocess.Pixels(nil, nil, img)
		if err != nil {
			t.Fatal(err)
		}
		x := autograd.NewTape(autograd.Options{}).Input(pixels, 1, 3, 24, 24)
		want = append(want, m.Pooled(x).Floats(nil))
	}
	for range 2 {
		found, err := m.Embed(context.Background(), images...)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, found); d != "" {
			t.Error(d)
		}
		m.Head = nil
	}
	if slices.Equal(want[0], want[1]) {
		t.Error("the images have the same features")
	}
	if found, err := m.Embed(context.Background()); err != nil || len(found) != 0 {
		t.Errorf("no images: found %v, %v", found, err)
	}
}

// TestEmbedErrors ends with the context, names an image without pixels, and refuses pixels that are not the model's.
func TestEmbedErrors(t *testing.T) {
	m, _ := load(t, "tiny")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.Embed(ctx, dots(1)...); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: found %v", err)
	}
	empty := append(dots(18), image.NewGray(image.Rectangle{}))
	one := (*vision.BatchError)(nil)
	if _, err := m.Embed(context.Background(), empty...); !errors.As(err, &one) || one.Index != 18 || !strings.HasPrefix(err.Error(), "vit: ") {
		t.Errorf("no pixels: found %v", err)
	}
	m.Preprocess.Gray = true
	if _, err := m.Embed(context.Background(), dots(1)...); err == nil || !strings.Contains(err.Error(), "1 channels") {
		t.Errorf("gray: found %v", err)
	}
	m.Preprocess = vision.Half(20)
	if _, err := m.Embed(context.Background(), dots(1)...); err == nil || !strings.Contains(err.Error(), "multiples of the patch size 8") {
		t.Errorf("another size: found %v", err)
	}
}
