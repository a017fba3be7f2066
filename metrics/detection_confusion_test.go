package metrics

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestDetectionConfusion(t *testing.T) {
	box := func(x float64) Box { return Box{x, 0, 10, 10} }
	at := func(class int, x, score float64) Detection { return Detection{Class: class, Box: box(x), Score: score} }
	object := func(class int, x float64) Object { return Object{Class: class, Box: box(x)} }
	crowd, difficult := object(0, 0), object(0, 0)
	crowd.Crowd, difficult.Difficult = true, true
	for _, c := range []struct {
		name       string
		objects    []Object
		detections []Detection
		want       []int // [3, 3]: rows are labels, columns predictions; the last is the background
	}{
		{"nothing", nil, nil, []int{0, 0, 0, 0, 0, 0, 0, 0, 0}},
		{"missed", []Object{object(1, 0)}, nil, []int{0, 0, 0, 0, 0, 1, 0, 0, 0}},
		{"unsure", []Object{object(1, 0)}, []Detection{at(1, 0, 0.2)}, []int{0, 0, 0, 0, 0, 1, 0, 0, 0}},
		{"background", nil, []Detection{at(0, 0, 0.25)}, []int{0, 0, 0, 0, 0, 0, 1, 0, 0}},
		{"named wrongly", []Object{object(1, 0)}, []Detection{at(0, 1, 0.9)}, []int{0, 0, 0, 1, 0, 0, 0, 0, 0}},
		{"twice", []Object{object(1, 0)}, []Detection{at(0, 1, 0.9), at(1, 0, 0.5)}, []int{0, 0, 0, 0, 1, 0, 1, 0, 0}},
		{"equal overlaps", []Object{object(1, 0)}, []Detection{at(0, 0, 0.5), at(1, 0, 0.9)}, []int{0, 0, 0, 0, 1, 0, 1, 0, 0}},
		{"too far", []Object{object(1, 0)}, []Detection{at(1, 5, 0.9)}, []int{0, 0, 0, 0, 0, 1, 0, 1, 0}},
		{"side by side", []Object{object(0, 0), object(1, 2)}, []Detection{at(0, 1, 0.9), at(1, 2, 0.3)}, []int{1, 0, 0, 0, 1, 0, 0, 0, 0}},
		{"crowd", []Object{crowd}, []Detection{at(0, 0, 0.9), at(1, 0, 0.5)}, []int{0, 0, 0, 0, 0, 0, 0, 0, 0}},
		{"difficult", []Object{difficult}, []Detection{at(0, 0, 0.9), at(1, 0, 0.5)}, []int{0, 0, 0, 0, 0, 0, 0, 0, 0}},
		{"beside a difficult one", []Object{difficult, object(1, 3)}, []Detection{at(1, 0, 0.9), at(0, 0, 0.8), at(0, 20, 0.7)}, []int{0, 0, 0, 0, 1, 0, 1, 0, 0}},
		{"in a crowd", []Object{crowd, object(1, 3)}, []Detection{at(1, 0, 0.9)}, []int{0, 0, 0, 0, 1, 0, 0, 0, 0}},
	} {
		got, err := DetectionConfusion(c.objects, c.detections, 2, 0.25, 0.5)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.counts, c.want) {
			t.Errorf("%s: %v, expected %v", c.name, got.counts, c.want)
		}
	}
	for want, f := range map[string]func() (*Confusion, error){
		"object 0: class 2, expected 0 to 1":     func() (*Confusion, error) { return DetectionConfusion([]Object{object(2, 0)}, nil, 2, 0, 0.5) },
		"detection 0: class -1, expected 0 to 1": func() (*Confusion, error) { return DetectionConfusion(nil, []Detection{at(-1, 0, 0)}, 2, 0, 0.5) },
		"finite": func() (*Confusion, error) {
			return DetectionConfusion(nil, []Detection{at(0, math.NaN(), 0)}, 2, 0, 0.5)
		},
	} {
		if _, err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, expected %q", err, want)
		}
	}
}
