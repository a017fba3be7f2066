package clip

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"

	"github.com/chewxy/math32"
	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/run"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/train"
)

// TipAdapter adds the knowledge of a few labeled images to a [Classifier]: the Tip-Adapter of Zhang et al. (arXiv
// 2111.03930). Its logits are the classifier's plus Alpha·exp(-Beta·(1 - similarity)) for each of the images, at its
// label.
type TipAdapter struct {
	Keys        *autograd.Parameter // [images, dim], the embeddings of the images; trained ones in Tip-Adapter-F
	Labels      []int               // of the images
	Alpha, Beta float32
	// Accuracy is the share of validation images whose label is predicted correctly; NaN without such images.
	Accuracy float32

	classifier *Classifier
}

// TipAdapterOptions change how [Classifier.TipAdapter] works. The zero value trains nothing (Tip-Adapter).
type TipAdapterOptions struct {
	// Epochs is how often the keys see each image in training (Tip-Adapter-F); 0 trains nothing. The paper takes 20.
	Epochs int
	// Rate is the learning rate of training; 0 means 0.001.
	Rate float64
	// Validation are the features of other images of the same classes, by which Alpha and Beta are chosen. nil means a
	// fifth of each class, at random by Seed; where no class has two images, Alpha is 1 and Beta 5.5.
	Validation *Features
	// Seed decides that choice and the order of images in training.
	Seed uint64
}

// The values before and without a choice, and the grid of the choice (main.py and utils.py of gaopengcuhk/Tip-Adapter).
const (
	startAlpha, startBeta = 1, 5.5
	mostAlpha, mostBeta   = 3, 7
	stepsAlpha, stepsBeta = 20, 200

	adapterBatch            = 256
	adapterRate, adapterEps = 0.001, 1e-4
	adapterDecay            = 0.01 // PyTorch's default
)

// TipAdapter returns the classifier with a cache of labeled images. The labels of the features are indices of Labels.
//
// Validation images choose Alpha and Beta on a grid; the first of equal results counts. Without o.Validation, the
// images held out for this choice join the cache at the end. With Epochs, the keys are first trained by AdamW and a
// cosine schedule on the cross-entropy of the images. The authors augment images in training; here embeddings are
// computed once.
//
// It returns an error for features of another model or number of classes, and ctx's. The classes must be in the order
// of Labels; their names may differ.
func (c *Classifier) TipAdapter(ctx context.Context, f *Features, o TipAdapterOptions) (*TipAdapter, error) {
	a, err := c.cached(ctx, f, o)
	if err != nil {
		return nil, fmt.Errorf("clip: Tip-Adapter: %w", err)
	}
	return a, nil
}

func (c *Classifier) cached(ctx context.Context, f *Features, o TipAdapterOptions) (*TipAdapter, error) {
	if o.Epochs < 0 || o.Rate < 0 {
		return nil, errors.New("expected Epochs and a Rate that are not negative")
	}
	if err := c.check(f); err != nil {
		return nil, err
	}
	if o.Validation != nil {
		if err := c.check(o.Validation); err != nil {
			return nil, fmt.Errorf("option Validation: %w", err)
		}
	}
	known, held := f, o.Validation
	if held == nil && slices.Max(count(f.Labels, len(c.Labels))) > 1 {
		var err error
		if known, held, err = f.Split(0.2, o.Seed); err != nil {
			return nil, err
		}
	}
	a, err := c.fit(ctx, known, o)
	if err != nil || held == nil {
		return a, err
	}
	if err := a.choose(ctx, held); err != nil || o.Validation != nil {
		return a, err
	}
	all, err := c.fit(ctx, f, o)
	if err != nil {
		return nil, err
	}
	all.Alpha, all.Beta, all.Accuracy = a.Alpha, a.Beta, a.Accuracy
	return all, nil
}

// check returns an error for features that do not belong to the classifier.
func (c *Classifier) check(f *Features) error {
	switch {
	case f == nil || len(f.Labels) == 0:
		return errors.New("expected features of images, found none")
	case len(f.Embeddings[0]) != len(c.Weights[0]):
		return fmt.Errorf("expected embeddings of %d values, found %d", len(c.Weights[0]), len(f.Embeddings[0]))
	case f.model != nil && f.model != c.model:
		return errors.New("expected features of the model of the classifier, found those of another")
	case len(f.Classes) != len(c.Labels):
		return fmt.Errorf("expected features of %d classes, as many as labels, found %d", len(c.Labels), len(f.Classes))
	case slices.Max(f.Labels) >= len(c.Labels):
		return fmt.Errorf("expected labels from 0 to %d, found %d", len(c.Labels)-1, slices.Max(f.Labels))
	}
	return nil
}

// count returns how many times each label occurs.
func count(labels []int, classes int) []int {
	n := make([]int, classes)
	for _, l := range labels {
		n[l]++
	}
	return n
}

// fit returns an adapter of the images, trained where the options say so.
func (c *Classifier) fit(ctx context.Context, f *Features, o TipAdapterOptions) (*TipAdapter, error) {
	n, dim := len(f.Embeddings), len(f.Embeddings[0])
	a := &TipAdapter{
		Keys: autograd.ParameterOf(slices.Concat(f.Embeddings...), n, dim), Labels: f.Labels,
		Alpha: startAlpha, Beta: startBeta, Accuracy: math32.NaN(), classifier: c,
	}
	if o.Epochs == 0 {
		return a, ctx.Err()
	}
	rate := o.Rate
	if rate == 0 {
		rate = adapterRate
	}
	workers := c.model.Workers
	group := train.Group{Params: []train.Param{{Path: "Keys", Parameter: a.Keys}}, WeightDecay: adapterDecay}
	opt := train.NewAdamW([]train.Group{group}, train.AdamOptions{Eps: new(adapterEps)})
	if err := opt.Err(); err != nil {
		return nil, err
	}
	schedule := train.Curve{Peak: rate, Length: float64(o.Epochs)}.Cosine()
	tape := autograd.NewTape(autograd.Options{Gradients: true, Workers: workers, Context: ctx})
	grads := autograd.NewGradients()
	batches := (n + adapterBatch - 1) / adapterBatch
	for step := range o.Epochs * batches {
		epoch, batch := step/batches, step%batches
		order := data.NewRand(o.Seed, uint64(epoch)).Perm(n)[batch*adapterBatch:]
		order = order[:min(adapterBatch, len(order))]
		err := tape.Try(func() error {
			var rows []float32
			var labels []int
			for _, i := range order {
				rows, labels = append(rows, f.Embeddings[i]...), append(labels, f.Labels[i])
			}
			logits := a.logits(tape.Input(rows, len(order), dim))
			autograd.CrossEntropy(logits, labels, autograd.CrossEntropyOptions{}).Backward(grads)
			return nil
		})
		if err != nil {
			return nil, err
		}
		opt.Step(grads, schedule.Rate(float64(step)/float64(batches)), 1, workers)
		grads.Zero()
	}
	return a, nil
}

// logits maps embeddings of length 1, [n, dim], to logits, [n, classes].
func (a *TipAdapter) logits(x *autograd.Tensor) *autograd.Tensor {
	t, c := x.Tape(), a.classifier
	zero := autograd.Scale(autograd.MatMulT(x, t.Input(slices.Concat(c.Weights...), len(c.Weights), x.Dim(1)), false, true), c.model.factor())
	near := autograd.Exp(autograd.Scale(autograd.AddScalar(autograd.Linear(x, a.Keys, nil), -1), a.Beta))
	cache := autograd.MatMul(near, t.Input(oneHot(a.Labels, len(c.Labels)), len(a.Labels), len(c.Labels)))
	return autograd.Add(zero, autograd.Scale(cache, a.Alpha))
}

// oneHot returns [labels, classes] with a one at each label.
func oneHot(labels []int, classes int) []float32 {
	out := make([]float32, len(labels)*classes)
	for i, label := range labels {
		out[i*classes+label] = 1
	}
	return out
}

// choose sets Alpha and Beta to the values of the grid that predict most of the validation images.
func (a *TipAdapter) choose(ctx context.Context, held *Features) error {
	queries := held.Embeddings
	zero := a.classifier.model.Logits(queries, a.classifier.Weights)
	keys := slices.Collect(slices.Chunk(a.Keys.Values(), len(queries[0])))
	similar := make([][]float32, len(queries))
	for i, q := range queries {
		similar[i] = make([]float32, len(keys))
		for k, key := range keys {
			similar[i][k] = simd.Dot(q, key) - 1
		}
	}
	best := -1
	near := make([]float32, len(keys))
	cache := make([][]float32, len(queries))
	for i := range cache {
		cache[i] = make([]float32, len(a.classifier.Labels))
	}
	for b := range stepsBeta {
		if err := ctx.Err(); err != nil {
			return err
		}
		beta := 0.1 + float32(b)*(mostBeta-0.1)/stepsBeta
		for i, row := range similar {
			clear(cache[i])
			simd.Scale(near, row, beta)
			simd.Exp(near, near)
			for k, v := range near {
				cache[i][a.Labels[k]] += v
			}
		}
		for s := range stepsAlpha {
			alpha := 0.1 + float32(s)*(mostAlpha-0.1)/stepsAlpha
			right := 0
			for i := range queries {
				if largest(zero[i], cache[i], alpha) == held.Labels[i] {
					right++
				}
			}
			if right > best {
				best, a.Alpha, a.Beta = right, alpha, beta
			}
		}
	}
	a.Accuracy = float32(best) / float32(len(queries))
	return nil
}

// largest returns the index of the largest element of x + alpha·y.
func largest(x, y []float32, alpha float32) int {
	best, at := x[0]+alpha*y[0], 0
	for i := range x {
		if v := x[i] + alpha*y[i]; v > best {
			best, at = v, i
		}
	}
	return at
}

// Classify predicts the label of each image. ctx, errors and concurrent use are those of [Model.EncodeImages].
func (a *TipAdapter) Classify(ctx context.Context, images ...image.Image) ([]Prediction, error) {
	embeddings, err := a.classifier.model.EncodeImages(ctx, images...)
	if err != nil {
		return nil, err
	}
	return a.Predict(embeddings...), nil
}

// Predict is [TipAdapter.Classify] for images that are encoded already. It panics for embeddings of another model's
// size.
func (a *TipAdapter) Predict(embeddings ...[]float32) []Prediction {
	if len(embeddings) == 0 {
		return nil
	}
	tape := autograd.NewTape(autograd.Options{})
	x := unit(embeddings)
	logits := a.logits(tape.Input(slices.Concat(x...), len(x), len(x[0])))
	return predict(run.AppendRows(nil, logits), a.classifier.Labels, models.SingleLabel)
}
