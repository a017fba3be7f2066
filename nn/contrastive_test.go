package nn

import (
	"errors"
	"fmt"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
)

// TestContrastiveLosses compares losses and gradients with open_clip's, down to a single pair.
func TestContrastiveLosses(t *testing.T) {
	g := golden.Load(t, "testdata/contrastive.safetensors")
	for name, loss := range map[string]func(*autograd.Tensor) *autograd.Tensor{"contrastive": ContrastiveLoss, "sigmoid": SigmoidLoss} {
		for _, n := range []int{1, 7} {
			t.Run(fmt.Sprintf("%s/%d", name, n), func(t *testing.T) {
				p := map[string]*autograd.Parameter{}
				for _, key := range []string{"x", "y", "scale", "bias"} {
					p[key] = parameter(g, fmt.Sprintf("%s/%d/%s", name, n, key))
				}
				tape := autograd.NewTape(autograd.Options{Gradients: true, Debug: true})
				logits := autograd.Mul(autograd.MatMulT(tape.Use(p["x"]), p["y"], false, true), p["scale"])
				if name == "sigmoid" {
					logits = autograd.Add(logits, p["bias"])
				}
				l := loss(logits)
				golden.Output(t, "loss", l.Floats(nil), g.Floats(fmt.Sprintf("%s/%d/loss", name, n)))
				grads := autograd.NewGradients()
				l.Backward(grads)
				for key, p := range p {
					if want := g.Floats(fmt.Sprintf("%s/%d/d%s", name, n, key)); key != "bias" || name == "sigmoid" {
						golden.Gradient(t, key, grads.Of(p), want, golden.Norm(g.Floats(fmt.Sprintf("%s/%d/dx", name, n)), want))
					}
				}
			})
		}
	}
	tape := autograd.NewTape(autograd.Options{})
	for _, shape := range [][]int{{2, 3}, {4}, {0, 0}} {
		for name, loss := range map[string]func(*autograd.Tensor) *autograd.Tensor{"contrastive": ContrastiveLoss, "sigmoid": SigmoidLoss} {
			err := tape.Try(func() error { loss(tape.Full(0, shape...)); return nil })
			if e := (*autograd.ShapeError)(nil); !errors.As(err, &e) {
				t.Errorf("%s of %v: %v, expected a ShapeError", name, shape, err)
			}
		}
	}
}
