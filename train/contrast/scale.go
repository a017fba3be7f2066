package contrast

import (
	"fmt"
	"maps"
	"math"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/train"
)

// MaxLogScale is ln 100: CLIP's bound for the logarithm of the factor of similarities (arXiv 2103.00020, section 2.5).
const MaxLogScale = 4.605170185988092

// ClampScale returns the optimizer o, which after each step puts logScale back between 0 and max, as training in
// open_clip does with [MaxLogScale]. So averages, saves and the next step never see another value. A frozen logScale
// stays as it is.
func ClampScale(o train.Optimizer, logScale *autograd.Parameter, max float64) train.Optimizer {
	return &clamped{o, logScale, float32(max)}
}

type clamped struct {
	train.Optimizer
	logScale *autograd.Parameter
	max      float32
}

func (c *clamped) Step(g *autograd.Gradients, lr, gradScale float64, w *simd.Workers) {
	c.Optimizer.Step(g, lr, gradScale, w)
	if !c.logScale.Frozen {
		c.logScale.Update(func(v []float32) { simd.Clamp(v, v, 0, c.max) })
	}
}

// Describe adds the bound to the settings of the optimizer.
func (c *clamped) Describe() map[string]string {
	d := map[string]string{}
	maps.Copy(d, c.Optimizer.Describe())
	d["clamped scale"] = fmt.Sprintf("0 to %v", c.max)
	return d
}

// Err adds a bound that is no number to the mistakes of the optimizer.
func (c *clamped) Err() error {
	if err := c.Optimizer.Err(); err != nil {
		return err
	}
	if m := float64(c.max); !(m > 0) || math.IsInf(m, 0) {
		return fmt.Errorf("contrast: expected a bound of the scale above 0, found %v", c.max)
	}
	return nil
}
