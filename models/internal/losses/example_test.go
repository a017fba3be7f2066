package losses_test

import (
	"fmt"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/losses"
)

func ExampleBoxLoss() {
	tape := autograd.NewTape(autograd.Options{})
	predicted := tape.Input([]float32{0, 0, 10, 10, 0, 0, 10, 10}, 2, 4)
	target := tape.Input([]float32{0, 0, 10, 10, 20, 0, 30, 10}, 2, 4)
	fmt.Printf("%.3f\n", losses.BoxLoss(predicted, target, losses.GIoU).Floats(nil))
	// Output: [0.000 1.333]
}
