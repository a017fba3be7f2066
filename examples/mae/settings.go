package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/fovea-ml/fovea/models/mae"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/vision"
)

// settings are what the flags say. Those with a JSON name decide what a run computes: they are kept beside
// the run, and a resumed run must agree with them. The others may change from one session to the next.
type settings struct {
	Data       string  `json:"data"` // "" is the embedded Fashion-MNIST
	Init       string  `json:"init"` // "" starts from random weights
	Epochs     int     `json:"epochs"`
	Labels     int     `json:"labels"` // a class
	Mask       float64 `json:"mask"`   // 0 leaves the model's own
	Seed       uint64  `json:"seed"`
	SkipBroken bool    `json:"skip-broken"`

	Out     string `json:"-"`
	Resume  bool   `json:"-"`
	JSON    bool   `json:"-"`
	Threads int    `json:"-"`
}

// defaultEpochs as a value of settings.Epochs means the recipe's.
const defaultEpochs = -1

// mostThreads bounds what is started for each core.
const mostThreads = 4096

// check reports the first flag whose value cannot be.
func (s *settings) check() error {
	switch {
	case s.Out == "":
		return errors.New("-out: expected a folder")
	case s.Epochs < 0 && s.Epochs != defaultEpochs:
		return fmt.Errorf("-epochs: expected 0 or more, found %d", s.Epochs)
	case s.Epochs == 0 && s.Init == "":
		return errors.New("-epochs 0 needs -init: otherwise nothing would be pre-trained")
	case s.Epochs > 1e6:
		return fmt.Errorf("-epochs: expected at most 1000000, found %d", s.Epochs)
	case s.Labels < 1:
		return fmt.Errorf("-labels: expected at least 1 label a class, found %d", s.Labels)
	case !(s.Mask >= 0 && s.Mask < 1):
		return fmt.Errorf("-mask: expected 0 to below 1, found %v", s.Mask)
	case s.Threads < 0 || s.Threads > mostThreads:
		return fmt.Errorf("-threads: expected 0 to %d, found %d", mostThreads, s.Threads)
	}
	for _, p := range []struct{ flag, dir string }{{"-data", s.Data}, {"-init", s.Init}} {
		if p.dir == "" {
			continue
		}
		info, err := os.Stat(p.dir)
		if err != nil && p.flag == "-init" {
			continue // the name of a model on the hub, or else fetching it says what is wrong
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p.flag, err)
		}
		if !info.IsDir() {
			return fmt.Errorf("%s: %s is not a folder", p.flag, p.dir)
		}
		if inside(s.Out, p.dir) {
			return fmt.Errorf("%s: %s lies in the folder of -out, %s, whose files the run replaces", p.flag, p.dir, s.Out)
		}
	}
	if s.Data != "" && inside(s.Data, s.Out) {
		return fmt.Errorf("-out: %s lies in the folder of -data, %s, where the run's pictures would be read as a class", s.Out, s.Data)
	}
	if info, err := os.Stat(s.Out); err == nil && !info.IsDir() {
		return fmt.Errorf("-out: %s is not a folder", s.Out)
	}
	return nil
}

// inside says whether path is dir or lies in it.
func inside(dir, path string) bool {
	rel, err := filepath.Rel(absolute(dir), absolute(path))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// absolute makes a path independent of the working directory; "" stays.
func absolute(path string) string {
	if path == "" {
		return ""
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// located makes the folder of -init independent of the working directory; the name of a model on the hub stays.
func located(model string) string {
	if _, err := os.Stat(model); err != nil {
		return model
	}
	return absolute(model)
}

// recipe is everything about a run that is not a flag: the model and how it is trained.
type recipe struct {
	Model         mae.Config
	Pretrain      phase
	PretrainSteps int // about, when -epochs does not say
	Finetune      phase
	Scratch       phase
	LabelSteps    int     // of fine-tuning and of training from scratch, about
	Pooling       string  // of the classifier: "" is the class token
	TestShare     float64 // of each class, where the data has no test pictures of its own
}

// phase is one training run. Its learning rate rises linearly for Warmup of its length and falls along half a
// cosine to zero.
type phase struct {
	Batch       int
	Rate        float64
	Warmup      float64
	Beta2       float64
	WeightDecay float64
	LayerDecay  float64 // of the learning rate from a layer to the one before; 0 means none
	DropPath    float32
	Smoothing   float32 // of the labels
	Augment     vision.Augment
}

// small is a masked autoencoder that two cores pre-train in a minute or so: 4 blocks of width 96 see a quarter
// of the patches, one of width 64 rebuilds the others. Few wide heads cost less than many narrow ones here.
func small(size, patch int) mae.Config {
	c := mae.Base()
	c.ImageSize, c.PatchSize = size, patch
	c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize = 96, 4, 2, 384
	c.DecoderHiddenSize, c.DecoderNumHiddenLayers, c.DecoderNumAttentionHeads, c.DecoderIntermediateSize = 64, 1, 1, 256
	return c
}

// clothes is the recipe for the embedded data. Its numbers were chosen with an eighth of the training pictures
// set apart to judge by: docs/masked-autoencoders.md has the measurements. Fine-tuning and training from
// scratch each have the learning rate and the crops that served them best there.
func clothes() recipe {
	flip := vision.Augment{Flip: 0.5}
	crop := vision.Augment{Crop: true, Scale: [2]float64{0.4, 1}, Flip: 0.5}
	labels := phase{Batch: 50, Rate: 2e-3, Warmup: 0.1, Beta2: 0.999, WeightDecay: 0.05, Smoothing: 0.1, Augment: crop}
	r := recipe{
		Model:         small(28, 7),
		Pretrain:      phase{Batch: 64, Rate: 1.5e-3, Warmup: 0.1, Beta2: 0.95, WeightDecay: 0.05, Augment: crop},
		PretrainSteps: 7500,
		Finetune:      labels,
		Scratch:       labels,
		LabelSteps:    200,
	}
	r.Finetune.LayerDecay, r.Finetune.Augment = 0.75, flip
	return r
}

// photographs is the recipe for a folder of pictures of any size, whose objects are not all in one place.
func photographs() recipe {
	r := clothes()
	r.Model = small(64, 8)
	r.PretrainSteps = 1500
	r.Finetune.Augment = r.Scratch.Augment
	r.TestShare = 0.2
	return r
}

// recipeFor chooses the recipe by the data and the number of labels.
func recipeFor(s settings) recipe {
	if s.Data != "" {
		return photographs()
	}
	r := clothes()
	if s.Labels > 10 {
		// Crops help the network from scratch by 3 points up to here and cost it 1 to 6 beyond.
		r.Scratch.Augment, r.Scratch.Rate = r.Finetune.Augment, 1e-3
	}
	return r
}

// preprocess brings pictures to the model's size without cutting anything off; small pictures are enlarged.
func preprocess(c vit.EncoderConfig) vision.Preprocess {
	return vision.Half(c.ImageSize)
}

// small numbers of pictures make small batches.
func (p phase) batch(pictures int) int { return max(1, min(p.Batch, pictures)) }

// epochs is the number of passes over n pictures that come nearest to the given number of steps.
func (p phase) epochs(pictures, steps int) int {
	perEpoch := float64(max(1, pictures/p.batch(pictures)))
	return max(1, int(math.Round(float64(steps)/perEpoch)))
}
