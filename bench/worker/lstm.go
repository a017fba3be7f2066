package main

import (
	"math"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/nn"
)

func lstm(e engine, width, steps, batch int) func() {
	m := nn.NewLSTM(nn.RecurrentConfig{In: width, Width: width, Bias: true})
	rng := rand.New(rand.NewPCG(1, 1))
	for _, p := range nn.Parameters(m) {
		nn.Uniform(rng, p, 1/math.Sqrt(float64(width)))
	}
	x := random(batch * steps * width)
	tape := e.tape()
	return func() {
		m.Forward(tape.Borrow(x, batch, steps, width), nn.RecurrentInput{})
		tape.Reset()
	}
}
