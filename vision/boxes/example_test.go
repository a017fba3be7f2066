package boxes_test

import (
	"bytes"
	"fmt"
	"log"
	"testing/fstest"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/vision"
	"github.com/fovea-ml/fovea/vision/boxes"
	"github.com/fovea-ml/fovea/vision/draw"
)

// folder is a data set of one photograph in the layout of PASCAL VOC; os.DirFS("bccd") for one on disk.
func folder() fstest.MapFS {
	var photo bytes.Buffer
	if err := vision.WritePNG(&photo, vision.NewImage(48, 64, 3)); err != nil {
		log.Fatal(err)
	}
	return fstest.MapFS{
		"JPEGImages/blood.png": {Data: photo.Bytes()},
		"Annotations/blood.xml": {Data: []byte(`<annotation>
			<size><width>64</width><height>48</height></size>
			<object><name>WBC</name><bndbox><xmin>9</xmin><ymin>5</ymin><xmax>40</xmax><ymax>30</ymax></bndbox></object>
			<object><name>Platelets</name><bndbox><xmin>50</xmin><ymin>20</ymin><xmax>57</xmax><ymax>28</ymax></bndbox></object>
		</annotation>`)},
	}
}

// Boxes are read, drawn, and made a data set of their own.
func Example() {
	cells, err := boxes.OpenVOC(folder(), "", boxes.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	var found []draw.Annotation
	for _, o := range cells.Objects(0) {
		box := draw.Box{X0: float32(o.Box.X0), Y0: float32(o.Box.Y0), X1: float32(o.Box.X1), Y1: float32(o.Box.Y1)}
		found = append(found, draw.Annotation{Box: box, Label: cells.Classes()[o.Label], Class: o.Label})
		fmt.Println(cells.Name(0), cells.Classes()[o.Label], o.Box)
	}
	photo, err := cells.Open(0)
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err = draw.Annotate(photo, found); err != nil { // to be saved by vision.SavePNG
		fmt.Println(err)
		return
	}
	crops := cells.Crops(boxes.CropOptions{MinSide: 4})
	for i := range crops.Len() {
		m, err := crops.Open(i)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s is a %s of %d×%d pixels\n", crops.Name(i), crops.Classes()[crops.Label(i)], m.Width, m.Height)
	}
	// Output:
	// JPEGImages/blood.png WBC {8 4 40 30}
	// JPEGImages/blood.png Platelets {49 19 57 28}
	// JPEGImages/blood.png#0 is a WBC of 32×26 pixels
	// JPEGImages/blood.png#1 is a Platelets of 8×9 pixels
}

// A mistake in a file ends the reading, or costs one object.
func ExampleOptions() {
	fsys := folder()
	xml := fsys["Annotations/blood.xml"]
	xml.Data = bytes.Replace(xml.Data, []byte("<xmax>57"), []byte("<xmax>5"), 1)
	_, err := boxes.OpenVOC(fsys, "", boxes.Options{})
	fmt.Println(err)
	cells, err := boxes.OpenVOC(fsys, "", boxes.Options{OnError: data.SkipErrors})
	if err != nil {
		fmt.Println(err)
		return
	}
	total, _ := cells.Skipped()
	fmt.Println(len(cells.Objects(0)), "object is left,", total, "is not")
	// Output:
	// boxes: Annotations/blood.xml: line 4, object 2 ("Platelets"): the box has a width of -44 and a height of 9 pixels, expected more than 0
	// 1 object is left, 1 is not
}

// A sample is mirrored, image and boxes alike.
func ExampleSample_FlipHorizontal() {
	s := boxes.Sample{Image: vision.NewImage(20, 30, 3), Objects: []boxes.Object{{Box: boxes.Box{X0: 1, Y0: 2, X1: 11, Y1: 12}}}}
	fmt.Println(s.FlipHorizontal().Objects[0].Box)
	// Output:
	// {19 2 29 12}
}
