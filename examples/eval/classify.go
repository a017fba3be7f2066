package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/models/clip"
	"github.com/fovea-ml/fovea/vision"
)

// classification is the comparison of a zero-shot classifier with a linear probe.
type classification struct {
	Classes     []string        `json:"classes"`
	Train       int             `json:"train_images"`
	Test        int             `json:"test_images"`
	Templates   int             `json:"templates"`
	ZeroShot    console.Number  `json:"zeroshot_accuracy"`
	ZeroShotTop console.Number  `json:"zeroshot_top5"`
	Linear      console.Number  `json:"linear_accuracy"`
	LinearC     console.Number  `json:"linear_c"`
	TipAdapter  *console.Number `json:"tipadapter_accuracy"` // with -shots
	Chance      console.Number  `json:"chance_accuracy"`
	Majority    console.Number  `json:"majority_accuracy"`

	majority string // the most frequent class of the training images
}

// classify measures both classifiers on the same test images.
func (e *evaluation) classify(ctx context.Context) (*classification, error) {
	known, asked, err := e.encodeImages(ctx)
	if err != nil {
		return nil, err
	}
	classes := known.Classes
	c := &classification{Classes: classes, Train: len(known.Labels), Test: len(asked.Labels), Templates: len(e.settings.Templates)}

	labels := make([]string, len(classes))
	for i, class := range classes {
		labels[i] = strings.ReplaceAll(class, "_", " ")
	}
	zeroShot, err := e.model.Classifier(ctx, labels, e.settings.Templates)
	if err != nil {
		return nil, err
	}
	var logits []float32
	for _, p := range zeroShot.Predict(asked.Embeddings...) {
		logits = append(logits, p.Logits...)
	}
	c.ZeroShot = console.Number(metrics.Accuracy(logits, asked.Labels))
	c.ZeroShotTop = console.Number(metrics.TopKAccuracy(logits, asked.Labels, min(5, len(classes))))

	progress := e.console.Phase("fitting the linear probe", console.Steps, 0)
	linear, err := known.Linear(ctx, clip.LinearOptions{Seed: e.settings.Seed})
	progress.End()
	if err != nil {
		return nil, err
	}
	c.Linear, c.LinearC = console.Number(metrics.Accuracy(linear.Regression.Logits(asked.Tower), asked.Labels)), console.Number(linear.C)

	if e.settings.Shots > 0 {
		adapter, err := zeroShot.TipAdapter(ctx, known, clip.TipAdapterOptions{Epochs: 20, Seed: e.settings.Seed})
		if err != nil {
			return nil, err
		}
		logits = logits[:0]
		for _, p := range adapter.Predict(asked.Embeddings...) {
			logits = append(logits, p.Logits...)
		}
		c.TipAdapter = new(console.Number(metrics.Accuracy(logits, asked.Labels)))
	}

	count := make([]int, len(classes))
	for _, label := range known.Labels {
		count[label]++
	}
	majority := slices.Index(count, slices.Max(count))
	c.majority, c.Chance = classes[majority], console.Number(1/float64(len(classes)))
	right := 0
	for _, label := range asked.Labels {
		if label == majority {
			right++
		}
	}
	c.Majority = console.Number(float64(right) / float64(len(asked.Labels)))
	return c, nil
}

// encodeImages returns the features of the training and test images.
func (e *evaluation) encodeImages(ctx context.Context) (known, asked *clip.Features, err error) {
	first, second, err := e.images()
	if err != nil {
		return nil, nil, err
	}
	if known, err = e.features(ctx, "training images", e.fewer(first)); err == nil {
		asked, err = e.features(ctx, "test images", second)
	}
	return known, asked, err
}

// fewer returns -shots images of each class, at random. From a smaller class it takes all.
func (e *evaluation) fewer(d vision.Dataset) vision.Dataset {
	if e.settings.Shots == 0 {
		return d
	}
	members := make([][]int, len(d.Classes()))
	for i := range d.Len() {
		members[d.Label(i)] = append(members[d.Label(i)], i)
	}
	few := &vision.Subset{Of: d}
	for class, list := range members {
		for _, k := range data.NewRand(e.settings.Seed, uint64(class)).Perm(len(list))[:min(e.settings.Shots, len(list))] {
			few.Indices = append(few.Indices, list[k])
		}
	}
	return few
}

// images returns the training and test images.
func (e *evaluation) images() (known, asked vision.Dataset, err error) {
	folder, err := vision.OpenDir(e.settings.Data, vision.FolderOptions{Decode: decode})
	if err != nil {
		return nil, nil, err
	}
	if e.settings.Test == "" {
		// Divided before they are read, so that broken images do not change the division.
		first, second, err := vision.Split(folder, 0.5, e.settings.Seed)
		if err != nil {
			return nil, nil, err
		}
		return first, second, nil
	}
	test, err := vision.OpenDir(e.settings.Test, vision.FolderOptions{Decode: decode})
	if err != nil {
		return nil, nil, err
	}
	if !slices.Equal(test.Classes(), folder.Classes()) {
		return nil, nil, fmt.Errorf("-test: expected the classes of -data, %q, found %q", folder.Classes(), test.Classes())
	}
	return folder, test, nil
}

// decode applies the orientation of photographs, as transformers' load_image does.
var decode = vision.DecodeOptions{ApplyOrientation: true, Alpha: true}
