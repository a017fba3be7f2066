package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"time"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/imageset"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/probe"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
)

// featureBatch is the number of images whose features are computed at a time.
const featureBatch = 16

// trial is a head that was fitted with one strength of the penalty.
type trial struct {
	C        float64 // inverse strength
	Loss     float64 // on the validation images
	Accuracy float64 // likewise; with -balance the mean over classes
}

// strengths are the values of C that are tried, for features of deviation 1.
var strengths = []float64{1e-3, 1e-2, 1e-1, 1, 10}

// fit gives the model the head that logistic regression finds on the features of the training images. The validation images
// choose the strength of its penalty. It returns the trials and the best one, and the logits of the test images.
func (r *run) fit(ctx context.Context) (trials []trial, best int, logits []float32, err error) {
	c := &r.corpus
	rows, err := r.features(ctx)
	if err != nil {
		return nil, 0, nil, err
	}
	width := r.model.Config.FeatureSize()
	first, second := c.train.files.Len()*width, (c.train.files.Len()+c.validation.files.Len())*width
	known, held, asked := rows[:first], rows[first:second], rows[second:]
	labels, want := imageset.Labels(c.train.files), imageset.Labels(c.validation.files)
	o := probe.LogisticOptions{Standardize: true, Tolerance: 1e-3, Workers: r.model.Workers}
	if r.settings.Balance {
		o.Weights = data.ItemWeights(labels, data.ClassWeights(labels, len(c.classes)))
	}
	show := r.console.Phase("fitting the head", console.Steps, int64(len(strengths)))
	defer show.End()
	var chosen *probe.Logistic
	for i, strength := range strengths {
		o.C = strength
		fitted, err := probe.FitLogistic(ctx, known, labels, len(c.classes), o)
		if err != nil {
			return nil, 0, nil, err
		}
		scores := fitted.Logits(held)
		t := trial{strength, crossEntropy(scores, want), r.score(c.confusion(scores, c.validation.files))}
		trials = append(trials, t)
		if chosen == nil || t.Accuracy > trials[best].Accuracy || t.Accuracy == trials[best].Accuracy && t.Loss < trials[best].Loss {
			chosen, best = fitted, i
		}
		show.At(int64(i + 1))
	}
	setHead(r.model, chosen)
	return trials, best, chosen.Logits(asked), nil
}

// setHead gives a model the weights of a fitted head. The logits of a model with a distillation token are the mean of two heads,
// and its features the mean of two tokens: both heads get the same weights.
func setHead(m *vit.Model, fitted *probe.Logistic) {
	m.Head.Weight.Update(func(v []float32) { copy(v, fitted.Weight) })
	m.Head.Bias.Update(func(v []float32) { copy(v, fitted.Bias) })
	if m.DistillationHead != nil {
		m.DistillationHead.Weight.Update(func(v []float32) { copy(v, fitted.Weight) })
		m.DistillationHead.Bias.Update(func(v []float32) { copy(v, fitted.Bias) })
	}
}

// fitTime is about how long fit takes, beside the features: each fit takes some 80 steps.
func (r *run) fitTime(width int) time.Duration {
	million := float64(r.corpus.train.files.Len()) * float64(width) * float64(len(r.corpus.classes)) / 1e6
	return time.Duration(float64(len(strengths)) * 80 * million * float64(time.Millisecond) / float64(max(1, r.model.Workers.Limit())))
}

// features returns the features of the images for training, validation and testing, [images, width]. It saves them in the
// output folder as it goes, so that an interrupted run continues.
func (r *run) features(ctx context.Context) ([]float32, error) {
	const often = 20 * time.Second
	all := joined{r.corpus.train.files, r.corpus.validation.files, r.corpus.test.files}
	id, err := r.identity()
	if err != nil {
		return nil, err
	}
	width := r.model.Config.FeatureSize()
	rows, err := r.cached(id, width)
	if err != nil {
		return nil, err
	}
	rest := &vision.Subset{Of: all}
	for i := len(rows) / width; i < all.Len(); i++ {
		rest.Indices = append(rest.Indices, i)
	}
	if len(rest.Indices) == 0 {
		return rows, nil
	}
	show := r.console.Phase("computing features", console.Files, int64(all.Len()))
	defer show.End()
	saved := time.Now()
	loader := &vision.Loader{Data: rest, Preprocess: r.model.Preprocess, BatchSize: featureBatch, Goroutines: r.settings.Threads}
	err = train.Evaluate(ctx, loader, autograd.Options{Workers: r.model.Workers, Math: r.model.Math}, func(t *autograd.Tape, b *vision.Batch) error {
		rows = append(rows, r.model.Pooled(t.Input(b.Pixels, b.Shape()...)).Floats(nil)...)
		show.At(int64(len(rows) / width))
		if r.afterStep != nil {
			r.afterStep(b.Number + 1)
		}
		if time.Since(saved) < often {
			return nil
		}
		saved = time.Now()
		return r.save(rows, id, width)
	})
	if len(rows) > 0 {
		err = errors.Join(err, r.save(rows, id, width))
	}
	return rows, err
}

// save writes features to the output folder.
func (r *run) save(rows []float32, id map[string]string, width int) error {
	entries := []checkpoint.Entry{{Name: "features", Shape: []int{len(rows) / width, width}, Floats: rows}}
	return checkpoint.Write(r.settings.folder().State(), entries, checkpoint.WriteOptions{Metadata: id})
}

// cached reads the features of an interrupted run, if there is one.
func (r *run) cached(id map[string]string, width int) ([]float32, error) {
	name := r.settings.folder().State()
	f, err := checkpoint.Open(name, checkpoint.OpenOptions{Unmapped: true})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for key, want := range id {
		if was, _ := f.Metadata(key); was != want {
			return nil, fmt.Errorf("-out: the unfinished run in %s has other %s: found %q, now %q; choose another folder", r.settings.Out, key, was, want)
		}
	}
	t, ok := f.Tensor("features")
	if !ok || len(t.Shape) != 2 || t.Shape[1] != width {
		return nil, fmt.Errorf("%s: expected features of %d values", name, width)
	}
	rows := make([]float32, t.Len())
	return rows, t.Floats(rows)
}

// crossEntropy returns the mean of -log softmax(logits)[label].
func crossEntropy(logits []float32, labels []int) float64 {
	sum, n := 0.0, len(logits)/len(labels)
	for i, label := range labels {
		row := logits[i*n : (i+1)*n]
		top, total := float64(slices.Max(row)), 0.0
		for _, v := range row {
			total += math.Exp(float64(v) - top)
		}
		sum += math.Log(total) + top - float64(row[label])
	}
	return sum / float64(len(labels))
}

// confusion counts the predictions of images.
func (c *corpus) confusion(logits []float32, d vision.Dataset) *metrics.Confusion {
	counts := metrics.NewConfusion(len(c.classes))
	counts.Names = c.classes
	for i, class := range metrics.ArgmaxRows(logits, len(c.classes)) {
		counts.Add(d.Label(i), class)
	}
	return counts
}

// score is the accuracy that validation compares, with -balance the mean over the classes.
func (r *run) score(c *metrics.Confusion) float64 {
	if r.settings.Balance {
		return c.BalancedAccuracy()
	}
	return c.Accuracy()
}

// meaning says, after a comma, what a score of validation is where it is not the share of images that are right.
func (s *settings) meaning() string {
	if s.Balance {
		return ", mean over classes"
	}
	return ""
}

// joined is several data sets of the same classes, one after the other.
type joined []vision.Dataset

// at returns the data set of image i, and its place there.
func (j joined) at(i int) (vision.Dataset, int) {
	for _, d := range j[:len(j)-1] {
		if i < d.Len() {
			return d, i
		}
		i -= d.Len()
	}
	return j[len(j)-1], i
}

func (j joined) Len() (n int) {
	for _, d := range j {
		n += d.Len()
	}
	return n
}
func (j joined) Classes() []string                 { return j[0].Classes() }
func (j joined) Label(i int) int                   { d, i := j.at(i); return d.Label(i) }
func (j joined) Name(i int) string                 { d, i := j.at(i); return d.Name(i) }
func (j joined) Open(i int) (*vision.Image, error) { d, i := j.at(i); return d.Open(i) }
