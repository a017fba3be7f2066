package bert

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// TestAlone expects the bits of a sequence alone in a batch, for every variant, with windows that are shorter and
// longer than the sequences.
func TestAlone(t *testing.T) {
	for _, modelType := range modelTypes {
		rng := rand.New(rand.NewPCG(3, 4))
		c := tiny(modelType)
		m := New(c, Features, 0, rng)
		scatter(m, 5)
		var sequences [][]int
		for _, n := range []int{1, 16, 3, 9, 3, 2, 18} {
			ids := make([]int, n)
			for i := range ids {
				ids[i] = 5 + rng.IntN(c.VocabSize-5)
			}
			sequences = append(sequences, ids)
		}
		in := Pack(sequences...)
		all := m.Hidden(autograd.NewTape(autograd.Options{Workers: simd.NewWorkers(2)}), in).Floats(nil)
		for i, ids := range sequences {
			alone := m.Hidden(autograd.NewTape(autograd.Options{}), Pack(ids)).Floats(nil)
			for j, want := range alone {
				if got := all[in.Starts[i]*c.HiddenSize+j]; math.Float32bits(got) != math.Float32bits(want) {
					t.Fatalf("%s: value %d of sequence %d is %g in a batch, %g alone", modelType, j, i, got, want)
				}
			}
		}
	}
}
