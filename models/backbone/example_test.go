package backbone_test

import (
	"context"
	"fmt"
	"image"
	"log"
	"math/rand/v2"
	"os"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/backbone"
)

// A network that was saved is loaded and asked.
func Example() {
	folder, err := os.MkdirTemp("", "backbone")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	c := backbone.ShuffleNetV2x05()
	c.SetLabels([]string{"cat", "dog"})
	if err := backbone.New(c, 2, rand.New(rand.NewPCG(1, 2))).Save(folder, backbone.SaveOptions{}); err != nil {
		log.Fatal(err)
	}

	model, err := backbone.Open(folder, backbone.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	predictions, err := model.Classify(context.Background(), image.NewGray(image.Rect(0, 0, 300, 200)))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(predictions[0].Top), "classes")
	// Output:
	// 2 classes
}

// The levels of a ResNet are its features at strides 4, 8, 16 and 32.
func ExampleBody() {
	body := backbone.NewBody(backbone.ResNet18())
	tape := autograd.NewTape(autograd.Options{})
	for _, level := range body.Forward(tape.Input(make([]float32, 3*96*64), 1, 3, 96, 64)) {
		fmt.Println(level.Shape())
	}
	// Output:
	// [1 64 24 16]
	// [1 128 12 8]
	// [1 256 6 4]
	// [1 512 3 2]
}
