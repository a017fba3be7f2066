package clip

import (
	"context"
	"fmt"
	"image"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

// TestConcurrent asks one model from 64 goroutines at once: each answer has the bits that it has alone, also within a
// batch and with another number of workers.
func TestConcurrent(t *testing.T) {
	m, _ := load(t, "tiny")
	ctx := context.Background()
	const n = 64
	images, words := make([]image.Image, n), make([]string, n)
	alone, said := make([][]float32, n), make([][]float32, n)
	for i := range n {
		img := vision.NewImage(10+i, 50-i/2, 3)
		for k := range img.Pix {
			img.Pix[k] = uint8(k * (i + 3))
		}
		images[i], words[i] = img, fmt.Sprintf("photo %d of the cat %*s", i, i%7, "dog")
		x, err := m.EncodeImages(ctx, img)
		if err != nil {
			t.Fatal(err)
		}
		y, err := m.EncodeTexts(ctx, words[i])
		if err != nil {
			t.Fatal(err)
		}
		alone[i], said[i] = x[0], y[0]
	}
	classifier, err := m.Classifier(ctx, []string{"cat", "dog"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			x, err := m.EncodeImages(ctx, images[i])
			if err != nil || !slices.Equal(x[0], alone[i]) {
				t.Errorf("image %d: other bits, %v", i, err)
			}
			y, err := m.EncodeTexts(ctx, words[i])
			if err != nil || !slices.Equal(y[0], said[i]) {
				t.Errorf("text %d: other bits, %v", i, err)
			}
			if _, err := classifier.Classify(ctx, images[i]); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, workers := range []*simd.Workers{nil, simd.NewWorkers(3)} {
		m.Workers = workers
		x, err := m.EncodeImages(ctx, images...)
		if err != nil {
			t.Fatal(err)
		}
		y, err := m.EncodeTexts(ctx, words...)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if !slices.Equal(x[i], alone[i]) || !slices.Equal(y[i], said[i]) {
				t.Errorf("%d in a batch: other bits", i)
			}
		}
	}
}

// TestConcurrentTowers does the same for images in the other towers, which fold layers and resize positions for
// inference.
func TestConcurrentTowers(t *testing.T) {
	for _, name := range []string{"resnet", "siglip", "naflex"} {
		t.Run(name, func(t *testing.T) {
			m, err := Load(os.DirFS("testdata/"+name), LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			images := make([]image.Image, 64)
			for i := range images {
				img := vision.NewImage(1+i%20, 1+i%7, 3)
				for k := range img.Pix {
					img.Pix[k] = uint8(k * (i + 3))
				}
				images[i] = img
			}
			got := make([][]float32, len(images))
			var group sync.WaitGroup
			for i, img := range images {
				group.Go(func() {
					x, err := m.EncodeImages(context.Background(), img)
					if err != nil {
						t.Error(err)
						return
					}
					got[i] = x[0]
				})
			}
			group.Wait()
			m.Workers = nil
			want, err := m.EncodeImages(context.Background(), images...)
			if err != nil || !slices.EqualFunc(got, want, slices.Equal) {
				t.Errorf("%v, or other bits in a batch than at once", err)
			}
		})
	}
}

// TestCanceled ends calls by their context, and the model stays usable.
func TestCanceled(t *testing.T) {
	m, _ := load(t, "tiny")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.EncodeImages(ctx, vision.NewImage(8, 8, 3)); err == nil {
		t.Error("a canceled call encoded images")
	}
	if _, err := m.EncodeTexts(ctx, "cat"); err == nil {
		t.Error("a canceled call encoded texts")
	}
	if _, err := m.EncodeTexts(context.Background(), "cat"); err != nil {
		t.Error(err)
	}
}
