package main

import (
	"context"
	"fmt"
	"image"
	"math/rand/v2"
	"os"
	"strings"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/models/detect"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

// weightsVariable names the folder where a detector is saved, so that its peers load the same weights and find as many
// candidates.
const weightsVariable = "FOVEA_BENCH_WEIGHTS"

// cocoClasses is the number of classes of torchvision's detectors.
const cocoClasses = 91

// detector returns a case of Detect, from an image to detections. Random weights would score all candidates alike. So the
// logits of classes are scaled until the heads have as much work as on a photograph with many objects: NMS gets the 1000 best
// candidates of each level of FCOS, or some thousand of Faster R-CNN.
func detector(e engine, args []string) (func() error, error) {
	name, size := args[0], strings.Join(args[1:], ":")
	var height, width int
	if _, err := fmt.Sscanf(size, "%dx%d", &height, &width); err != nil {
		return nil, fmt.Errorf("expected a size such as 480x640, found %q", size)
	}
	c, leastScore := detect.FCOSResNet50(), float32(0.1)
	if name == "faster_rcnn" {
		c, leastScore = detect.FasterRCNNResNet50(), 0.05
	}
	c.MinSize, c.MaxSize = min(height, width), max(height, width)
	m := detect.New(c, cocoClasses, rand.New(rand.NewPCG(1, 1)))
	for path, p := range nn.Parameters(m.Network) {
		switch {
		case strings.Contains(path, "Stages.") && strings.HasSuffix(path, "Norm.Weight"):
			p.Update(func(v []float32) { simd.Fill(v, 0.5) }) // keeps sums of residual blocks small
		case name == "faster_rcnn" && path == "Class.Weight":
			p.Update(func(v []float32) { simd.Scale(v, v, 60) })
		}
	}
	m.Workers, m.Math, m.Options.MinScore = e.workers, e.math, &leastScore
	if dir := os.Getenv(weightsVariable); dir != "" {
		if err := m.Save(dir, detect.SaveOptions{}); err != nil {
			return nil, err
		}
	}
	img := picture(height, width)
	return func() error {
		_, err := m.Detect(context.Background(), img)
		return err
	}, nil
}

// picture returns an image that bench/networks.py draws too.
func picture(height, width int) image.Image {
	m := vision.NewImage(height, width, 3)
	for y := range height {
		for x := range width {
			for c := range 3 {
				m.Pix[(y*width+x)*3+c] = uint8(x*(c+1) + x*y/64 + 3*y*(3-c))
			}
		}
	}
	return m
}

// trainFCOS returns a training step of FCOS on ResNet-50 as torchvision fine-tunes it: frozen batch normalization, a frozen
// stem and first stage, and eight objects in each image.
func trainFCOS(e engine, batch, height, width int) func() {
	m := detect.NewFCOS(detect.FCOSResNet50(), cocoClasses, rand.New(rand.NewPCG(1, 1)))
	backbone.FreezeNorms(m)
	m.Pyramid.Body.Freeze(1)
	for path, norm := range nn.Layers[nn.BatchNorm](m) {
		if strings.Contains(path, "Stages.") {
			norm.Weight.Update(func(v []float32) { simd.Fill(v, 0.5) })
		}
	}
	pixels := random(batch * 3 * height * width)
	truth := make([]detect.Truth, batch)
	for i := range truth {
		for k := range 8 {
			x, y, side := float32((k*37+i*11)%(width-100)), float32((k*53+i*29)%(height-100)), float32(20+10*k)
			truth[i].Boxes = append(truth[i].Boxes, detect.Box{X0: x, Y0: y, X1: x + side, Y1: y + side})
			truth[i].Classes = append(truth[i].Classes, 1+k)
		}
	}
	return step(e, m, func(t *autograd.Tape) *autograd.Tensor {
		l := m.Loss(t.Input(pixels, batch, 3, height, width), truth)
		return autograd.Add(autograd.Add(l.Class, l.Box), l.Center)
	})
}

// suppression returns a case of non-maximum suppression among n boxes of all sizes in an image. bench/networks.py draws the same
// boxes.
func suppression(n int) func() {
	boxes, scores := make([]detect.Box, n), make([]float32, n)
	state := uint32(1)
	next := func() float32 { // from 0 to 1
		state = state*1664525 + 1013904223
		return float32(state>>8) / (1 << 24)
	}
	for i := range boxes {
		x, y, w, h := 1333*next(), 800*next(), 8+next()*next()*400, 8+next()*next()*400
		boxes[i], scores[i] = detect.Box{X0: x, Y0: y, X1: x + w, Y1: y + h}, next()
	}
	return func() { detect.NMS(boxes, scores, nil, 0.5) }
}
