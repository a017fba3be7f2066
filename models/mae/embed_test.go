package mae

import (
	"context"
	"errors"
	"image"
	"image/color"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/models/vit"
)

// TestEmbed gives the features of the Vision Transformer that begins with the same encoder. Masking plays no part.
func TestEmbed(t *testing.T) {
	m, _ := load(t, "tiny")
	images := make([]image.Image, 20)
	for i := range images {
		img := image.NewGray(image.Rect(0, 0, 30, 20+i))
		img.SetGray(i, i, color.Gray{Y: 255})
		images[i] = img
	}
	found, err := m.Embed(context.Background(), images...)
	if err != nil {
		t.Fatal(err)
	}
	want, err := m.Classifier([]string{"a"}, ClassifierOptions{}, rand.New(rand.NewPCG(1, 2))).Embed(context.Background(), images...)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, found); d != "" || len(found) != 20 || len(found[0]) != 32 {
		t.Error(d)
	}
	mean, err := m.Classifier([]string{"a"}, ClassifierOptions{Pooling: vit.NormMeanPooling}, rand.New(rand.NewPCG(1, 2))).Embed(context.Background(), images[0])
	if err != nil || cmp.Equal(mean[0], found[0]) {
		t.Errorf("the mean of the patches is the class token: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.Embed(ctx, images...); !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "mae: ") {
		t.Errorf("canceled: found %v", err)
	}
}
