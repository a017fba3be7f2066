package metrics

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
)

// readTruth and readResults read files of COCO.
func readTruth(t testing.TB, name string) *COCOTruth {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	truth, err := ReadCOCO(f)
	if err != nil {
		t.Fatal(err)
	}
	return truth
}

func readResults(t testing.TB, name string) []Detection {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	found, err := ReadCOCOResults(f)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestCOCO computes the twelve figures of pycocotools on 100 images of COCO.
func TestCOCO(t *testing.T) {
	dir := golden.SharedData(t, "map/coco")
	truth := readTruth(t, filepath.Join(dir, "instances_val2014_100.json"))
	found := readResults(t, filepath.Join(dir, "instances_val2014_fakebbox100_results.json"))
	if len(truth.Images) != 100 || len(found) != 734 {
		t.Errorf("%d images and %d detections", len(truth.Images), len(found))
	}
	r, err := COCO(truth.Objects, found, COCOOptions{Images: truth.ImageIDs()})
	if err != nil {
		t.Fatal(err)
	}
	want := []float64{
		.5045806987249628, .6969727247299577, .5729816669904824, .5856257209410443, .5193996948036719, .5013978986347466,
		.38681277964578054, .5936795762842003, .595352982877607, .6398109626113442, .5664205978994309, .5642905982905982}
	for i, v := range r.Slice() {
		if math.Abs(v-want[i]) > 1e-12 {
			t.Errorf("figure %d is %v, expected %v", i, v, want[i])
		}
	}
}

// TestCOCOErrors gives numbers that are not finite, and an image that is not among the images.
func TestCOCOErrors(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for want, c := range map[string]struct {
		o Object
		d Detection
	}{
		"object 0":                             {Object{Box: Box{0, 0, inf, 1}}, Detection{}},
		"detection 0, of image 0":              {Object{}, Detection{Score: nan}},
		"expected finite numbers":              {Object{}, Detection{Box: Box{nan, 0, 1, 1}}},
		"detection 0: image 5 is not among":    {Object{}, Detection{Image: 5}},
		"object 0: image 5 is not among the 1": {Object{Image: 5}, Detection{}},
	} {
		if _, err := COCO([]Object{c.o}, []Detection{c.d}, COCOOptions{Images: []int{0}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, expected %q", err, want)
		}
	}
}

// TestCOCODifficult treats difficult objects as ignored: found once they do not count, and found twice the second is wrong.
func TestCOCODifficult(t *testing.T) {
	objects := []Object{{Image: 1, Box: Box{0, 0, 10, 10}, Difficult: true}, {Image: 1, Box: Box{50, 50, 10, 10}}}
	found := []Detection{{Image: 1, Box: Box{0, 0, 10, 10}, Score: 0.9}, {Image: 1, Box: Box{50, 50, 10, 10}, Score: 0.8}}
	for _, c := range []struct {
		crowd bool
		n     int
		want  float64
	}{{false, 1, 1}, {false, 2, 0.5}, {true, 2, 1}} {
		objects[0].Crowd = c.crowd
		r, err := COCO(objects, append(slices.Repeat(found[:1], c.n), found[1]), COCOOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(r.AP-c.want) > 1e-12 || r.Classes[0].Objects != 1 {
			t.Errorf("crowd %v, %d detections: AP %v of %d objects, expected %v", c.crowd, c.n, r.AP, r.Classes[0].Objects, c.want)
		}
	}
}

// TestCOCOCurve finds two of three objects, with one wrong detection between them.
func TestCOCOCurve(t *testing.T) {
	box := Box{0, 0, 10, 10}
	objects := []Object{{Image: 1, Box: box}, {Image: 2, Box: box}, {Image: 3, Box: box}}
	found := []Detection{{Image: 1, Box: box, Score: 0.9}, {Image: 4, Box: box, Score: 0.8}, {Image: 2, Box: box, Score: 0.7}}
	r, err := COCO(objects, found, COCOOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := r.Classes[0].Curve(0)
	if len(c.Recall) != 67 || c.Recall[66] != 0.66 || math.Abs(c.Precision[33]-1) > 1e-12 || math.Abs(c.Precision[34]-2./3) > 1e-12 || c.Scores[33] != 0.9 || c.Scores[34] != 0.7 {
		t.Errorf("curve %v", c)
	}
	if r, err = COCO(nil, found, COCOOptions{}); err != nil || len(r.Classes[0].Curve(0).Recall) != 0 || r.AP != -1 || r.Classes[0].AP != -1 {
		t.Errorf("no objects: %v, error %v", r.COCOFigures, err)
	}
}
