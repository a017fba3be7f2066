package quant_test

import (
	"fmt"
	"log"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/quant"
)

// The layers of the blocks become integers, the head stays.
func Example() {
	model := struct {
		Blocks nn.Stack
		Head   *nn.Linear
	}{nn.NewStack(1, nn.BlockConfig{Width: 64, Heads: 2}), nn.NewLinear(64, 10, true)}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, l := range nn.Layers[nn.Linear](model) {
		nn.KaimingUniform(rng, l.Weight, 0)
	}
	before := quant.Bytes(model)
	weights, err := quant.Quantize(model, quant.Blocks)
	if err != nil {
		log.Fatal(err)
	}
	for _, w := range weights {
		fmt.Printf("%s %v: %v, %d bytes instead of %d\n", w.Path, w.Shape, w.Math, w.After, w.Before)
	}
	fmt.Println(before, quant.Bytes(model))
	// Output:
	// Blocks.0.Attention.QKV.Weight [192 64]: int8, 13056 bytes instead of 49152
	// Blocks.0.Attention.Proj.Weight [64 64]: int8, 4352 bytes instead of 16384
	// Blocks.0.MLP.FC1.Weight [256 64]: int8, 17408 bytes instead of 65536
	// Blocks.0.MLP.FC2.Weight [64 256]: int8, 16640 bytes instead of 65536
	// Head.Weight [10 64]: strict, 2560 bytes instead of 2560
	// 201768 56616
}
