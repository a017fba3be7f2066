package probe

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/simd"
)

// TestChooseC compares folds and accuracies with scikit-learn's.
func TestChooseC(t *testing.T) {
	g := golden.Load(t, "testdata/validation.safetensors")
	var candidates []float64
	if err := json.Unmarshal([]byte(g.Metadata("candidates")), &candidates); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"five folds", "three folds", "one sample"} {
		t.Run(name, func(t *testing.T) {
			x, labels, folds := g.Floats(name+"/features"), g.Ints(name+"/labels"), int(number(t, g, name+"/folds"))
			if got, want := stratify(labels, folds), g.Ints(name+"/fold"); !slices.Equal(got, want) {
				t.Errorf("folds %d, expected %d", got, want)
			}
			o := LogisticOptions{Tolerance: 1e-7, Workers: simd.NewWorkers(2)}
			best, trials, err := ChooseC(t.Context(), x, labels, slices.Max(labels)+1, candidates, folds, o)
			if err != nil {
				t.Fatal(err)
			}
			accuracy := g.Floats(name + "/accuracy")
			for i, trial := range trials {
				if trial.C != candidates[i] || float32(trial.Accuracy) != accuracy[i] {
					t.Errorf("trial %+v, expected C %v with accuracy %v", trial, candidates[i], accuracy[i])
				}
			}
			at := slices.Index(candidates, best)
			for i, trial := range trials {
				if a, b := trials[at], trial; b.Accuracy > a.Accuracy || b.Accuracy == a.Accuracy && b.Loss < a.Loss {
					t.Errorf("chose %+v, but trial %d is %+v", a, i, b)
				}
			}

			// Another order of the candidates and equal weights change nothing.
			slices.Reverse(candidates)
			o.Weights = slices.Repeat([]float32{1}, len(labels))
			again, other, err := ChooseC(t.Context(), x, labels, slices.Max(labels)+1, candidates, folds, o)
			slices.Reverse(candidates)
			slices.Reverse(other)
			if err != nil || again != best || !slices.Equal(other, trials) {
				t.Errorf("in reverse order it chose %v of %+v (%v), expected %v of %+v", again, other, err, best, trials)
			}
		})
	}
}

// TestChooseCFew leaves out one sample at a time, with classes that have one sample.
func TestChooseCFew(t *testing.T) {
	x := []float32{0, 0.1, 1, 1.1, 5, 0.05}
	for _, c := range []struct {
		name     string
		labels   []int
		weights  []float32
		accuracy float64
	}{
		{"three classes", []int{0, 0, 1, 1, 2, 0}, nil, 5. / 6}, // the only sample of class 2 is wrong
		{"two classes", []int{0, 0, 0, 0, 1, 0}, nil, 5. / 6},   // without sample 4 there is one class
		{"weights", []int{0, 0, 1, 1, 2, 0}, []float32{1, 1, 1, 1, 4, 0}, 4. / 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			best, trials, err := ChooseC(t.Context(), x, c.labels, 3, []float64{1, 100}, 1000, LogisticOptions{Weights: c.weights})
			if err != nil {
				t.Fatal(err)
			}
			if got := trials[1]; math.Abs(got.Accuracy-c.accuracy) > 1e-12 || !(got.Loss > 0 && got.Loss < 0.5) || best != 100 {
				t.Errorf("chose %v of %+v, expected the accuracy %v", best, trials, c.accuracy)
			}
		})
	}
}

func TestChooseCErrors(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	x := []float32{1, 2, 3, 4}
	labels := []int{0, 0, 1, 1}
	for _, c := range []struct {
		want       string
		x          []float32
		labels     []int
		candidates []float64
		folds      int
		o          LogisticOptions
	}{
		{"no candidates", x, labels, nil, 0, LogisticOptions{}},
		{"candidates for C above 0, found 0", x, labels, []float64{1, 0}, 0, LogisticOptions{}},
		{"candidates for C above 0, found NaN", x, labels, []float64{math.NaN()}, 0, LogisticOptions{}},
		{"at least 2 folds, found 1", x, labels, []float64{1}, 1, LogisticOptions{}},
		{"at least 2 folds, found -3", x, labels, []float64{1}, -3, LogisticOptions{}},
		{"one of each class", x[:2], []int{0, 1}, []float64{1}, 0, LogisticOptions{}},
		{"one of each class", x, labels, []float64{1}, 0, LogisticOptions{Weights: []float32{1, 0, 0, 1}}},
		{"expected the features of 4 samples", x[:3], labels, []float64{1}, 0, LogisticOptions{}},
		{"Tolerance", x, labels, []float64{1}, 0, LogisticOptions{Tolerance: -1}},
	} {
		_, _, err := ChooseC(t.Context(), c.x, c.labels, 2, c.candidates, c.folds, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("found the error %v, expected %q", err, c.want)
		}
	}
	if _, _, err := ChooseC(canceled, x, labels, 2, []float64{1}, 2, LogisticOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("found %v, expected context.Canceled", err)
	}
}
