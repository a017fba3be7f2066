package main

import (
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/models/detect"
	"github.com/fovea-ml/fovea/nn"
)

// The weights of these networks are random; bench/networks.py holds the same graphs in PyTorch.

// initialize draws the weights of a network so that activations keep their size.
func initialize(network any) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, p := range nn.Parameters(network) {
		if len(p.Shape()) > 1 {
			nn.KaimingNormal(rng, p, false)
		}
	}
}

// images returns a case of inference on pixels: "conv", "fastestdet" or "r50fpn".
func images(e engine, name string, number func(int) int) func() {
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
		m := detect.NewFastestDet(detect.Fastest(), 80, nil)
		network, forward = m, func(x *autograd.Tensor) {
			object, box, class := m.Predict(x)
			class = autograd.Softmax(autograd.Permute(class, 0, 2, 3, 1)) // it goes over the last dimension
			autograd.Concat(1, autograd.Sigmoid(object), box, autograd.Permute(class, 0, 3, 1, 2))
		}
	case "r50fpn":
		body := backbone.NewResNet(backbone.ResNet50())
		fpn := nn.NewFPN(body.Channels(), 256)
		network, forward = []any{body, fpn}, func(x *autograd.Tensor) { fpn.Forward(body.Forward(x)) }
	}
	initialize(network)
	pixels := random(batch * channels * height * width)
	tape := e.tape()
	return func() {
		forward(tape.Borrow(pixels, batch, channels, height, width))
		tape.Reset()
	}
}

// trainResNet returns a training step of ResNet-18.
func trainResNet(e engine, batch int) func() {
	m := backbone.New(backbone.ResNet18(), classes, rand.New(rand.NewPCG(1, 1)))
	pixels := random(batch * 3 * 224 * 224)
	labels := make([]int, batch)
	return step(e, m, func(t *autograd.Tape) *autograd.Tensor {
		logits := m.Forward(t.Input(pixels, batch, 3, 224, 224))
		return autograd.CrossEntropy(logits, labels, autograd.CrossEntropyOptions{})
	})
}
