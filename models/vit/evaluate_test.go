package vit

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/vision"
)

// painted is a data set of n images of noise, of two classes.
func painted(n int) *vision.Memory {
	rng := rand.New(rand.NewPCG(1, 2))
	d := &vision.Memory{ClassNames: []string{"cat", "dog"}}
	for i := range n {
		m := vision.NewImage(12+i%5, 20, 3)
		for k := range m.Pix {
			m.Pix[k] = uint8(rng.IntN(256))
		}
		d.Images = append(d.Images, m)
		d.Labels = append(d.Labels, i%2)
	}
	return d
}

// TestEvaluate counts what Classify answers, image by image.
func TestEvaluate(t *testing.T) {
	m, err := Open("testdata/tiny", LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	data := painted(37)
	m.NewHead(data.Classes(), rand.New(rand.NewPCG(3, 4)))
	confusion, err := m.Evaluate(context.Background(), data)
	if err != nil {
		t.Fatal(err)
	}
	var want [2][2]int
	for i, img := range data.Images {
		p, err := m.Classify(context.Background(), img)
		if err != nil {
			t.Fatal(err)
		}
		want[data.Labels[i]][p[0].Top[0].Index]++
	}
	for label := range 2 {
		for predicted := range 2 {
			if got := confusion.Count(label, predicted); got != want[label][predicted] {
				t.Errorf("label %d, predicted %d: expected %d, found %d", label, predicted, want[label][predicted], got)
			}
		}
	}
	if confusion.Total() != 37 || want[0][0]+want[1][0] == 0 || want[0][0]+want[1][0] == 37 {
		t.Errorf("expected 37 images and both answers, found %v", want)
	}
}

func TestEvaluateRefuses(t *testing.T) {
	m, err := Open("testdata/tiny", LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Evaluate(context.Background(), painted(2)); err == nil || !strings.Contains(err.Error(), "the data set has 2 classes, the head") {
		t.Errorf("another number of classes: found %v", err)
	}
	m.NewHead([]string{"cat", "dog"}, rand.New(rand.NewPCG(3, 4)))
	data := painted(2)
	m.NewHead([]string{data.Classes()[1], data.Classes()[0]}, rand.New(rand.NewPCG(3, 4)))
	if _, err := m.Evaluate(context.Background(), data); err == nil || !strings.Contains(err.Error(), "which is class 1 of the model") {
		t.Errorf("classes in another order: found %v", err)
	}
	m.NewHead([]string{"n01440764", "n01443537"}, rand.New(rand.NewPCG(3, 4))) // other names tell nothing
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.Evaluate(ctx, painted(2)); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: found %v", err)
	}
	if _, err := m.Evaluate(context.Background(), painted(0)); !errors.Is(err, vision.ErrNoImages) {
		t.Errorf("no images: found %v", err)
	}
	m.Head = nil
	if _, err := m.Evaluate(context.Background(), painted(2)); err == nil || !strings.Contains(err.Error(), "no classifier") {
		t.Errorf("no classifier: found %v", err)
	}
}

// TestEmbedDataset gives the embeddings of Embed.
func TestEmbedDataset(t *testing.T) {
	m, err := Open("testdata/tiny", LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	data := painted(37)
	found, err := m.EmbedDataset(context.Background(), data)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != len(data.Images) {
		t.Fatalf("expected %d embeddings, found %d", len(data.Images), len(found))
	}
	for i, img := range data.Images {
		want, err := m.Embed(context.Background(), img)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(found[i], want[0]) {
			t.Errorf("image %d: another embedding than that of Embed", i)
		}
	}
}
