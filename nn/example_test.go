package nn_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
)

// A model is a struct of layers; its parameters are found through its exported fields.
func ExampleParameters() {
	type classifier struct {
		Hidden *nn.Linear
		Head   *nn.Linear
	}
	m := &classifier{Hidden: nn.NewLinear(4, 8, true), Head: nn.NewLinear(8, 3, true)}
	nn.XavierUniform(rand.New(rand.NewPCG(1, 2)), m.Hidden.Weight)
	for path, p := range nn.Parameters(m) {
		fmt.Println(path, p.Shape())
	}

	tape := autograd.NewTape(autograd.Options{})
	x := tape.Input(make([]float32, 2*4), 2, 4)
	fmt.Println(m.Head.Forward(m.Hidden.ForwardAct(x, autograd.ActGelu)).Shape())
	// Output:
	// Hidden.Weight [8 4]
	// Hidden.Bias [8]
	// Head.Weight [3 8]
	// Head.Bias [3]
	// [2 3]
}
