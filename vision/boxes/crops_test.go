package boxes

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/vision"
)

func TestCrops(t *testing.T) {
	fsys := fstest.MapFS{
		"a.png": pngFile(t, 30, 40), "b.png": pngFile(t, 8, 8),
		"a.json": text(`{"images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}], "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}],
			"annotations": [
			{"image_id": 2, "category_id": 2, "bbox": [0, 0, 8, 8]},
			{"image_id": 1, "category_id": 1, "bbox": [10.5, 4, 6, 9]},
			{"image_id": 1, "category_id": 2, "bbox": [35, -3, 20, 10.5]},
			{"image_id": 1, "category_id": 2, "bbox": [0, 0, 30, 30], "iscrowd": 1},
			{"image_id": 1, "category_id": 1, "bbox": [3, 3, 1, 20]}]}`),
	}
	d, err := OpenCOCO(fsys, "a.json", "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	crops := d.Crops(CropOptions{MinSide: 2})
	type item struct {
		Name                 string
		Label, Height, Width int
	}
	want := []item{{"a.png#0", 0, 9, 7}, {"a.png#1", 1, 8, 5}, {"b.png#0", 1, 8, 8}}
	whole, err := d.Open(0)
	if err != nil {
		t.Fatal(err)
	}
	memory, err := crops.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := memory.Validate(); err != nil {
		t.Fatal(err)
	}
	var got, loaded []item
	for i := range crops.Len() {
		m, err := crops.Open(i)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, item{crops.Name(i), crops.Label(i), m.Height, m.Width})
		loaded = append(loaded, item{memory.Name(i), memory.Label(i), memory.Images[i].Height, memory.Images[i].Width})
		if !bytes.Equal(m.Pix, memory.Images[i].Pix) {
			t.Errorf("crop %d differs from the loaded one", i)
		}
		if i == 0 && !bytes.Equal(m.Pix[:21], whole.Pix[(4*40+10)*3:][:21]) {
			t.Error("the first row of crop 0 is not that of its box")
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, loaded); diff != "" {
		t.Error(diff)
	}
	if n := d.Crops(CropOptions{}).Len(); n != 4 {
		t.Errorf("%d crops of any size", n)
	}
	// A loader takes them, and the parts of a division.
	first, second, err := vision.Split(crops, 0.5, 1)
	if err != nil || first.Len()+second.Len() != 3 {
		t.Errorf("split: %v", err)
	}
	for b, err := range (&vision.Loader{Data: crops, Preprocess: vision.Half(4)}).Epoch(t.Context(), 0) {
		if err != nil || b.Len() != 3 {
			t.Errorf("a batch: %v", err)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := crops.Load(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	fsys["a.png"] = pngFile(t, 30, 20) // smaller than the boxes
	if _, err := crops.Load(t.Context()); !errors.Is(err, vision.ErrSize) || err.Error() != "boxes: a.png#1: the box from (35, -3) to (55, 7.5) lies outside the image of 20×30 pixels: invalid image size" {
		t.Errorf("outside: %v", err)
	}
	fsys["a.png"] = text("no image")
	if _, err := crops.Load(t.Context()); !errors.Is(err, vision.ErrFormat) {
		t.Errorf("no image: %v", err)
	}
}
