package main

import (
	"context"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"path/filepath"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/fetch"
	"github.com/fovea-ml/fovea/models/clip"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

// run is one run of the program.
type run struct {
	settings settings
	recipe   recipe
	console  *console.Console
	pairs    pairs
	model    *clip.Model
	loader   *vision.Loader // of training

	history       history
	stepsPerEpoch int

	// afterStep, if not nil, is called after every training step.
	afterStep func(step int)
}

// Results in the output folder.
const (
	modelName  = "model"
	curvesName = "curves.png"
)

// outcome holds the results of a run.
type outcome struct {
	Loss       []float64 // mean of each epoch
	Before     *float64  // score of the model of -init
	Accuracies *accuracies
	Recalls    *recalls
}

// do trains a model, measures it and writes it.
func (r *run) do(ctx context.Context) (*outcome, error) {
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	if err := r.make(ctx); err != nil {
		return nil, err
	}
	r.describe()
	unlock, err := r.settings.folder().Lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := r.begin(); err != nil {
		return nil, err
	}
	r.console.Resume("continue with -resume -out %s", r.settings.Out)

	out := &outcome{}
	if r.settings.Init != "" {
		before, err := r.score(ctx)
		if err != nil {
			return nil, err
		}
		out.Before = &before
	}
	result, err := r.train(ctx)
	if err != nil {
		return nil, err
	}
	out.Loss = result.Losses
	if err := r.model.Save(filepath.Join(r.settings.Out, modelName), clip.SaveOptions{}); err != nil {
		return nil, err
	}
	if r.pairs.labeled {
		out.Accuracies, err = r.classify(ctx)
	} else {
		out.Recalls, err = r.retrieve(ctx)
	}
	if err != nil {
		return nil, err
	}
	if err := r.drawCurves(out); err != nil {
		return nil, err
	}
	if err := r.settings.folder().End(); err != nil {
		return nil, err
	}
	r.conclude(out)
	return out, nil
}

// make makes the model to train: that of -init, or a new one with a tokenizer made of the captions.
func (r *run) make(ctx context.Context) error {
	if name := r.settings.Init; name != "" {
		dir, err := fetch.Model(ctx, name, r.console)
		if err != nil {
			return fmt.Errorf("-init: %w", err)
		}
		if r.model, err = clip.Open(dir, clip.LoadOptions{Unmapped: true}); err != nil {
			return fmt.Errorf("-init %s: %w", name, err)
		}
		if r.model.Tokenizer == nil {
			return fmt.Errorf("-init %s: the folder has no tokenizer", name)
		}
		r.recipe = r.recipe.further()
	} else {
		tokenizer, err := r.tokenizer(ctx)
		if err != nil {
			return err
		}
		r.model = clip.New(r.recipe.config(tokenizer.Size()), rand.New(rand.NewPCG(r.settings.Seed, 0)))
		r.model.Tokenizer = tokenizer
	}
	r.model.Workers, r.model.Math = simd.NewWorkers(r.settings.Threads), r.settings.Math
	return nil
}

// describe prints the data and the model of the run.
func (r *run) describe() {
	c := r.model.Config
	r.console.Line("%d training images with captions, %d test images", r.pairs.train.Len(), r.pairs.test.Len())
	r.console.Line("a CLIP of %.2f million parameters: images of %d×%[2]d, %d tokens, seed %d; %s",
		float64(nn.Count(r.model))/1e6, c.Vision.ImageSize, c.Text.VocabSize, r.settings.Seed, console.Computing(r.settings.Math))
}

// conclude prints the result.
func (r *run) conclude(o *outcome) {
	row := func(what string, share float64) { r.console.Line("  %-56s %5.1f %%", what, 100*share) }
	if a := o.Accuracies; a != nil {
		r.console.Line("accuracy on %d test images of %d classes:", r.pairs.test.Len(), len(names))
		row(fmt.Sprintf("zero-shot, %d prompts not seen in training", len(prompts)), a.Unseen)
		row(fmt.Sprintf("zero-shot, the %d templates of the captions", len(templates)), a.Seen)
		if o.Before != nil {
			row("zero-shot before this training, the prompts above", *o.Before)
		}
		row("linear probe on its features, with all labels", a.Linear)
		row("logistic regression on pixels, with all labels", a.Pixels)
		row("guessing", a.Chance)
		r.console.Line("The captions name the class of each image, so the zero-shot classifier has seen all labels too, as words. It is")
		r.console.Line("zero-shot in its prompts alone. A CLIP that knows classes it was not taught takes millions of pairs.")
	}
	if t := o.Recalls; t != nil {
		r.console.Line("retrieval among %d test images and their captions: found, and by chance", t.Images)
		for i, k := range cutoffs {
			r.console.Line("  recall@%-2d   images by captions %5.1f %%   captions by images %5.1f %%   chance %5.1f %%", k, 100*t.ToImage[i], 100*t.ToText[i], 100*t.Chance[i])
		}
	}
	if o.Recalls != nil && o.Before != nil {
		r.console.Line("  before this training, recall@1 of images by captions was %.1f %%", 100**o.Before)
	}
	if skipped := r.loader.Skipped(); len(skipped) > 0 {
		r.console.Line("skipped %d unreadable pairs, the first:", len(skipped))
		for _, item := range skipped[:min(10, len(skipped))] {
			r.console.Line("  %s", console.OneLine(item))
		}
	}
	r.console.Line("written to %s: %s, %s", r.settings.Out, modelName, curvesName)
}

// sum identifies the images of a run by their names. The captions are identified by the tokenizer that was made of
// them.
func (p *pairs) sum() string {
	h := crc32.NewIEEE()
	for _, d := range []vision.Captioned{p.train, p.test} {
		for i := range d.Len() {
			fmt.Fprintln(h, d.Name(i))
		}
	}
	return fmt.Sprintf("%d and %d, %08x", p.train.Len(), p.test.Len(), h.Sum32())
}
