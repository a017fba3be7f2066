package clip

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/probe"
	"github.com/fovea-ml/fovea/simd"
)

// Probe is a linear classifier on the features of a frozen image tower (arXiv 2103.00020, section 3.2).
type Probe struct {
	*probe.Logistic
	Labels []string
	// C is the inverse strength of the penalty that was chosen, and Accuracy the share of the held-out samples that it
	// predicts. NaN where nothing was held out.
	C        float64
	Accuracy float64
}

// ProbeOptions change how [FitProbe] works. The zero value does as the paper.
type ProbeOptions struct {
	// C is the inverse strength of the penalty. 0 chooses it by the held-out samples.
	C float64
	// Held are the samples for that choice. Without them it is every fifth sample of each class. They join the others for
	// the final fit, as in the paper.
	Held Samples
	// Workers bounds the cores; nil is serial. The result does not depend on it.
	Workers *simd.Workers
}

// FitProbe fits a linear probe to features, such as those of [Model.ImageFeatures], for the classes that labels name.
//
// It is the paper's: logistic regression by L-BFGS with at most 1,000 steps. The penalty is chosen by the accuracy on
// held-out samples: from seven strengths, the interval around the best is halved until there are 8 steps a decade between
// 10⁻⁶ and 10⁶ (arXiv 2103.00020, appendix A.3). Of equals the stronger penalty is taken. Then all samples are fitted.
//
// It returns an error for samples that do not fit together, those of probe.FitLogistic, and ctx's.
func FitProbe(ctx context.Context, s Samples, labels []string, o ProbeOptions) (*Probe, error) {
	p, err := fitProbe(ctx, s, labels, o)
	if err != nil {
		return nil, fmt.Errorf("clip: probe: %w", err)
	}
	return p, nil
}

func fitProbe(ctx context.Context, s Samples, labels []string, o ProbeOptions) (*Probe, error) {
	if err := s.check(len(labels)); err != nil {
		return nil, err
	}
	p := &Probe{Labels: labels, C: o.C, Accuracy: math.NaN()}
	all := s
	if p.C == 0 {
		rest, held := s, o.Held
		if len(held.Vectors) == 0 {
			rest, held = s.split(len(labels))
		} else {
			all = Samples{slices.Concat(s.Vectors, held.Vectors), slices.Concat(s.Labels, held.Labels)}
			if err := all.check(len(labels)); err != nil {
				return nil, fmt.Errorf("held-out samples: %w", err)
			}
		}
		if len(held.Vectors) == 0 {
			return nil, fmt.Errorf("expected %d samples of a class or more, to hold one out, or ProbeOptions.Held, or a C", every)
		}
		var err error
		if p.C, p.Accuracy, err = searchC(ctx, rest, held, len(labels), o.Workers); err != nil {
			return nil, err
		}
	}
	var err error
	p.Logistic, err = probe.FitLogistic(ctx, slices.Concat(all.Vectors...), all.Labels, len(labels), probe.LogisticOptions{C: p.C, Workers: o.Workers})
	return p, err
}

// searchC returns the C with the best accuracy on the held-out samples. Candidates are 10^(i/8), i from -48 to 48.
func searchC(ctx context.Context, s, held Samples, classes int, w *simd.Workers) (best, accuracy float64, err error) {
	features, queries := slices.Concat(s.Vectors...), slices.Concat(held.Vectors...)
	tried := map[int]float64{}
	try := func(i int) error {
		if _, ok := tried[i]; ok || i < -48 || i > 48 {
			return nil
		}
		l, err := probe.FitLogistic(ctx, features, s.Labels, classes, probe.LogisticOptions{C: math.Pow(10, float64(i)/8), Workers: w})
		if err == nil {
			tried[i] = metrics.Accuracy(l.Logits(queries), held.Labels)
		}
		return err
	}
	for i := -48; i <= 48; i += 16 {
		if err := try(i); err != nil {
			return 0, 0, err
		}
	}
	at := func() int {
		var all []int
		for i := range tried {
			all = append(all, i)
		}
		return slices.MinFunc(all, func(a, b int) int { return cmp.Or(cmp.Compare(tried[b], tried[a]), cmp.Compare(a, b)) })
	}
	for step := 8; step >= 1; step /= 2 {
		peak := at()
		for _, i := range []int{peak - step, peak + step} {
			if err := try(i); err != nil {
				return 0, 0, err
			}
		}
	}
	return math.Pow(10, float64(at())/8), tried[at()], nil
}

// Predict classifies images by their features. It panics for features of another model's size.
func (p *Probe) Predict(features ...[]float32) []Prediction {
	out := make([]Prediction, len(features))
	for i, f := range features {
		out[i] = models.Predict(p.Logits(f), p.Labels, models.SingleLabel)
	}
	return out
}
