package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/fetch"
	"github.com/fovea-ml/fovea/examples/internal/imageset"
	"github.com/fovea-ml/fovea/examples/internal/outdir"
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
	images   *images
	epochs   int               // of pre-training
	identity map[string]string // a resumed run must have the same identity

	// afterStep, if not nil, is called after every training step.
	afterStep func(phase string, step int)
}

// outcome holds the losses and accuracies of a run.
type outcome struct {
	PretrainLoss []float64 // mean of each epoch

	Baseline  float64 // accuracy of logistic regression on pixels
	Neighbors float64 // of nearest neighbors on frozen features
	Probe     float64 // of logistic regression on frozen features

	Finetune, SelfTrain, Scratch *learning
}

// do runs the phases and writes the models and charts.
func (r *run) do(ctx context.Context) (*outcome, error) {
	model, err := r.model(ctx)
	if err != nil {
		return nil, err
	}
	if r.images == nil {
		if r.images, err = loadImages(ctx, &r.settings, &r.recipe); err != nil {
			return nil, err
		}
	}
	r.epochs = r.settings.Epochs
	if r.epochs == defaultEpochs {
		r.epochs = r.recipe.Pretrain.epochs(r.images.train.Len())
	}
	r.describe(model)
	unlock, err := outdir.Folder{Path: r.settings.Out, Program: "mae"}.Lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := r.begin(model); err != nil {
		return nil, err
	}
	r.console.Resume("continue with -resume -out %s", r.settings.Out)

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

	if out.Baseline, err = r.baseline(ctx, model.Preprocess); err != nil {
		return nil, err
	}
	finetuned := r.classifier(model, r.recipe.Finetune)
	if err := r.probe(ctx, finetuned, out); err != nil {
		return nil, err
	}
	if out.Finetune, err = r.learn(ctx, "fine-tuning", "finetune", finetuned, r.images.labeled, r.recipe.Finetune); err != nil {
		return nil, err
	}
	if err := finetuned.Save(r.path("classifier"), vit.SaveOptions{}); err != nil {
		return nil, err
	}
	answered, err := r.answer(ctx, finetuned)
	if err != nil {
		return nil, err
	}
	if out.SelfTrain, err = r.learn(ctx, "self-training", "selftrain", finetuned, answered, r.recipe.SelfTrain); err != nil {
		return nil, err
	}
	if err := finetuned.Save(r.path("selftrained"), vit.SaveOptions{}); err != nil {
		return nil, err
	}

	// The same network with random weights.
	scratch := r.classifier(mae.New(model.Config, r.random(3)), r.recipe.Scratch)
	scratch.Preprocess = model.Preprocess
	if out.Scratch, err = r.learn(ctx, "from scratch", "scratch", scratch, r.images.labeled, r.recipe.Scratch); err != nil {
		return nil, err
	}
	if err := scratch.Save(r.path("scratch"), vit.SaveOptions{}); err != nil {
		return nil, err
	}
	if err := r.drawCurves(out); err != nil {
		return nil, err
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	r.conclude(out)
	return out, nil
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
		if c := m.Config; c.NumChannels != m.Preprocess.Channels() {
			return nil, fmt.Errorf("-init %s: the model takes images with %d channels, expected %d", name, c.NumChannels, m.Preprocess.Channels())
		}
		if h, w, ok := m.Preprocess.FixedSize(); !ok || h != m.Config.ImageSize || w != h {
			return nil, fmt.Errorf("-init %s: its preprocessing does not give the model's image size, %d×%[2]d", name, m.Config.ImageSize)
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
	m.Workers, m.Math = r.workers(), r.settings.Math
	r.recipe.Model = m.Config
	return m, nil
}

// classifier returns a classifier with the encoder of m and a new head.
func (r *run) classifier(m *mae.Model, p phase) *vit.Model {
	c := m.Classifier(r.images.train.Classes(), mae.ClassifierOptions{Pooling: r.recipe.Pooling, DropPath: p.DropPath}, r.random(4))
	c.Workers, c.Math = r.workers(), r.settings.Math
	return c
}

// workers returns as many workers as -threads says.
func (r *run) workers() *simd.Workers { return simd.NewWorkers(r.settings.Threads) }

// tape returns the options of tapes.
func (r *run) tape() autograd.Options {
	return autograd.Options{Workers: r.workers(), Math: r.settings.Math}
}

// random and seed derive random numbers from the run's seed and the purpose of the numbers.
func (r *run) random(purpose uint64) *rand.Rand {
	return rand.New(rand.NewPCG(r.settings.Seed, purpose))
}

func (r *run) seed(purpose uint64) uint64 { return r.random(purpose).Uint64() }

// describe prints the data and the model of the run.
func (r *run) describe(m *mae.Model) {
	d := r.images
	if n := len(d.skipped); n > 0 {
		r.console.Line("skipping %d unreadable images", n)
	}
	c := m.Config
	r.console.Line("%d training images, %s labels in each of %d classes, %d test images",
		d.train.Len(), countLabels(d.labeled), len(d.train.Classes()), d.test.Len())
	r.console.Line("model: images of %d×%[1]d in patches of %d×%[2]d, encoder of %d blocks of width %d, seed %d; %s",
		c.ImageSize, c.PatchSize, c.NumHiddenLayers, c.HiddenSize, r.settings.Seed, console.Computing(r.settings.Math))
}

// largestClass returns the class with most images, and its share. A classifier that always answers with this class has
// this accuracy.
func largestClass(d vision.Dataset) (class string, share float64) {
	counts := imageset.Counts(d)
	most := slices.Max(counts)
	return d.Classes()[slices.Index(counts, most)], float64(most) / float64(max(1, d.Len()))
}

// conclude prints the result.
func (r *run) conclude(o *outcome) {
	n := r.images.test.Len()
	r.console.Line("accuracy on %d test images, with %s labels in each class:", n, countLabels(r.images.labeled))
	row := func(what string, accuracy float64) { r.console.Line("    %-40s %5.1f %%", what, 100*accuracy) }
	class, share := largestClass(r.images.test)
	r.console.Line("  without pre-training:")
	row("always answering "+console.Printable(class), share)
	row("the network, trained from scratch", o.Scratch.accuracy())
	row("logistic regression on pixels", o.Baseline)
	r.console.Line("  pre-trained without labels:")
	row("frozen, nearest neighbors", o.Neighbors)
	row("frozen, logistic regression", o.Probe)
	row("fine-tuned", o.Finetune.accuracy())
	row("and self-trained on all training images", o.SelfTrain.accuracy())
	if skipped := r.images.skipped; len(skipped) > 0 {
		r.console.Line("skipped %d unreadable images:", len(skipped))
		for _, e := range skipped {
			r.console.Line("  %s", console.OneLine(e))
		}
	}
	r.console.Line("written to %s: reconstruction.png, curves.png, pretrained, classifier, selftrained, scratch", r.settings.Out)
}

// path returns the path of a file or folder of the results.
func (r *run) path(name string) string { return filepath.Join(r.settings.Out, name) }
