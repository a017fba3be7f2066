package metrics

import (
	"math"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/simd"
)

// TestRetrieval compares both directions with a plain computation in Python: images with one caption, with one to four,
// and equal scores.
func TestRetrieval(t *testing.T) {
	g := golden.Load(t, "testdata/retrieval.safetensors")
	for _, name := range []string{"one", "several", "ties"} {
		t.Run(name, func(t *testing.T) {
			images, texts := matrix(g, name+"/images"), matrix(g, name+"/texts")
			textsOf := make([][]int, len(images))
			var imageOf [][]int
			for text, image := range g.Ints(name + "/image_of") {
				imageOf = append(imageOf, []int{image})
				textsOf[image] = append(textsOf[image], text)
			}
			for _, of := range textsOf {
				slices.Reverse(of) // the order does not matter
			}
			for _, workers := range []*simd.Workers{nil, simd.NewWorkers(2)} {
				toTexts, toImages := Retrieve(images, texts, textsOf, workers), Retrieve(texts, images, imageOf, workers)
				for i, k := range g.Ints(name + "/k") {
					equal(t, "recall of texts", toTexts.Recall(k), g.Floats(name + "/to_texts")[i])
					equal(t, "recall of images", toImages.Recall(k), g.Floats(name + "/to_images")[i])
				}
				if toTexts.Queries() != len(images) || toImages.Queries() != len(texts) {
					t.Errorf("%d and %d queries, expected %d and %d", toTexts.Queries(), toImages.Queries(), len(images), len(texts))
				}
			}
		})
	}
}

func matrix(g *golden.File, name string) [][]float32 {
	values, shape := g.Tensor(name)
	return slices.Collect(slices.Chunk(values, shape[1]))
}

// TestRetrievalOrder ranks as TopK does: NaN first, equals in their order.
func TestRetrievalOrder(t *testing.T) {
	for _, c := range []struct {
		scores   []float32
		relevant []int
		rank     int
	}{
		{[]float32{1}, []int{0}, 0},
		{[]float32{3, 1, 2}, []int{1}, 2},
		{[]float32{3, 1, 2}, []int{1, 2}, 1},
		{[]float32{2, 2, 2}, []int{2, 1}, 1},
		{[]float32{2, nan, 3}, []int{2, 0}, 1},
		{[]float32{nan, nan, 3}, []int{2, 1, 1}, 1},
	} {
		var r Retrieval
		r.Add(c.scores, c.relevant...)
		if r.ranks[0] != c.rank || r.Recall(c.rank) != 0 || r.Recall(c.rank+1) != 1 {
			t.Errorf("%v of %v: rank %d, expected %d", c.relevant, c.scores, r.ranks[0], c.rank)
		}
	}
	if none := Retrieve(nil, nil, nil, nil); !math.IsNaN(none.Recall(1)) {
		t.Errorf("recall of no queries is %v, expected NaN", none.Recall(1))
	}
}
