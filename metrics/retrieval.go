package metrics

import (
	"fmt"
	"math"
	"slices"

	"github.com/fovea-ml/fovea/simd"
)

// Retrieval counts how well queries find their items, such as texts their images. The zero value has no queries.
//
// Items are ranked in the order of [TopK]. A query may have several relevant items, as an image with five captions has.
// The first of them counts.
type Retrieval struct {
	ranks []int // of each query's first relevant item, from 0
}

// Retrieve ranks all items for each query by the dot products of their embeddings: cosine similarities where embeddings
// have length 1. relevant[i] lists the relevant items of query i. For texts that each belong to an image:
//
//	toImages := metrics.Retrieve(texts, images, imageOf, workers)  // imageOf[i] = []int{image of text i}
//	toTexts := metrics.Retrieve(images, texts, textsOf, workers)   // textsOf[i] = the texts of image i
//	fmt.Println(toImages.Recall(1), toTexts.Recall(1))
//
// It panics when embeddings differ in length, when there is not one list for each query, and like [Retrieval.Add].
func Retrieve(queries, items [][]float32, relevant [][]int, w *simd.Workers) *Retrieval {
	if len(queries) != len(relevant) {
		panic(fmt.Sprintf("metrics: Retrieve: expected relevant items for each of %d queries, found %d lists", len(queries), len(relevant)))
	}
	r := &Retrieval{}
	if len(queries) == 0 {
		return r
	}
	width := len(queries[0])
	all := joined(items, width)
	const block = 64 // queries: the scores take 256 bytes an item
	scores := make([]float32, min(block, len(queries))*len(items))
	for from := 0; from < len(queries); from += block {
		some := queries[from:min(from+block, len(queries))]
		a := simd.Matrix{Data: joined(some, width), Stride: width}
		simd.Gemm(w, len(some), len(items), width, a, simd.Matrix{Data: all, Stride: width, Trans: true}, 0, scores, len(items), nil)
		for i := range some {
			r.Add(scores[i*len(items):(i+1)*len(items)], relevant[from+i]...)
		}
	}
	return r
}

// joined returns rows of the given width as a matrix.
func joined(rows [][]float32, width int) []float32 {
	for i, row := range rows {
		if len(row) != width {
			panic(fmt.Sprintf("metrics: Retrieve: expected embeddings of %d values, found %d at position %d", width, len(row), i))
		}
	}
	return slices.Concat(rows...)
}

// Add counts a query by its score of every item. It panics when no relevant item is given or one is not among the items.
func (r *Retrieval) Add(scores []float32, relevant ...int) {
	if len(relevant) == 0 {
		panic("metrics: Retrieval.Add: expected at least one relevant item, found none")
	}
	best := -1
	for _, item := range relevant {
		if item < 0 || item >= len(scores) {
			panic(fmt.Sprintf("metrics: Retrieval.Add: expected a relevant item in 0 to %d, found %d", len(scores)-1, item))
		}
		if best < 0 || higher(scores[item], scores[best]) || item < best && !higher(scores[best], scores[item]) {
			best = item
		}
	}
	r.ranks = append(r.ranks, rank(scores, best))
}

// Queries returns the number of queries.
func (r *Retrieval) Queries() int { return len(r.ranks) }

// Recall returns recall@k: the share of queries with a relevant item among the k first. This is the recall of image-text
// retrieval (CLIP, arXiv 2103.00020, table 13), which does not ask for all relevant items. It is NaN without queries.
func (r *Retrieval) Recall(k int) float64 {
	if len(r.ranks) == 0 {
		return math.NaN()
	}
	found := 0
	for _, rank := range r.ranks {
		if rank < k {
			found++
		}
	}
	return float64(found) / float64(len(r.ranks))
}
