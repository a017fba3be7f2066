package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/examples/internal/fetch"
	"github.com/fovea-ml/fovea/examples/internal/imageset"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/lora"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
)

// make returns the model to train by a method: that of -model or a new one, with a new head, and with adapters for lora. Each
// call returns another one with the same weights.
func (r *run) make(ctx context.Context, method string) (*vit.Model, error) {
	s := &r.settings
	rng := rand.New(rand.NewPCG(s.Seed, 0))
	var m *vit.Model
	if s.Model == "" {
		m = scratch(s.Size, rng)
	} else {
		var err error
		m, err = fetch.Open(ctx, s.Model, r.console, func(path string, o vit.LoadOptions) (*vit.Model, error) {
			o.Unmapped, o.ImageSize = true, s.Size
			return vit.Open(path, o)
		})
		if err != nil {
			return nil, err
		}
		if c, p := m.Config.NumChannels, m.Preprocess.Channels(); c != p {
			return nil, fmt.Errorf("-model %s: the model takes images with %d channels, and its preprocessing gives %d", s.Model, c, p)
		}
		if h, w, fixed := m.Preprocess.FixedSize(); !fixed || h%m.Config.PatchSize != 0 || w%m.Config.PatchSize != 0 {
			return nil, fmt.Errorf("-model %s: its preprocessing does not give images of one size in whole patches; -size sets one", s.Model)
		}
	}
	m.Workers, m.Math = simd.NewWorkers(s.Threads), s.Math
	m.NewHead(r.corpus.classes, rng)
	if method == adapters {
		if err := attach(m, s.Rank, rng); err != nil {
			return nil, fmt.Errorf("-method lora: %w", err)
		}
	}
	return m, nil
}

// scratch returns a small Vision Transformer with random weights, for images of 8×8 patches.
func scratch(size int, rng *rand.Rand) *vit.Model {
	c := vit.Tiny16()
	c.SetSize(size, size)
	c.PatchSize = size / 8
	c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize = 192, 6, 3, 768
	return vit.New(c, 0, rng)
}

// scratchSize returns the side of the images for a model from scratch: 64, or 32 if most images are hardly larger.
func scratchSize(d vision.Dataset) int {
	const looks = 16
	var sides []int
	for i := range min(looks, d.Len()) {
		if m, err := d.Open(i * d.Len() / min(looks, d.Len())); err == nil {
			sides = append(sides, min(m.Width, m.Height))
		}
	}
	if slices.Sort(sides); len(sides) > 0 && sides[len(sides)/2] <= 40 {
		return 32
	}
	return 64
}

// attach adds adapters to the linear layers of attention and MLP in all blocks, and leaves the head to be trained.
func attach(m *vit.Model, rank int, rng *rand.Rand) error {
	o := lora.Options{Rank: rank, Alpha: float64(2 * rank), Train: []string{"Head.*"}}
	if m.DistillationHead != nil {
		o.Train = append(o.Train, "DistillationHead.*")
	}
	for path := range nn.Layers[nn.Linear](m) {
		if strings.HasPrefix(path, "Encoder.Blocks.") {
			o.Layers = append(o.Layers, path)
		}
	}
	return lora.Attach(m, o, rng)
}

// epochs returns the recipe's number of epochs.
func (s *settings) epochs() int {
	switch {
	case s.Epochs > 0:
		return s.Epochs
	case s.Model == "":
		return 40
	}
	return 20
}

// training returns the configuration of a run by a method, on a data set.
func (r *run) training(m *vit.Model, method string, d vision.Dataset, epochs int) (train.Config, error) {
	s := &r.settings
	o := vit.TrainOptions{Epochs: epochs, BatchSize: s.Batch, Rate: new(5e-4), Freeze: s.Freeze, Seed: s.Seed}
	if s.Model == "" || method == adapters {
		o.Rate, o.LayerDecay = new(1e-3), 1
	}
	if s.Rate > 0 {
		o.Rate = &s.Rate
	}
	if s.Balance {
		labels := imageset.Labels(d)
		o.Weights = data.ItemWeights(labels, data.ClassWeights(labels, len(r.corpus.classes)))
	}
	switch s.Augment {
	case "light":
		o.Smoothing = 0.1
		o.Augment = &vision.Augment{Crop: true, Scale: [2]float64{0.5, 1}, Flip: 0.5}
	case "strong":
		colors, err := vision.ParseRandAugment("rand-m9-mstd0.5-inc1")
		if err != nil {
			return train.Config{}, err
		}
		o.Smoothing, o.DropPath = 0.1, new(float32(0.1))
		o.Augment = &vision.Augment{Crop: true, Scale: [2]float64{0.2, 1}, Flip: 0.5, Rand: colors, Erase: &vision.RandomErasing{Prob: 0.25}}
		o.Mix = &vision.Mix{Mixup: 0.8, Cutmix: 1}
	}
	c, err := m.Training(d, o)
	if err != nil {
		return c, err
	}
	c.Tape.Recompute = s.Recompute
	if s.Augment == "strong" {
		c.EMA = train.NewEMA(trained(m), nn.Buffers(m), train.EMAOptions{Decay: new(0.999), Warmup: true})
	}
	return c, nil
}
