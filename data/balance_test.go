package data

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// TestClassWeights compares with sklearn.utils.class_weight.compute_class_weight("balanced", …).
func TestClassWeights(t *testing.T) {
	labels := []int{0, 0, 0, 0, 0, 0, 2, 2, 3}
	if got, want := ClassWeights(labels, 4), []float32{0.5, 0, 1.5, 3}; !slices.Equal(got, want) {
		t.Errorf("found %v, expected %v", got, want)
	}
	items := ItemWeights(labels, ClassWeights(labels, 4))
	sum := float32(0)
	for _, w := range items {
		sum += w
	}
	if sum != 9 || items[8] != 3 {
		t.Errorf("weights of items: %v", items)
	}
}

// TestWeights draws items: each appears as often as its weight says, rounded up or down. Every appearance has a
// generator of its own, and an epoch can be entered in the middle.
func TestWeights(t *testing.T) {
	weights := []float32{1, 1, 1, 1, 1, 1, 3, 0, 11.5, 0.25}
	total := 20.75
	times := make([]float64, len(weights))
	const epochs = 4000
	for epoch := range epochs {
		l := Loader[int]{Len: len(weights), Weights: weights, Seed: 3}
		once := make([]float64, len(weights))
		for _, i := range l.Order(epoch) {
			once[i]++
			times[i]++
		}
		for i, n := range once {
			want := float64(len(weights)) * float64(weights[i]) / total
			if n < math.Floor(want) || n > math.Ceil(want) {
				t.Fatalf("epoch %d: item %d appears %v times, expected %.2f", epoch, i, n, want)
			}
		}
	}
	for i, n := range times {
		want := float64(len(weights)) * float64(weights[i]) / total
		if math.Abs(n/epochs-want) > 0.03 {
			t.Errorf("item %d appears %.3f times an epoch, expected %.3f", i, n/epochs, want)
		}
	}

	read := func(l *Loader[[]uint64], first int) (items []int, values []uint64) {
		for b, err := range l.EpochFrom(t.Context(), 1, first) {
			if err != nil {
				t.Fatal(err)
			}
			items, values = append(items, b.Items...), append(values, b.Value...)
		}
		return items, values
	}
	l := &Loader[[]uint64]{
		Len: len(weights), Weights: weights, BatchSize: 3, Seed: 3,
		Reset:   func(b *[]uint64, n int) { *b = make([]uint64, n) },
		Prepare: func(b *[]uint64, slot, _ int, r *Rand) error { (*b)[slot] = r.Uint64(); return nil },
	}
	items, values := read(l, 0)
	if !slices.Equal(items, l.Order(1)) || slices.Equal(l.Order(1), l.Order(2)) {
		t.Errorf("items %v, expected those of Order", items)
	}
	if sorted := slices.Sorted(slices.Values(values)); len(slices.Compact(sorted)) != len(weights) {
		t.Error("two appearances have the same random decisions")
	}
	if later, same := read(l, 2); !slices.Equal(later, items[6:]) || !slices.Equal(same, values[6:]) {
		t.Error("the epoch differs when it is entered in the middle")
	}
	if a, b := l.Describe()["weights"], (&Loader[int]{Len: 1}).Describe(); a == "" || b["weights"] != "" || len(b) != 7 {
		t.Errorf("described as %q and %v", a, b)
	}
}

func TestWeightMistakes(t *testing.T) {
	for _, c := range []struct {
		weights []float32
		want    string
	}{
		{[]float32{1}, "1 weights for 2 items"},
		{[]float32{0, 0}, "all weights are 0"},
		{[]float32{1, -1}, "weight of item 1"},
		{[]float32{float32(math.NaN()), 1}, "weight of item 0"},
		{[]float32{1, float32(math.Inf(1))}, "weight of item 1"},
	} {
		l := &Loader[int]{Len: 2, Weights: c.weights, Prepare: func(*int, int, int, *Rand) error { return nil }}
		var err error
		for _, err = range l.Epoch(t.Context(), 0) {
		}
		if !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%v: found %v, expected %q", c.weights, err, c.want)
		}
	}
}
