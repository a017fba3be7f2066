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
	c.Vision.NumHiddenLayers, c.Text.NumHiddenLayers, c.Text.VocabSize = 1, 1, 1000
	model := clip.New(c, rand.New(rand.NewPCG(1, 2)))
	fmt.Println(nn.Count(model))
	// Output: 13849601
}

// The images of a data set are encoded once. A few-shot adapter learns from them in seconds.
func ExampleClassifier_TipAdapter() {
	ctx := context.Background()
	model, err := clip.Open("testdata/tiny", clip.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	shades := &vision.Memory{ClassNames: []string{"dark", "bright"}}
	for i := range 20 {
		img := vision.NewImage(20, 20, 3)
		for k := range img.Pix {
			img.Pix[k] = uint8(200*(i%2) + i + k%30)
		}
		shades.Images, shades.Labels = append(shades.Images, img), append(shades.Labels, i%2)
	}
	features, err := model.Features(ctx, shades, clip.FeatureOptions{})
	if err != nil {
		log.Fatal(err)
	}
	classifier, err := model.Classifier(ctx, features.Classes, nil)
	if err != nil {
		log.Fatal(err)
	}
	adapted, err := classifier.TipAdapter(ctx, features, clip.TipAdapterOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(adapted.Accuracy, adapted.Predict(features.Embeddings[1])[0].Top[0].Label)
	// Output: 1 bright
}

// Chinese-CLIP takes Chinese labels, with Chinese templates.
func ExampleChineseTemplates() {
	model, err := clip.Open("testdata/chinese", clip.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	animals, err := model.Classifier(ctx, []string{"猫", "狗"}, clip.ChineseTemplates())
	if err != nil {
		log.Fatal(err)
	}
	predictions, err := animals.Classify(ctx, vision.NewImage(40, 30, 3))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %.2f\n", predictions[0].Top[0].Label, predictions[0].Top[0].Probability)
	// Output: 狗 0.50
}
