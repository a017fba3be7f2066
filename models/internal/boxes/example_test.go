package boxes_test

import (
	"fmt"

	"github.com/fovea-ml/fovea/models/internal/boxes"
)

func ExampleNMS() {
	found := []boxes.Box{{X0: 10, Y0: 10, X1: 50, Y1: 50}, {X0: 12, Y0: 8, X1: 52, Y1: 49}, {X0: 70, Y0: 20, X1: 90, Y1: 60}}
	scores := []float32{0.8, 0.9, 0.6}
	for _, i := range boxes.NMS(found, scores, 0.5) {
		fmt.Println(found[i], scores[i])
	}
	// Output:
	// {12 8 52 49} 0.9
	// {70 20 90 60} 0.6
}

// Two predictions are paired with two objects at the least cost.
func ExampleAssign() {
	cost := []float64{
		1, 2, // of the first prediction
		3, 9,
	}
	objects, err := boxes.Assign(cost, 2, 2)
	fmt.Println(objects, err)
	// Output: [1 0] <nil>
}
