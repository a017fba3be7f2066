package boxset

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/vision"
	"github.com/fovea-ml/fovea/vision/boxes"
)

// folder writes files, of which those that end in .png are images.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".png") {
			if err := vision.SavePNG(file, vision.NewImage(10, 20, 3)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	xml   = `<annotation><object><name>cell</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>5</xmax><ymax>9</ymax></bndbox></object></annotation>`
	coco1 = `{"images":[{"id":1,"file_name":"a.png"}],"annotations":[{"image_id":1,"category_id":3,"bbox":[1,2,3,4]}],"categories":[{"id":3,"name":"cell"}]}`
	line  = "0 0.5 0.5 0.2 0.2\n"
)

// TestOpen finds the parts of each layout.
func TestOpen(t *testing.T) {
	voc := map[string]string{"Annotations/a.xml": xml, "Annotations/b.xml": xml, "Annotations/c.xml": xml, "JPEGImages/a.png": "", "JPEGImages/b.png": "", "JPEGImages/c.png": ""}
	with := func(files map[string]string, more ...string) map[string]string {
		out := map[string]string{}
		for name, text := range files {
			out[name] = text
		}
		for i := 0; i < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	for name, c := range map[string]struct {
		files  map[string]string
		format string
		images [3]int // of each part; 0 for none
	}{
		"voc":            {voc, "VOC", [3]int{3}},
		"voc, parts":     {with(voc, "ImageSets/Main/train.txt", "a\nb\n", "ImageSets/Main/val.txt", "c\n"), "VOC", [3]int{2, 1}},
		"voc, all parts": {with(voc, "ImageSets/Main/train.txt", "a", "ImageSets/Main/val.txt", "b", "ImageSets/Main/test.txt", "c"), "VOC", [3]int{1, 1, 1}},
		"voc, trainval":  {with(voc, "ImageSets/Main/trainval.txt", "a\nb", "ImageSets/Main/val.txt", "b", "ImageSets/Main/test.txt", "c"), "VOC", [3]int{2, 0, 1}},
		"voc, no train":  {with(voc, "ImageSets/Main/val.txt", "a"), "VOC", [3]int{3}},
		"voc, flat":      {map[string]string{"a.xml": xml, "a.png": ""}, "VOC", [3]int{1}},
		"coco": {map[string]string{"annotations/instances_train2017.json": coco1, "annotations/instances_val2017.json": coco1, "annotations/captions_val2017.json": "{}",
			"train2017/a.png": "", "val2017/a.png": ""}, "COCO", [3]int{1, 1}},
		"coco, one file":      {map[string]string{"labels.json": coco1, "images/a.png": ""}, "COCO", [3]int{1}},
		"coco of roboflow":    {map[string]string{"train/_annotations.coco.json": coco1, "train/a.png": "", "valid/_annotations.coco.json": coco1, "valid/a.png": ""}, "COCO", [3]int{1, 1}},
		"yolo":                {map[string]string{"data.yaml": "names: [cell]\n", "images/train/a.png": "", "labels/train/a.txt": line, "images/val/b.png": "", "labels/val/b.txt": line}, "YOLO", [3]int{1, 1}},
		"yolo of roboflow":    {map[string]string{"data.yaml": "names: [cell]\n", "train/images/a.png": "", "train/labels/a.txt": line, "test/images/b.png": "", "test/labels/b.txt": line}, "YOLO", [3]int{1, 0, 1}},
		"yolo, one folder":    {map[string]string{"classes.txt": "cell\n", "images/a.png": "", "labels/a.txt": line, "images/b.png": ""}, "YOLO", [3]int{2}},
		"yolo, beside images": {map[string]string{"classes.txt": "cell\n", "a.png": "", "a.txt": line}, "YOLO", [3]int{1}},
	} {
		p, err := Open(folder(t, c.files), boxes.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got [3]int
		for i, d := range []*boxes.Dataset{p.Train, p.Validation, p.Test} {
			if d == nil {
				continue
			}
			if got[i] = d.Len(); !slices.Equal(d.Classes(), []string{"cell"}) || len(d.Objects(0)) != 1 {
				t.Errorf("%s: found %q, %v", name, d.Classes(), d.Objects(0))
			}
			if _, err := d.Open(0); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if p.Format != c.format || got != c.images {
			t.Errorf("%s: found %s, %v", name, p.Format, got)
		}
	}
	p, err := Open(filepath.Join(folder(t, map[string]string{"x.json": coco1, "a.png": ""}), "x.json"), boxes.Options{})
	if err != nil || p.Train.Len() != 1 {
		t.Errorf("found %v", err)
	}
}

// TestErrors names what does not fit.
func TestErrors(t *testing.T) {
	for want, files := range map[string]map[string]string{
		"a folder of VOC has XML files":                   {"notes.txt": ""},
		"is in none of the folders":                       {"labels.json": coco1},
		"expected one JSON file, or one whose name":       {"a.json": coco1, "b.json": coco1},
		"expected one JSON file with annotations for the": {"train_a.json": coco1, "train_b.json": coco1},
		"line 1: the class \"7\"":                         {"classes.txt": "cell\n", "a.png": "", "a.txt": "7 0.5 0.5 0.1 0.1"},
	} {
		if _, err := Open(folder(t, files), boxes.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("found %v, expected %q", err, want)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none"), boxes.Options{}); err == nil {
		t.Error("no folder: expected an error")
	}
	if _, err := Open(filepath.Join(folder(t, map[string]string{"a.txt": ""}), "a.txt"), boxes.Options{}); err == nil || !strings.Contains(err.Error(), "expected a folder, or a JSON file") {
		t.Errorf("found %v", err)
	}
}

// TestCells opens the photographs of blood cells.
func TestCells(t *testing.T) {
	p, err := Open(golden.SharedData(t, "bccd"), boxes.Options{})
	if err != nil || p.Train.Len() != 205 || p.Validation.Len() != 87 || p.Test.Len() != 72 {
		t.Fatalf("found %+v, %v", p, err)
	}
}
