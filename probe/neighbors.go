package probe

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/fovea-ml/fovea/simd"
)

// Metric selects how similar two rows of features are.
type Metric uint8

const (
	// Cosine is the cosine of the angle between the rows, 0 for a row of zeros.
	Cosine Metric = iota
	// Euclidean is minus the Euclidean distance.
	Euclidean
)

// NeighborsOptions change how nearest neighbors vote. The zero value is a majority of the 5 nearest by cosine.
type NeighborsOptions struct {
	// K is the number of neighbors that vote; 0 means 5. When there are fewer rows, all vote.
	K int
	// Metric is Cosine or Euclidean.
	Metric Metric
	// Temperature, when it is not 0, weights a neighbor's vote with exp(similarity/Temperature). DINO (Caron et al., arXiv
	// 2104.14294, appendix F.1) uses 0.07 with the 20 nearest by cosine.
	Temperature float64
	// Workers bounds the cores. Their number does not change the result. nil is serial.
	Workers *simd.Workers
}

// Neighbors finds the rows that are most similar to a query, and classifies by their labels. Any number of goroutines may
// use it at once.
type Neighbors struct {
	options NeighborsOptions
	labels  []int
	classes int
	d       int
	rows    []float32 // [n, d]: of length one, or centered on the origin
	norms   []float32 // [n], minus half of the rows' squared lengths; nil for Cosine
	center  []float32 // [d], what the rows are relative to; nil for Cosine
	longest float64   // length of a row
}

// FitNeighbors keeps a copy of features [n, width], row-major, with their labels [n]. It returns an error for features
// that are not finite or not n rows, for labels not in 0 to classes-1, and for invalid options. A program
// that only calls [Neighbors.Nearest] gives every row the label 0, of one class.
func FitNeighbors(features []float32, labels []int, classes int, o NeighborsOptions) (*Neighbors, error) {
	n := len(labels)
	if n == 0 {
		return nil, errors.New("probe: no samples")
	}
	if len(features) == 0 || len(features)%n != 0 {
		return nil, fmt.Errorf("probe: expected the features of %d samples, found %d values", n, len(features))
	}
	m := matrix{features, n, len(features) / n}
	if err := m.finite(); err != nil {
		return nil, err
	}
	for i, label := range labels {
		if label < 0 || label >= classes {
			return nil, fmt.Errorf("probe: expected the label of sample %d in 0 to %d, found %d", i, classes-1, label)
		}
	}
	if o.K == 0 {
		o.K = 5
	}
	switch {
	case o.K < 0:
		return nil, fmt.Errorf("probe: expected K of at least 0, found %d", o.K)
	case o.Metric > Euclidean:
		return nil, fmt.Errorf("probe: unknown metric %d", o.Metric)
	case !(o.Temperature >= 0):
		return nil, fmt.Errorf("probe: expected Temperature of at least 0, found %v", o.Temperature)
	}
	s := &Neighbors{options: o, labels: slices.Clone(labels), classes: classes, d: m.d}
	if o.Metric == Euclidean {
		s.center = m.means()
	}
	s.rows = s.prepare(make([]float32, len(features)), features)
	for row := range slices.Chunk(s.rows, s.d) {
		square := product(row, row)
		s.longest = max(s.longest, math.Sqrt(square))
		if o.Metric == Euclidean {
			s.norms = append(s.norms, float32(-0.5*square))
		}
	}
	return s, nil
}

// Neighbor is a row that is similar to a query.
type Neighbor struct {
	Index      int     // of the row
	Similarity float32 // by the Metric
}

// Nearest returns, for each query of features [n, width], the k most similar rows, the most similar first and of equals
// the lower index. There are fewer when there are fewer rows. Beside the result it needs at most some
// 32 MiB, or one float32 for each row. It panics when width does not divide len(features) or when k is negative.
func (s *Neighbors) Nearest(features []float32, k int) [][]Neighbor {
	if len(features)%s.d != 0 || k < 0 {
		panic(fmt.Sprintf("probe: expected queries of %d features and k of at least 0, found %d values and k of %d", s.d, len(features), k))
	}
	const most = 1 << 22 // similarities at a time
	n := len(s.labels)
	block := max(1, min(most/n, most/s.d, len(features)/s.d))
	queries, similarities := make([]float32, block*s.d), make([]float32, block*n)
	var nearest [][]Neighbor
	for part := range slices.Chunk(features, block*s.d) {
		q := s.prepare(queries, part)
		count := len(part) / s.d
		var epilogue *simd.Epilogue
		if s.norms != nil {
			epilogue = &simd.Epilogue{Bias: s.norms}
		}
		a, b := simd.Matrix{Data: q, Stride: s.d}, simd.Matrix{Data: s.rows, Stride: s.d, Trans: true}
		simd.Gemm(s.options.Workers, count, n, s.d, a, b, 0, similarities, n, epilogue)
		found := make([][]Neighbor, count)
		s.options.Workers.For(count, func(i int) {
			found[i] = s.refine(q[i*s.d:(i+1)*s.d], similarities[i*n:(i+1)*n], k)
		})
		nearest = append(nearest, found...)
	}
	return nearest
}

// Predict returns the class with the most votes among the nearest rows, for each query of features [n, width]. Of equals
// it is the lowest class, as in scikit-learn. It panics when width does not divide len(features).
func (s *Neighbors) Predict(features []float32) []int {
	var predicted []int
	votes := make([]float64, s.classes)
	for _, nearest := range s.Nearest(features, s.options.K) {
		clear(votes)
		best := 0
		for _, neighbor := range nearest {
			vote := 1.0
			if t := s.options.Temperature; t > 0 { // relative to the most similar, so that nothing overflows
				vote = exp((float64(neighbor.Similarity) - float64(nearest[0].Similarity)) / t)
			}
			votes[s.labels[neighbor.Index]] += vote
		}
		for class, v := range votes {
			if v > votes[best] {
				best = class
			}
		}
		predicted = append(predicted, best)
	}
	return predicted
}

// prepare writes features to dst as the rows are kept: of length one, or relative to the center. The center keeps the
// rounding of products small when the rows are far from the origin.
func (s *Neighbors) prepare(dst, features []float32) []float32 {
	dst = dst[:len(features)]
	for i := 0; i < len(features); i += s.d {
		row, out := features[i:i+s.d], dst[i:i+s.d]
		if s.center != nil {
			simd.Sub(out, row, s.center)
			continue
		}
		length := math.Sqrt(product(row, row))
		for j, v := range row {
			out[j] = v
			if length > 0 {
				out[j] = float32(float64(v) / length)
			}
		}
	}
	return dst
}

// means returns the mean of each feature.
func (m matrix) means() []float32 {
	sums := make([]float64, m.d)
	for i := range m.n {
		for j, v := range m.row(i, 0, m.d) {
			sums[j] += float64(v)
		}
	}
	means := make([]float32, m.d)
	for j, v := range sums {
		means[j] = float32(v / float64(m.n))
	}
	return means
}

// highest returns the k highest values with their indices, in order.
func highest(values []float32, k int) []Neighbor {
	k = min(k, len(values))
	if k == 0 {
		return nil
	}
	found := make([]Neighbor, 0, 2*k)
	worst := float32(math.Inf(-1)) // of the k best so far
	for i, v := range values {
		if len(found) >= k && !(v > worst) {
			continue
		}
		if found = append(found, Neighbor{i, v}); len(found) == 2*k {
			slices.SortFunc(found, closer)
			found = found[:k]
			worst = found[k-1].Similarity
		}
	}
	slices.SortFunc(found, closer)
	return slices.Clip(found[:k])
}

// closer orders neighbors, the most similar first and NaN last.
func closer(a, b Neighbor) int {
	return cmp.Or(cmp.Compare(b.Similarity, a.Similarity), cmp.Compare(a.Index, b.Index))
}

// refine returns the k nearest rows of a query. similarities are products in float32: rows that their rounding may have
// put behind the k highest are compared in float64 too.
func (s *Neighbors) refine(query, similarities []float32, k int) []Neighbor {
	nearest := highest(similarities, k)
	if k = len(nearest); k == 0 {
		return nil
	}
	const epsilon = 1.0 / (1 << 24)
	lengths := float64(math.Sqrt(product(query, query)) * s.longest) // no product is larger
	rounding := float64(float64(s.d+2)*epsilon) * (lengths + float64(s.longest*s.longest))
	if bound := float64(nearest[k-1].Similarity) - 2*rounding; k < len(similarities) {
		nearest = nearest[:0]
		for i, v := range similarities {
			if !(float64(v) < bound) { // NaN is unknown
				nearest = append(nearest, Neighbor{i, v})
			}
		}
	}
	for i, neighbor := range nearest {
		row := s.rows[neighbor.Index*s.d : (neighbor.Index+1)*s.d]
		if s.center == nil {
			nearest[i].Similarity = float32(product(query, row))
		} else {
			nearest[i].Similarity = float32(-distance(query, row))
		}
	}
	slices.SortFunc(nearest, closer)
	return slices.Clip(nearest[:k])
}

// product returns Σ a[i]·b[i].
func product(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		sum += float64(float64(v) * float64(b[i]))
	}
	return sum
}

// distance returns the Euclidean distance.
func distance(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		d := float64(v) - float64(b[i])
		sum += float64(d * d)
	}
	return math.Sqrt(sum)
}
