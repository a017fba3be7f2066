package detect

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/nn"
)

// TestBest compares the selection with a stable sort of all scores: random ones with many that are equal, and those that
// rise, fall, or are not numbers.
func TestBest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	random, rising, equal := make([]float32, 5000), make([]float32, 5000), make([]float32, 5000)
	for i := range random {
		random[i], rising[i] = float32(rng.IntN(700))/700, float32(i)
	}
	falling := slices.Clone(rising)
	slices.Reverse(falling)
	random[7], random[4000] = float32(math.NaN()), float32(math.NaN())
	for name, scores := range map[string][]float32{"random": random, "rising": rising, "falling": falling, "equal": equal, "few": random[:20], "none": nil} {
		for _, most := range []int{1, 10, 1000} {
			for _, least := range []float32{float32(math.Inf(-1)), 0.5} {
				var want []int
				for i, s := range scores {
					if s > least {
						want = append(want, i)
					}
				}
				slices.SortStableFunc(want, func(i, j int) int { return cmp.Compare(scores[j], scores[i]) })
				want = want[:min(len(want), most)]
				if got := best(scores, least, most); !slices.Equal(got, want) {
					t.Errorf("%s, %d above %v: found %v, expected %v", name, most, least, got, want)
				}
			}
		}
	}
}

// BenchmarkBest selects from the places of the finest level of an image of 1333×800 pixels.
func BenchmarkBest(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	scores := make([]float32, 3*200*336)
	for i := range scores {
		scores[i] = rng.Float32()
	}
	for b.Loop() {
		best(scores, 0, perLevel)
	}
}

// TestClaim expects nearly all values of a Faster R-CNN with a large head to be claimed, and no more than there are.
func TestClaim(t *testing.T) {
	for _, normed := range []bool{false, true} {
		c := FasterRCNNResNet50()
		c.Backbone.HiddenSizes, c.Backbone.Depths, c.Backbone.EmbeddingSize = []int{32, 32, 32, 32}, []int{1, 1, 1, 1}, 32
		c.FPNChannels, c.HeadSize, c.SecondVersion = 32, 2000, normed
		held, claimed := float64(nn.Count(New(c, 2, nil).Network)), kindOf(c.ModelType).claim(c).Values
		if claimed > held || claimed < 0.9*held {
			t.Errorf("normed %v: %.0f of %.0f values are claimed", normed, claimed, held)
		}
	}
}
