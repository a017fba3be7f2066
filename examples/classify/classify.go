package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/describe"
	"github.com/fovea-ml/fovea/examples/internal/fetch"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/vision"
)

// load loads the model that -model names. It must be a classifier unless something else is asked of it.
func load(ctx context.Context, s settings, out *console.Console) (*vit.Model, error) {
	m, err := fetch.Open(ctx, s.Model, out, vit.Open)
	if err != nil {
		return nil, err
	}
	switch {
	case m.Head == nil && !s.more():
		return nil, fmt.Errorf("-model %s: the model has no classifier; -neighbors, -attention and -pca do not need one", s.Model)
	case m.Config.NumChannels != m.Preprocess.Channels():
		return nil, fmt.Errorf("-model %s: the model takes images with %d channels, and its preprocessing gives %d", s.Model, m.Config.NumChannels, m.Preprocess.Channels())
	}
	if m.PreprocessAssumed {
		out.Line("%s", describe.Assumed(&m.Preprocess))
	}
	return m, nil
}

// result holds the prediction for an image file, or the error that the file caused.
type result struct {
	name string
	vit.Prediction
	near []neighbor // with -neighbors, the most similar first
	vote string     // the class of most of them, where the folder has classes
	err  error
}

// batchSize is the number of images that the model takes in one pass.
const batchSize = 16

// A step does something with images, and writes into their results.
type step func(ctx context.Context, images []image.Image, results []*result) error

// eachFile reads image files, takes the readable ones through the steps, and calls f with each result, in the order of
// names.
func eachFile(ctx context.Context, m *vit.Model, names []string, read func(name string) (*vision.Image, error), steps []step, f func(*result) error) error {
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
			images[i], results[i].err = read(chunk[i])
		})
		for _, s := range steps {
			if err := s.run(ctx, images, results); err != nil {
				return err
			}
		}
		for i := range results {
			if err := f(&results[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// run takes the images without an error through a step, all in one pass. If the model rejects one of them, each image
// goes alone. A model rejects, for example, an image that is ten thousand times as wide as it is high.
func (s step) run(ctx context.Context, images []*vision.Image, results []result) error {
	var batch []image.Image
	var good []*result
	for i, img := range images {
		if results[i].err == nil {
			batch, good = append(batch, img), append(good, &results[i])
		}
	}
	if len(good) == 0 {
		return nil
	}
	err := s(ctx, batch, good)
	if err == nil || errors.As(err, new(fatal)) {
		return err
	}
	for k, r := range good {
		err := s(ctx, batch[k:k+1], good[k:k+1])
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, new(fatal)):
			return err
		case err != nil:
			r.err = fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return nil
}

// fatal is an error that no image caused, such as a full disk. It ends the run.
type fatal struct{ error }

// classify is the step that fills in the predictions.
func classify(m *vit.Model) step {
	return func(ctx context.Context, images []image.Image, results []*result) error {
		predictions, err := m.Classify(ctx, images...)
		if err != nil {
			return err
		}
		for i, p := range predictions {
			results[i].Prediction = p
		}
		return nil
	}
}
