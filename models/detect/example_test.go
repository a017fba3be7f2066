package detect_test

import (
	"context"
	"fmt"
	"image"
	"log"
	"math/rand/v2"
	"os"

	"github.com/fovea-ml/fovea/models/detect"
)

// A detector that was saved is loaded and asked.
func Example() {
	folder, err := os.MkdirTemp("", "detect")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	m := detect.New(detect.Fastest(), 2, rand.New(rand.NewPCG(1, 2))) // a model that was not trained
	if err := m.SetLabels([]string{"cat", "dog"}); err != nil {
		log.Fatal(err)
	}
	if err := m.Save(folder, detect.SaveOptions{}); err != nil {
		log.Fatal(err)
	}

	model, err := detect.Open(folder, detect.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	model.Options.MinScore = new(float32(0.9))
	found, err := model.Detect(context.Background(), image.NewGray(image.Rect(0, 0, 300, 200)))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(found), "image,", len(found[0]), "detections")
	// Output:
	// 1 image, 0 detections
}
