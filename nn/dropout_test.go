package nn

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
)

// TestDropout expects layers that act on a training tape alone, drop what they say, and keep the mean.
func TestDropout(t *testing.T) {
	const n, width = 400, 50
	ones := make([]float32, n*width)
	for i := range ones {
		ones[i] = 1
	}
	plain := autograd.NewTape(autograd.Options{Debug: true})
	x := plain.Input(ones, n, width)
	for _, l := range []interface {
		Forward(*autograd.Tensor) *autograd.Tensor
	}{Dropout{P: 0.25}, DropPath{P: 0.25}} {
		if d := cmp.Diff(ones, l.Forward(x).Floats(nil)); d != "" {
			t.Errorf("%T changes values outside training", l)
		}
		training := autograd.NewTape(autograd.Options{Training: true, Seed: 3, Debug: true})
		y := l.Forward(training.Input(ones, n, width)).Floats(nil)
		dropped, rows := 0, 0
		for r := range n {
			zeros := 0
			for _, v := range y[r*width : (r+1)*width] {
				switch v {
				case 0:
					zeros++
				case 1 / (1 - float32(0.25)):
				default:
					t.Fatalf("%T gives %v, expected 0 or 4/3", l, v)
				}
			}
			dropped += zeros
			if zeros == width {
				rows++
			}
		}
		if share := float64(dropped) / (n * width); share < 0.2 || share > 0.3 {
			t.Errorf("%T drops %v, expected 0.25", l, share)
		}
		if _, path := l.(DropPath); path != (rows*width == dropped) {
			t.Errorf("%T: %d whole rows of %d dropped values", l, rows, dropped)
		}
	}
}
