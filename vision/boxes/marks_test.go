package boxes

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// The byte order mark that some editors write is no part of a name or a number.
func TestByteOrderMark(t *testing.T) {
	const mark = "\ufeff"
	m := pngFile(t, 30, 40)
	for name, open := range map[string]func() (*Dataset, error){
		"classes.txt": func() (*Dataset, error) {
			return OpenYOLO(fstest.MapFS{"a.png": m, "a.txt": text("0 .5 .5 .5 .5"), "classes.txt": text(mark + "cat\r\n")}, ".", Options{})
		},
		"YAML": func() (*Dataset, error) {
			return OpenYOLO(fstest.MapFS{"a.png": m, "a.txt": text("0 .5 .5 .5 .5"), "data.yaml": text(mark + "names: [cat]\r\n")}, ".", Options{})
		},
		"YOLO": func() (*Dataset, error) {
			return OpenYOLO(fstest.MapFS{"a.png": m, "a.txt": text(mark + "0 .5 .5 .5 .5\r\n"), "classes.txt": text("cat")}, ".", Options{})
		},
		"list of VOC": func() (*Dataset, error) {
			object := vocObjectXML("cat", "", 11, 9, 30, 22)
			return OpenVOC(fstest.MapFS{"JPEGImages/a.png": m, "Annotations/a.xml": text("<annotation>" + object + "</annotation>"),
				"ImageSets/Main/train.txt": text(mark + "a\r\n")}, "train", Options{})
		},
		"COCO": func() (*Dataset, error) {
			return OpenCOCO(fstest.MapFS{"a.png": m, "a.json": text(mark + `{"images": [{"id": 1, "file_name": "a.png"}],
				"annotations": [{"image_id": 1, "category_id": 7, "bbox": [10, 8, 20, 14]}], "categories": [{"id": 7, "name": "cat"}]}`)}, "a.json", "", Options{})
		},
	} {
		d, err := open()
		if err != nil || !slices.Equal(d.Classes(), []string{"cat"}) || len(d.Objects(0)) != 1 {
			t.Errorf("%s: %v, %+v", name, err, d)
		}
	}
}

// Two classes of one name cannot be told apart by the user of a model.
func TestClassesOfOneName(t *testing.T) {
	m := pngFile(t, 30, 40)
	const want = `the labels 0 and 2 have the same name, "cat": set Options.Classes`
	yolo := fstest.MapFS{"a.png": m, "a.txt": text("2 .5 .5 .5 .5"), "data.yaml": text("names: [cat, dog, cat]")}
	if _, err := OpenYOLO(yolo, ".", Options{}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("YOLO: %v", err)
	}
	coco := fstest.MapFS{"a.png": m, "a.json": text(`{"images": [{"id": 1, "file_name": "a.png"}],
		"annotations": [{"image_id": 1, "category_id": 9, "bbox": [10, 8, 20, 14]}],
		"categories": [{"id": 7, "name": "cat"}, {"id": 8, "name": "dog"}, {"id": 9, "name": "cat"}]}`)}
	if _, err := OpenCOCO(coco, "a.json", "", Options{}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("COCO: %v", err)
	}
	// Given classes make one of both.
	if d, err := OpenCOCO(coco, "a.json", "", Options{Classes: []string{"dog", "cat"}}); err != nil || d.Objects(0)[0].Label != 1 {
		t.Errorf("COCO with classes: %v", err)
	}
}
