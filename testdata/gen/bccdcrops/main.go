// Command bccdcrops crops the blood cells in the photographs of BCCD (https://github.com/Shenggan/BCCD_Dataset, MIT).
//
//	go run ./testdata/gen/bccdcrops -from ../shared/data/bccd -to crops
//	go run ./examples/mae -data crops
//
// The data set has a box for each cell. The program writes one folder for each class (RBC, WBC and Platelets), 4,888
// images of many sizes in all. The same input gives the same images.
//
// Boxes follow package boxes. Two of them are of one pixel.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/vision"
	"github.com/fovea-ml/fovea/vision/boxes"
)

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
	cells, err := boxes.OpenVOC(os.DirFS(from), "", boxes.Options{})
	if err != nil {
		return err
	}
	crops, err := cells.Crops(boxes.CropOptions{}).Load(context.Background())
	if err != nil {
		return err
	}
	count := map[string]int{}
	for i, crop := range crops.Images {
		image, number, _ := strings.Cut(path.Base(crops.Name(i)), "#")
		n, err := strconv.Atoi(number)
		if err != nil {
			return err
		}
		class := crops.Classes()[crops.Label(i)]
		name := fmt.Sprintf("%s_%02d.png", strings.TrimSuffix(image, path.Ext(image)), n)
		if err := save(filepath.Join(to, class, name), crop); err != nil {
			return err
		}
		count[class]++
	}
	for _, class := range slices.Sorted(maps.Keys(count)) {
		fmt.Printf("%-10s %5d\n", class, count[class])
	}
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
