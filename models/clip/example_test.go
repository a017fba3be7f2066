package clip_test

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"os"

	"github.com/fovea-ml/fovea/models/clip"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
)

// The test model is small and random: its answers mean nothing.
func Example() {
	model, err := clip.Open("testdata/tiny", clip.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	images, err := model.EncodeImages(ctx, vision.NewImage(40, 30, 3))
	if err != nil {
		log.Fatal(err)
	}
	texts, err := model.EncodeTexts(ctx, "a photo of a cat", "a photo of a dog")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.3f\n", clip.Similarity(images, texts))
	// Output: [[-0.091 -0.186]]
}

// A classifier encodes its labels once.
func ExampleModel_Classifier() {
	model, err := clip.Load(os.DirFS("testdata/tiny"), clip.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	animals, err := model.Classifier(ctx, []string{"cat", "dog"}, clip.SevenTemplates())
	if err != nil {
		log.Fatal(err)
	}
	predictions, err := animals.Classify(ctx, vision.NewImage(40, 30, 3), vision.NewImage(8, 8, 3))
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range predictions {
		fmt.Printf("%s %.2f\n", p.Top[0].Label, p.Top[0].Probability)
	}
	// Output:
	// cat 0.55
	// cat 0.55
}

// A model with random weights, for training.
func ExampleNew() {
	c := clip.BasePatch32()
	c.Vision.NumHiddenLayers, c.Text.NumHiddenLayers = 1, 1
	model := clip.New(c, rand.New(rand.NewPCG(1, 2)))
	fmt.Println(nn.Count(model))
	// Output: 38634497
}

// Vectors of labeled images are computed once. A linear probe and a few-shot adapter learn from them in seconds.
func ExampleFitProbe() {
	ctx := context.Background()
	labels := []string{"dark", "bright"}
	model, err := clip.Open("testdata/tiny", clip.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	var features, embeddings clip.Samples
	for i := range 20 {
		img := vision.NewImage(20, 20, 3)
		for k := range img.Pix {
			img.Pix[k] = uint8(200*(i%2) + i + k%30)
		}
		x, err := model.ImageFeatures(ctx, img)
		if err != nil {
			log.Fatal(err)
		}
		y, err := model.EncodeImages(ctx, img)
		if err != nil {
			log.Fatal(err)
		}
		features = clip.Samples{Vectors: append(features.Vectors, x...), Labels: append(features.Labels, i%2)}
		embeddings = clip.Samples{Vectors: append(embeddings.Vectors, y...), Labels: append(embeddings.Labels, i%2)}
	}
	linear, err := clip.FitProbe(ctx, features, labels, clip.ProbeOptions{})
	if err != nil {
		log.Fatal(err)
	}
	classifier, err := model.Classifier(ctx, labels, nil)
	if err != nil {
		log.Fatal(err)
	}
	few, err := classifier.TipAdapter(ctx, embeddings, clip.TipAdapterOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(linear.Predict(features.Vectors[1])[0].Top[0].Label, few.Predict(embeddings.Vectors[0])[0].Top[0].Label)
	fmt.Println(linear.Accuracy, few.Accuracy)
	// Output:
	// bright dark
	// 1 1
}
