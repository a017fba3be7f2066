package metrics

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

const cocoSmall = `{"info": {"images": [1, {"a": null}]}, "images": [{"id": 7, "file_name": "a.jpg", "width": 5}, {"id": 3}],
"annotations": [{"id": 0, "image_id": 7, "category_id": 18, "bbox": [1.5, 2, 30, 4e1], "area": 100.5, "iscrowd": 0, "segmentation": [[1, 2]]},
 {"image_id": 3, "category_id": 2, "bbox": [0, 0, 0, 0], "iscrowd": 1},
 {"image_id": 3, "category_id": 2, "bbox": [0, 0, 90, 90], "area": 0}],
"categories": [{"id": 18, "name": "dog", "supercategory": "animal"}, {"id": 2}]}`

func TestReadCOCO(t *testing.T) {
	for _, text := range []string{cocoSmall, "\ufeff" + cocoSmall} {
		got, err := ReadCOCO(iotest.OneByteReader(strings.NewReader(text)))
		if err != nil {
			t.Fatal(err)
		}
		want := []Object{
			{Image: 7, Class: 18, Box: Box{1.5, 2, 30, 40}, Area: 100.5},
			{Image: 3, Class: 2, Crowd: true},
			{Image: 3, Class: 2, Box: Box{0, 0, 90, 90}, Area: math.SmallestNonzeroFloat64}, // small, as the file says
		}
		if !slices.Equal(got.Objects, want) {
			t.Errorf("objects %v, expected %v", got.Objects, want)
		}
		if !slices.Equal(got.Images, []COCOImage{{7, "a.jpg"}, {3, ""}}) || !slices.Equal(got.Classes, []COCOCategory{{18, "dog"}, {2, ""}}) ||
			!slices.Equal(got.ImageIDs(), []int{7, 3}) {
			t.Errorf("images %v, classes %v", got.Images, got.Classes)
		}
	}
}

func TestReadCOCOErrors(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{cocoSmall, `[]`, "is it a file of results?"},
		{cocoSmall, ``, "the file ends early"},
		{cocoSmall, cocoSmall[:len(cocoSmall)-40], "the file ends early"},
		{cocoSmall, cocoSmall + "1", "text after"},
		{`"annotations"`, `"annotation"`, "no list annotations"},
		{`"annotations"`, `"images"`, "images is given twice"},
		{`"image_id": 7`, `"image_id": "7"`, "annotations[0]: image_id: expected a whole number"},
		{`"image_id": 7`, `"image_id": 8`, "annotations[0]: image_id is 8, which no image has"},
		{`"category_id": 18`, `"category_id": 19`, "annotations[0]: category_id is 19, which no category has"},
		{`"image_id": 7, `, ``, "annotations[0]: no image_id"},
		{`"category_id": 18, `, ``, "annotations[0]: no category_id"},
		{`"bbox": [1.5, 2, 30, 4e1], `, ``, "annotations[0]: no bbox; masks"},
		{`[1.5, 2, 30, 4e1]`, `[1.5, 2, 30]`, "annotations[0]: bbox has 3 numbers"},
		{`[1.5, 2, 30, 4e1]`, `[1.5, 2, 30, 4e999]`, "annotations[0]: bbox is [1.5 2 30 +Inf]"},
		{`100.5`, `-1`, "annotations[0]: area is -1"},
		{`"iscrowd": 0`, `"iscrowd": 2`, "annotations[0]: iscrowd is 2"},
		{`"id": 3`, `"id": 7`, "images[1]: the id 7 is given twice"},
		{`"id": 3`, `"ID": 3`, "images[1]: no id"},
		{`{"id": 2}`, `{"id": 18}`, "categories[1]: the id 18 is given twice"},
	} {
		text := strings.Replace(cocoSmall, c.old, c.new, 1)
		if _, err := ReadCOCO(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s for %s: error %v, expected %q", c.new, c.old, err, c.want)
		}
	}
}

func TestCOCOResults(t *testing.T) {
	want := []Detection{
		{Image: 42, Class: 18, Box: Box{258.15, 41.29, 348.26, 243.78}, Score: 0.236},
		{Image: -1, Class: 0, Box: Corners(0.1, 1e-30, 1e21, 3), Score: -3},
		{Image: 1 << 40, Class: 90, Score: float64(float32(0.9))},
	}
	for n := range len(want) + 1 {
		var b bytes.Buffer
		if err := WriteCOCOResults(&b, want[:n]); err != nil {
			t.Fatal(err)
		}
		got, err := ReadCOCOResults(&b)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want[:n]) {
			t.Errorf("read %v, expected %v", got, want[:n])
		}
	}
	const one = `{"image_id":42,"category_id":18,"bbox":[258.15,41.29,348.26,243.78],"score":0.236}`
	for _, c := range []struct{ text, want string }{
		{cocoSmall, "is it a file of annotations?"},
		{"[" + one, "the file ends early"},
		{"[" + one + "," + one[:20], "[1]: the file ends early"},
		{"[" + one + "] []", "text after"},
		{"[" + one + `,{"image_id":1,"category_id":2,"bbox":[1,2,3,4]}]`, "[1]: no score"},
		{"[" + one + `,{"image_id":1,"category_id":2,"segmentation":{},"score":1}]`, "[1]: no bbox; masks"},
		{"[" + strings.Replace(one, "0.236", "1e999", 1) + "]", "[0]: score is +Inf"},
		{"[" + strings.Replace(one, "42", `"000000000042"`, 1) + "]", "[0]: image_id: expected a whole number"},
		{"[" + strings.Replace(one, "18", "18.0", 1) + "]", "[0]: category_id: expected a whole number"},
	} {
		if _, err := ReadCOCOResults(strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60s: error %v, expected %q", c.text, err, c.want)
		}
	}
	want[1].Score = math.NaN()
	if err := WriteCOCOResults(new(bytes.Buffer), want); err == nil || !strings.Contains(err.Error(), "detection 1: ") {
		t.Errorf("a score of NaN: error %v", err)
	}
	if err := WriteCOCOResults(full{}, want[:1]); !errors.Is(err, errFull) {
		t.Errorf("a full disk: error %v", err)
	}
}

// full is a writer to a full disk.
type full struct{}

var errFull = errors.New("full")

func (full) Write([]byte) (int, error) { return 0, errFull }
