package nn_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

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

// A stream of features comes in pieces: the last states of one piece are the initial ones of the next.
func ExampleLSTM() {
	l := nn.NewLSTM(nn.RecurrentConfig{In: 3, Width: 8, Layers: 2, Bias: true})
	rng := rand.New(rand.NewPCG(1, 2))
	for _, p := range nn.Parameters(l) {
		nn.Uniform(rng, p, 1/math.Sqrt(8))
	}

	tape := autograd.NewTape(autograd.Options{})
	y, h, c := l.Forward(tape.Full(1, 1, 4, 3), nn.RecurrentInput{})
	more, _, _ := l.Forward(tape.Full(1, 1, 2, 3), nn.RecurrentInput{H: h, C: c})
	whole, _, _ := l.Forward(tape.Full(1, 1, 6, 3), nn.RecurrentInput{})
	fmt.Println(y.Shape(), more.Shape(), h.Shape())
	fmt.Println(slices.Equal(append(y.Floats(nil), more.Floats(nil)...), whole.Floats(nil)))

	// Two sequences of unequal length in one batch.
	_, h, _ = l.Forward(tape.Full(1, 2, 6, 3), nn.RecurrentInput{Lengths: []int{6, 2}})
	fmt.Println(h.Shape())
	// Output:
	// [1 4 8] [1 2 8] [2 1 8]
	// true
	// [2 2 8]
}

// The heads of self-attention turn by their positions. A score depends on the distance of two tokens alone.
func ExampleRotarySequence() {
	a := nn.NewMultiHeadAttention(16, 2, true) // two heads of 8 channels
	a.Rotary = nn.RotarySequence(512, 8, nn.RotarySequenceOptions{})

	t := a.Rotary
	score := func(i, j int) float32 { // of tokens at i and j whose queries and keys are (1, 0) in the first pair
		return t.Cos[i*t.Dim]*t.Cos[j*t.Dim] + t.Sin[i*t.Dim]*t.Sin[j*t.Dim]
	}
	fmt.Printf("%.4f %.4f %.4f\n", score(3, 1), score(502, 500), score(502, 499))
	// Output: -0.4161 -0.4161 -0.9900
}
