package metrics

import (
	"fmt"
	"math"
)

// Accuracy returns the share of samples whose highest logit is that of their label: logits is [n, classes], labels [n].
// It is NaN when n is 0. It panics like [Correct].
func Accuracy(logits []float32, labels []int) float64 { return TopKAccuracy(logits, labels, 1) }

// TopKAccuracy returns the share of samples whose label is among the k highest logits: logits is [n, classes], labels
// [n]. It is 1 when k is at least the number of classes, and NaN when n is 0. It panics like [Correct].
func TopKAccuracy(logits []float32, labels []int, k int) float64 {
	correct := Correct(logits, labels, k)
	if len(labels) == 0 {
		return math.NaN()
	}
	return float64(correct) / float64(len(labels))
}

// Correct returns the number of samples whose label is among the k highest logits: logits is [n, classes], labels [n].
// It panics when k is below 1, when n does not divide len(logits), or when a label is not below the number of classes.
func Correct(logits []float32, labels []int, k int) int {
	if k < 1 {
		panic(fmt.Sprintf("metrics: expected k of at least 1, found %d", k))
	}
	n := len(labels)
	if n == 0 && len(logits) > 0 || n > 0 && (len(logits) == 0 || len(logits)%n != 0) {
		panic(fmt.Sprintf("metrics: expected the logits of %d samples, found %d values", n, len(logits)))
	}
	correct := 0
	for i, label := range labels {
		classes := len(logits) / n
		if label < 0 || label >= classes {
			panic(fmt.Sprintf("metrics: expected the label of sample %d in 0 to %d, found %d", i, classes-1, label))
		}
		if rank(logits[i*classes:(i+1)*classes], label) < k {
			correct++
		}
	}
	return correct
}

// Interval returns the ends of the 95 % confidence interval for a share of which correct out of n samples were counted, by
// Wilson's formula (Journal of the American Statistical Association 22, 1927). It also holds for few samples and for shares
// near 0 and 1. Without samples it is 0 to 1. It panics when correct is not in 0 to n.
func Interval(correct, n int) (low, high float64) {
	if correct < 0 || correct > n {
		panic(fmt.Sprintf("metrics: Interval: expected 0 to %d correct samples, found %d", n, correct))
	}
	if n == 0 {
		return 0, 1
	}
	const z = 1.959963984540054 // the normal distribution has 2.5 % above
	p, m := float64(correct)/float64(n), float64(n)
	middle := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return max(0, middle-half), min(1, middle+half)
}
