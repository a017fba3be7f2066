package main

import (
	"context"
	"slices"

	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/vision"
)

// relabeled is a data set with other labels: a model's answers.
type relabeled struct {
	vision.Dataset
	labels []int
}

func (d *relabeled) Label(i int) int { return d.labels[i] }

// answer returns all training images, labeled by a model's answers. Labeled images keep their labels.
func (r *run) answer(ctx context.Context, m *vit.Model) (vision.Dataset, error) {
	logits, err := r.features(ctx, r.images.train, m.Preprocess, nil, m.Forward)
	if err != nil {
		return nil, err
	}
	d := &relabeled{Dataset: r.images.train}
	for row := range slices.Chunk(logits, len(d.Classes())) {
		d.labels = append(d.labels, metrics.Argmax(row))
	}
	for _, i := range r.images.labeled.Indices {
		d.labels[i] = r.images.train.Label(i)
	}
	return d, nil
}
