package metrics

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Confusion counts pairs of a label and a prediction. [NewConfusion] makes one. Its methods must not run at the same
// time as Add, AddLogits or Merge; each goroutine may fill its own, and Merge adds them.
type Confusion struct {
	// Names are the classes in the table of String; nil means numbers alone. There must be one for each class.
	Names []string

	classes int
	counts  []int // [classes, classes]: rows are labels, columns predictions
}

// NewConfusion returns an empty count over classes. It takes 8·classes² bytes. It panics when classes is below 1.
func NewConfusion(classes int) *Confusion {
	if classes < 1 {
		panic(fmt.Sprintf("metrics: NewConfusion: expected at least one class, found %d", classes))
	}
	return &Confusion{classes: classes, counts: make([]int, classes*classes)}
}

// Add counts one sample. It panics when label or predicted is not in 0 to Classes()-1.
func (c *Confusion) Add(label, predicted int) { *c.at(label, predicted)++ }

// AddLogits counts the samples of a batch, each predicted as its highest logit: logits is [n, Classes()], labels [n].
// When a label is beyond the classes, it returns an error and counts nothing. It panics when len(logits) does not fit.
func (c *Confusion) AddLogits(logits []float32, labels []int) error {
	if len(logits)%c.classes != 0 || len(logits)/c.classes != len(labels) {
		panic(fmt.Sprintf("metrics: AddLogits: expected %d logits for each of %d samples, found %d values",
			c.classes, len(labels), len(logits)))
	}
	for i, label := range labels {
		if label < 0 || label >= c.classes {
			return fmt.Errorf("metrics: expected the label of sample %d in 0 to %d, found %d", i, c.classes-1, label)
		}
	}
	for i, predicted := range ArgmaxRows(logits, c.classes) {
		c.Add(labels[i], predicted)
	}
	return nil
}

// Merge adds the counts of other. It panics when other has another number of classes.
func (c *Confusion) Merge(other *Confusion) {
	if c.classes != other.classes {
		panic(fmt.Sprintf("metrics: Merge: expected %d classes, found %d", c.classes, other.classes))
	}
	for i, n := range other.counts {
		c.counts[i] += n
	}
}

// Classes returns the number of classes.
func (c *Confusion) Classes() int { return c.classes }

// Count returns the number of samples with this label and this prediction. It panics like Add.
func (c *Confusion) Count(label, predicted int) int { return *c.at(label, predicted) }

// Rows returns the counts, a row for each label and a column for each prediction.
func (c *Confusion) Rows() [][]int {
	rows := make([][]int, c.Classes())
	for label := range rows {
		rows[label] = make([]int, len(rows))
		for predicted := range rows {
			rows[label][predicted] = c.Count(label, predicted)
		}
	}
	return rows
}

// Support returns the number of samples of a class.
func (c *Confusion) Support(class int) int {
	n := 0
	for _, count := range c.row(class) {
		n += count
	}
	return n
}

// Total returns the number of samples.
func (c *Confusion) Total() int {
	n := 0
	for _, count := range c.counts {
		n += count
	}
	return n
}

// Accuracy returns the share of samples that are predicted as their label, NaN when there are none.
func (c *Confusion) Accuracy() float64 {
	right := 0
	for class := range c.classes {
		right += c.Count(class, class)
	}
	return float64(right) / float64(c.Total())
}

// BalancedAccuracy returns the mean recall of the classes that have samples, NaN when there are none.
func (c *Confusion) BalancedAccuracy() float64 {
	return c.mean(c.Recall, func(class int) bool { return c.Support(class) > 0 })
}

// MacroF1 returns the mean F1 of the classes that have samples or predictions, NaN when there are none.
func (c *Confusion) MacroF1() float64 {
	return c.mean(c.F1, func(class int) bool { return c.Support(class)+c.predictions(class) > 0 })
}

// Recall returns the share of a class's samples that are predicted as it, 0 when there are none.
func (c *Confusion) Recall(class int) float64 {
	return ratio(c.Count(class, class), c.Support(class))
}

// Precision returns the share of a class's predictions that are right, 0 when there are none.
func (c *Confusion) Precision(class int) float64 {
	return ratio(c.Count(class, class), c.predictions(class))
}

// F1 returns the harmonic mean of precision and recall, 0 when the class has neither samples nor predictions.
func (c *Confusion) F1(class int) float64 {
	return ratio(2*c.Count(class, class), c.Support(class)+c.predictions(class))
}

// Confused counts the samples of one class that were predicted as another.
type Confused struct{ Label, Predicted, Count int }

// MostConfused returns up to n pairs of different classes with the highest counts, of equals those with lower labels
// and then lower predictions first. Pairs that did not occur are left out.
func (c *Confusion) MostConfused(n int) []Confused {
	var pairs []Confused
	for i, count := range c.counts {
		if label, predicted := i/c.classes, i%c.classes; label != predicted && count > 0 {
			pairs = append(pairs, Confused{label, predicted, count})
		}
	}
	slices.SortStableFunc(pairs, func(a, b Confused) int { return cmp.Compare(b.Count, a.Count) })
	return pairs[:min(max(n, 0), len(pairs))]
}

// at returns the cell of a pair.
func (c *Confusion) at(label, predicted int) *int {
	if predicted < 0 || predicted >= c.classes {
		panic(fmt.Sprintf("metrics: expected a class in 0 to %d, found %d", c.classes-1, predicted))
	}
	return &c.row(label)[predicted]
}

// row returns the counts of a label.
func (c *Confusion) row(label int) []int {
	if label < 0 || label >= c.classes {
		panic(fmt.Sprintf("metrics: expected a class in 0 to %d, found %d", c.classes-1, label))
	}
	return c.counts[label*c.classes : (label+1)*c.classes]
}

// predictions returns how many samples are predicted as a class.
func (c *Confusion) predictions(class int) int {
	n := 0
	for label := range c.classes {
		n += c.Count(label, class)
	}
	return n
}

// mean averages a value over the classes that count.
func (c *Confusion) mean(value func(class int) float64, counts func(class int) bool) float64 {
	sum, n := 0.0, 0
	for class := range c.classes {
		if counts(class) {
			sum += value(class)
			n++
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
