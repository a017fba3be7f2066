package nn

import (
	"math"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
)

func TestRMSNorm(t *testing.T) {
	l := NewRMSNorm(2, 0)
	tape := autograd.NewTape(autograd.Options{})
	y := l.Forward(tape.Input([]float32{3, 4, -5, 0}, 1, 2, 2))
	rms := float32(math.Sqrt(12.5))
	near(t, "rows of a mean square of 12.5", y, tape.Input([]float32{3 / rms, 4 / rms, -5 / rms, 0}, 1, 2, 2))
	l.Weight = nil
	near(t, "no gain", l.Forward(y), y)
}
