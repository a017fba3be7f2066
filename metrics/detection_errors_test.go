package metrics

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
)

// tideKinds are the mistakes in the order of TIDE's tables.
var tideKinds = []Mistake{WrongClass, WrongPlace, WrongBoth, Duplicate, Background, Missed}

// TestTIDE compares the breakdown of random sets with tidecv's.
func TestTIDE(t *testing.T) {
	g := golden.Load(t, "testdata/tide.safetensors")
	sets := g.Shape("figures")[0]
	objects, detections := make([][]Object, sets), make([][]Detection, sets)
	for row := range slices.Chunk(g.Floats("objects"), 8) {
		objects[int(row[0])] = append(objects[int(row[0])], Object{Image: int(row[1]), Class: int(row[2]),
			Box: Box{float64(row[3]), float64(row[4]), float64(row[5]), float64(row[6])}, Crowd: row[7] == 1})
	}
	for row := range slices.Chunk(g.Floats("detections"), 8) {
		detections[int(row[0])] = append(detections[int(row[0])], Detection{Image: int(row[1]), Class: int(row[2]),
			Box: Box{float64(row[3]), float64(row[4]), float64(row[5]), float64(row[6])}, Score: float64(row[7])})
	}
	figures, counts := g.Floats("figures"), g.Ints("counts")
	for i := range sets {
		r, err := FindErrors(objects[i], detections[i], 0.5, 0.1)
		if err != nil {
			t.Fatal(err)
		}
		got := []float64{r.AP}
		var n []int
		for _, kind := range tideKinds {
			got, n = append(got, r.Loss[kind]), append(n, r.Count[kind])
		}
		got = append(got, r.FalsePositiveLoss, r.FalseNegativeLoss)
		for j, v := range got {
			if want := float64(figures[9*i+j]); math.Abs(v-want) > 1e-6 {
				t.Errorf("set %d: figure %d is %v, expected %v", i, j, v, want)
			}
		}
		if want := counts[6*i : 6*i+6]; !slices.Equal(n, want) {
			t.Errorf("set %d: %v mistakes, expected %v", i, n, want)
		}
		right := 0
		for _, m := range r.Detections {
			if m == Right {
				right++
			}
		}
		if right != r.Count[Right] || len(r.Objects) != len(objects[i]) {
			t.Errorf("set %d: %d right detections, counted %d", i, right, r.Count[Right])
		}
	}
}

// TestTIDEOnCOCO computes the figures of tidecv 1.0.1 on 100 images of COCO.
func TestTIDEOnCOCO(t *testing.T) {
	dir := golden.SharedData(t, "map/coco")
	truth := readTruth(t, filepath.Join(dir, "instances_val2014_100.json"))
	found := readResults(t, filepath.Join(dir, "instances_val2014_fakebbox100_results.json"))
	r, err := FindErrors(truth.Objects, found, 0.5, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	got := []float64{r.AP, r.FalsePositiveLoss, r.FalseNegativeLoss}
	var counts []int
	for _, kind := range tideKinds {
		got, counts = append(got, r.Loss[kind]), append(counts, r.Count[kind])
	}
	for i, want := range []float64{64.20498881733425, 6.821587524510463, 17.684978535217198,
		22.2460397441685, 0.22789102370710168, 0, 0.018972971237019465, 0, 8.523573787723365} {
		if math.Abs(100*got[i]-want) > 1e-9 {
			t.Errorf("figure %d is %v, expected %v", i, 100*got[i], want)
		}
	}
	if want := []int{83, 1, 0, 1, 0, 97}; !slices.Equal(counts, want) {
		t.Errorf("%v mistakes, expected %v", counts, want)
	}
}
