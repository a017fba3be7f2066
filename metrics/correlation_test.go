package metrics

import (
	"fmt"
	"math"
	"testing"
)

// TestCorrelation has values of scipy.stats.pearsonr and spearmanr 1.17.
func TestCorrelation(t *testing.T) {
	for _, c := range []struct {
		x, y              []float64
		pearson, spearman float64
	}{
		{[]float64{1, 2, 3}, []float64{2, 4, 7}, 0.993399267798783, 1},
		{[]float64{1, 2, 3, 4, 5}, []float64{5, 6, 7, 8, 7}, 0.8320502943378437, 0.8207826816681233},
		{[]float64{3, 1, 2, 2}, []float64{-1, 0, 0, 4}, -0.18411492357966466, -0.5},
		{[]float64{1, 2}, []float64{2, 1}, -1, -1},
		{[]float64{1, 1, 1}, []float64{2, 1, 3}, math.NaN(), math.NaN()},
		{[]float64{1}, []float64{2}, math.NaN(), math.NaN()},
		{nil, nil, math.NaN(), math.NaN()},
		{[]float64{1, math.NaN(), 3}, []float64{2, 1, 3}, math.NaN(), math.NaN()},
	} {
		for i, got := range []float64{Pearson(c.x, c.y), Spearman(c.x, c.y)} {
			want := []float64{c.pearson, c.spearman}[i]
			if math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > 1e-12 {
				t.Errorf("%v and %v: found %v, expected %v", c.x, c.y, got, want)
			}
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("lists of different lengths have a correlation")
		}
	}()
	Spearman([]float32{1}, nil)
}

// Similarities of texts follow those that people gave.
func ExampleSpearman() {
	cosines, given := []float32{0.9, 0.2, 0.5, 0.4}, []float32{5, 0, 3, 4}
	fmt.Printf("%.1f\n", Spearman(cosines, given))
	// Output: 0.8
}
