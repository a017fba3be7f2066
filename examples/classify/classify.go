package main

import (
	"context"
	"fmt"
	"image"
	"slices"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/describe"
	"github.com/fovea-ml/fovea/examples/internal/fetch"
	"github.com/fovea-ml/fovea/examples/internal/photo"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/vision"
)

// load loads the model that -model names, and checks that it is a classifier.
func load(ctx context.Context, name string, out *console.Console) (*vit.Model, error) {
	m, err := fetch.Open(ctx, name, out, vit.Open)
	if err != nil {
		return nil, err
	}
	switch {
	case m.Head == nil:
		return nil, fmt.Errorf("-model %s: the model has no classifier", name)
	case m.Config.NumChannels != m.Preprocess.Channels():
		return nil, fmt.Errorf("-model %s: the model takes images with %d channels, and its preprocessing gives %d", name, m.Config.NumChannels, m.Preprocess.Channels())
	}
	if m.PreprocessAssumed {
		out.Line("%s", describe.Assumed(&m.Preprocess))
	}
	return m, nil
}

// result is the prediction for an image file, or the error that the file caused.
type result struct {
	name string
	vit.Prediction
	err error
}

// batchSize is the number of images that the model classifies in one pass.
const batchSize = 16

// classifyFiles classifies image files and calls f with each result, in the order of names.
func classifyFiles(ctx context.Context, m *vit.Model, names []string, f func(*result) error) error {
	size := batchSize
	if _, _, fixed := m.Preprocess.FixedSize(); !fixed {
		size = 1 // all images of a pass have the same size
	}
	for chunk := range slices.Chunk(names, size) {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		results := make([]result, len(chunk))
		images := make([]*vision.Image, len(chunk))
		m.Workers.For(len(chunk), func(i int) {
			results[i].name = chunk[i]
			images[i], results[i].err = photo.Read(chunk[i])
		})
		if err := classify(ctx, m, images, results); err != nil {
			return err
		}
		for i := range results {
			if err := f(&results[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// classify fills in the predictions of the readable images, in one pass. If the model rejects one of them, each image
// is classified alone. A model rejects, for example, an image that is ten thousand times as wide as it is high.
func classify(ctx context.Context, m *vit.Model, images []*vision.Image, results []result) error {
	var readable []int
	var batch []image.Image
	for i, img := range images {
		if results[i].err == nil {
			readable, batch = append(readable, i), append(batch, img)
		}
	}
	predictions, err := m.Classify(ctx, batch...)
	if err == nil {
		for k, i := range readable {
			results[i].Prediction = predictions[k]
		}
		return nil
	}
	for k, i := range readable {
		one, err := m.Classify(ctx, batch[k])
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			results[i].err = fmt.Errorf("%s: %w", results[i].name, err)
		default:
			results[i].Prediction = one[0]
		}
	}
	return nil
}
