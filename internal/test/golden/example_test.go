package golden_test

import (
	"fmt"

	"github.com/fovea-ml/fovea/internal/test/golden"
)

func ExampleNorm() {
	weight, bias := []float32{2, 4}, []float32{4}
	fmt.Println(golden.Norm(weight, bias))
	// Output: 6
}
