package main

import (
	"math"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
)

// The networks of this file stand for models that have no package yet. Their weights are random; bench/networks.py holds
// the same graphs in PyTorch.

// initialize draws the weights of a network so that activations keep their size.
func initialize(network any) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, p := range nn.Parameters(network) {
		if len(p.Shape()) > 1 {
			nn.KaimingNormal(rng, p, false)
		}
	}
}

// images returns a case of inference on images: "conv", "fastestdet" or "r50fpn".
func images(w *simd.Workers, name string, number func(int) int) (func(), error) {
	batch, channels, height, width := 1, 3, 480, 640
	var network any
	var forward func(x *autograd.Tensor)
	switch name {
	case "conv":
		channels, height, width, batch = number(0), number(5), number(6), max(1, number(7))
		kernel, stride := number(2), number(3)
		c := nn.NewConv2d(channels, number(1), kernel, true, autograd.Conv2dOptions{
			Stride: [2]int{stride, stride}, Padding: [2]int{kernel / 2, kernel / 2}, Groups: number(4)})
		network, forward = c, func(x *autograd.Tensor) { c.Forward(x) }
	case "fastestdet":
		height, width = 352, 352
		m := newFastestDet()
		network, forward = m, func(x *autograd.Tensor) { m.Forward(x) }
	case "r50fpn":
		m := newPyramid()
		network, forward = m, func(x *autograd.Tensor) { m.Forward(x) }
	}
	initialize(network)
	if err := fold(network); err != nil {
		return nil, err
	}
	pixels := random(batch * channels * height * width)
	tape := autograd.NewTape(autograd.Options{Workers: w})
	return func() {
		forward(tape.Borrow(pixels, batch, channels, height, width))
		tape.Reset()
	}, nil
}

func trainResNet(w *simd.Workers, batch int) func() {
	m := newResNet(false, classes)
	initialize(m)
	pixels := random(batch * 3 * 224 * 224)
	labels := make([]int, batch)
	return step(w, m, func(t *autograd.Tape) *autograd.Tensor {
		logits := m.Forward(t.Input(pixels, batch, 3, 224, 224))
		return autograd.CrossEntropy(logits, labels, autograd.CrossEntropyOptions{})
	})
}

func lstm(w *simd.Workers, width, steps, batch int) func() {
	m := nn.NewLSTM(nn.RecurrentConfig{In: width, Width: width, Bias: true})
	rng := rand.New(rand.NewPCG(1, 1))
	for _, p := range nn.Parameters(m) {
		nn.Uniform(rng, p, 1/math.Sqrt(float64(width)))
	}
	x := random(batch * steps * width)
	tape := autograd.NewTape(autograd.Options{Workers: w})
	return func() {
		m.Forward(tape.Borrow(x, batch, steps, width), nn.RecurrentInput{})
		tape.Reset()
	}
}
