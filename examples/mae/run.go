package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/fetch"
	"github.com/fovea-ml/fovea/models/mae"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

// run is one run of the program.
type run struct {
	settings settings
	recipe   recipe
	console  *console.Console
	pictures *pictures
	epochs   int               // of pre-training
	identity map[string]string // what a resumed run must have in common with this one
	begun    bool              // the output folder holds what -resume needs

	// afterStep, if not nil, is told of every training step.
	afterStep func(phase string, step int)
}

// outcome is what a run finds.
type outcome struct {
	PretrainLoss      []float64 // mean of each epoch
	Finetune, Scratch *learning
}

// do runs the three phases and writes the models and pictures.
func (r *run) do(ctx context.Context) (*outcome, error) {
	model, err := r.model(ctx)
	if err != nil {
		return nil, err
	}
	if r.pictures == nil {
		if r.pictures, err = loadPictures(ctx, &r.settings, &r.recipe); err != nil {
			return nil, err
		}
	}
	r.epochs = r.settings.Epochs
	if r.epochs == defaultEpochs {
		r.epochs = r.recipe.Pretrain.epochs(r.pictures.train.Len(), r.recipe.PretrainSteps)
	}
	r.describe(model)
	if err := r.begin(model); err != nil {
		return nil, err
	}
	r.begun = true

	out := &outcome{}
	if r.epochs > 0 {
		if out.PretrainLoss, err = r.pretrain(ctx, model); err != nil {
			return nil, err
		}
		r.console.Line("pre-training: loss %.4f in the first epoch, %.4f in the last", out.PretrainLoss[0], out.PretrainLoss[len(out.PretrainLoss)-1])
	}
	if err := model.Save(r.path("pretrained"), mae.SaveOptions{}); err != nil {
		return nil, err
	}
	if err := r.drawReconstructions(ctx, model); err != nil {
		return nil, err
	}

	finetuned := r.classifier(model, r.recipe.Finetune)
	if out.Finetune, err = r.learn(ctx, "fine-tuning", "finetune", finetuned, r.recipe.Finetune); err != nil {
		return nil, err
	}
	if err := finetuned.Save(r.path("classifier"), vit.SaveOptions{}); err != nil {
		return nil, err
	}

	// The same network, as it would begin without pre-training.
	scratch := r.classifier(mae.New(model.Config, r.random(3)), r.recipe.Scratch)
	scratch.Preprocess = model.Preprocess
	if out.Scratch, err = r.learn(ctx, "from scratch", "scratch", scratch, r.recipe.Scratch); err != nil {
		return nil, err
	}
	if err := scratch.Save(r.path("scratch"), vit.SaveOptions{}); err != nil {
		return nil, err
	}
	if err := r.drawCurves(out); err != nil {
		return nil, err
	}
	r.conclude(out)
	return out, os.RemoveAll(r.resumeFolder())
}

// model returns the masked autoencoder to pre-train: that of -init, or a new one.
func (r *run) model(ctx context.Context) (*mae.Model, error) {
	var m *mae.Model
	if name := r.settings.Init; name != "" {
		dir, err := fetch.Model(ctx, name, r.console)
		if err != nil {
			return nil, fmt.Errorf("-init: %w", err)
		}
		if m, err = mae.Load(os.DirFS(dir), mae.LoadOptions{Unmapped: true}); err != nil {
			return nil, fmt.Errorf("-init %s: %w", name, err)
		}
		if c := m.Config; c.NumChannels != 3 {
			return nil, fmt.Errorf("-init %s: the model takes pictures of %d channels, expected 3", name, c.NumChannels)
		}
		if w, h, ok := m.Preprocess.FixedSize(); !ok || w != m.Config.ImageSize || h != w {
			return nil, fmt.Errorf("-init %s: its preprocessing does not give the model's %d×%[2]d pixels", name, m.Config.ImageSize)
		}
		m.Decoder.Positions.Frozen, m.Encoder.Positions.Frozen = true, true
	} else {
		m = mae.New(r.recipe.Model, r.random(0))
		m.Preprocess = preprocess(r.recipe.Model.EncoderConfig)
	}
	if r.settings.Mask > 0 {
		m.Config.MaskRatio = r.settings.Mask
		if err := m.Config.Validate(); err != nil {
			return nil, fmt.Errorf("-mask: %w", err)
		}
	}
	m.Workers = simd.NewWorkers(r.settings.Threads)
	r.recipe.Model = m.Config
	return m, nil
}

// classifier returns a classifier that begins with the encoder of m.
func (r *run) classifier(m *mae.Model, p phase) *vit.Model {
	c := m.Classifier(r.pictures.train.Classes(), mae.ClassifierOptions{Pooling: r.recipe.Pooling, DropPath: p.DropPath}, r.random(4))
	c.Workers = simd.NewWorkers(r.settings.Threads)
	return c
}

// random and seed key what is drawn at random by the run's seed and by what it is for.
func (r *run) random(purpose uint64) *rand.Rand {
	return rand.New(rand.NewPCG(r.settings.Seed, purpose))
}

func (r *run) seed(purpose uint64) uint64 { return r.random(purpose).Uint64() }

// describe says what is about to happen.
func (r *run) describe(m *mae.Model) {
	p := r.pictures
	if n := len(p.skipped); n > 0 {
		r.console.Line("%d pictures cannot be read and are left out", n)
	}
	c := m.Config
	r.console.Line("%d pictures to learn from without labels, %s labels in each of %d classes, %d pictures to test with",
		p.train.Len(), countLabels(p.labeled), len(p.train.Classes()), p.test.Len())
	r.console.Line("model: %d×%[1]d pixels in patches of %d×%[2]d, encoder of %d blocks of width %d, seed %d; %s",
		c.ImageSize, c.PatchSize, c.NumHiddenLayers, c.HiddenSize, r.settings.Seed, simd.Info())
}

// commonest returns the class that most pictures belong to, and their share: what an accuracy is to be compared with.
func commonest(d vision.Dataset) (class string, share float64) {
	counts := make([]int, len(d.Classes()))
	for i := range d.Len() {
		counts[d.Label(i)]++
	}
	most := slices.Max(counts)
	return d.Classes()[slices.Index(counts, most)], float64(most) / float64(max(1, d.Len()))
}

// conclude prints the result.
func (r *run) conclude(o *outcome) {
	n := r.pictures.test.Len()
	r.console.Line("accuracy on %d test pictures, after %s labels a class:", n, countLabels(r.pictures.labeled))
	r.console.Line("  pre-trained, then fine-tuned  %5.1f %%", 100*o.Finetune.accuracy())
	r.console.Line("  trained from scratch          %5.1f %%", 100*o.Scratch.accuracy())
	class, share := commonest(r.pictures.test)
	r.console.Line("  always answering %-12s %5.1f %%", console.Printable(class), 100*share)
	if skipped := r.pictures.skipped; len(skipped) > 0 {
		r.console.Line("left out %d pictures that cannot be read:", len(skipped))
		for _, e := range skipped {
			r.console.Line("  %s", console.OneLine(e))
		}
	}
	r.console.Line("written to %s: reconstruction.png, curves.png, pretrained, classifier, scratch", r.settings.Out)
}

// path is where a file or folder of the results lies.
func (r *run) path(name string) string { return filepath.Join(r.settings.Out, name) }
