package main

import (
	"context"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/models/clip"
	"github.com/fovea-ml/fovea/probe"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
)

// accuracies are the results on labeled test images.
type accuracies struct {
	Unseen float64 // zero-shot, with prompts that training did not use
	Seen   float64 // zero-shot, with the captions' templates
	Linear float64 // logistic regression on the trained features
	Pixels float64 // logistic regression on the pixels
	Chance float64
}

// recalls are the results on pairs.
type recalls struct {
	Images          int
	ToText, ToImage [len(cutoffs)]float64
	Chance          [len(cutoffs)]float64
}

// cutoffs are the values of k of recall@k.
var cutoffs = [...]int{1, 5, 10}

// score measures the model under training.
func (r *run) score(ctx context.Context) (float64, error) {
	if !r.pairs.labeled {
		found, err := r.retrieve(ctx)
		if err != nil {
			return 0, err
		}
		return found.ToImage[0], nil
	}
	f, err := r.features(ctx, "", r.pairs.test)
	if err != nil {
		return 0, err
	}
	return r.zeroShot(ctx, f, prompts)
}

// zeroShot returns the accuracy of the classifier that the texts of all templates make together.
func (r *run) zeroShot(ctx context.Context, f *clip.Features, templates []string) (float64, error) {
	labels := make([]string, len(names))
	for class, list := range names {
		labels[class] = list[0]
	}
	c, err := r.model.Classifier(ctx, labels, templates)
	if err != nil {
		return 0, err
	}
	var logits []float32
	for _, p := range c.Predict(f.Embeddings...) {
		logits = append(logits, p.Logits...)
	}
	return metrics.Accuracy(logits, f.Labels), nil
}

// classify measures the trained model beside its baselines, all of which use all training images.
func (r *run) classify(ctx context.Context) (*accuracies, error) {
	known, err := r.features(ctx, "encoding training images", r.pairs.train)
	if err != nil {
		return nil, err
	}
	asked, err := r.features(ctx, "encoding test images", r.pairs.test)
	if err != nil {
		return nil, err
	}
	a := &accuracies{Chance: 1 / float64(len(known.Classes))}
	if a.Unseen, err = r.zeroShot(ctx, asked, prompts); err != nil {
		return nil, err
	}
	if a.Seen, err = r.zeroShot(ctx, asked, templates); err != nil {
		return nil, err
	}
	progress := r.console.Phase("fitting logistic regression", console.Steps, 0)
	defer progress.End()
	linear, err := known.Linear(ctx, clip.LinearOptions{C: r.recipe.ProbeC, Seed: r.settings.Seed})
	if err != nil {
		return nil, err
	}
	a.Linear = metrics.Accuracy(linear.Regression.Logits(asked.Tower), asked.Labels)
	a.Pixels, err = r.pixels(ctx, known.Labels, asked.Labels)
	return a, err
}

// pixels returns the accuracy of logistic regression on pixels.
func (r *run) pixels(ctx context.Context, labels, testLabels []int) (float64, error) {
	rows := func(d vision.Dataset) (x []float32, err error) {
		p := vision.Half(r.recipe.Image)
		p.Gray = true
		err = train.Evaluate(ctx, &vision.Loader{Data: d, Preprocess: p, Goroutines: r.settings.Threads}, autograd.Options{}, func(_ *autograd.Tape, b *vision.Batch) error {
			x = append(x, b.Pixels...)
			return nil
		})
		return x, err
	}
	known, err := rows(r.pairs.train)
	if err != nil {
		return 0, err
	}
	asked, err := rows(r.pairs.test)
	if err != nil {
		return 0, err
	}
	fitted, err := probe.FitLogistic(ctx, known, labels, len(names), probe.LogisticOptions{C: pixelC, Workers: r.model.Workers})
	if err != nil {
		return 0, err
	}
	return metrics.Accuracy(fitted.Logits(asked), testLabels), nil
}

// pixelC is the best C for pixels from -1 to 1 among 10⁻⁴, 10⁻³, 10⁻² and 0.1, by a fifth of the training images.
const pixelC = 0.01

// retrieve measures retrieval over the test pairs. Of several captions of an image, the first is used.
func (r *run) retrieve(ctx context.Context) (*recalls, error) {
	f, err := r.features(ctx, "", r.pairs.test)
	if err != nil {
		return nil, err
	}
	var images [][]float32
	var captions []string
	for k, i := range f.Indices {
		list, err := r.pairs.test.Captions(i)
		if err != nil {
			if r.settings.SkipBroken {
				continue
			}
			return nil, err
		}
		images, captions = append(images, f.Embeddings[k]), append(captions, list[0])
	}
	texts, err := r.model.EncodeTexts(ctx, captions...)
	if err != nil {
		return nil, err
	}
	partner := make([][]int, len(images))
	for i := range partner {
		partner[i] = []int{i}
	}
	toText := metrics.Retrieve(images, texts, partner, r.model.Workers)
	toImage := metrics.Retrieve(texts, images, partner, r.model.Workers)
	out := &recalls{Images: len(images)}
	for i, k := range cutoffs {
		out.ToText[i], out.ToImage[i] = toText.Recall(k), toImage.Recall(k)
		out.Chance[i] = min(1, float64(k)/float64(max(1, len(images))))
	}
	return out, nil
}

// features encodes the images of a data set, with a bar if it has a name.
func (r *run) features(ctx context.Context, what string, d vision.Dataset) (*clip.Features, error) {
	o := clip.FeatureOptions{OnError: r.policy()}
	if what != "" {
		progress := r.console.Phase(what, console.Files, int64(d.Len()))
		defer progress.End()
		o.OnBatch = func(done int) { progress.At(int64(done)) }
	}
	return r.model.Features(ctx, d, o)
}
