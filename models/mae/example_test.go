package mae_test

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"log"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/mae"
	"github.com/fovea-ml/fovea/models/vit"
)

// load reads a model of two blocks with random weights, as transformers saved it.
func load() *mae.Model {
	model, err := mae.Open("testdata/tiny", mae.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	return model
}

// img is a gradient of 60×40 pixels.
func img() image.Image {
	m := image.NewRGBA(image.Rect(0, 0, 60, 40))
	for y := range 40 {
		for x := range 60 {
			m.Set(x, y, color.RGBA{uint8(4 * x), uint8(6 * y), 90, 255})
		}
	}
	return m
}

// One step of pre-training hides three quarters of each image and computes the loss of rebuilding them; its
// gradients go to an optimizer.
func Example() {
	model := load()
	pixels, height, width, err := model.Preprocess.Pixels(nil, model.Workers, img(), img())
	if err != nil {
		log.Fatal(err)
	}
	tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Workers: model.Workers})
	masking := model.Masking(model.Noise(1, 0, 2), 2)
	loss := model.Loss(tape.Input(pixels, 2, 3, height, width), masking)
	grads := autograd.NewGradients()
	loss.Backward(grads)
	fmt.Printf("%d of %d patches are masked, the loss is %.2f\n", len(masking.Masked[0]), masking.Patches, loss.Float())
	// Output: 12 of 16 patches are masked, the loss is 2.09
}

// What the encoder learned is handed over to a classifier, which is then trained on few labeled images.
func ExampleModel_Classifier() {
	classifier := load().Classifier([]string{"cat", "dog"}, mae.ClassifierOptions{Pooling: vit.MeanPooling, DropPath: 0.1},
		rand.New(rand.NewPCG(1, 2)))
	predictions, err := classifier.Classify(context.Background(), img())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(predictions[0].Top), "classes; before training, each has a probability of about a half:")
	fmt.Printf("%.2f %.2f\n", predictions[0].Top[0].Probability, predictions[0].Top[1].Probability)
	// Output:
	// 2 classes; before training, each has a probability of about a half:
	// 0.50 0.50
}

// Reconstruct shows what a model makes of images.
func ExampleModel_Reconstruct() {
	shown, err := load().Reconstruct(context.Background(), 7, img())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(shown[0].Original.Bounds().Size(), shown[0].Filled.Bounds().Size())
	// Output: (24,24) (24,24)
}
