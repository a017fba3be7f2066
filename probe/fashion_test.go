package probe_test

import (
	"fmt"
	"testing"

	"github.com/fovea-ml/fovea/examples/mae/fashion"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/probe"
	"github.com/fovea-ml/fovea/simd"
)

// first returns pixels in [0, 1] and labels of the first images of each class.
func first(m fashion.Images, perClass int) (features []float32, labels []int) {
	const size = fashion.Size * fashion.Size
	var count [len(fashion.Classes)]int
	for i, label := range m.Labels {
		if count[label]++; count[label] > perClass {
			continue
		}
		for _, v := range m.Pixels[i*size : (i+1)*size] {
			features = append(features, float32(v)/255)
		}
		labels = append(labels, int(label))
	}
	return features, labels
}

// TestFashion compares both classifiers on real images with scikit-learn, whose predictions are the same.
func TestFashion(t *testing.T) {
	g := golden.Load(t, "testdata/fashion.safetensors")
	train, test, err := fashion.Load()
	if err != nil {
		t.Fatal(err)
	}
	queries, expected := first(test, test.Len())
	w := simd.NewWorkers(0)
	for _, c := range []struct {
		perClass            int
		logistic, neighbors float64 // scikit-learn's accuracies
	}{{10, 0.7225, 0.6395}, {100, 0.8015, 0.754}} {
		if c.perClass > 10 && testing.Short() {
			continue
		}
		x, labels := first(train, c.perClass)
		l, err := probe.FitLogistic(t.Context(), x, labels, 10, probe.LogisticOptions{C: 0.1, Tolerance: 1e-5, Workers: w})
		if err != nil {
			t.Fatal(err)
		}
		s, err := probe.FitNeighbors(x, labels, 10, probe.NeighborsOptions{Workers: w})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []struct {
			name      string
			predicted []int
			accuracy  float64
		}{{"logistic", l.Predict(queries), c.logistic}, {"neighbors", s.Predict(queries), c.neighbors}} {
			confusion, others := metrics.NewConfusion(10), 0
			for i, want := range g.Ints(fmt.Sprintf("%s/%d", p.name, c.perClass)) {
				confusion.Add(expected[i], p.predicted[i])
				if p.predicted[i] != want {
					others++
				}
			}
			t.Logf("%s with %d images of each class: %.2f %%, %d predictions differ", p.name, c.perClass, 100*confusion.Accuracy(), others)
			if a := confusion.Accuracy(); others > 0 || a != p.accuracy {
				t.Errorf("%s with %d images of each class: accuracy %v and %d other predictions, expected %v and none",
					p.name, c.perClass, a, others, p.accuracy)
			}
		}
	}
}
