package clip_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/models/clip"
	"github.com/fovea-ml/fovea/vision"
)

// shades is a data set of n noisy images, whose classes differ in brightness.
func shades(seed uint64, n, classes int) *vision.Memory {
	rng := rand.New(rand.NewPCG(seed, 1))
	d := &vision.Memory{}
	for i := range classes {
		d.ClassNames = append(d.ClassNames, fmt.Sprint("shade ", i))
	}
	for i := range n {
		m := vision.NewImage(20, 24, 3)
		for k := range m.Pix {
			m.Pix[k] = uint8(i%classes*200/classes + rng.IntN(80))
		}
		d.Images, d.Labels = append(d.Images, m), append(d.Labels, i%classes)
	}
	return d
}

func tiny(t testing.TB) *clip.Model {
	t.Helper()
	m, err := clip.Open("testdata/tiny", clip.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestFeatures compares the features of a data set with those of single images.
func TestFeatures(t *testing.T) {
	m, d := tiny(t), shades(1, 40, 4)
	d.Images[5] = &vision.Image{Width: 3, Height: 3, Channels: 3} // no pixels
	if _, err := m.Features(t.Context(), d, clip.FeatureOptions{}); err == nil {
		t.Error("an image without pixels is no error")
	}
	batches := []int{}
	f, err := m.Features(t.Context(), d, clip.FeatureOptions{OnError: data.SkipErrors, OnBatch: func(done int) { batches = append(batches, done) }})
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Skipped) != 1 || f.Skipped[0].Index != 5 || len(f.Labels) != 39 || f.Indices[5] != 6 || f.Labels[5] != 2 || !slices.Equal(batches, []int{31, 39}) {
		t.Errorf("%d labels, skipped %v, batches %d", len(f.Labels), f.Skipped, batches)
	}
	one, err := m.EncodeImages(t.Context(), d.Images[6])
	if err != nil || !slices.Equal(one[0], f.Embeddings[5]) {
		t.Errorf("%v: the embedding of an image alone is another", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Features(ctx, d, clip.FeatureOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if _, err := m.Features(t.Context(), &vision.Memory{}, clip.FeatureOptions{}); !errors.Is(err, vision.ErrNoImages) {
		t.Errorf("no images: %v", err)
	}
}

// TestLinear chooses a penalty by validation, and classifies images as their features.
func TestLinear(t *testing.T) {
	m := tiny(t)
	known, err := m.Features(t.Context(), shades(1, 80, 4), clip.FeatureOptions{})
	if err != nil {
		t.Fatal(err)
	}
	test := shades(2, 40, 4)
	asked, err := m.Features(t.Context(), test, clip.FeatureOptions{})
	if err != nil {
		t.Fatal(err)
	}
	linear, err := known.Linear(t.Context(), clip.LinearOptions{})
	if err != nil {
		t.Fatal(err)
	}
	logits := linear.Regression.Logits(asked.Tower)
	if a := metrics.Accuracy(logits, asked.Labels); a < 0.9 || len(linear.Trials) == 0 {
		t.Errorf("accuracy %v with C %v of %v", a, linear.C, linear.Trials)
	}
	images := make([]image.Image, len(test.Images))
	for i, m := range test.Images {
		images[i] = m
	}
	predictions, err := linear.Classify(t.Context(), images...)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range predictions {
		if row := logits[4*i : 4*i+4]; !slices.Equal(p.Logits, row) || p.Top[0].Index != metrics.Argmax(row) {
			t.Errorf("image %d: %v, expected the logits %v", i, p, row)
		}
	}
	again, err := known.Linear(t.Context(), clip.LinearOptions{C: linear.C})
	if err != nil || !slices.Equal(again.Regression.Weight, linear.Regression.Weight) || again.Trials != nil {
		t.Errorf("%v: with the same C the weights are others", err)
	}
	if _, err := known.Linear(t.Context(), clip.LinearOptions{Validation: asked}); err != nil {
		t.Error(err)
	}
	if _, err := known.Subset([]int{0, 1, 2}).Linear(t.Context(), clip.LinearOptions{}); err == nil {
		t.Error("one image a class leaves none for validation")
	}
}

// A linear probe labels images with the classes of a data set.
func ExampleFeatures_Linear() {
	model, err := clip.Open("testdata/tiny", clip.LoadOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	features, err := model.Features(ctx, shades(1, 60, 3), clip.FeatureOptions{}) // vision.OpenDir for a folder of classes
	if err != nil {
		fmt.Println(err)
		return
	}
	linear, err := features.Linear(ctx, clip.LinearOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	predictions, err := linear.Classify(ctx, shades(2, 3, 3).Images[2])
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(predictions[0].Top[0].Label)
	// Output: shade 2
}
