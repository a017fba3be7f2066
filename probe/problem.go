package probe

import (
	"errors"
	"fmt"
	"math"

	"github.com/fovea-ml/fovea/simd"
)

// problem is a logistic regression to solve: the mean cross-entropy of the samples, each weighted, plus half of penalty
// times the squares of the weights. With two classes it is scikit-learn's binary regression of one weight vector w: the
// rows are -w/2 and w/2, and the penalty of their squares is doubled, so that it is that of w.
//
// Its variables are [k, d] weights of the features minus their mean and, if asked, over their deviation, and then k
// biases. The mean makes the minimum easy to find: on images, L-BFGS takes half the steps or fewer. It changes the
// biases alone, which have no penalty, so the solution is the same.
type problem struct {
	matrix
	classes []int     // the classes with samples, k of them
	labels  []int     // [n], indices into classes; nil with targets
	targets []float64 // [n, k]; nil with labels
	shares  []float64 // [n], the weight of each sample; their sum is 1
	total   float64   // sum of the weights as given
	mean    []float64 // [d]
	scale   []float64 // [d]: 1, or 1 over the deviation, or 0 for a constant feature
	penalty float64
	workers *simd.Workers

	weight []float64 // [k', d] for the features as they are; k' is k padded to lanes
	logits []float64 // [n', k'], then residuals; n' is n padded to samples
	losses []float64 // [n]
}

// newProblem checks the samples. Exactly one of labels [n] and targets [n, classes] is given.
func newProblem(features []float32, labels []int, targets []float32, classes int, o LogisticOptions) (*problem, error) {
	n, err := countSamples(len(features), labels, targets, classes)
	if err != nil {
		return nil, err
	}
	p := &problem{matrix: matrix{features, n, len(features) / n}, workers: o.Workers}
	if err := p.finite(); err != nil {
		return nil, err
	}
	if err := p.weigh(o.Weights); err != nil {
		return nil, err
	}
	if err := p.pick(labels, targets, classes); err != nil {
		return nil, err
	}
	p.center(o.Standardize)
	k := padded(len(p.classes), lanes)
	p.weight = make([]float64, k*p.d)
	p.logits = make([]float64, padded(n, samples)*k)
	p.losses = make([]float64, n)
	return p, nil
}

// countSamples returns the number of samples.
func countSamples(features int, labels []int, targets []float32, classes int) (int, error) {
	if classes < 2 {
		return 0, fmt.Errorf("probe: expected at least 2 classes, found %d", classes)
	}
	n := len(labels)
	if targets != nil {
		if n = len(targets) / classes; len(targets)%classes != 0 {
			return 0, fmt.Errorf("probe: expected %d targets for each sample, found %d values", classes, len(targets))
		}
	}
	if n == 0 {
		return 0, errors.New("probe: no samples")
	}
	if features == 0 || features%n != 0 {
		return 0, fmt.Errorf("probe: expected the features of %d samples, found %d values", n, features)
	}
	return n, nil
}

// finite returns an error for a feature that is NaN or infinite.
func (m matrix) finite() error {
	for i, v := range m.x {
		if v-v != 0 {
			return fmt.Errorf("probe: expected finite features, found %v in feature %d of sample %d", v, i%m.d, i/m.d)
		}
	}
	return nil
}

// weigh sets the shares of the samples; nil gives each the same.
func (p *problem) weigh(weights []float32) error {
	if weights != nil && len(weights) != p.n {
		return fmt.Errorf("probe: expected %d weights, one for each sample, found %d", p.n, len(weights))
	}
	p.shares = make([]float64, p.n)
	for i := range p.shares {
		p.shares[i] = 1
		if weights != nil {
			if w := weights[i]; !(w >= 0) || math.IsInf(float64(w), 0) {
				return fmt.Errorf("probe: expected the weight of sample %d to be finite and at least 0, found %v", i, w)
			}
			p.shares[i] = float64(weights[i])
		}
		p.total += p.shares[i]
	}
	if p.total == 0 {
		return errors.New("probe: the weights of all samples are 0")
	}
	for i := range p.shares {
		p.shares[i] /= p.total
	}
	return nil
}

// pick keeps the classes that have samples of positive weight.
func (p *problem) pick(labels []int, targets []float32, classes int) error {
	present := map[int]bool{}
	for i, label := range labels {
		if label < 0 || label >= classes {
			return fmt.Errorf("probe: expected the label of sample %d in 0 to %d, found %d", i, classes-1, label)
		}
		if p.shares[i] > 0 {
			present[label] = true
		}
	}
	for i, t := range targets {
		if !(t >= 0) || math.IsInf(float64(t), 0) {
			return fmt.Errorf("probe: expected the target of class %d for sample %d to be finite and at least 0, found %v", i%classes, i/classes, t)
		}
		if t > 0 && p.shares[i/classes] > 0 {
			present[i%classes] = true
		}
	}
	if len(present) < 2 {
		return fmt.Errorf("probe: expected samples of at least 2 classes, found those of %d", len(present))
	}
	index := make(map[int]int, len(present))
	for class := range classes {
		if present[class] {
			index[class] = len(p.classes)
			p.classes = append(p.classes, class)
		}
	}
	if targets == nil {
		p.labels = make([]int, p.n)
		for i, label := range labels {
			p.labels[i] = index[label] // of an absent class, the weight of the sample is 0
		}
		return nil
	}
	for i := range p.n {
		for _, class := range p.classes {
			p.targets = append(p.targets, float64(targets[i*classes+class]))
		}
	}
	return nil
}

// center computes the weighted mean of each feature and, to standardize, its deviation.
func (p *problem) center(standardize bool) {
	p.mean, p.scale = make([]float64, p.d), make([]float64, p.d)
	for i, share := range p.shares {
		for j, v := range p.row(i, 0, p.d) {
			p.mean[j] += float64(share * float64(v))
		}
	}
	if !standardize {
		for j := range p.scale {
			p.scale[j] = 1
		}
		return
	}
	for i, share := range p.shares {
		for j, v := range p.row(i, 0, p.d) {
			v := float64(v) - p.mean[j]
			p.scale[j] += float64(share * float64(v*v))
		}
	}
	for j, variance := range p.scale {
		p.scale[j] = 0
		if rounding := float64(1e-14 * p.mean[j]); variance > float64(rounding*rounding) {
			p.scale[j] = 1 / math.Sqrt(variance)
		}
	}
}

// penalize sets the penalty from scikit-learn's C, which multiplies the sum of the losses instead.
func (p *problem) penalize(c float64) {
	p.penalty = 1 / float64(c*p.total)
	if len(p.classes) == 2 {
		p.penalty *= 2
	}
}

// size returns the number of variables.
func (p *problem) size() int { return len(p.classes) * (p.d + 1) }

// head turns variables into weights [k', d] for the features as they are, and returns the biases [k].
func (p *problem) head(v []float64) []float64 {
	k, d := len(p.classes), p.d
	bias := make([]float64, k)
	for c := range k {
		weight := p.weight[c*d : (c+1)*d]
		for j, x := range v[c*d : (c+1)*d] {
			weight[j] = float64(x * p.scale[j])
		}
		bias[c] = v[k*d+c] - dot(weight, p.mean)
	}
	return bias
}

// value returns the objective at v and sets its gradient.
func (p *problem) value(v, grad []float64) float64 {
	k, d := len(p.classes), p.d
	wide := padded(k, lanes)
	bias := p.head(v)
	p.dots(p.workers, p.logits, p.weight, wide, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			p.losses[i] = p.residuals(i, p.logits[i*wide:i*wide+k], bias)
		}
	})
	clear(p.logits[p.n*wide:])
	p.gather(p.workers, p.weight, p.logits, wide) // into the memory of the weights, which are no longer needed

	sums := grad[k*d:]
	clear(sums)
	for i := range p.n {
		for c, r := range p.logits[i*wide : i*wide+k] {
			sums[c] += r
		}
	}
	loss := 0.0
	for _, l := range p.losses {
		loss += l
	}
	for c := range k {
		v, g, raw := v[c*d:(c+1)*d], grad[c*d:(c+1)*d], p.weight[c*d:(c+1)*d]
		for j := range g {
			g[j] = float64((raw[j]-float64(sums[c]*p.mean[j]))*p.scale[j]) + float64(p.penalty*v[j])
		}
	}
	return loss + float64(0.5*float64(p.penalty*dot(v[:k*d], v[:k*d])))
}

// residuals returns the weighted cross-entropy of a sample, and turns its products z into the loss's gradient with
// respect to its logits.
func (p *problem) residuals(i int, z, bias []float64) float64 {
	top := math.Inf(-1)
	for c := range z {
		z[c] += bias[c]
		top = max(top, z[c])
	}
	mass, right := 1.0, 0.0 // sum of the targets, and of each times its logit
	if p.targets == nil {
		right = z[p.labels[i]]
	} else {
		mass = 0
		for c, t := range p.targets[i*len(z) : (i+1)*len(z)] {
			mass += t
			right += float64(t * z[c])
		}
	}
	sum := 0.0
	for c := range z {
		z[c] = exp(z[c] - top)
		sum += z[c]
	}
	share := p.shares[i]
	loss := float64(share * (float64(mass*(top+log(sum))) - right))
	factor := float64(share*mass) / sum
	for c := range z {
		z[c] = float64(z[c] * factor)
		if p.targets != nil {
			z[c] -= float64(share * p.targets[i*len(z)+c])
		}
	}
	if p.targets == nil {
		z[p.labels[i]] -= share
	}
	return loss
}
