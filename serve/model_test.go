package serve_test

import (
	"context"
	"image"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/serve"
)

// noise returns images of random sizes and pixels.
func noise(n int) []image.Image {
	rng := rand.New(rand.NewPCG(1, 1))
	images := make([]image.Image, n)
	for i := range images {
		m := image.NewGray(image.Rect(0, 0, 8+rng.IntN(40), 8+rng.IntN(40)))
		for j := range m.Pix {
			m.Pix[j] = byte(rng.Uint32())
		}
		images[i] = m
	}
	return images
}

// TestModel checks that 64 goroutines get the bits of single calls, and that an image without pixels fails alone.
func TestModel(t *testing.T) {
	model, err := vit.Open("../models/vit/testdata/tiny", vit.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	images := noise(64)
	want := make([][]float32, len(images))
	for i, img := range images {
		one, err := model.Embed(t.Context(), img)
		if err != nil {
			t.Fatal(err)
		}
		want[i] = one[0]
	}
	b := serve.New(func(ctx context.Context, images []image.Image) ([][]float32, error) {
		return model.Embed(ctx, images...)
	}, serve.Options{})
	var wg sync.WaitGroup
	for i, img := range images {
		wg.Go(func() {
			if i%20 == 7 {
				if _, err := b.Do(t.Context(), image.NewGray(image.Rectangle{})); err == nil {
					t.Errorf("image %d: no error without pixels", i)
				}
			}
			got, err := b.Do(t.Context(), img)
			if err != nil || !slices.Equal(got, want[i]) {
				t.Errorf("image %d: %v, or other bits than a single call", i, err)
			}
		})
	}
	wg.Wait()
	b.Close()
}
