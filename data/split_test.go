package data

import (
	"math"
	"reflect"
	"slices"
	"testing"
)

// TestSplit divides classes of 10, 5 and 1 items, and one without any.
func TestSplit(t *testing.T) {
	var labels []int
	for class, n := range []int{10, 5, 1} {
		labels = append(labels, slices.Repeat([]int{class}, n)...)
	}
	for _, c := range []struct {
		share float64
		want  []int // of each class in second
	}{{0, []int{0, 0, 0, 0}}, {0.01, []int{1, 1, 0, 0}}, {0.25, []int{3, 1, 0, 0}}, {0.99, []int{9, 4, 0, 0}}} {
		first, second, err := Split(labels, 4, c.share, 1)
		if err != nil {
			t.Fatal(err)
		}
		count := make([]int, 4)
		for _, i := range second {
			count[labels[i]]++
		}
		if !slices.Equal(count, c.want) {
			t.Errorf("share %v: second has %v of each class, expected %v", c.share, count, c.want)
		}
		all := slices.Sorted(slices.Values(slices.Concat(first, second)))
		for i, v := range all {
			if i != v || len(all) != len(labels) {
				t.Fatalf("share %v: the parts hold %v", c.share, all)
			}
		}
		if !slices.IsSorted(first) || !slices.IsSorted(second) {
			t.Errorf("share %v: not in ascending order: %v and %v", c.share, first, second)
		}
	}
	_, a, _ := Split(labels, 3, 0.3, 7)
	_, again, _ := Split(labels, 3, 0.3, 7)
	_, b, _ := Split(labels, 3, 0.3, 8)
	if !reflect.DeepEqual(a, again) || reflect.DeepEqual(a, b) {
		t.Errorf("the division does not depend on the seed alone: %v, %v, %v", a, again, b)
	}
	for _, share := range []float64{-0.1, 1, math.NaN()} {
		if _, _, err := Split(labels, 3, share, 1); err == nil {
			t.Errorf("share %v: no error", share)
		}
	}
	if _, _, err := Split(labels, 2, 0.5, 1); err == nil {
		t.Error("a label out of range: no error")
	}
}
