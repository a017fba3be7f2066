package detect

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/autograd/gradcheck"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision/boxes"
)

// TestFastestLoss compares losses and gradients with PyTorch's, and gradients with finite differences.
func TestFastestLoss(t *testing.T) {
	g := golden.Load(t, "testdata/fastest_loss.safetensors")
	for _, name := range []string{"plain", "crowded", "edges", "small", "none"} {
		t.Run(name, func(t *testing.T) {
			parts := []string{"object", "box", "cls"}
			var params []*autograd.Parameter
			for _, part := range parts {
				v, shape := g.Tensor(name + "/in/" + part)
				params = append(params, autograd.ParameterOf(v, shape...))
			}
			truth := make([]Truth, params[0].Shape()[0])
			for i := range truth {
				at := string(rune('0' + i))
				for b := range slices.Chunk(g.Floats(name+"/boxes."+at), 4) {
					truth[i].Boxes = append(truth[i].Boxes, Box{X0: b[0], Y0: b[1], X1: b[2], Y1: b[3]})
				}
				truth[i].Classes = g.Ints(name + "/classes." + at)
			}
			f := func(tape *autograd.Tape) []*autograd.Tensor {
				l := fastestLoss(tape.Use(params[0]), tape.Use(params[1]), tape.Use(params[2]), truth)
				return []*autograd.Tensor{l.Box, l.Object, l.Class}
			}
			tape, grads := autograd.NewTape(autograd.Options{Gradients: true, Debug: true}), autograd.NewGradients()
			got := f(tape)
			var seeds [][]float32
			for i, k := range []string{"0", "1", "2"} {
				golden.Output(t, "loss "+k, got[i].Floats(nil), g.Floats(name+"/out/"+k))
				seeds = append(seeds, g.Floats(name+"/seed/"+k))
			}
			autograd.Backward(grads, got, seeds)
			all := 0.0
			for _, part := range parts {
				all = math.Hypot(all, golden.Norm(g.Floats(name+"/grad/"+part)))
			}
			for i, part := range parts {
				if want := g.Floats(name + "/grad/" + part); golden.Norm(want) > 0 {
					golden.Gradient(t, "gradient of "+part, grads.Of(params[i]), want, all)
				}
			}
			if name == "none" {
				return
			}
			if err := gradcheck.Check(f, params, gradcheck.Options{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFastestLossBatch trains on objects that no cell may predict, and on one candidate, which cannot exceed the mean.
func TestFastestLossBatch(t *testing.T) {
	c := Fastest()
	c.ImageSize = 64
	d := NewFastestDet(c, 2, rand.New(rand.NewPCG(1, 2)))
	for name, box := range map[string]Box{
		"in the corner":  {X0: 60, Y0: 60, X1: 64, Y1: 64}, // its cell alone is a candidate
		"in the margin":  {X0: 60, Y0: 0, X1: 64, Y1: 4},
		"outside":        {X0: 80, Y0: 80, X1: 90, Y1: 90},
		"left of it all": {X0: -90, Y0: -90, X1: -80, Y1: -80},
	} {
		tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Debug: true})
		pixels := tape.Full(0.5, 1, 3, 64, 64)
		l := d.Loss(pixels, []Truth{{Boxes: []Box{box}, Classes: []int{1}}})
		if l.Box.Float() != 0 || l.Class.Float() != 0 || !(l.Object.Float() > 0) {
			t.Errorf("%s: found the losses %v, %v and %v", name, l.Box.Float(), l.Object.Float(), l.Class.Float())
		}
		grads := autograd.NewGradients()
		Losses{{"box", l.Box}, {"object", l.Object}, {"class", l.Class}}.Sum().Backward(grads)
	}
}

// TestFastestTraining trains a model on one photograph by the common interface, after its head was drawn anew.
func TestFastestTraining(t *testing.T) {
	c := Fastest()
	c.ImageSize = 96
	m := New(c, 5, rand.New(rand.NewPCG(1, 2)))
	if err := m.NewHead([]string{"cat", "dog"}, rand.New(rand.NewPCG(3, 4))); err != nil {
		t.Fatal(err)
	}
	one, err := m.Prepare(noise(1, 64, 80, 3), []boxes.Object{{Label: 1, Box: boxes.Box{X0: 20, Y0: 20, X1: 60, Y1: 50}}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	none, err := m.Prepare(noise(2, 50, 64, 1), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	opt := train.NewAdamW(train.Groups(nn.Parameters(m.Network), train.GroupOptions{}), train.AdamOptions{})
	var first, last float32
	for step := range 8 {
		tape, grads := autograd.NewTape(autograd.Options{Gradients: true, Training: true}), autograd.NewGradients()
		s := m.Samples(Samples{}, []Prepared{one, none})
		parts, err := m.Losses(s.Batch(tape), nil)
		if err != nil {
			t.Fatal(err)
		}
		if last = parts.Sum().Float(); step == 0 {
			first = last
		}
		parts.Sum().Backward(grads)
		opt.Step(grads, 1e-3, 1, nil)
		tape.Commit()
	}
	if !(last < first) {
		t.Errorf("the loss went from %v to %v", first, last)
	}
}
