package probe_test

import (
	"context"
	"fmt"

	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/probe"
)

// Features of six images, two each: width and height of a leaf in centimeters.
var (
	leaves = []float32{2, 9, 3, 8, 2.5, 9.5, 6, 6, 7, 6.5, 6.5, 5}
	trees  = []int{0, 0, 0, 1, 1, 1} // willow, maple
)

// The penalty is chosen by cross-validation, then all samples are fitted.
func ExampleFitLogistic() {
	ctx := context.Background()
	c, _, err := probe.ChooseC(ctx, leaves, trees, 2, []float64{0.01, 1, 100}, 3, probe.LogisticOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	l, err := probe.FitLogistic(ctx, leaves, trees, 2, probe.LogisticOptions{C: c})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("C:", c)
	fmt.Println(l.Predict([]float32{3, 9, 6, 5}))
	fmt.Println(metrics.Accuracy(l.Logits(leaves), trees))
	// Output:
	// C: 100
	// [0 1]
	// 1
}

// The nearest neighbors classify a new leaf, and show which known leaves resemble it.
func ExampleFitNeighbors() {
	n, err := probe.FitNeighbors(leaves, trees, 2, probe.NeighborsOptions{K: 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	leaf := []float32{3, 9}
	fmt.Println(n.Predict(leaf))
	for _, near := range n.Nearest(leaf, 2)[0] {
		fmt.Printf("leaf %d: %.3f\n", near.Index, near.Similarity)
	}
	// Output:
	// [0]
	// leaf 1: 0.999
	// leaf 2: 0.998
}
