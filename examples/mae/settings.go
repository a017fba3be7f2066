package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/outdir"
	"github.com/fovea-ml/fovea/models/mae"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

// settings are the values of the flags. The fields with a JSON name determine the result of a run. They are saved, and a
// resumed run must have the same values. The other fields may change when a run is resumed.
type settings struct {
	Data       string    `json:"data"` // "" is the embedded Fashion-MNIST
	Init       string    `json:"init"` // "" starts from random weights
	Epochs     int       `json:"epochs"`
	Labels     int       `json:"labels"` // for each class
	Mask       float64   `json:"mask"`   // 0 is the model's own
	Seed       uint64    `json:"seed"`
	Math       simd.Math `json:"math"`
	SkipBroken bool      `json:"skip-broken"`

	Out     string `json:"-"`
	Resume  bool   `json:"-"`
	JSON    bool   `json:"-"`
	Threads int    `json:"-"`
}

// defaultEpochs is the value of settings.Epochs without -epochs: the recipe determines the number.
const defaultEpochs = -1

// check returns an error for the first invalid setting.
func (s *settings) check() error {
	switch {
	case s.Out == "":
		return errors.New("-out: expected a folder")
	case s.Epochs < 0 && s.Epochs != defaultEpochs:
		return fmt.Errorf("-epochs: expected 0 or more, found %d", s.Epochs)
	case s.Epochs == 0 && s.Init == "":
		return errors.New("-epochs 0 needs -init: it skips pre-training")
	case s.Epochs > 1e6:
		return fmt.Errorf("-epochs: expected at most 1000000, found %d", s.Epochs)
	case s.Labels < 1:
		return fmt.Errorf("-labels: expected at least 1, found %d", s.Labels)
	case !(s.Mask >= 0 && s.Mask < 1):
		return fmt.Errorf("-mask: expected a share below 1, found %v", s.Mask)
	}
	if err := console.CheckTrainingMath(s.Math); err != nil {
		return err
	}
	if err := console.CheckThreads(s.Threads); err != nil {
		return err
	}
	for _, p := range []struct{ flag, dir string }{{"-data", s.Data}, {"-init", s.Init}} {
		if p.dir == "" {
			continue
		}
		info, err := os.Stat(p.dir)
		if err != nil && p.flag == "-init" {
			continue // may be a model on the hub; fetch.Model reports the error if not
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p.flag, err)
		}
		if !info.IsDir() {
			return fmt.Errorf("%s: %s is not a folder", p.flag, p.dir)
		}
		if inside(s.Out, p.dir) {
			return fmt.Errorf("%s: %s is in the folder of -out, %s, whose files the run replaces", p.flag, p.dir, s.Out)
		}
	}
	if s.Data != "" && inside(s.Data, s.Out) {
		return fmt.Errorf("-out: %s is in the folder of -data, %s, where it would count as a class", s.Out, s.Data)
	}
	if s.Data != "" {
		for _, class := range linked(s.Data) {
			if inside(class, s.Out) || inside(s.Out, class) {
				return fmt.Errorf("-out: %s and the folder that %s links to hold each other, so that results would count as images", s.Out, class)
			}
		}
	}
	if info, err := os.Stat(s.Out); err == nil && !info.IsDir() {
		return fmt.Errorf("-out: %s is not a folder", s.Out)
	}
	return nil
}

// inside reports whether path is dir or is in dir, perhaps through links. The end of path need not exist.
func inside(dir, path string) bool {
	rel, err := filepath.Rel(outdir.Absolute(dir), outdir.Absolute(path))
	if err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return true
	}
	folder, err := os.Stat(dir)
	if err != nil {
		return false
	}
	// Without its links, every folder above path is its parent. Whether two names lead to one folder, the system says.
	for at := outdir.Absolute(path); ; at = filepath.Dir(at) {
		real, err := filepath.EvalSymlinks(at)
		if err != nil && at != filepath.Dir(at) {
			continue // it does not exist yet
		}
		for {
			if info, err := os.Stat(real); err == nil && os.SameFile(info, folder) {
				return true
			}
			if real == filepath.Dir(real) {
				return false
			}
			real = filepath.Dir(real)
		}
	}
}

// linked returns the folders that links in a folder lead to.
func linked(dir string) (targets []string) {
	list, _ := os.ReadDir(dir)
	for _, e := range list {
		if at := filepath.Join(dir, e.Name()); e.Type()&os.ModeSymlink != 0 {
			if info, err := os.Stat(at); err == nil && info.IsDir() {
				targets = append(targets, at)
			}
		}
	}
	return targets
}

// recipe holds the choices that are not flags: the model and its training.
type recipe struct {
	Model     mae.Config
	Pretrain  phase // -epochs overrides Steps
	Probe     probing
	Finetune  phase
	SelfTrain phase
	Scratch   phase
	Pooling   string  // of the classifier; "" is the class token
	TestShare float64 // of each class, for data without test images
}

// phase is one training run. Its learning rate rises linearly for the first Warmup of its length (a share), then falls
// to zero along half a cosine.
type phase struct {
	Steps       int // approximate
	Batch       int
	Rate        float64
	Warmup      float64
	Beta2       float64
	WeightDecay float64
	LayerDecay  float64 // ratio of a layer's learning rate to that of the next layer; 0 means 1
	DropPath    float32
	Smoothing   float32 // label smoothing
	Augment     vision.Augment
}

// probing says how logistic regression is fitted to frozen features.
type probing struct {
	Views   int // of each labeled image, each augmented at random
	Augment vision.Augment
	C       float64 // inverse of the penalty, for one view
}

// small is a masked autoencoder that two cores pre-train in minutes. The encoder has 4 blocks of width 96, the decoder
// one block of width 64. Few wide heads cost less than many narrow heads here.
func small(size, patch int) mae.Config {
	c := mae.Base()
	c.ImageSize, c.PatchSize = size, patch
	c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize = 96, 4, 2, 384
	c.DecoderHiddenSize, c.DecoderNumHiddenLayers, c.DecoderNumAttentionHeads, c.DecoderIntermediateSize = 64, 1, 1, 256
	return c
}

// fashionRecipe is the recipe for the embedded Fashion-MNIST. Its numbers gave the best accuracy on a validation set, an
// eighth of the training images: see docs/masked-autoencoders.md. Fine-tuning and training from scratch each have their
// best learning rate and augmentation.
func fashionRecipe() recipe {
	shift := vision.Augment{Flip: 0.5, Shift: 2}
	crop := vision.Augment{Crop: true, Scale: [2]float64{0.4, 1}, Flip: 0.5}
	labels := phase{Steps: 200, Batch: 50, Rate: 2e-3, Warmup: 0.1, Beta2: 0.999, WeightDecay: 0.05, Smoothing: 0.1, Augment: crop}
	r := recipe{
		Model:     small(28, 7),
		Pretrain:  phase{Steps: 5000, Batch: 64, Rate: 1.5e-3, Warmup: 0.1, Beta2: 0.95, WeightDecay: 0.05, Augment: shift},
		Probe:     probing{Views: 10, Augment: vision.Augment{Flip: 0.5, Shift: 1}, C: 0.1},
		Finetune:  labels,
		SelfTrain: labels,
		Scratch:   labels,
		Pooling:   vit.FlattenPooling,
	}
	r.Model.NumChannels, r.Model.MaskRatio = 1, 0.55
	r.Finetune.Rate, r.Finetune.LayerDecay, r.Finetune.Augment = 1e-3, 0.75, shift
	r.SelfTrain.Steps, r.SelfTrain.Batch, r.SelfTrain.Rate, r.SelfTrain.Augment = 500, 64, 1e-3, shift
	return r
}

// folderRecipe is the recipe for a folder of images of any size. Their objects may be anywhere in the image.
func folderRecipe() recipe {
	r := fashionRecipe()
	r.Model = small(64, 8)
	r.Pretrain.Steps = 1500
	r.Pretrain.Augment, r.Probe.Augment = r.Scratch.Augment, r.Scratch.Augment
	r.Finetune.Augment, r.SelfTrain.Augment = r.Scratch.Augment, r.Scratch.Augment
	r.SelfTrain.Steps, r.SelfTrain.Batch = r.Finetune.Steps, r.Finetune.Batch
	r.Pooling = "" // the class token: there may be many patches, and transformers reads such a model
	r.TestShare = 0.2
	return r
}

// recipeFor returns the recipe for the data and the number of labels.
func recipeFor(s settings) recipe {
	if s.Data != "" {
		return folderRecipe()
	}
	r := fashionRecipe()
	if s.Labels > 10 {
		// Up to 10 labels, crops gain 3 points for the network from scratch. With more labels they cost 1 to 6.
		r.Scratch.Augment, r.Scratch.Rate = r.Finetune.Augment, 1e-3
	}
	return r
}

// preprocess resizes whole images to the model's image size, without a crop.
func preprocess(c vit.EncoderConfig) vision.Preprocess {
	p := vision.Half(c.ImageSize)
	p.Gray = c.NumChannels == 1
	return p
}

// batch returns the batch size. A batch is never larger than the data set.
func (p phase) batch(images int) int { return max(1, min(p.Batch, images)) }

// epochs returns the number of epochs whose steps come closest to Steps.
func (p phase) epochs(images int) int {
	perEpoch := float64(max(1, images/p.batch(images)))
	return max(1, int(math.Round(float64(p.Steps)/perEpoch)))
}
