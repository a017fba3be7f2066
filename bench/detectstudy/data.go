package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fovea-ml/fovea/internal/atomicfile"
	"github.com/fovea-ml/fovea/vision"
	"github.com/fovea-ml/fovea/vision/boxes"
)

// size is the side in pixels of the squares to which all photographs are stretched. It suits every detector, which then takes a
// photograph as it is: seven times 32, for the grid of YOLOv1.
const size = 224

// cells are the photographs of BCCD for training and for testing.
type cells struct{ train, test *boxes.Dataset }

// prepare stretches the photographs, and keeps them in a folder in the format of COCO.
func prepare(bccd, dir string) (c cells, err error) {
	for list, to := range map[string]**boxes.Dataset{"train": &c.train, "test": &c.test} {
		file := filepath.Join(dir, list+".json")
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			if err := stretch(bccd, list, dir, file); err != nil {
				return c, err
			}
		}
		if *to, err = boxes.OpenCOCO(os.DirFS(dir), list+".json", "", boxes.Options{}); err != nil {
			return c, err
		}
	}
	return c, nil
}

// The parts of a file of COCO.
type (
	instances struct {
		Images      []picture    `json:"images"`
		Annotations []annotation `json:"annotations"`
		Categories  []category   `json:"categories"`
	}
	picture struct {
		ID     int    `json:"id"`
		File   string `json:"file_name"`
		Height int    `json:"height"`
		Width  int    `json:"width"`
	}
	annotation struct {
		ID       int        `json:"id"`
		Image    int        `json:"image_id"`
		Category int        `json:"category_id"`
		Box      [4]float64 `json:"bbox"` // left, top, width and height
	}
	category struct {
		ID   int    `json:"id"`
		Name string `json:"name"`
	}
)

// stretch stretches the photographs of a list of BCCD.
func stretch(bccd, list, dir, file string) error {
	d, err := boxes.OpenVOC(os.DirFS(bccd), list, boxes.Options{})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	var all instances
	for i, name := range d.Classes() {
		all.Categories = append(all.Categories, category{i, name})
	}
	for i := range d.Len() {
		s, err := d.Sample(i)
		if err != nil {
			return err
		}
		if s, err = s.Resize(size, size, vision.Bilinear); err != nil {
			return err
		}
		name := fmt.Sprintf("%s-%03d.png", list, i)
		if err := vision.SavePNG(filepath.Join(dir, name), s.Image); err != nil {
			return err
		}
		all.Images = append(all.Images, picture{i, name, size, size})
		for _, o := range s.Objects {
			all.Annotations = append(all.Annotations, annotation{len(all.Annotations), i, o.Label, [4]float64{o.Box.X0, o.Box.Y0, o.Box.X1 - o.Box.X0, o.Box.Y1 - o.Box.Y0}})
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(file, text)
}
