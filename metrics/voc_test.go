package metrics

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
)

// readVOC reads the objects and detections of ../shared/data/map/voc: lines of a class, a score, and x, y, width, height.
func readVOC(t *testing.T) (objects []Object, detections []Detection) {
	dir := golden.SharedData(t, "map/voc")
	for image := 1; image <= 7; image++ {
		for _, folder := range []string{"groundtruths", "detections"} {
			f, err := os.Open(filepath.Join(dir, folder, fmt.Sprintf("%05d.txt", image)))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for lines := bufio.NewScanner(f); lines.Scan(); {
				var class string
				d := Detection{Image: image}
				fields := []any{&class, &d.Score, &d.Box.X, &d.Box.Y, &d.Box.W, &d.Box.H}
				if folder == "groundtruths" {
					fields = slices.Delete(fields, 1, 2)
				}
				if _, err := fmt.Sscan(lines.Text(), fields...); err != nil {
					t.Fatal(err)
				}
				if folder == "groundtruths" {
					objects = append(objects, Object{Image: image, Box: d.Box})
				} else {
					detections = append(detections, d)
				}
			}
		}
	}
	return objects, detections
}

// TestVOC computes the figures of rafaelpadilla/Object-Detection-Metrics on its data.
func TestVOC(t *testing.T) {
	objects, detections := readVOC(t)
	if len(objects) != 15 || len(detections) != 24 {
		t.Fatalf("%d objects and %d detections", len(objects), len(detections))
	}
	for _, c := range []struct {
		o         VOCOptions
		want      float64
		precision float64 // of the note
	}{
		{VOCOptions{LastPixelInside: true}, .245686680, 5e-10},
		{VOCOptions{LastPixelInside: true, ElevenPoints: true}, .268398, 5e-7},
		{VOCOptions{}, .225397, 5e-7},
	} {
		r, err := VOC(objects, detections, 0.3, c.o)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(r.MAP-c.want) > c.precision || r.Classes[0].AP != r.MAP || r.Classes[0].Objects != 15 {
			t.Errorf("%+v: %.12f of %d objects, expected %v", c.o, r.MAP, r.Classes[0].Objects, c.want)
		}
		if n := len(r.Classes[0].Curve.Scores); n != len(detections) {
			t.Errorf("%+v: a curve of %d points", c.o, n)
		}
	}
}

// TestVOCRules tries the rules by hand: the curve and both areas under it.
func TestVOCRules(t *testing.T) {
	box := func(x float64) Box { return Box{x, 0, 10, 10} }
	objects := []Object{
		{Image: 1, Class: 5, Box: box(0)}, {Image: 1, Class: 5, Box: box(100)},
		{Image: 2, Class: 5, Box: box(0), Difficult: true}, {Image: 3, Class: 5, Box: box(0)},
		{Image: 3, Class: 6, Box: box(0), Crowd: true},
	}
	for _, c := range []struct {
		name              string
		found             []Detection
		precision, recall []float64
		all, eleven       float64
	}{
		{"nothing", nil, nil, nil, 0, 0},
		{"one", []Detection{{Image: 1, Class: 5, Box: box(0)}}, []float64{1}, []float64{1. / 3}, 1. / 3, 4. / 11},
		{"twice", []Detection{{Image: 1, Class: 5, Box: box(0)}, {Image: 1, Class: 5, Box: box(0)}, {Image: 1, Class: 5, Box: box(100)}},
			[]float64{1, 0.5, 2. / 3}, []float64{1. / 3, 1. / 3, 2. / 3}, 5. / 9, (4 + 3*2./3) / 11},
		{"difficult", []Detection{{Image: 2, Class: 5, Box: box(0)}, {Image: 2, Class: 5, Box: box(1)}, {Image: 2, Class: 5, Box: box(50)}},
			[]float64{0}, []float64{0}, 0, 0},
		{"at the threshold", []Detection{{Image: 1, Class: 5, Box: Box{0, 0, 5, 10}}}, []float64{1}, []float64{1. / 3}, 1. / 3, 4. / 11},
		{"another image", []Detection{{Image: 9, Class: 5, Box: box(0)}}, []float64{0}, []float64{0}, 0, 0},
		{"by score", []Detection{{Image: 3, Class: 5, Box: box(50), Score: 1}, {Image: 3, Class: 5, Box: box(0), Score: 2}},
			[]float64{1, 0.5}, []float64{1. / 3, 1. / 3}, 1. / 3, 4. / 11},
	} {
		for _, eleven := range []bool{false, true} {
			r, err := VOC(objects, c.found, 0.5, VOCOptions{ElevenPoints: eleven})
			if err != nil {
				t.Fatal(err)
			}
			want := c.all
			if eleven {
				want = c.eleven
			}
			got := r.Classes[0]
			if math.Abs(got.AP-want) > 1e-15 || r.MAP != got.AP || got.Objects != 3 {
				t.Errorf("%s: AP %v of %d objects, expected %v", c.name, got.AP, got.Objects, want)
			}
			if !slices.Equal(got.Curve.Precision, c.precision) || !slices.Equal(got.Curve.Recall, c.recall) {
				t.Errorf("%s: precision %v, recall %v", c.name, got.Curve.Precision, got.Curve.Recall)
			}
			if last := r.Classes[1]; last.Class != 6 || last.Objects != 0 || !math.IsNaN(last.AP) {
				t.Errorf("%s: a class of a crowd has AP %v", c.name, last.AP)
			}
		}
	}
	c := Curve{Scores: []float64{0.9, 0.8, 0.7, 0.6}, Precision: []float64{0, 0.5, 2. / 3, 0.5}, Recall: []float64{0, 0.5, 1, 1}}
	if f1, score := c.BestF1(); math.Abs(f1-0.8) > 1e-15 || score != 0.7 {
		t.Errorf("F1 %v from the score %v on, expected 0.8 and 0.7", f1, score)
	}
	if f1, score := (Curve{}).BestF1(); f1 != 0 || score != 0 {
		t.Errorf("F1 of nothing: %v, %v", f1, score)
	}
	r, err := VOC(nil, nil, 0.5, VOCOptions{})
	if err != nil || !math.IsNaN(r.MAP) {
		t.Errorf("no objects: %v, error %v", r, err)
	}
	if _, err := VOC(objects, []Detection{{Score: math.NaN()}}, 0.5, VOCOptions{}); err == nil {
		t.Error("a score of NaN is no error")
	}
}
