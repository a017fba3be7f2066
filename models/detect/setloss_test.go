package detect

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
)

// TestSetMatch pairs objects with queries, where predictions are not finite, and where there are more objects than queries.
func TestSetMatch(t *testing.T) {
	nan := float32(math.NaN())
	truth := setTruth{boxes: [][4]float32{{0.2, 0.2, 0.1, 0.1}, {0.7, 0.7, 0.2, 0.2}}, classes: []int{0, 1}}
	for name, c := range map[string]struct {
		predicted []float32
		want      []int
	}{
		"near":    {[]float32{0.7, 0.7, 0.2, 0.2, 0.2, 0.2, 0.1, 0.1}, []int{1, 0}},
		"nan":     {[]float32{nan, nan, nan, nan, 0.7, 0.7, 0.2, 0.2, 0.2, 0.2, 0.1, 0.1}, []int{2, 1}},
		"all nan": {[]float32{nan, nan, nan, nan, nan, nan, nan, nan}, nil},
		"few":     {[]float32{0.7, 0.7, 0.2, 0.2}, []int{-1, 0}},
		"none":    {nil, []int{-1, -1}},
	} {
		got := setCosts{1, 5, 2}.match(c.predicted, truth, func(q, class int) float32 { return 0 })
		if c.want == nil {
			c.want = got // any
		}
		if d := cmp.Diff(c.want, got); d != "" || len(got) != 2 {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// TestSetLossEmpty expects losses without a single object to be those of the classes alone, and finite.
func TestSetLossEmpty(t *testing.T) {
	tape := autograd.NewTape(autograd.Options{Gradients: true, Debug: true})
	logits, predicted := tape.Uniform(2, 3, 5).WantGradient(), tape.Uniform(2, 3, 4).WantGradient()
	s := setLoss{costs: setCosts{1, 5, 2}, empty: 0.1, box: 5, giou: 2}.of(logits, predicted, make([]setTruth, 2))
	if s.Box.Float() != 0 || s.GIoU.Float() != 0 || s.Total.Float() != s.Class.Float() || !(s.Class.Float() > 0) {
		t.Errorf("found %v, %v, %v and %v", s.Total.Float(), s.Class.Float(), s.Box.Float(), s.GIoU.Float())
	}
	s.Total.Backward(autograd.NewGradients())
}
