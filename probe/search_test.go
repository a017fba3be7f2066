package probe

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// clouds returns n samples of each of 3 classes, as points around their centers.
func clouds(seed uint64, n, width int, spread float64) (features []float32, labels []int) {
	centers, rng := rand.New(rand.NewPCG(1, 1)), rand.New(rand.NewPCG(seed, 2))
	var center [3][]float64
	for class := range center {
		for range width {
			center[class] = append(center[class], centers.NormFloat64())
		}
	}
	for i := range 3 * n {
		for _, c := range center[i%3] {
			features = append(features, float32(c+spread*rng.NormFloat64()))
		}
		labels = append(labels, i%3)
	}
	return features, labels
}

// TestSearchC compares the trials with fits of their own, and follows the search to its peak.
func TestSearchC(t *testing.T) {
	x, y := clouds(3, 12, 40, 3)
	held, heldLabels := clouds(4, 60, 40, 3)
	o := LogisticOptions{Tolerance: 1e-8}
	best, trials, err := SearchC(t.Context(), x, y, held, heldLabels, 3, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(trials) != 15 {
		t.Errorf("%d trials", len(trials))
	}
	better := func(a, b Trial) bool { return a.Accuracy > b.Accuracy || a.Accuracy == b.Accuracy && a.Loss < b.Loss }
	var top Trial
	for i, trial := range trials {
		if i == 0 || better(trial, top) {
			top = trial
		}
		o.C = trial.C
		l, err := FitLogistic(t.Context(), x, y, 3, o)
		if err != nil {
			t.Fatal(err)
		}
		right, loss := 0, 0.0
		for k, label := range heldLabels {
			row := l.Logits(held[k*40 : k*40+40])
			sum := 0.0
			for _, z := range row {
				sum += math.Exp(float64(z))
			}
			loss += math.Log(sum) - float64(row[label])
			if float64(row[label]) == float64(slices.Max(row)) {
				right++
			}
		}
		// Fits that begin elsewhere agree to the tolerance: almost without a penalty, one sample may fall to the other side.
		if n := float64(len(heldLabels)); math.Abs(trial.Accuracy-float64(right)/n) > 1.01/n || math.Abs(trial.Loss-loss/n) > 1e-2*loss/n {
			t.Errorf("C %g: found %+v, expected accuracy %v and loss %v", trial.C, trial, float64(right)/n, loss/n)
		}
		if eighths := 8 * math.Log10(trial.C); math.Abs(eighths-math.Round(eighths)) > 1e-9 || i > 0 && trial.C <= trials[i-1].C {
			t.Errorf("trial %d has C %g", i, trial.C)
		}
	}
	if best != top.C {
		t.Errorf("chose %g, expected %g of %+v", best, top.C, trials)
	}
	if low := slices.MinFunc(trials, func(a, b Trial) int { return int(a.Accuracy*180 - b.Accuracy*180) }); low.Accuracy >= top.Accuracy {
		t.Errorf("all trials have the accuracy %v: the test shows nothing", top.Accuracy)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := SearchC(ctx, x, y, held, heldLabels, 3, o); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func TestSearchCMistakes(t *testing.T) {
	x, y := clouds(3, 4, 5, 1)
	for name, c := range map[string]struct {
		held   []float32
		labels []int
		want   string
	}{
		"none":      {nil, nil, "probe: no samples, among the samples held out"},
		"width":     {x[:8], []int{0, 1}, "probe: expected samples of 5 features, found 4, among the samples held out"},
		"label":     {x[:5], []int{3}, "probe: expected the label of sample 0 in 0 to 2, found 3, among the samples held out"},
		"infinite":  {slices.Repeat([]float32{float32(math.Inf(1))}, 5), []int{1}, "probe: expected finite features, found +Inf in feature 0 of sample 0, among the samples held out"},
		"one class": {x[:5], []int{1}, ""},
	} {
		_, _, err := SearchC(t.Context(), x, y, c.held, c.labels, 3, LogisticOptions{})
		if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%s: found %v, expected %q", name, err, c.want)
		}
	}
}
