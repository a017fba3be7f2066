package detect

import (
	"context"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chewxy/math32"
	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/nn"
)

// tinyYOLO returns a small YOLOv1.
func tinyYOLO() Config {
	c := YOLOv1ResNet18()
	body := *c.Backbone
	body.EmbeddingSize, body.HiddenSizes, body.Depths = 8, []int{8, 8, 16, 16}, []int{1, 1, 1, 1}
	c.Backbone, c.ImageSize, c.GridSize, c.HeadChannels, c.HeadSize = &body, 128, 2, 8, 16
	return c
}

func TestYOLONames(t *testing.T) {
	for _, body := range []backbone.Config{backbone.ResNet18(), backbone.ShuffleNetV2x05(), backbone.DLA34(), backbone.Plain()} {
		c := tinyYOLO()
		body.FinalSize = 0
		c.Backbone = &body
		modeltest.Names(t, namesOf(c), NewYOLOv1(c, 2, nil), &YOLOv1{Cells: nn.NewConv2d(1, 1, 1, true, autograd.Conv2dOptions{})})
	}
}

// TestYOLO compares predictions, losses and gradients with the same formulas in PyTorch.
func TestYOLO(t *testing.T) {
	dir := t.TempDir()
	modeltest.Python(t, "detect_yolo.py", dir)
	for _, name := range []string{"full", "darknet", "cells"} {
		t.Run(name, func(t *testing.T) { compareYOLO(t, filepath.Join(dir, name)) })
	}
}

// TestYOLOTie shows why losses of YOLOv1 may differ between two libraries in one step of many: of two boxes that fit an object
// equally well, the last bit of a prediction decides which of them should be confident.
func TestYOLOTie(t *testing.T) {
	o := yoloOutputs{grid: 1, boxes: 2, classes: 1}
	root := math32.Sqrt(0.4)
	values := []float32{0.45, 0.5, root, root, 0.2, 0.55, 0.5, root, root, 0.9, 0.5} // left and right of the object
	truth := []Truth{{Boxes: []Box{{X0: 0.3, Y0: 0.3, X1: 0.7, Y1: 0.7}}, Classes: []int{0}}}
	loss := func(values []float32) (sum float32) {
		tape := autograd.NewTape(autograd.Options{Debug: true})
		l := o.loss(tape.Input(make([]float32, 3), 1, 3, 1, 1), 1, truth, func(*autograd.Tensor) *autograd.Tensor {
			return tape.Input(values, 1, len(values))
		})
		for _, part := range l.parts() {
			sum += part.Value.Floats(nil)[0]
		}
		return sum
	}
	for range 20 { // the left box grows by one unit in the last place after the other
		values[2] = math32.Nextafter(values[2], 0)
	}
	before, jumps := loss(values), 0
	for range 40 {
		values[2] = math32.Nextafter(values[2], 1)
		after := loss(values)
		switch change := math.Abs(float64(after-before)) / float64(before); {
		case change > 0.1:
			jumps++
		case change > 1e-5:
			t.Errorf("the loss changes by %v of %v without another choice", change, before)
		}
		before = after
	}
	if jumps != 1 {
		t.Errorf("found %d jumps of the loss, expected one", jumps)
	}
}

func compareYOLO(t *testing.T, at string) {
	g := golden.Load(t, at+".safetensors")
	m, err := Open(at, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	d := m.Network.(*YOLOv1)
	if got, want := nn.Count(d), int(g.Floats("parameters")[0]); got != want || m.Classes != 3 {
		t.Errorf("found %d parameters and %d classes, expected %d and 3", got, m.Classes, want)
	}
	pixels, shape := g.Tensor("pixels")
	golden.Output(t, "output", d.Forward(autograd.NewTape(autograd.Options{Debug: true}).Input(pixels, shape...)).Floats(nil), g.Floats("output"))

	d.Dropout = 0
	for _, norm := range nn.Layers[nn.BatchNorm](d) {
		norm.Frozen = true // the statistics alone
	}
	l := d.Loss(autograd.NewTape(autograd.Options{Gradients: true, Training: true, Debug: true}).Input(pixels, shape...), goldenTruth(g, shape[0]))
	sum := autograd.Add(autograd.Add(l.Box, l.Object), autograd.Add(l.Empty, l.Class))
	for name, l := range map[string]*autograd.Tensor{"box": l.Box, "object": l.Object, "empty": l.Empty, "class": l.Class} {
		golden.Output(t, name, l.Floats(nil), g.Floats("loss."+name))
	}
	grads := autograd.NewGradients()
	sum.Backward(grads)
	modeltest.Gradients(t, g, namesOf(m.Config), d, grads)
}

// goldenTruth returns the objects of a golden: boxes.I and classes.I of each image.
func goldenTruth(g *golden.File, n int) []Truth {
	truth := make([]Truth, n)
	for i := range truth {
		for b := range slices.Chunk(g.Floats(fmt.Sprintf("boxes.%d", i)), 4) {
			truth[i].Boxes = append(truth[i].Boxes, Box{X0: b[0], Y0: b[1], X1: b[2], Y1: b[3]})
		}
		truth[i].Classes = g.Ints(fmt.Sprintf("classes.%d", i))
	}
	return truth
}

// TestYOLOCandidates writes the predictions of one object into both layouts, and expects it.
func TestYOLOCandidates(t *testing.T) {
	for _, darknet := range []bool{false, true} {
		o := yoloOutputs{grid: 7, boxes: 3, classes: 20, darknet: darknet}
		if o.count() != 1715 {
			t.Errorf("%d predictions, expected 1715", o.count())
		}
		values := make([]float32, o.count())
		taken := make([]int, o.count())
		for cell := range o.cells() {
			for b := range o.boxes {
				taken[o.confidence(cell, b)]++
				for i := range 4 {
					taken[o.box(cell, b)+i]++
				}
			}
			for k := range o.classes {
				taken[o.class(cell)+k]++
			}
		}
		if slices.Min(taken) != 1 || slices.Max(taken) != 1 {
			t.Errorf("darknet %v: predictions lie at the same place", darknet)
		}
		cell := 2*7 + 3 // row 2, column 3
		copy(values[o.box(cell, 1):], []float32{0.5, 0.25, 0.5, -0.7})
		values[o.confidence(cell, 1)], values[o.class(cell)+4] = 0.9, 0.5
		found := o.candidates(values, 700, 70, 0.2)
		want := Box{X0: 350 - 87.5, Y0: 22.5 - 17.15, X1: 350 + 87.5, Y1: 22.5 + 17.15}
		if len(found.boxes) != 1 || found.classes[0] != 4 || math.Abs(float64(found.scores[0]-0.45)) > 1e-6 || found.boxes[0].IoU(want) < 0.9999 {
			t.Errorf("darknet %v: found %+v, expected %v", darknet, found, want)
		}
	}
}

// TestYOLOResponsible expects the box of the larger IoU, and of boxes that do not overlap the object the nearer one.
func TestYOLOResponsible(t *testing.T) {
	o := yoloOutputs{grid: 1, boxes: 2, classes: 1}
	object := Box{X0: 0.4, Y0: 0.4, X1: 0.6, Y1: 0.6}
	for _, c := range []struct {
		first, second [4]float32 // x, y, √w, √h
		best          int
	}{
		{[4]float32{0.5, 0.5, 0.4, 0.4}, [4]float32{0.5, 0.5, 0.44, 0.44}, 1},
		{[4]float32{0.9, 0.9, 0.1, 0.1}, [4]float32{0.8, 0.8, 0.1, 0.1}, 1},
		{[4]float32{0.8, 0.8, 0.1, 0.1}, [4]float32{0.9, 0.9, 0.1, 0.1}, 0},
		{[4]float32{0.5, 0.65, 0.1, 0.1}, [4]float32{0.5, 0.5, 0.9, 0.9}, 1}, // the nearer one does not overlap
		{[4]float32{0, 0, float32(math.NaN()), 0}, [4]float32{0, 0, float32(math.NaN()), 0}, 0},
	} {
		values := slices.Concat(c.first[:], []float32{0}, c.second[:], []float32{0, 0})
		if best, _ := o.responsible(values, 0, object); best != c.best {
			t.Errorf("%v: found box %d, expected %d", c, best, c.best)
		}
	}
}

// TestYOLOSave saves models and loads them again, and expects errors for sizes that the weights do not have.
func TestYOLOSave(t *testing.T) {
	for _, hidden := range []int{0, 16} {
		c := tinyYOLO()
		c.HeadSize = hidden
		m := New(c, 3, rand.New(rand.NewPCG(1, 2)))
		m.Options.MinScore = new(float32(-1))
		dir := t.TempDir()
		if err := m.Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		again, err := Open(dir, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		again.Options = m.Options
		images := []image.Image{image.NewRGBA(image.Rect(0, 0, 40, 90)), image.NewGray(image.Rect(0, 0, 1, 1)), image.NewGray(image.Rect(0, 0, 900, 2))}
		want, err := m.Detect(context.Background(), images...)
		if err != nil || len(want) != 3 || len(want[0]) == 0 {
			t.Fatalf("%v, %v", want, err)
		}
		got, err := again.Detect(context.Background(), images...)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%s%v", d, err)
		}
		larger, err := Open(dir, LoadOptions{ImageSize: 256})
		switch {
		case hidden > 0 && (err == nil || !strings.Contains(err.Error(), "images of 128 pixels alone")):
			t.Errorf("found %v", err)
		case hidden == 0 && (err != nil || larger.Network.(*YOLOv1).outputs.grid != 4):
			t.Errorf("found %v", err)
		}
		if hidden == 0 {
			if _, err := Open(dir, LoadOptions{ImageSize: 100}); err == nil || !strings.Contains(err.Error(), "image_size: expected 32 or 64 times grid_size") {
				t.Errorf("found %v", err)
			}
		}
		if err := os.Remove(filepath.Join(dir, "config.json")); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, LoadOptions{}); err == nil || !strings.Contains(err.Error(), "YOLOv1") {
			t.Errorf("without a configuration: found %v", err)
		}
	}
}

// TestYOLOClaim expects most values of a network to be claimed, and no more than there are.
func TestYOLOClaim(t *testing.T) {
	for _, hidden := range []int{0, 500} {
		c := tinyYOLO()
		c.HeadChannels, c.HeadSize = 64, hidden
		held, claimed := float64(nn.Count(New(c, 2, nil).Network)), kindOf(c.ModelType).claim(c).Values
		if claimed > held || claimed < 0.7*held {
			t.Errorf("%.0f of %.0f values are claimed", claimed, held)
		}
	}
}

// TestYOLOTraining expects a loss that falls, and gradients for images of which none has an object.
func TestYOLOTraining(t *testing.T) {
	d := New(tinyYOLO(), 2, rand.New(rand.NewPCG(1, 2))).Network.(*YOLOv1)
	d.Dropout = 0
	pixels := make([]float32, 2*3*128*128)
	for i := range pixels {
		pixels[i] = float32(i%97)/97 - float32(i/(3*128*128))
	}
	step := func(truth ...Truth) (float32, *autograd.Gradients) {
		l := d.Loss(autograd.NewTape(autograd.Options{Gradients: true, Training: true}).Input(pixels, 2, 3, 128, 128), truth)
		sum := autograd.Add(autograd.Add(l.Box, l.Object), autograd.Add(l.Empty, l.Class))
		grads := autograd.NewGradients()
		sum.Backward(grads)
		return sum.Float(), grads
	}
	if loss, grads := step(Truth{}, Truth{}); !(loss > 0) || golden.Norm(grads.Of(d.Predict.Weight)) == 0 {
		t.Errorf("without objects: a loss of %v", loss)
	}
	var first, last float32
	for i := range 30 {
		loss, grads := step(Truth{Boxes: []Box{{X0: 3, Y0: 60, X1: 40, Y1: 100}}, Classes: []int{1}}, Truth{})
		if last = loss; i == 0 {
			first = loss
		}
		for _, p := range nn.Parameters(d) {
			g := grads.Of(p)
			p.Update(func(v []float32) {
				for i := range v {
					v[i] -= 0.01 * g[i]
				}
			})
		}
	}
	if !(last < first/4) {
		t.Errorf("the loss went from %v to %v", first, last)
	}
}
