package metrics

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/oracle"
)

// TestPycocotools compares the figures and the curves of 500 random sets with pycocotools'. It needs FOVEA_PYTHON.
func TestPycocotools(t *testing.T) {
	type set struct {
		objects    []Object
		detections []Detection
		classes    []int
	}
	sets := make([]set, 500)
	var files []any
	for i := range sets {
		s := &sets[i]
		r := rand.New(rand.NewPCG(16, uint64(i)))
		var images []int
		images, s.classes, s.objects, s.detections = randomSet(r)
		files = append(files, []any{cocoFile(images, s.classes, s.objects), resultsFile(t, s.detections)})
	}
	text, err := json.Marshal(files)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	in, out := filepath.Join(dir, "sets.json"), filepath.Join(dir, "out")
	if err := os.WriteFile(in, text, 0o600); err != nil {
		t.Fatal(err)
	}
	oracle.Run(t, "pycocotools", "check_coco.py", in, out)
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	next := func() float64 {
		v := math.Float64frombits(binary.LittleEndian.Uint64(data))
		data = data[8:]
		return v
	}
	worst, wrong := 0.0, 0
	for i, s := range sets {
		got, err := COCO(s.objects, s.detections, COCOOptions{})
		if err != nil {
			t.Fatal(err)
		}
		byClass := map[int]*COCOClass{}
		for c := range got.Classes {
			byClass[got.Classes[c].Class] = &got.Classes[c]
		}
		differs := false
		for _, v := range got.Slice() {
			d := math.Abs(v - next())
			worst, differs = max(worst, d), differs || !(d <= 1e-12)
		}
		for _, id := range s.classes {
			c := byClass[id]
			if c == nil { // no objects, no detections
				c = &COCOClass{}
				for t := range c.Precision {
					for r := range c.Precision[t] {
						c.Precision[t][r], c.Scores[t][r] = -1, -1
					}
				}
			}
			for _, table := range []*[10][101]float64{&c.Precision, &c.Scores} {
				for t := range table {
					for _, v := range table[t] {
						differs = differs || v != next()
					}
				}
			}
		}
		if differs {
			wrong++
			t.Errorf("set %d: the figures %v or the curves differ", i, got.Slice())
		}
		if wrong > 5 {
			t.FailNow()
		}
	}
	if len(data) != 0 {
		t.Errorf("%d bytes are left", len(data))
	}
	t.Logf("the figures differ by at most %v", worst)
}

// randomSet returns objects and detections with crowds, difficult sizes, equal scores and overlaps, empty images, and classes
// without objects.
func randomSet(r *rand.Rand) (images, classes []int, objects []Object, detections []Detection) {
	images = r.Perm(20)[:1+r.IntN(6)]
	for _, id := range r.Perm(9)[:1+r.IntN(3)] {
		classes = append(classes, id+1)
	}
	slices.Sort(classes)     // the order of pycocotools' tables
	coarse := r.IntN(3) == 0 // whole numbers: many equal overlaps, and those at a threshold
	round := func(v float64) float64 {
		if coarse {
			return math.Round(v)
		}
		return math.Round(100*v) / 100
	}
	scale := math.Exp(r.Float64() * 5)
	box := func() Box {
		return Box{round(r.Float64() * 2 * scale), round(r.Float64() * 2 * scale), 1 + round(r.Float64()*3*scale), 1 + round(r.Float64()*3*scale)}
	}
	digits := math.Pow(10, float64(r.IntN(4)))
	crowds, empty := r.Float64()*0.4, r.IntN(3) == 0
	for _, image := range images {
		if r.IntN(4) == 0 {
			continue
		}
		for range r.IntN(9) {
			o := Object{Image: image, Class: classes[r.IntN(len(classes))], Box: box(), Crowd: r.Float64() < crowds}
			o.Area = max(1, math.Round(o.Box.Area()*r.Float64()))
			if !empty || o.Class != classes[0] {
				objects = append(objects, o)
			}
		}
	}
	n := r.IntN(60)
	if r.IntN(20) == 0 {
		n = 700 // more than 100 of a class in an image
	}
	for range n {
		d := Detection{Image: images[r.IntN(len(images))], Class: classes[r.IntN(len(classes))], Box: box(),
			Score: math.Round(r.Float64()*digits) / digits}
		if len(objects) > 0 && r.IntN(3) > 0 {
			o := objects[r.IntN(len(objects))]
			d.Image, d.Box = o.Image, o.Box
			if r.IntN(5) > 0 {
				d.Class = o.Class
			}
			shift := []float64{0, 0.1, 0.3}[r.IntN(3)]
			d.Box.X += round(r.NormFloat64() * shift * d.Box.W)
			d.Box.W = max(1, d.Box.W+round(r.NormFloat64()*shift*d.Box.W))
		}
		detections = append(detections, d)
	}
	return images, classes, objects, detections
}

// cocoFile returns the objects as a COCO file.
func cocoFile(images, classes []int, objects []Object) map[string]any {
	type entry map[string]any
	list := func(ids []int) []entry {
		out := []entry{}
		for _, id := range ids {
			out = append(out, entry{"id": id, "name": "c", "file_name": "f", "width": 1, "height": 1})
		}
		return out
	}
	annotations := []entry{}
	for i, o := range objects {
		crowd := 0
		if o.Crowd {
			crowd = 1
		}
		annotations = append(annotations, entry{"id": i + 1, "image_id": o.Image, "category_id": o.Class,
			"bbox": []float64{o.Box.X, o.Box.Y, o.Box.W, o.Box.H}, "area": o.Area, "iscrowd": crowd})
	}
	return map[string]any{"images": list(images), "categories": list(classes), "annotations": annotations}
}

// resultsFile returns the detections as a file of results.
func resultsFile(t testing.TB, detections []Detection) json.RawMessage {
	var b bytes.Buffer
	if err := WriteCOCOResults(&b, detections); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
