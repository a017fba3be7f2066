package autograd

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd"
)

// Reduction says how a loss joins the losses of its rows.
type Reduction uint8

// The reductions. LossMean divides the sum by the number of rows that count, or by the sum of their weights.
// LossEach returns a loss for each row, or for each element where elements have losses of their own.
const (
	LossMean Reduction = iota
	LossSum
	LossEach
)

func (r Reduction) check(op string) {
	if r > LossEach {
		usePanic(op, "unknown reduction")
	}
}

// IgnoreClass is the target that marks a row to be left out of a [CrossEntropy], unless its options say
// otherwise.
const IgnoreClass = -100

// CrossEntropyOptions configure [CrossEntropy].
type CrossEntropyOptions struct {
	// Smoothing is the share of the target that is spread over all classes (Szegedy et al., arXiv
	// 1512.00567, section 7).
	Smoothing float32
	// Ignore points to the target that leaves a row out; nil means IgnoreClass.
	Ignore *int
	// Weight, when not nil, has a weight for each class.
	Weight []float32
	// Reduction is LossMean unless set.
	Reduction Reduction
}

// CrossEntropy returns the mean over rows of -log softmax(logits)[target], with smoothing and weights as PyTorch
// defines them. logits are [..., C], targets one class for each row. Rows with the ignored target do not count.
// When all rows are ignored, the mean and the gradients are 0 (PyTorch: NaN). targets and weights must not
// change until backward has run. A target that is not a class panics with a [ShapeError].
//
// It saves the maximum and the sum of exponentials of each row.
func CrossEntropy(logits Operand, targets []int, o CrossEntropyOptions) *Tensor {
	const name = "cross entropy"
	ls := logits.Shape()
	if len(ls) == 0 {
		shapePanic(name, "expected logits [..., C]", ls)
	}
	m, n := rows(ls)
	if len(targets) != m {
		shapePanic(name, "expected one target for each row", ls, []int{len(targets)})
	}
	if o.Weight != nil && len(o.Weight) != n {
		shapePanic(name, "expected one weight for each class", ls, []int{len(o.Weight)})
	}
	ignore := IgnoreClass
	if o.Ignore != nil {
		ignore = *o.Ignore
	}
	c := classTargets{classes: targets, ignore: ignore, weight: o.Weight, sure: 1 - o.Smoothing, all: float32(n)}
	if n > 0 {
		c.spread = o.Smoothing / float32(n)
	}
	if o.Weight != nil {
		c.all = simd.Sum(o.Weight)
	}
	total := 0.0
	for i, t := range targets {
		if t == ignore {
			continue
		}
		if t < 0 || t >= n {
			shapePanic(name, fmt.Sprintf("target %d of row %d is not one of %d classes", t, i, n), ls)
		}
		total += float64(c.weightOf(t))
	}
	return crossEntropy(begin(name, logits), logits, nil, c, o.Reduction, total)
}

// SoftCrossEntropy returns the mean over rows of -Σ t·log softmax(logits) with targets t of the logits' shape
// [..., C], such as mixed labels or a teacher's probabilities. Smoothing replaces t by (1-smoothing)·t +
// smoothing/C. A mean of no rows is 0.
func SoftCrossEntropy(logits, targets Operand, smoothing float32) *Tensor {
	const name = "soft cross entropy"
	f := begin(name, logits, targets)
	ls := logits.Shape()
	if len(ls) == 0 || !equalShape(ls, targets.Shape()) {
		shapePanic(name, "expected logits and targets [..., C]", ls, targets.Shape())
	}
	m, n := rows(ls)
	c := classTargets{soft: f.values(targets), sure: 1 - smoothing, all: float32(n)}
	if n > 0 {
		c.spread = smoothing / float32(n)
	}
	return crossEntropy(f, logits, targets, c, LossMean, float64(m))
}

// classTargets are the distributions a cross-entropy compares with: in row i
//
//	t[j] = sure·hard[j] + spread·weight[j]
//
// where hard is the weight of the target at the target and 0 elsewhere, or the row of soft.
type classTargets struct {
	classes      []int
	ignore       int
	soft         []float32
	weight       []float32
	all          float32 // sum of the weights, the number of classes without
	sure, spread float32
}

func (c *classTargets) weightOf(class int) float32 {
	if c.weight == nil {
		return 1
	}
	return c.weight[class]
}

func (c *classTargets) ignored(row int) bool { return c.classes != nil && c.classes[row] == c.ignore }

// hard returns the sum of row i of hard, which for soft targets is cut out too.
func (c *classTargets) hard(i, n int) (sum float32, soft []float32) {
	if c.soft == nil {
		return c.weightOf(c.classes[i]), nil
	}
	soft = c.soft[i*n:][:n]
	return simd.Sum(soft), soft
}

// loss returns -Σ t·(d - logSum) of row i, where d are the logits less their largest one.
func (c *classTargets) loss(i int, d []float32, logSum float32) float32 {
	sum, soft := c.hard(i, len(d))
	var hard float32
	if soft != nil {
		hard = float32(sum*logSum) - simd.Dot(soft, d)
	} else {
		hard = sum * (logSum - d[c.classes[i]])
	}
	if c.spread == 0 {
		return c.sure * hard
	}
	var even float32
	if c.weight != nil {
		even = simd.Dot(c.weight, d)
	} else {
		even = simd.Sum(d)
	}
	return float32(c.sure*hard) + float32(c.spread*(float32(c.all*logSum)-even))
}

// slope adds -g·t to row i of a gradient.
func (c *classTargets) slope(dx []float32, i int, g float32) {
	if c.soft != nil {
		simd.Axpy(dx, -g*c.sure, c.soft[i*len(dx):])
	} else {
		k := c.classes[i]
		dx[k] -= float32(g * c.sure * c.weightOf(k))
	}
	switch {
	case c.spread == 0:
	case c.weight != nil:
		simd.Axpy(dx, -g*c.spread, c.weight)
	default:
		simd.AddScalar(dx, dx, -g*c.spread)
	}
}

// mass returns Σ t of row i.
func (c *classTargets) mass(i, n int) float32 {
	sum, _ := c.hard(i, n)
	return float32(c.sure*sum) + float32(c.spread*c.all)
}

// crossEntropy is the loss of rows of logits; total is what a mean divides by.
func crossEntropy(f *frame, logits, soft Operand, c classTargets, red Reduction, total float64) *Tensor {
	red.check(f.name)
	ls := logits.Shape()
	m, n := rows(ls)
	x := f.values(logits)
	stats := f.save(2 * m)
	tops, sums := stats[:m], stats[m:] // each row's largest logit, and log Σ exp(x - top)
	f.each(m, 6*n, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			tops[i], sums[i] = 0, 1
			if n > 0 && !c.ignored(i) {
				row := x[i*n:][:n]
				tops[i] = simd.MaxNumber(row)
				sums[i] = simd.SumExp(row, 1, tops[i])
			}
		}
	})
	simd.Log(sums, sums)

	var y *Tensor
	var losses []float32
	if red == LossEach {
		y = f.out(ls[:len(ls)-1]...)
		losses = y.data
	} else {
		y = f.out()
		losses = f.scratch(m)
	}
	f.eachRange(m, 2*n, n, func(d []float32, lo, hi int) {
		for i := lo; i < hi; i++ {
			losses[i] = 0
			if n > 0 && !c.ignored(i) {
				simd.AddScalar(d, x[i*n:], -tops[i])
				losses[i] = c.loss(i, d, sums[i])
			}
		}
	})
	scale := float32(1)
	if red != LossEach {
		sum := total64(losses)
		f.recycle(losses)
		if red == LossMean {
			if total == 0 {
				sum, scale = 0, 0
			} else {
				sum, scale = sum/total, float32(1/total)
			}
		}
		y.data[0] = float32(sum)
	}
	return f.done(y, func(b *back) {
		slopeOf := func(i int) float32 {
			if red == LossEach {
				return b.dy[i]
			}
			return scale * b.dy[0]
		}
		b.add(logits, func(dx []float32) {
			b.each(m, 6*n, func(lo, hi int) {
				for i := lo; i < hi; i++ {
					d := dx[i*n:][:n]
					g := slopeOf(i)
					if n == 0 || c.ignored(i) || g == 0 {
						clear(d)
						continue
					}
					// exp(x - top - log Σ) is the softmax.
					sum := simd.ExpSum(d, x[i*n:], 1, tops[i])
					simd.Scale(d, d, float32(g*c.mass(i, n))/sum)
					c.slope(d, i, g)
				}
			})
		})
		if given(soft) {
			b.add(soft, func(dt []float32) {
				b.each(m, 2*n, func(lo, hi int) {
					for i := lo; i < hi; i++ {
						d := dt[i*n:][:n]
						simd.AddScalar(d, x[i*n:], -tops[i])
						simd.AddScalar(d, d, -sums[i])
						simd.Scale(d, d, -float32(slopeOf(i)*c.sure))
					}
				})
			})
		}
	})
}
