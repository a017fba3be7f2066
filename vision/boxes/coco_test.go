package boxes

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/vision"
)

const (
	cocoImages     = `"images": [{"id": 7, "file_name": "x.jpg", "height": 30, "width": 40, "license": 3}, {"id": 5, "file_name": "sub\\y.jpg"}]`
	cocoCategories = `"categories": [{"id": 90, "name": "dog", "supercategory": "animal"}, {"id": 3, "name": "cat"}]`
)

func cocoFile(annotations string) fstest.MapFS {
	return fstest.MapFS{"annotations/a.json": text(`{"info": {"year": [1, {"x": null}]}, "annotations": [` + annotations + `], ` + cocoImages + `, ` + cocoCategories + `}`)}
}

func TestOpenCOCO(t *testing.T) {
	fsys := cocoFile(`{"id": 1, "image_id": 5, "category_id": 90, "bbox": [1.5, 2, 3.25, 4], "area": 8.5, "iscrowd": 0, "segmentation": [[1, 2, 3]]},
		{"image_id": 7, "category_id": 3, "bbox": [0, 0, 40, 30], "iscrowd": 1},
		{"image_id": 5, "category_id": 3, "bbox": [0, 0, 1, 1], "area": null, "iscrowd": false, "bbox_mode": 1}`)
	d, err := OpenCOCO(fsys, "annotations/a.json", "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"annotations/x.jpg cat{0 0 40 30} crowd", "annotations/sub/y.jpg dog{1.5 2 4.75 6} cat{0 0 1 1}"}
	if diff := cmp.Diff(want, list(d)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"cat", "dog"}, d.Classes()); diff != "" {
		t.Error(diff)
	}
	if a, b := d.Objects(1)[0].Area, d.Objects(1)[1].Area; a != 8.5 || b != 1 {
		t.Errorf("areas %v and %v", a, b)
	}
	if d, err = OpenCOCO(fsys, "annotations/a.json", "val", Options{Classes: []string{"hen", "cat", "dog"}}); err != nil || d.Name(0) != "val/x.jpg" || d.Objects(0)[0].Label != 1 {
		t.Errorf("given classes and images: %v", err)
	}
	// Other classes are an error, or are left out.
	if _, err = OpenCOCO(fsys, "annotations/a.json", "", Options{Classes: []string{"cat"}}); err == nil ||
		!strings.Contains(err.Error(), "annotations[0]: category_id is 90, whose name is not among the 1 classes") {
		t.Errorf("another class: %v", err)
	}
	d, err = OpenCOCO(fsys, "annotations/a.json", "", Options{Classes: []string{"cat"}, OnError: data.SkipErrors})
	if total, _ := d.Skipped(); err != nil || total != 1 || len(d.Objects(1)) != 1 {
		t.Errorf("another class, with SkipErrors: %v", err)
	}
}

// TestTruth turns objects into those of package metrics, and gives the ids of a file.
func TestTruth(t *testing.T) {
	fsys := cocoFile(`{"image_id": 5, "category_id": 90, "bbox": [1.5, 2, 3.25, 4], "area": 8.5}, {"image_id": 7, "category_id": 3, "bbox": [0, 0, 40, 30], "area": 0, "iscrowd": 1}`)
	d, err := OpenCOCO(fsys, "annotations/a.json", "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []metrics.Object{
		{Image: 0, Class: 0, Box: metrics.Box{W: 40, H: 30}, Area: math.SmallestNonzeroFloat64, Crowd: true},
		{Image: 1, Class: 1, Box: metrics.Box{X: 1.5, Y: 2, W: 3.25, H: 4}, Area: 8.5},
	}
	if diff := cmp.Diff(want, d.Truth()); diff != "" {
		t.Error(diff)
	}
	if got := []int{d.ImageID(0), d.ImageID(1), d.ClassID(0), d.ClassID(1)}; !cmp.Equal(got, []int{7, 5, 3, 90}) {
		t.Errorf("ids %v", got)
	}
	d, err = OpenCOCO(fsys, "annotations/a.json", "", Options{Classes: []string{"dog", "hen", "cat"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := []int{d.ClassID(0), d.ClassID(1), d.ClassID(2)}; !cmp.Equal(got, []int{90, -1, 3}) {
		t.Errorf("ids of given classes %v", got)
	}
}

func TestCOCOErrors(t *testing.T) {
	good := `{"image_id": 7, "category_id": 3, "bbox": [0, 0, 4, 3]}`
	for annotation, want := range map[string]string{
		`{"image_id": 7, "category_id": 3, "bbox": [1, 2, 0, 4]}`:                  "the box has a width of 0 and a height of 4 pixels",
		`{"image_id": 7, "category_id": 3, "bbox": [40, 2, 3, 4]}`:                 "the box from (40, 2) to (43, 6) lies outside the image of 40×30 pixels",
		`{"image_id": 7, "category_id": 3, "bbox": [1, 2, 3]}`:                     "bbox has 3 numbers, expected 4",
		`{"image_id": 7, "category_id": 3}`:                                        "bbox has 0 numbers",
		`{"image_id": 7, "category_id": 3, "bbox": null}`:                          "bbox has 0 numbers",
		`{"image_id": 7, "category_id": 3, "bbox": [1, 2, "3", 4]}`:                "bbox: expected a number, found string",
		`{"image_id": 7, "category_id": 3, "bbox": [0, 0, 1e999, 4]}`:              "expected coordinates of an image",
		`{"image_id": 8, "category_id": 3, "bbox": [1, 2, 3, 4]}`:                  "image_id is 8, which no image has",
		`{"image_id": 7, "category_id": 4, "bbox": [1, 2, 3, 4]}`:                  "category_id is 4, which no category has",
		`{"category_id": 3, "bbox": [1, 2, 3, 4]}`:                                 "no image_id",
		`{"image_id": null, "category_id": 3, "bbox": [1, 2, 3, 4]}`:               "no image_id",
		`{"image_id": 7, "caption": "a dog"}`:                                      "no category_id",
		`{"image_id": 7.5, "category_id": 3, "bbox": [1, 2, 3, 4]}`:                "image_id: expected a whole number",
		`{"image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4], "iscrowd": 2}`:    "iscrowd is 2, expected 0 or 1",
		`{"image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4], "area": -1}`:      "area is -1",
		`{"image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4], "area": "large"}`: "area: expected a number",
		`[]`: "expected an object, found array",
	} {
		fsys := cocoFile(good + "," + annotation + "," + good)
		_, err := OpenCOCO(fsys, "annotations/a.json", "", Options{})
		var e *Error
		if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), "boxes: annotations/a.json: annotations[1]: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: found %v, expected %s", annotation, err, want)
		}
		d, err := OpenCOCO(fsys, "annotations/a.json", "", Options{OnError: data.SkipErrors})
		if err != nil {
			t.Errorf("%s, with SkipErrors: %v", annotation, err)
			continue
		}
		if total, first := d.Skipped(); total != 1 || !strings.Contains(first[0].Error(), want) || len(d.Objects(0)) != 2 {
			t.Errorf("%s, with SkipErrors: %v", annotation, list(d))
		}
	}
	for file, want := range map[string]string{
		``:                                  "byte 0: the file ends early",
		`[{"image_id": 7}]`:                 "is it a file of results?",
		`{"images": [}`:                     "byte 12: invalid character '}'",
		`{"images": {}}`:                    "images: expected a list",
		`{"images": [], "images": []}`:      "images is given twice",
		`{"images": [], "annotations": []}`: "no list categories",
		`{` + cocoImages:                    "the file ends early",
		`{` + cocoImages + `, ` + cocoCategories + `, "annotations": []} x`:                                                   "text behind the object",
		`{"images": [{"id": 1}], "annotations": [], "categories": []}`:                                                        "images[0]: no id or no file_name",
		`{"images": [{"id": 1, "file_name": "../../etc/x.jpg"}], "annotations": [], "categories": []}`:                        `images[0]: file_name is "../../etc/x.jpg", expected a path that is relative`,
		`{"images": [{"id": 1, "file_name": "/x.jpg"}], "annotations": [], "categories": []}`:                                 `file_name is "/x.jpg"`,
		`{"images": [{"id": 1, "file_name": "x.jpg", "height": -1, "width": 3}], "annotations": [], "categories": []}`:        "the height is -1 and the width 3",
		`{"images": [{"id": 1, "file_name": "x.jpg"}, {"id": 1, "file_name": "y.jpg"}], "annotations": [], "categories": []}`: "images: the id 1 is given twice",
		`{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}`:                   "categories: the id 1 is given twice",
		`{"images": [], "annotations": [], "categories": [{"id": 1}]}`:                                                        "categories[0]: no id or no name",
		`{"images": [], "annotations": [], "categories": []}`:                                                                 "no images",
	} {
		_, err := OpenCOCO(fstest.MapFS{"a.json": text(file)}, "a.json", "", Options{})
		if err == nil || !strings.HasPrefix(err.Error(), "boxes: a.json: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: found %v, expected %s", file, err, want)
		}
	}
	if _, err := OpenCOCO(fstest.MapFS{}, "a.json", "", Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := OpenCOCO(fstest.MapFS{"a.json/x": {}}, "a.json", "", Options{}); err == nil || !strings.Contains(err.Error(), "expected a file") {
		t.Errorf("a folder: %v", err)
	}
	none := fstest.MapFS{"a.json": text(`{"images": [{}, {}], "annotations": [], "categories": []}`)}
	if _, err := OpenCOCO(none, "a.json", "", Options{OnError: data.SkipErrors}); !errors.Is(err, vision.ErrNoImages) || !strings.Contains(err.Error(), "2 are left out, the first with: boxes: a.json: images[0]") {
		t.Errorf("nothing left: %v", err)
	}
	// Errors are counted, and the first of them kept.
	many := cocoFile(strings.Repeat("{},", 5000) + good)
	d, err := OpenCOCO(many, "annotations/a.json", "", Options{OnError: data.SkipErrors})
	if err != nil {
		t.Fatal(err)
	}
	if total, first := d.Skipped(); total != 5000 || len(first) != maxErrors {
		t.Errorf("%d left out, %d errors", total, len(first))
	}
}

// TestCOCOPart reads a hundred images of COCO. The sums were computed by a Python program over the file.
func TestCOCOPart(t *testing.T) {
	const dir = "../../../shared/data/map/coco"
	if _, err := os.Stat(dir); err != nil {
		t.Skip(dir + " is not here")
	}
	d, err := OpenCOCO(os.DirFS(dir), "instances_val2014_100.json", "val2014", Options{})
	if err != nil {
		t.Fatal(err)
	}
	objects, crowds, labels := 0, 0, 0
	var sums [5]float64
	for i := range d.Len() {
		for _, o := range d.Objects(i) {
			objects++
			labels += o.Label * (i + 1)
			if o.Crowd {
				crowds++
			}
			for k, v := range []float64{o.Box.X0, o.Box.Y0, o.Box.X1, o.Box.Y1, o.Area} {
				sums[k] += v
			}
		}
	}
	if d.Len() != 100 || objects != 839 || crowds != 9 || labels != 1224292 || d.Name(99) != "val2014/COCO_val2014_000000000987.jpg" || len(d.Classes()) != 80 || d.Classes()[79] != "toothbrush" {
		t.Errorf("%d images, %d objects, %d crowds, labels %d, last %s of %d classes", d.Len(), objects, crowds, labels, d.Name(99), len(d.Classes()))
	}
	for k, want := range []float64{209260.06, 158632.38, 287970.26, 244302.04, 9155024.0064} {
		if math.Abs(sums[k]-want) > 1e-6 {
			t.Errorf("sum %d is %v, expected %v", k, sums[k], want)
		}
	}
	if n := d.Crops(CropOptions{}).Len(); n != 839-9 {
		t.Errorf("%d crops", n)
	}
}

func FuzzCOCO(f *testing.F) {
	file, err := fs.ReadFile(cocoFile(`{"image_id": 5, "category_id": 90, "bbox": [1.5, 2, 3.25, 4], "area": 8.5, "iscrowd": 1}`), "annotations/a.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file, false)
	f.Add([]byte(`{"images":[{"id":1,"file_name":"a"}],"annotations":[{"image_id":1,"category_id":0,"bbox":[0,0,1e400,1]}],"categories":[{"id":0,"name":""}]}`), true)
	f.Fuzz(func(t *testing.T, data []byte, skip bool) {
		d, err := OpenCOCO(fstest.MapFS{"in/a.json": {Data: data}}, "in/a.json", "", Options{OnError: policy(skip)})
		checkFuzzed(t, d, err)
	})
}
