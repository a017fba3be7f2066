// Command bccdcrops crops the blood cells in the photographs of BCCD (https://github.com/Shenggan/BCCD_Dataset, MIT).
//
//	go run ./testdata/gen/bccdcrops -from ../shared/data/bccd -to crops
//	go run ./examples/mae -data crops
//
// The data set has a box for each cell. The program writes one folder for each class (RBC, WBC and Platelets), 4,888
// images of many sizes in all. The same input gives the same images.
//
// A box is clipped to its photograph. Boxes without area are skipped and counted.
package main

import (
	"encoding/xml"
	"flag"
	"fmt"
	"image"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/vision"
)

// annotation holds the fields of a PASCAL VOC file that are used here. Boxes are inclusive and start at 1.
type annotation struct {
	Objects []struct {
		Name string `xml:"name"`
		Box  struct {
			XMin int `xml:"xmin"`
			YMin int `xml:"ymin"`
			XMax int `xml:"xmax"`
			YMax int `xml:"ymax"`
		} `xml:"bndbox"`
	} `xml:"object"`
}

func main() {
	log.SetFlags(0)
	from := flag.String("from", "", "`folder` of BCCD, with Annotations and JPEGImages")
	to := flag.String("to", "", "`folder` to write to")
	flag.Parse()
	if *from == "" || *to == "" {
		log.Fatal("bccdcrops: expected -from and -to")
	}
	if err := cut(*from, *to); err != nil {
		log.Fatal("bccdcrops: ", err)
	}
}

func cut(from, to string) error {
	files, err := filepath.Glob(filepath.Join(from, "Annotations", "*.xml"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("no annotations in %s", from)
	}
	count := map[string]int{}
	empty := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var a annotation
		if err := xml.Unmarshal(data, &a); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".xml")
		photograph, err := vision.DecodeFile(os.DirFS(filepath.Join(from, "JPEGImages")), name+".jpg", vision.DecodeOptions{})
		if err != nil {
			return err
		}
		for i, o := range a.Objects {
			box := image.Rect(o.Box.XMin-1, o.Box.YMin-1, o.Box.XMax, o.Box.YMax).Intersect(photograph.Bounds())
			if box.Empty() {
				empty++
				continue
			}
			crop, err := photograph.Crop(box)
			if err != nil {
				return err
			}
			if err := save(filepath.Join(to, o.Name, fmt.Sprintf("%s_%02d.png", name, i)), crop); err != nil {
				return err
			}
			count[o.Name]++
		}
	}
	for _, class := range slices.Sorted(maps.Keys(count)) {
		fmt.Printf("%-10s %5d\n", class, count[class])
	}
	fmt.Printf("%d boxes without area\n", empty)
	return nil
}

func save(path string, m *vision.Image) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := vision.WritePNG(f, m); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
