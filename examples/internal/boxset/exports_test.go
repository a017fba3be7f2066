package boxset

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/vision/boxes"
)

// object is an object of the data set of TestExports, in images of 20×10 pixels.
type object struct {
	class      int
	x, y, w, h float64
}

// TestExports reads the same data set as ultralytics and Roboflow write it: with data.yaml, with polygons, with images that
// have no objects, with Roboflow's names of files and its empty category 0.
func TestExports(t *testing.T) {
	parts := map[string]map[string][]object{
		"train": {"a": {{0, 2, 1, 8, 4}, {1, 12, 5, 5, 5}}, "b": nil, "c": {{1, 0, 0, 20, 10}}},
		"valid": {"d": {{0, 5, 5, 5, 2.5}}, "e": nil},
		"test":  {"f": {{1, 10, 2, 4, 6}}},
	}
	names := []string{"Platelets", "RBC"}
	lines := func(objects []object, polygons bool) string {
		var s strings.Builder
		for _, o := range objects {
			x0, y0, x1, y1 := o.x/20, o.y/10, (o.x+o.w)/20, (o.y+o.h)/10
			if polygons { // the corners, and a point between two of them
				fmt.Fprintln(&s, o.class, x0, y0, x1, y0, x1, (y0+y1)/2, x1, y1, x0, y1, x0, y0)
			} else {
				fmt.Fprintln(&s, o.class, (x0+x1)/2, (y0+y1)/2, x1-x0, y1-y0)
			}
		}
		return s.String()
	}
	ultralytics := map[string]string{"bccd.yaml": "path: ../datasets/bccd # dataset root dir\ntrain: images/train2024\nval: images/val2024\ntest: images/test2024\n\n# Classes\nnames:\n  0: Platelets\n  1: RBC\n"}
	roboflow := map[string]string{"README.dataset.txt": "", "README.roboflow.txt": "",
		"data.yaml": "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\nnc: 2\nnames: ['Platelets', 'RBC']\n\nroboflow:\n  workspace: cells\n  version: 1\n  license: MIT\n"}
	segments, coco := map[string]string{"data.yaml": roboflow["data.yaml"]}, map[string]string{"README.dataset.txt": ""}
	for part, images := range parts {
		year := strings.TrimSuffix(part, "id") + "2024"
		type entry = map[string]any
		file := entry{"info": entry{"version": "1"}, "licenses": []entry{{"id": 1, "name": "MIT"}},
			"categories": []entry{{"id": 0, "name": "cells", "supercategory": "none"}, {"id": 1, "name": names[0], "supercategory": "cells"}, {"id": 2, "name": names[1], "supercategory": "cells"}}}
		list, annotations := []entry{}, []entry{}
		for name, objects := range images {
			exported := name + "_jpg.rf.0123456789abcdef"
			ultralytics["images/"+year+"/"+name+".png"] = ""
			if objects != nil { // ultralytics leaves out the text files of images without objects, Roboflow writes empty ones
				ultralytics["labels/"+year+"/"+name+".txt"] = lines(objects, false)
			}
			for set, polygons := range map[*map[string]string]bool{&roboflow: false, &segments: true} {
				(*set)[part+"/images/"+exported+".png"] = ""
				(*set)[part+"/labels/"+exported+".txt"] = lines(objects, polygons)
			}
			coco[part+"/"+exported+".png"] = ""
			id := len(list)
			list = append(list, entry{"id": id, "license": 1, "file_name": exported + ".png", "height": 10, "width": 20, "date_captured": "2024"})
			for _, o := range objects {
				annotations = append(annotations, entry{"id": len(annotations), "image_id": id, "category_id": o.class + 1, "bbox": []float64{o.x, o.y, o.w, o.h},
					"area": o.w * o.h, "segmentation": []any{}, "iscrowd": 0})
			}
		}
		file["images"], file["annotations"] = list, annotations
		text, err := json.Marshal(file)
		if err != nil {
			t.Fatal(err)
		}
		coco[part+"/_annotations.coco.json"] = string(text)
	}
	for name, files := range map[string]map[string]string{"ultralytics": ultralytics, "roboflow": roboflow, "roboflow, polygons": segments, "roboflow, coco": coco} {
		p, err := Open(folder(t, files), boxes.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for part, d := range map[string]*boxes.Dataset{"train": p.Train, "valid": p.Validation, "test": p.Test} {
			found := map[string][]object{}
			for i := range d.Len() {
				image, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(d.Name(i)), ".png"), "_")
				found[image] = nil
				for _, o := range d.Objects(i) {
					class := slices.Index(names, d.Classes()[o.Label])
					found[image] = append(found[image], object{class, o.Box.X0, o.Box.Y0, o.Box.X1 - o.Box.X0, o.Box.Y1 - o.Box.Y0})
				}
				if _, err := d.Open(i); err != nil {
					t.Error(err)
				}
			}
			near := cmp.Comparer(func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 })
			if diff := cmp.Diff(parts[part], found, near, cmp.AllowUnexported(object{})); diff != "" {
				t.Errorf("%s, %s: %s", name, part, diff)
			}
		}
	}
	if _, err := Open(folder(t, map[string]string{"data.yaml": "names: [a]\ntrain: images/train2024\n", "images/all/a.png": "", "labels/all/a.txt": line}), boxes.Options{}); err == nil || !strings.Contains(err.Error(), `train: the folder "images/train2024"`) {
		t.Errorf("found %v", err)
	}
	p, err := Open(folder(t, map[string]string{"data.yaml": "names: [cell]\ntrain: /home/x/train/images\n", "train/images/a.png": "", "train/labels/a.txt": line}), boxes.Options{})
	if err != nil || p.Train.Len() != 1 {
		t.Errorf("a folder of another machine: found %v", err)
	}
}
