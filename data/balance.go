package data

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// ClassWeights returns weights that give each class the same part in a loss: n / (k·count) for a class with count of the
// n labels, where k classes have any. A class without labels has the weight 0. They are scikit-learn's
// class_weight="balanced", and the mean weight of the labels is 1. It panics for a label that is not in 0 to classes-1.
func ClassWeights(labels []int, classes int) []float32 {
	counts := make([]int, classes)
	present := 0
	for _, l := range labels {
		if counts[l] == 0 {
			present++
		}
		counts[l]++
	}
	weights := make([]float32, classes)
	for class, n := range counts {
		if n > 0 {
			weights[class] = float32(float64(len(labels)) / float64(present) / float64(n))
		}
	}
	return weights
}

// ItemWeights returns the weight of each item's class, for [Loader.Weights]:
//
//	loader.Weights = data.ItemWeights(labels, data.ClassWeights(labels, classes)) // every class as often as the others
//
// It panics for a label without a weight.
func ItemWeights(labels []int, classes []float32) []float32 {
	weights := make([]float32, len(labels))
	for i, l := range labels {
		weights[i] = classes[l]
	}
	return weights
}

// checkWeights returns an error for weights that n items cannot be drawn by.
func checkWeights(weights []float32, n int) error {
	if len(weights) != n {
		return fmt.Errorf("data: loader: %d weights for %d items", len(weights), n)
	}
	total := 0.0
	for i, w := range weights {
		if !(w >= 0) || math.IsInf(float64(w), 1) {
			return fmt.Errorf("data: loader: weight of item %d: expected a finite number of 0 or more, found %v", i, w)
		}
		total += float64(w)
	}
	if n > 0 && total == 0 {
		return errors.New("data: loader: all weights are 0")
	}
	return nil
}

// sumWeights identifies weights.
func sumWeights(weights []float32) string {
	h := crc32.NewIEEE()
	for _, w := range weights {
		h.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(w)))
	}
	return fmt.Sprintf("%08x", h.Sum32())
}

// drawn tells the generators of weighted items from others.
const drawn = 0x64726177

// draw draws as many items as there are weights, with replacement and in random order. The positions at which it draws have
// equal distances (systematic sampling, Madow 1949), among the items in a random order.
func draw(r *Rand, weights []float32) []int {
	n := len(weights)
	total := 0.0
	for _, w := range weights {
		total += float64(w)
	}
	items := make([]int, 0, n)
	start, sum, last := r.Float64(), 0.0, 0
	for _, i := range r.Perm(n) {
		if weights[i] == 0 {
			continue
		}
		sum, last = sum+float64(weights[i]), i
		for len(items) < n && (float64(len(items))+start)*total < sum*float64(n) {
			items = append(items, i)
		}
	}
	for len(items) < n { // rounding left out the last
		items = append(items, last)
	}
	out := make([]int, n)
	for at, k := range r.Perm(n) {
		out[at] = items[k]
	}
	return out
}
