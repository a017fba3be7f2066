package boxes

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
)

const fusion = "testdata/fusion.safetensors"

// TestSoftNMS compares with ensemble-boxes.
func TestSoftNMS(t *testing.T) {
	g := golden.Load(t, fusion)
	for _, name := range []string{"few", "many", "other"} {
		boxes, scores, limits := load(g, "soft/"+name+"/boxes"), g.Floats("soft/"+name+"/scores"), g.Floats("soft/"+name+"/limits")
		for kind, f := range map[string]func() ([]int, []float32){
			"linear":   func() ([]int, []float32) { return SoftNMSLinear(boxes, scores, nil, float64(limits[0]), limits[2]) },
			"gaussian": func() ([]int, []float32) { return SoftNMSGaussian(boxes, scores, nil, float64(limits[1]), limits[2]) },
		} {
			kept, lowered := f()
			prefix := "soft/" + name + "/" + kind
			if want := g.Ints(prefix + "/kept"); !slices.Equal(kept, want) {
				t.Errorf("%s: kept %v, expected %v", prefix, kept, want)
			}
			near(t, prefix, lowered, g.Floats(prefix+"/scores"), 1e-6)
		}
	}
}

// TestSoftNMSRules tries classes, equal scores and odd ones.
func TestSoftNMSRules(t *testing.T) {
	nan := float32(math.NaN())
	same := Box{X0: 0, Y0: 0, X1: 10, Y1: 10}
	boxes := []Box{same, same, same, {X0: 0, Y0: 0, X1: 10, Y1: 5}, same}
	scores, classes := []float32{0.5, 0.8, 0.8, 0.6, nan}, []int{0, 1, 0, 0, 0}
	kept, lowered := SoftNMSLinear(boxes, scores, classes, 0.4, 0.01)
	if !slices.Equal(kept, []int{1, 2, 3}) || !slices.Equal(lowered, []float32{0.8, 0.8, 0.3}) {
		t.Errorf("kept %v with %v", kept, lowered)
	}
	kept, lowered = SoftNMSGaussian(boxes, scores, nil, 1e9, 0.55)
	if !slices.Equal(kept, []int{1, 2, 3}) || lowered[0] != 0.8 || lowered[1] > 0.8 {
		t.Errorf("a wide sigma: kept %v with %v", kept, lowered)
	}
	if kept, _ := SoftNMSLinear(nil, nil, nil, 0.3, 0); len(kept) != 0 {
		t.Errorf("nothing: kept %v", kept)
	}
	if !panics(func() { SoftNMSLinear(boxes, scores[1:], nil, 0.3, 0) }) || !panics(func() { SoftNMSLinear(boxes, scores, classes[1:], 0.3, 0) }) {
		t.Error("too few scores or classes: no panic")
	}
}

// TestFuse compares with ensemble-boxes, whose coordinates are shares of the image.
func TestFuse(t *testing.T) {
	g := golden.Load(t, fusion)
	for name, n := range map[string]int{"one": 1, "three": 3, "weights": 3, "highest": 2} {
		prefix := "fuse/" + name + "/"
		limits := g.Floats(prefix + "limits")
		o := FuseOptions{Overlap: new(float64(limits[0])), MinScore: limits[1], Highest: limits[2] == 1}
		if limits[0] == 0.55 {
			o.Overlap = nil
		}
		for _, w := range g.Floats(prefix + "weights") {
			o.Weights = append(o.Weights, float64(w))
		}
		var models []Found
		for m := range n {
			part := fmt.Sprint(prefix, m)
			models = append(models, Found{load(g, part+"/boxes"), g.Floats(part + "/scores"), g.Ints(part + "/classes")})
		}
		got := Fuse(models, o)
		near(t, name+": boxes", flat(got.Boxes), g.Floats(prefix+"out/boxes"), 1e-6)
		near(t, name+": scores", got.Scores, g.Floats(prefix+"out/scores"), 1e-6)
		if want := g.Ints(prefix + "out/classes"); !slices.Equal(got.Classes, want) {
			t.Errorf("%s: classes %v, expected %v", name, got.Classes, want)
		}
	}
}

// TestFuseRules tries boxes that are no boxes, and equal scores.
func TestFuseRules(t *testing.T) {
	one := Found{Boxes: []Box{{X0: 0, Y0: 0, X1: 10, Y1: 10}, {X0: 5, Y0: 5, X1: 5, Y1: 5}, {X0: 100, Y0: 0, X1: 110, Y1: 10}}, Scores: []float32{0.5, 0.9, 0.5}, Classes: []int{3, 3, 1}}
	two := Found{Boxes: []Box{{X0: 0, Y0: 0, X1: 10, Y1: 12}, {X0: 0, Y0: 0, X1: 10, Y1: 10}}, Scores: []float32{0.5, 0}, Classes: []int{3, 3}}
	got := Fuse([]Found{one, two}, FuseOptions{})
	want := Found{Boxes: []Box{{X0: 0, Y0: 0, X1: 10, Y1: 11}, {X0: 100, Y0: 0, X1: 110, Y1: 10}}, Scores: []float32{0.5, 0.25}, Classes: []int{3, 1}}
	if !slices.Equal(got.Boxes, want.Boxes) || !slices.Equal(got.Scores, want.Scores) || !slices.Equal(got.Classes, want.Classes) {
		t.Errorf("fused %v, expected %v", got, want)
	}
	if got := Fuse(nil, FuseOptions{}); len(got.Boxes) != 0 {
		t.Errorf("no models: %v", got)
	}
	if !panics(func() { Fuse([]Found{one}, FuseOptions{Weights: []float64{1, 2}}) }) || !panics(func() { Fuse([]Found{{Boxes: one.Boxes}}, FuseOptions{}) }) {
		t.Error("lengths that do not fit: no panic")
	}
}
