package contrast

import (
	"math"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/train"
)

// TestClampScale bounds the scale after each step, on both sides, unless it is frozen.
func TestClampScale(t *testing.T) {
	for _, c := range []struct {
		start, gradient, want float32
		frozen                bool
	}{
		{4.6, -1, MaxLogScale, false}, {0.5, 1, 0, false}, {2, -1, 3, false}, {7, 0, MaxLogScale, false}, {7, -1, 7, true},
	} {
		p := autograd.ParameterOf([]float32{c.start})
		other := autograd.ParameterOf([]float32{1}, 1)
		sgd := train.NewSGD([]train.Group{{Params: []train.Param{{Path: "LogScale", Parameter: p}, {Path: "Other", Parameter: other}}}}, train.SGDOptions{})
		o := ClampScale(sgd, p, MaxLogScale)
		p.Frozen = c.frozen
		tape, grads := autograd.NewTape(autograd.Options{Gradients: true}), autograd.NewGradients()
		autograd.Add(autograd.Scale(tape.Use(p), c.gradient), autograd.Sum(tape.Use(other), false)).Backward(grads)
		o.Step(grads, 1, 1, nil)
		if got := p.Values()[0]; math.Abs(float64(got-c.want)) > 1e-6 {
			t.Errorf("%+v: found %v", c, got)
		}
		if other.Values()[0] != 0 {
			t.Errorf("the other parameter is %v, expected 0", other.Values()[0])
		}
		if o.Describe()["clamped scale"] == "" || sgd.Describe()["clamped scale"] != "" {
			t.Error("expected the bound among the settings of the clamped optimizer alone")
		}
		if err := ClampScale(sgd, p, math.NaN()).Err(); err == nil {
			t.Error("expected an error for a bound that is NaN")
		}
	}
}
