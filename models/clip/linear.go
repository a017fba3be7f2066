package clip

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/probe"
)

// LinearProbe labels images by logistic regression on the features of the image tower, before the projection, as the
// paper's comparison of models does (arXiv 2103.00020, section 3.2). It is not changed by use, and any number of
// goroutines may use it at once.
type LinearProbe struct {
	Labels []string
	// Regression maps the features of the tower, [Features].Tower, to logits.
	Regression *probe.Logistic
	// C is the inverse of the penalty. Trials are the values of C that were compared, in ascending order, or nil.
	C      float64
	Trials []probe.Trial

	model *Model
}

// LinearOptions change how a linear probe is fitted.
type LinearOptions struct {
	// C is the inverse of the penalty. 0 chooses it by the validation images, with [probe.SearchC]; the final fit takes
	// these too.
	C float64
	// Validation are the features of other images of the same classes. nil means a fifth of each class, at random by
	// Seed.
	Validation *Features
	Seed       uint64
}

// Linear fits a linear probe to the features and their labels. With chosen penalty it takes 16 fits by L-BFGS, of at
// most 1000 steps each.
//
// It returns the errors of [probe.FitLogistic] and [probe.SearchC], and an error when no class has two images, of which
// one is for validation.
func (f *Features) Linear(ctx context.Context, o LinearOptions) (*LinearProbe, error) {
	l, err := f.linear(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("clip: linear probe: %w", err)
	}
	return l, nil
}

func (f *Features) linear(ctx context.Context, o LinearOptions) (*LinearProbe, error) {
	l := &LinearProbe{Labels: f.Classes, C: o.C, model: f.model}
	logistic := probe.LogisticOptions{C: o.C}
	if f.model != nil {
		logistic.Workers = f.model.Workers
	}
	tower, labels, classes := f.Tower, f.Labels, len(f.Classes)
	if held := o.Validation; o.C == 0 {
		known := f
		if held == nil {
			var err error
			if known, held, err = f.Split(0.2, o.Seed); err != nil {
				return nil, err
			}
		} else {
			tower, labels = slices.Concat(tower, held.Tower), slices.Concat(labels, held.Labels)
		}
		var err error
		if l.C, l.Trials, err = probe.SearchC(ctx, known.Tower, known.Labels, held.Tower, held.Labels, classes, logistic); err != nil {
			return nil, err
		}
		logistic.C = l.C
	}
	var err error
	l.Regression, err = probe.FitLogistic(ctx, tower, labels, classes, logistic)
	return l, err
}

// Classify predicts the label of each image, in the order of the images, which may have any size. ctx, errors and
// concurrent use are those of [Model.EncodeImages].
func (l *LinearProbe) Classify(ctx context.Context, images ...image.Image) ([]Prediction, error) {
	if l.model == nil {
		return nil, errors.New("clip: linear probe: expected one of features that Model.Features made, which knows the model; Regression takes other features")
	}
	rows, err := l.model.images(ctx, images, func(features *autograd.Tensor) *autograd.Tensor { return features })
	if err != nil {
		return nil, err
	}
	for i, row := range rows {
		rows[i] = l.Regression.Logits(row)
	}
	return predict(rows, l.Labels, models.SingleLabel), nil
}
