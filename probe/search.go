package probe

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// SearchC returns the C whose fit on the samples predicts other samples best, by the search of CLIP's linear probe (Radford
// et al., arXiv 2103.00020, appendix A.3). It first tries the penalties 10⁻⁶, 10⁻⁴, 10⁻², 1, 10², 10⁴ and 10⁶; a penalty is
// 1/C. Then it tries the two neighbors of the best at half the distance of the exponents, four times: down to eight steps a
// decade, with 15 fits in all. Of trials with the same accuracy, the one with the lower loss is better, and then the one with
// the lower C. The paper joins both sets of samples for the final fit.
//
// The other samples are held [m, width], with labels [m]. They must not be those of the test. A label without samples to fit
// is never predicted, and counts for Accuracy alone. The trials are in ascending order of C. o.C is ignored. SearchC returns
// the errors of [FitLogistic], for both sets of samples.
func SearchC(ctx context.Context, features []float32, labels []int, held []float32, heldLabels []int, classes int, o LogisticOptions) (best float64, trials []Trial, err error) {
	if o, err = o.fill(); err != nil {
		return 0, nil, err
	}
	p, err := newProblem(features, labels, nil, classes, o)
	if err != nil {
		return 0, nil, err
	}
	if err := checkHeld(held, heldLabels, p.d, classes); err != nil {
		return 0, nil, fmt.Errorf("%w, among the samples held out", err)
	}
	s := &search{ctx: ctx, problem: p, held: held, labels: heldLabels, classes: classes, options: o, solution: make([]float64, p.size()), tried: map[int]Trial{}}
	for penalty := -largestPenalty; penalty <= largestPenalty; penalty += 2 * decade {
		if err := s.try(penalty); err != nil {
			return 0, nil, err
		}
	}
	for step := decade; step >= 1; step /= 2 {
		peak := s.peak()
		for _, penalty := range []int{peak + step, peak - step} {
			if err := s.try(penalty); err != nil {
				return 0, nil, err
			}
		}
	}
	for _, trial := range s.tried {
		trials = append(trials, trial)
	}
	slices.SortFunc(trials, func(a, b Trial) int { return cmp.Compare(a.C, b.C) })
	return s.tried[s.peak()].C, trials, nil
}

// Exponents of penalties are counted in eighths.
const (
	decade         = 8
	largestPenalty = 6 * decade
)

// inverse returns C for the exponent of a penalty. It is a product of constants, because math.Pow does not have the same bits
// everywhere.
func inverse(penalty int) float64 {
	roots := [decade]float64{1, 1.333521432163324, 1.7782794100389228, 2.371373705661655, 3.1622776601683795, 4.216965034285822, 5.62341325190349, 7.498942093324558}
	decades := [2*7 + 1]float64{1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7}
	exponent := 7*decade - penalty
	return decades[exponent/decade] * roots[exponent%decade]
}

// search is a search for C under way.
type search struct {
	ctx      context.Context
	problem  *problem
	held     []float32
	labels   []int
	classes  int
	options  LogisticOptions
	solution []float64 // of the last fit, where the next one begins
	tried    map[int]Trial
}

// peak returns the penalty of the best trial.
func (s *search) peak() int {
	best, found := 0, false
	for penalty, a := range s.tried {
		b := s.tried[best]
		if !found || cmp.Or(cmp.Compare(b.Accuracy, a.Accuracy), cmp.Compare(a.Loss, b.Loss), cmp.Compare(a.C, b.C)) < 0 {
			best, found = penalty, true
		}
	}
	return best
}

// try fits with a penalty, and predicts the samples held out.
func (s *search) try(penalty int) error {
	if _, done := s.tried[penalty]; done {
		return nil
	}
	s.options.C = inverse(penalty)
	l, err := s.problem.fit(s.ctx, s.solution, s.classes, s.options)
	if err != nil {
		return err
	}
	known := map[int]bool{}
	for _, class := range s.problem.classes {
		known[class] = true
	}
	trial, counted := Trial{C: s.options.C}, 0
	logits := l.Logits(s.held)
	for i, label := range s.labels {
		right, loss := judge(logits[i*s.classes:(i+1)*s.classes], label)
		if right {
			trial.Accuracy++
		}
		if known[label] {
			trial.Loss += loss
			counted++
		}
	}
	trial.Accuracy /= float64(len(s.labels))
	trial.Loss /= float64(max(1, counted))
	s.tried[penalty] = trial
	return nil
}

// checkHeld checks the samples that a search predicts.
func checkHeld(features []float32, labels []int, width, classes int) error {
	n, err := countSamples(len(features), labels, nil, classes)
	if err != nil {
		return err
	}
	if len(features) != n*width {
		return fmt.Errorf("probe: expected samples of %d features, found %d", width, len(features)/n)
	}
	for i, label := range labels {
		if label < 0 || label >= classes {
			return fmt.Errorf("probe: expected the label of sample %d in 0 to %d, found %d", i, classes-1, label)
		}
	}
	return matrix{features, n, width}.finite()
}
