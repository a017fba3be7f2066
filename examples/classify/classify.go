package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/fetch"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/vision"
)

// load reads the model that -model names: a file of weights, a folder, or a model on the hub, which is fetched.
func load(ctx context.Context, name string, out *console.Console) (*vit.Model, error) {
	var o vit.LoadOptions
	dir := filepath.Dir(name)
	if info, err := os.Stat(name); err == nil && !info.IsDir() {
		o.File = filepath.Base(name)
	} else if dir, err = fetch.Model(ctx, name, out); err != nil {
		return nil, fmt.Errorf("-model: %w", err)
	}
	m, err := vit.Load(os.DirFS(dir), o)
	if err != nil {
		return nil, fmt.Errorf("-model %s: %w", name, err)
	}
	switch {
	case m.Head == nil:
		return nil, fmt.Errorf("-model %s: the model has no classifier", name)
	case m.Config.NumChannels != 3:
		return nil, fmt.Errorf("-model %s: the model takes pictures of %d channels, expected 3", name, m.Config.NumChannels)
	}
	if _, err := vision.LoadPreprocess(os.DirFS(dir)); errors.Is(err, fs.ErrNotExist) {
		out.Line("no preprocessor_config.json beside the weights: pictures are prepared with mean %v and deviation %v", m.Preprocess.Mean, m.Preprocess.Std)
	}
	return m, nil
}

// picture is a file and what the model makes of it, or why it cannot be read.
type picture struct {
	name string
	vit.Prediction
	err error
}

// atOnce is how many pictures are read and classified together: what the model takes in one pass.
const atOnce = 16

// each classifies pictures and calls f with every one, in their order.
func each(ctx context.Context, m *vit.Model, names []string, f func(*picture) error) error {
	batch := atOnce
	if _, _, fixed := m.Preprocess.FixedSize(); !fixed {
		batch = 1 // one pass takes pictures of one size
	}
	for some := range slices.Chunk(names, batch) {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		found := make([]picture, len(some))
		images := make([]*vision.Image, len(some))
		m.Workers.For(len(some), func(i int) {
			found[i].name = some[i]
			images[i], found[i].err = read(some[i])
		})
		if err := classify(ctx, m, images, found); err != nil {
			return err
		}
		for i := range found {
			if err := f(&found[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// classify fills in the predictions of the pictures that could be read, in one pass. When the model refuses one, such
// as a picture ten thousand times as long as it is high, the others go through alone.
func classify(ctx context.Context, m *vit.Model, images []*vision.Image, found []picture) error {
	var good []int
	var batch []image.Image
	for i, img := range images {
		if found[i].err == nil {
			good, batch = append(good, i), append(batch, img)
		}
	}
	predictions, err := m.Classify(ctx, batch...)
	if err == nil {
		for k, i := range good {
			found[i].Prediction = predictions[k]
		}
		return nil
	}
	for k, i := range good {
		one, err := m.Classify(ctx, batch[k])
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			found[i].err = fmt.Errorf("%s: %w", found[i].name, err)
		default:
			found[i].Prediction = one[0]
		}
	}
	return nil
}

// read decodes a picture, upright.
func read(name string) (*vision.Image, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return vision.Decode(f, vision.DecodeOptions{Name: name, ApplyOrientation: true})
}
