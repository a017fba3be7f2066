package mae

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/nn"
)

// TestNoDecay selects the tokens and the positions.
func TestNoDecay(t *testing.T) {
	m := small(8)
	var found []string
	for path := range nn.Parameters(m) {
		if m.NoDecay(path) {
			found = append(found, path)
		}
	}
	slices.Sort(found)
	if d := cmp.Diff([]string{"Decoder.MaskToken", "Decoder.Positions", "Encoder.ClassToken", "Encoder.Positions"}, found); d != "" {
		t.Error(d)
	}
}
