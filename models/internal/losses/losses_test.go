package losses_test

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/autograd/gradcheck"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/models/internal/losses"
)

var kinds = map[string]losses.Kind{"giou": losses.GIoU, "diou": losses.DIoU, "ciou": losses.CIoU, "exact": losses.ExactGIoU, "siou": losses.SIoU}

// TestTorchvision compares losses and gradients with torchvision's, and the gradients with finite differences.
func TestTorchvision(t *testing.T) {
	g := golden.Load(t, "testdata/losses.safetensors")
	cases := 0
	for _, key := range g.Names() {
		name, ok := strings.CutSuffix(key, "/out/0")
		if !ok {
			continue
		}
		cases++
		t.Run(name, func(t *testing.T) {
			part := strings.Split(name, "/")
			names := []string{"x"}
			if kinds[part[0]] != 0 || part[0] == "giou" {
				names = []string{"a", "b"}
			}
			var params []*autograd.Parameter
			for _, n := range names {
				v, shape := g.Tensor(name + "/in/" + n)
				params = append(params, autograd.ParameterOf(v, shape...))
			}
			f := func(tape *autograd.Tape) []*autograd.Tensor {
				x := tape.Use(params[0])
				if len(names) == 2 {
					return []*autograd.Tensor{losses.BoxLoss(x, tape.Use(params[1]), kinds[part[0]])}
				}
				targets := tape.Input(g.Floats(name+"/targets"), x.Shape()...)
				if part[0] == "heatmap" {
					return []*autograd.Tensor{losses.HeatmapFocal(x, targets)}
				}
				alpha, _ := strconv.ParseFloat(part[2], 64)
				gamma, _ := strconv.ParseFloat(part[3], 64)
				o := losses.FocalOptions{Alpha: &alpha, Gamma: &gamma}
				if alpha == 0.25 && gamma == 2 {
					o = losses.FocalOptions{}
				}
				return []*autograd.Tensor{losses.Focal(x, targets, o)}
			}
			tape, grads := autograd.NewTape(autograd.Options{Gradients: true, Debug: true}), autograd.NewGradients()
			y := f(tape)
			out, shape := g.Tensor(name + "/out/0")
			if !slices.Equal(y[0].Shape(), shape) {
				t.Fatalf("shape %v, expected %v", y[0].Shape(), shape)
			}
			golden.Output(t, "loss", y[0].Floats(nil), out)
			autograd.Backward(grads, y, [][]float32{g.Floats(name + "/seed/0")})
			all := 0.0
			for _, n := range names {
				all = math.Hypot(all, golden.Norm(g.Floats(name+"/grad/"+n)))
			}
			for i, n := range names {
				if params[i].Len() > 0 {
					golden.Gradient(t, "gradient of "+n, grads.Of(params[i]), g.Floats(name+"/grad/"+n), all)
				}
			}
			if strings.HasSuffix(name, "edges") || name == "exact/small" /* boxes smaller than a step */ || strings.HasSuffix(name, "none") && len(names) == 2 { // kinks, or nothing
				return
			}
			err := gradcheck.Check(f, params, gradcheck.Options{})
			if part[0] == "ciou" { // alpha counts as a constant: the gradient is not that of the loss
				var broken *gradcheck.Error
				if !errors.As(err, &broken) || broken.Kind != gradcheck.Differences || strings.Count(err.Error(), "gradcheck: ") != 1 {
					t.Errorf("%v, expected other finite differences", err)
				}
				return
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	if cases != 30 {
		t.Errorf("%d cases", cases)
	}
}

// TestDegenerate gives boxes without area, inverted, and far apart: losses and gradients are finite.
func TestDegenerate(t *testing.T) {
	boxes := [][]float32{{1, 1, 1, 1}, {5, 5, 2, 2}, {0, 0, 0, 9}, {0, 0, 9, 0}, {1e4, 1e4, 2e4, 2e4}, {0, 0, 3, 4}}
	for name, kind := range kinds {
		var a, b []float32
		for i, x := range boxes {
			for j, y := range boxes {
				if kind == losses.ExactGIoU && (i < 1 || i == 2 || i == 3) && (j < 1 || j == 2 || j == 3) {
					continue // both without area, which gives NaN
				}
				a, b = append(a, x...), append(b, y...)
			}
		}
		pa, pb := autograd.ParameterOf(a, len(a)/4, 4), autograd.ParameterOf(b, len(b)/4, 4)
		tape, grads := autograd.NewTape(autograd.Options{Gradients: true}), autograd.NewGradients()
		loss := losses.BoxLoss(tape.Use(pa), pb, kind)
		out := loss.Floats(nil)
		autograd.Sum(loss, false).Backward(grads)
		for i, v := range slices.Concat(grads.Of(pa), grads.Of(pb)) {
			n := i / 4 % len(out)
			if v-v != 0 {
				t.Errorf("%s of %v and %v: loss %v, gradient %v", name, a[4*n:4*n+4], b[4*n:4*n+4], out[n], v)
			}
		}
	}
}

func TestMistakes(t *testing.T) {
	tape := autograd.NewTape(autograd.Options{Gradients: true})
	x := tape.Full(0, 2, 4)
	for name, f := range map[string]func(){
		"boxes":    func() { losses.BoxLoss(x, tape.Full(0, 3, 4), losses.GIoU) },
		"columns":  func() { losses.BoxLoss(tape.Full(0, 2, 5), tape.Full(0, 2, 5), losses.GIoU) },
		"shapes":   func() { losses.Focal(x, tape.Full(0, 4, 2), losses.FocalOptions{}) },
		"gradient": func() { losses.Focal(x, tape.Full(0, 2, 4).WantGradient(), losses.FocalOptions{}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

// TestFocalSure expects no gradient, and no loss, of predictions so sure that their probability is 1.
func TestFocalSure(t *testing.T) {
	for _, gamma := range []float64{0, 0.5, 1, 1.5, 2} {
		tape := autograd.NewTape(autograd.Options{Gradients: true})
		x := tape.Input([]float32{800, -800}, 2).WantGradient()
		loss := autograd.Sum(losses.Focal(x, tape.Input([]float32{1, 0}, 2), losses.FocalOptions{Gamma: &gamma}), false)
		grads := autograd.NewGradients()
		loss.Backward(grads)
		if got := grads.OfTensor(x); loss.Float() != 0 || got[0] != 0 || got[1] != 0 {
			t.Errorf("gamma %v: the loss is %v, the gradient %v", gamma, loss.Float(), got)
		}
	}
}
