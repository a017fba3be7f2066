package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// Trial is the result of a cross-validation with one C.
type Trial struct {
	C float64
	// Accuracy is the share of samples whose label is predicted by a fit without them. Samples count by their weights.
	Accuracy float64
	// Loss is their mean cross-entropy. It leaves out a sample that is the only one of its class.
	Loss float64
}

// ChooseC returns the candidate with the highest accuracy in a cross-validation on the samples, of equals that with the
// lowest loss. It also returns the trials in the order of the candidates. o.C is ignored; its other options hold for
// every fit. 0 folds means 5; more folds than samples leave out one sample at a time.
//
// Folds are scikit-learn's StratifiedKFold without shuffling: each has its share of every class, and the samples keep
// their order. So nothing is random. A class may have fewer samples than there are folds. It may also have only one,
// which no fit without it can predict; an error is returned when no class has two.
//
// ChooseC returns the errors of [FitLogistic] too. It takes the time of folds fits for each candidate, or less, because
// a fit begins where that of the next lower candidate ended.
func ChooseC(ctx context.Context, features []float32, labels []int, classes int, candidates []float64, folds int, o LogisticOptions) (best float64, trials []Trial, err error) {
	if len(candidates) == 0 {
		return 0, nil, errors.New("probe: no candidates for C")
	}
	if folds == 0 {
		folds = 5
	}
	if folds < 2 {
		return 0, nil, fmt.Errorf("probe: expected at least 2 folds, found %d", folds)
	}
	for _, c := range candidates {
		if !(c > 0) {
			return 0, nil, fmt.Errorf("probe: expected candidates for C above 0, found %v", c)
		}
		trials = append(trials, Trial{C: c})
	}
	if o, err = o.fill(); err != nil {
		return 0, nil, err
	}
	whole, err := newProblem(features, labels, nil, classes, o) // checks the samples
	if err != nil {
		return 0, nil, err
	}
	all := part{features, o.Weights, labels, whole.d}.where(func(i int) bool { return whole.shares[i] > 0 })
	if len(all.labels) == len(all.classes()) {
		return 0, nil, errors.New("probe: expected a class with at least 2 samples for a cross-validation, found one of each class")
	}
	v := &validation{ctx: ctx, all: all, fold: stratify(all.labels, folds), classes: classes, options: o, trials: trials}
	for fold := range min(folds, len(all.labels)) {
		if err := v.run(fold); err != nil {
			return 0, nil, err
		}
	}
	for i := range trials {
		trials[i].Accuracy /= v.weight
		trials[i].Loss /= v.lossWeight
	}
	first := slices.MinFunc(trials, func(a, b Trial) int {
		return cmp.Or(cmp.Compare(b.Accuracy, a.Accuracy), cmp.Compare(a.Loss, b.Loss), cmp.Compare(a.C, b.C))
	})
	return first.C, trials, nil
}

// validation adds up the trials of a cross-validation.
type validation struct {
	ctx     context.Context
	all     part
	fold    []int // of each sample
	classes int
	options LogisticOptions

	trials             []Trial
	weight, lossWeight float64 // of the samples in Accuracy and in Loss
}

// run fits the samples outside a fold and predicts the fold, with every candidate.
func (v *validation) run(fold int) error {
	train := v.all.where(func(i int) bool { return v.fold[i] != fold })
	test := v.all.where(func(i int) bool { return v.fold[i] == fold })
	known := train.classes()
	for i, label := range test.labels {
		v.weight += test.weight(i)
		if known[label] {
			v.lossWeight += test.weight(i)
		}
	}
	if len(known) == 1 { // which is then predicted, with a loss of 0
		for i, label := range test.labels {
			for t := range v.trials {
				if known[label] {
					v.trials[t].Accuracy += test.weight(i)
				}
			}
		}
		return nil
	}
	o := v.options
	o.Weights = train.weights
	p, err := newProblem(train.features, train.labels, nil, v.classes, o)
	if err != nil {
		return err
	}
	order := make([]int, len(v.trials))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(v.trials[i].C, v.trials[j].C) })
	solution := make([]float64, p.size())
	for _, i := range order {
		trial := &v.trials[i]
		o.C = trial.C
		l, err := p.fit(v.ctx, solution, v.classes, o)
		if err != nil {
			return err
		}
		logits := l.Logits(test.features)
		for i, label := range test.labels {
			row := logits[i*v.classes : (i+1)*v.classes]
			predicted, loss := judge(row, label)
			if predicted {
				trial.Accuracy += test.weight(i)
			}
			if known[label] {
				trial.Loss += float64(test.weight(i) * loss)
			}
		}
	}
	return nil
}

// judge reports whether the label has the highest logit, and returns its cross-entropy.
func judge(logits []float32, label int) (right bool, loss float64) {
	top := float64(slices.Max(logits))
	sum := 0.0
	for _, z := range logits {
		sum += exp(float64(z) - top)
	}
	return float64(logits[label]) == top, log(sum) + top - float64(logits[label])
}

// part is some of the samples.
type part struct {
	features, weights []float32 // no weights mean 1 each
	labels            []int
	d                 int
}

// where copies the samples for which keep is true.
func (s part) where(keep func(i int) bool) part {
	kept := part{d: s.d}
	for i, label := range s.labels {
		if keep(i) {
			kept.features = append(kept.features, s.features[i*s.d:(i+1)*s.d]...)
			kept.labels = append(kept.labels, label)
			if s.weights != nil {
				kept.weights = append(kept.weights, s.weights[i])
			}
		}
	}
	return kept
}

func (s part) weight(i int) float64 {
	if s.weights == nil {
		return 1
	}
	return float64(s.weights[i])
}

// classes returns the labels that occur.
func (s part) classes() map[int]bool {
	set := map[int]bool{}
	for _, label := range s.labels {
		set[label] = true
	}
	return set
}

// stratify returns the fold of each sample. Samples sorted by class are dealt to the folds in turn, which gives the number
// of each class in each fold; then the first samples of a class go to the first fold, and so on.
func stratify(labels []int, folds int) []int {
	counts := map[int]int{}
	var classes []int // in the order in which they appear, as scikit-learn numbers them
	for _, label := range labels {
		if counts[label] == 0 {
			classes = append(classes, label)
		}
		counts[label]++
	}
	turns := map[int][]int{} // the folds of the samples of a class
	dealt := 0
	for _, class := range classes {
		for range counts[class] {
			turns[class] = append(turns[class], dealt%folds)
			dealt++
		}
		slices.Sort(turns[class])
	}
	fold := make([]int, len(labels))
	for i, label := range labels {
		fold[i] = turns[label][0]
		turns[label] = turns[label][1:]
	}
	return fold
}
