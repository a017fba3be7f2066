package main

import (
	"cmp"
	"context"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/examples/internal/imageset"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/probe"
	"github.com/fovea-ml/fovea/vision"
)

// baseline returns the test accuracy of logistic regression on the pixels of the labeled images. A cross-validation on them
// chooses the penalty. Large images are reduced. A user without a pre-trained model would try this first.
func (r *run) baseline(ctx context.Context, p vision.Preprocess) (float64, error) {
	p = imageset.Small(p, side)
	pixels := func(x *autograd.Tensor) *autograd.Tensor { return x }
	known, err := r.features(ctx, r.images.labeled, p, nil, pixels)
	if err != nil {
		return 0, err
	}
	asked, err := r.features(ctx, r.images.test, p, nil, pixels)
	if err != nil {
		return 0, err
	}
	labels, classes := imageset.Labels(r.images.labeled), len(r.images.train.Classes())
	o := probe.LogisticOptions{C: usualC, Workers: r.workers()}
	if len(labels) > classes { // a cross-validation needs two images of a class
		_, trials, err := probe.ChooseC(ctx, known, labels, classes, candidates, 5, o)
		if err != nil {
			return 0, err
		}
		// By the loss: the accuracy on a few images is too coarse.
		o.C = slices.MinFunc(trials, func(a, b probe.Trial) int { return cmp.Compare(a.Loss, b.Loss) }).C
	}
	fitted, err := probe.FitLogistic(ctx, known, labels, classes, o)
	if err != nil {
		return 0, err
	}
	return share(fitted.Predict(asked), r.images.test), nil
}

// side is that of the images on which the baseline is fitted.
const side = 32

// candidates are the values of C among which the baseline chooses, for pixels from -1 to 1. usualC serves where it cannot.
var candidates = []float64{0.01, 0.03, usualC, 0.3, 1}

const usualC = 0.1

// probe gives a classifier the head that logistic regression finds on the frozen features of the labeled images. It
// measures that classifier, and nearest neighbors on the same features.
func (r *run) probe(ctx context.Context, m *vit.Model, o *outcome) error {
	known, err := r.features(ctx, r.images.labeled, m.Preprocess, nil, m.Pooled)
	if err != nil {
		return err
	}
	asked, err := r.features(ctx, r.images.test, m.Preprocess, nil, m.Pooled)
	if err != nil {
		return err
	}
	classes, workers := len(r.images.train.Classes()), r.workers()
	neighbors, err := probe.FitNeighbors(known, imageset.Labels(r.images.labeled), classes, probe.NeighborsOptions{K: 20, Temperature: 0.07, Workers: workers})
	if err != nil {
		return err
	}
	o.Neighbors = share(neighbors.Predict(asked), r.images.test)

	// Each view of an image has random decisions of its own.
	p := r.recipe.Probe
	views := &vision.Subset{Of: r.images.labeled}
	for range p.Views {
		for i := range r.images.labeled.Len() {
			views.Indices = append(views.Indices, i)
		}
	}
	if known, err = r.features(ctx, views, m.Preprocess, &p.Augment, m.Pooled); err != nil {
		return err
	}
	fitted, err := probe.FitLogistic(ctx, known, imageset.Labels(views), classes, probe.LogisticOptions{C: p.C / float64(p.Views), Standardize: true, Workers: workers})
	if err != nil {
		return err
	}
	m.Head.Weight.Update(func(v []float32) { copy(v, fitted.Weight) })
	m.Head.Bias.Update(func(v []float32) { copy(v, fitted.Bias) })
	o.Probe = share(fitted.Predict(asked), r.images.test)
	return nil
}

// features returns f of the pixels of each image of a data set, [images, width].
func (r *run) features(ctx context.Context, d vision.Dataset, p vision.Preprocess, a *vision.Augment, f func(pixels *autograd.Tensor) *autograd.Tensor) ([]float32, error) {
	loader := &vision.Loader{Data: d, Preprocess: p, Augment: a, Seed: r.seed(6), Goroutines: r.settings.Threads}
	return imageset.Rows(ctx, r.console, "reading images", loader, r.tape(), f)
}

// share returns the share of predictions that are the labels of a data set.
func share(predicted []int, d vision.Dataset) float64 {
	right := 0
	for i, class := range predicted {
		if class == d.Label(i) {
			right++
		}
	}
	return float64(right) / float64(len(predicted))
}
