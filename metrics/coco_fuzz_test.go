package metrics

import (
	"bytes"
	"slices"
	"testing"
)

// FuzzCOCO reads any bytes as a COCO file and as results. What can be read is evaluated, and written and read again.
func FuzzCOCO(f *testing.F) {
	f.Add([]byte(cocoSmall))
	f.Add([]byte(`[{"image_id":42,"category_id":18,"bbox":[258.15,41.29,348.26,243.78],"score":0.236}]`))
	f.Add([]byte(`{"images":[],"annotations":[],"categories":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if truth, err := ReadCOCO(bytes.NewReader(data)); err == nil {
			var found []Detection
			for _, o := range truth.Objects {
				found = append(found, Detection{Image: o.Image, Class: o.Class, Box: o.Box})
			}
			if _, err := COCO(truth.Objects, found, COCOOptions{Images: truth.ImageIDs()}); err != nil && len(found) == 0 {
				t.Errorf("a file that was read is not evaluated: %v", err)
			}
		}
		found, err := ReadCOCOResults(bytes.NewReader(data))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := WriteCOCOResults(&b, found); err != nil {
			return // sums of large numbers are not finite
		}
		again, err := ReadCOCOResults(&b)
		if err != nil || !slices.Equal(found, again) {
			t.Errorf("%v was written and read as %v, error %v", found, again, err)
		}
	})
}
