package simd_test

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd"
)

// A row of attention scores becomes probabilities; masked positions get none.
func ExampleSoftmax() {
	x := []float32{1, 2, 3, -3e38}
	y := make([]float32, len(x))
	simd.Softmax(y, x, 1)
	fmt.Printf("%.4f\n", y)
	// Output: [0.0900 0.2447 0.6652 0.0000]
}

// An output may be its own input.
func ExampleGelu() {
	x := []float32{-3, -1, 0, 1, 3}
	simd.Gelu(x, x)
	fmt.Printf("%.4f\n", x)
	// Output: [-0.0040 -0.1587 0.0000 0.8413 2.9960]
}

// Layer norm returns the two numbers that its gradient needs.
func ExampleLayerNorm() {
	x := []float32{1, 2, 3, 4}
	gamma, beta := []float32{1, 1, 2, 2}, []float32{0, 0, 0, 1}
	y := make([]float32, len(x))
	mean, rstd := simd.LayerNorm(y, x, gamma, beta, 1e-6)
	fmt.Printf("mean %.2f, 1/deviation %.4f, %.4f\n", mean, rstd, y)

	dx := make([]float32, len(x))
	dgamma, dbeta := make([]float32, len(x)), make([]float32, len(x))
	simd.LayerNormGrad(dx, []float32{1, 0, 0, 0}, x, gamma, mean, rstd, dgamma, dbeta)
	fmt.Printf("%.4f %.4f %v\n", dx, dgamma, dbeta)
	// Output:
	// mean 2.50, 1/deviation 0.8944, [-1.3416 -0.4472 0.8944 3.6833]
	// [0.2683 -0.3578 -0.0894 0.1789] [-1.3416 0.0000 0.0000 0.0000] [1 0 0 0]
}

// Vector functions are serial; a caller divides the rows.
func ExampleWorkers() {
	const rows, n = 64, 100
	x := make([]float32, rows*n)
	w := simd.NewWorkers(2)
	w.For(rows, func(r int) {
		row := x[r*n:][:n]
		simd.Softmax(row, row, 1)
	})
	fmt.Println(x[0])
	// Output: 0.01
}

// A configuration names an activation; the same value serves the forward and the backward pass.
func ExampleActivationByName() {
	act, err := simd.ActivationByName("hardswish")
	if err != nil {
		fmt.Println(err)
		return
	}
	x, dy := []float32{-4, -1, 1, 4}, []float32{1, 1, 1, 1}
	y, dx := make([]float32, 4), make([]float32, 4)
	act.Apply(y, x)
	act.Grad(dx, x, dy)
	fmt.Println(act, act == simd.ActHardSwish)
	fmt.Printf("%.4f %.4f\n", y, dx)
	// Output:
	// hardswish true
	// [-0.0000 -0.3333 0.6667 4.0000] [0.0000 0.1667 0.8333 1.0000]
}

// The two largest scores, the first of equals first.
func ExampleTopK() {
	scores := []float32{0.2, 0.9, 0.4, 0.9}
	best := make([]int32, 2)
	simd.TopK(best, scores, simd.Descending, nil)
	fmt.Println(best)
	// Output: [1 3]
}
