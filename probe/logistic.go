package probe

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/simd"
)

// LogisticOptions change how a logistic regression is fitted. The zero value is scikit-learn's LogisticRegression with
// more iterations.
type LogisticOptions struct {
	// C is the inverse strength of the penalty: the fit minimizes C times the sum of the losses plus half the sum of the
	// squared weights. Biases have no penalty. 0 means 1; +Inf means no penalty. [ChooseC] chooses one.
	C float64
	// Standardize divides the features by their deviation, for the penalty too. Weight and Bias are still for the
	// features as they are. A constant feature has the weight 0.
	Standardize bool
	// Weights multiply the losses of the samples. nil means 1 each. A sample of weight 0 counts for nothing.
	Weights []float32
	// MaxIterations bounds the steps of L-BFGS. 0 means 1000.
	MaxIterations int
	// Tolerance ends the fit: the largest magnitude of an element of the gradient, of the mean loss with the penalty,
	// over features without their mean. 0 means 1e-4.
	Tolerance float64
	// Workers bounds the cores. Their number does not change a bit of the result. nil is serial.
	Workers *simd.Workers
}

// fill checks the options and returns them with their defaults.
func (o LogisticOptions) fill() (LogisticOptions, error) {
	if o.C == 0 {
		o.C = 1
	}
	if o.MaxIterations == 0 {
		o.MaxIterations = 1000
	}
	if o.Tolerance == 0 {
		o.Tolerance = 1e-4
	}
	switch {
	case !(o.C > 0):
		return o, fmt.Errorf("probe: expected C above 0, found %v", o.C)
	case o.MaxIterations < 0:
		return o, fmt.Errorf("probe: expected MaxIterations of at least 0, found %d", o.MaxIterations)
	case !(o.Tolerance > 0):
		return o, fmt.Errorf("probe: expected Tolerance above 0, found %v", o.Tolerance)
	}
	return o, nil
}

// Logistic is a fitted multinomial logistic regression: the logits of features x are Weight·x + Bias.
type Logistic struct {
	// Weight [classes, width] and Bias [classes] have the layout of nn.Linear, so that a head can begin with them. A
	// class without samples has zero weights and the bias -Inf: it is never predicted.
	Weight, Bias []float32
	// Iterations is the number of steps of L-BFGS. Converged is false when MaxIterations ended the fit.
	Iterations int
	Converged  bool

	workers *simd.Workers
}

// FitLogistic fits features [n, width], row-major, to labels [n]. It returns an error for features that are not finite
// or not n rows, for labels not in 0 to classes-1 or all of one class, for invalid options, and when ctx ends.
//
// Beside the features, the fit keeps about 26 float64 for each weight. A step takes a millisecond for each million of
// n·width·classes on one core; there are usually 50 to 200.
func FitLogistic(ctx context.Context, features []float32, labels []int, classes int, o LogisticOptions) (*Logistic, error) {
	return fitLogistic(ctx, features, labels, nil, classes, o)
}

// FitLogisticSoft is [FitLogistic] with targets [n, classes] in place of labels: probabilities, such as those of another
// model. The loss of a sample is the cross-entropy -Σ target·log p. Targets of 0 and 1 give FitLogistic's result.
// Targets must be finite and not negative.
func FitLogisticSoft(ctx context.Context, features, targets []float32, classes int, o LogisticOptions) (*Logistic, error) {
	if targets == nil {
		targets = []float32{}
	}
	return fitLogistic(ctx, features, nil, targets, classes, o)
}

func fitLogistic(ctx context.Context, features []float32, labels []int, targets []float32, classes int, o LogisticOptions) (*Logistic, error) {
	o, err := o.fill()
	if err != nil {
		return nil, err
	}
	p, err := newProblem(features, labels, targets, classes, o)
	if err != nil {
		return nil, err
	}
	return p.fit(ctx, make([]float64, p.size()), classes, o)
}

// fit starts at the variables v and leaves the solution there.
func (p *problem) fit(ctx context.Context, v []float64, classes int, o LogisticOptions) (*Logistic, error) {
	p.penalize(o.C)
	m := &minimizer{value: p.value, tolerance: o.Tolerance, iterations: o.MaxIterations}
	n, converged, err := m.run(ctx, v)
	if err != nil {
		return nil, err
	}
	l := &Logistic{
		Weight:     make([]float32, classes*p.d),
		Bias:       make([]float32, classes),
		Iterations: n,
		Converged:  converged,
		workers:    o.Workers,
	}
	for class := range l.Bias {
		l.Bias[class] = float32(math.Inf(-1))
	}
	bias := p.head(v)
	for c, class := range p.classes {
		for j, w := range p.weight[c*p.d : (c+1)*p.d] {
			l.Weight[class*p.d+j] = float32(w)
		}
		l.Bias[class] = float32(bias[c])
	}
	return l, nil
}

// Logits returns [n, classes] for features [n, width]. Its sums are float64 in a fixed order. It panics when len(features)
// is no multiple of width.
func (l *Logistic) Logits(features []float32) []float32 {
	classes := len(l.Bias)
	d := len(l.Weight) / classes
	if len(features)%d != 0 {
		panic(fmt.Sprintf("probe: expected samples of %d features, found %d values", d, len(features)))
	}
	wide := padded(classes, lanes)
	weight := make([]float64, wide*d)
	for i, w := range l.Weight {
		weight[i] = float64(w)
	}
	logits := make([]float32, 0, len(features)/d*classes)
	var z []float64
	for part := range slices.Chunk(features, 1024*d) { // to bound z
		m := matrix{part, len(part) / d, d}
		z = slices.Grow(z[:0], padded(m.n, samples)*wide)[:padded(m.n, samples)*wide]
		m.dots(l.workers, z, weight, wide, func(int, int) {})
		for i := range m.n {
			for c, bias := range l.Bias {
				logits = append(logits, float32(z[i*wide+c]+float64(bias)))
			}
		}
	}
	return logits
}

// Predict returns the class with the highest logit for each sample of features [n, width], of equals the lowest. It
// panics like Logits.
func (l *Logistic) Predict(features []float32) []int {
	return metrics.ArgmaxRows(l.Logits(features), len(l.Bias))
}
