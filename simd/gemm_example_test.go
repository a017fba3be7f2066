package simd_test

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd"
)

// A linear layer: two inputs of three features through a weight of shape [out, in], with bias and ReLU.
func ExampleGemm() {
	x := []float32{
		1, 2, 3,
		-1, 0, 1,
	}
	weight := []float32{
		1, 0, 1,
		0, 2, 0,
	}
	y := make([]float32, 2*2)
	simd.Gemm(nil, 2, 2, 3,
		simd.Matrix{Data: x, Stride: 3}, simd.Matrix{Data: weight, Stride: 3, Trans: true},
		0, y, 2, &simd.Epilogue{Bias: []float32{.5, -1}, Act: simd.ActRelu})
	fmt.Println(y)
	// Output: [4.5 3 0.5 0]
}

// Workers pass down how many cores a computation may use.
func ExampleWorkers_For() {
	w := simd.NewWorkers(2)
	squares := make([]int, 5)
	w.For(len(squares), func(i int) { squares[i] = i * i })
	fmt.Println(squares)
	// Output: [0 1 4 9 16]
}

// A weight in bfloat16, packed as it is: products widen it as they go.
func ExamplePackRows() {
	weight := []uint16{0x3f80, 0x4000, 0x4040, 0xbf80, 0x0000, 0x3f00} // [2, 3]: 1 2 3, -1 0 0.5
	packed := simd.PackRows(nil, 3, 2, true, func(dst []float32, i, j int) {
		simd.BF16ToF32(dst, weight[3*i+j:])
	}, simd.PackOptions{Format: simd.FormatBF16})
	y := make([]float32, 2)
	simd.GemmPacked(nil, 1, simd.Matrix{Data: []float32{1, 10, 100}, Stride: 3}, packed, 0, y, 2, nil)
	fmt.Println(y)
	// Output: [321 49]
}
