package metrics

import (
	"math"
	"strings"
	"testing"
)

// TestReports tries what users reported of pycocotools and of libraries that follow it (numbers are those of
// cocodataset/cocoapi where no other repository is named).
func TestReports(t *testing.T) {
	const images = `"images": [{"id": 0}, {"id": 1}], "categories": [{"id": 0, "name": "cell"}]`
	const truth = `{"annotations": [{"id": 0, "image_id": 0, "category_id": 0, "bbox": [61, 123, 191, 453], "area": 86523, "iscrowd": 0},
		{"id": 1, "image_id": 0, "category_id": 0, "bbox": [165, 95, 187, 494], "iscrowd": 0}], ` + images + `}`
	const found = `[{"image_id": 0, "category_id": 0, "bbox": [61, 123, 191, 453], "score": 1},
		{"image_id": 0, "category_id": 0, "bbox": [165, 95, 187, 494], "score": 1}]`
	small := strings.Replace(truth, `"area": 86523`, `"area": 900`, 1)
	other := strings.TrimSuffix(found, "]") + `, {"image_id": 1, "category_id": 7, "bbox": [1, 2, 3, 4], "score": 1}]`
	for _, c := range []struct {
		report        string
		truth, found  string
		ap, ap50      float64
		apSmall       float64
		errorContains string
	}{
		{"#332, #507, #664, #672, supervision#1895: ids, categories and images of 0", truth, found, 1, 1, -1, ""},
		{"#450, #675: no detections", truth, "[]", 0, 0, -1, ""},
		{"#374: no field iscrowd", strings.ReplaceAll(truth, `, "iscrowd": 0`, ""), found, 1, 1, -1, ""},
		{"#36: the area of the mask, not of the box, decides the size", small, found, 1, 1, 1, ""},
		{"#546: no small objects", truth, found, 1, 1, -1, ""},
		{"#123, #307, #466: ignore is overwritten with iscrowd", strings.Replace(truth, `"iscrowd": 0`, `"iscrowd": 0, "ignore": 1`, 1), found[:strings.Index(found, ",\n")] + "]", 0.5, 0.5, -1, ""},
		{"#36: a file without areas", strings.Replace(truth, `"area": 86523, `, "", 1), found, 1, 1, -1, ""},
		{"#600: an image that is listed twice", strings.Replace(truth, `{"id": 1}`, `{"id": 0}`, 1), found, 0, 0, 0, "the id 0 is given twice"},
		{"#600: an annotation of no image", strings.Replace(truth, `"image_id": 0`, `"image_id": 9`, 1), found, 0, 0, 0, "image_id is 9, which no image has"},
		{"#600: a detection of no image", truth, strings.Replace(found, `"image_id": 0`, `"image_id": 9`, 1), 0, 0, 0, "image 9 is not among the 2 images"},
		{"a result without a score", truth, strings.Replace(found, `, "score": 1`, "", 1), 0, 0, 0, "no score"},
		{"a result of a category that the file lacks", truth, other, 1, 1, -1, ""},
	} {
		objects, err := ReadCOCO(strings.NewReader(c.truth))
		var detections []Detection
		if err == nil {
			detections, err = ReadCOCOResults(strings.NewReader(c.found))
		}
		var r *COCOResult
		if err == nil {
			r, err = COCO(objects.Objects, detections, COCOOptions{Images: objects.ImageIDs()})
		}
		if c.errorContains != "" {
			if err == nil || !strings.Contains(err.Error(), c.errorContains) {
				t.Errorf("%s: error %v, expected %q", c.report, err, c.errorContains)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.report, err)
			continue
		}
		for _, v := range [][2]float64{{r.AP, c.ap}, {r.AP50, c.ap50}, {r.APSmall, c.apSmall}} {
			if math.Abs(v[0]-v[1]) > 0.006 { // half an object of two is 51 of 101 recalls
				t.Errorf("%s: AP %v, AP50 %v, small %v, expected %v, %v and %v", c.report, r.AP, r.AP50, r.APSmall, c.ap, c.ap50, c.apSmall)
			}
		}
	}
}
