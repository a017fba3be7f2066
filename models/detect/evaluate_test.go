package detect

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/vision/boxes"
)

// TestDetectDataset searches two images and evaluates what was found.
func TestDetectDataset(t *testing.T) {
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 40, 30))); err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{"a.png": {Data: picture.Bytes()}, "b.png": {Data: picture.Bytes()}, "a.json": {Data: []byte(`{
		"images": [{"id": 5, "file_name": "a.png", "height": 30, "width": 40}, {"id": 7, "file_name": "b.png", "height": 30, "width": 40}],
		"annotations": [{"id": 1, "image_id": 7, "category_id": 3, "bbox": [0, 0, 40, 30], "area": 1200, "iscrowd": 0}],
		"categories": [{"id": 1, "name": "owl"}, {"id": 3, "name": "dog"}]}`)}}
	data, err := boxes.OpenCOCO(fsys, "a.json", "", boxes.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := New(Config{ModelType: "fastestdet", ImageSize: 64}, 2, rand.New(rand.NewPCG(1, 2)))
	if _, err := m.DetectDataset(context.Background(), data); err == nil || !strings.Contains(err.Error(), `classes ["dog"]`) {
		t.Errorf("found %v", err)
	}
	if got := m.OtherClasses(data); !slices.Equal(got, m.Labels()) {
		t.Errorf("found the other classes %q", got)
	}
	total := 0
	for _, labels := range [][]string{{"dog", "cat"}, {"cat", "dog"}} {
		if err := m.SetLabels(labels); err != nil {
			t.Fatal(err)
		}
		if got := m.OtherClasses(data); !slices.Equal(got, []string{"cat"}) {
			t.Errorf("found the other classes %q", got)
		}
		m.Options = Options{MinScore: new(float32(0)), MaxOverlap: new(1.0)}
		found, err := m.DetectDataset(context.Background(), data)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := m.Detect(context.Background(), image.NewGray(image.Rect(0, 0, 40, 30)))
		if err != nil {
			t.Fatal(err)
		}
		dogs := 0
		for _, d := range plain[0] {
			if d.Label == "dog" {
				dogs++
			}
		}
		if len(found) != 2*dogs {
			t.Errorf("%q: found %d detections, expected twice %d", labels, len(found), dogs)
		}
		total += len(found)
		for _, d := range found {
			if d.Class != 1 || d.Image > 1 || d.Box.X < 0 || d.Box.X+d.Box.W > 40 || d.Box.Y+d.Box.H > 30 {
				t.Errorf("%q: found %+v", labels, d)
			}
		}
		if _, err := metrics.COCO(data.Truth(), found, metrics.COCOOptions{}); err != nil {
			t.Error(err)
		}
	}
	if total == 0 {
		t.Error("nothing was found")
	}
	delete(fsys, "b.png")
	if _, err := m.DetectDataset(context.Background(), data); err == nil || !strings.Contains(err.Error(), "b.png") {
		t.Errorf("a missing image: found %v", err)
	}
}
