package clip_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"log"
	"math/rand/v2"
	"testing/fstest"

	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/models/clip"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
)

// A small model learns from a table of images and captions. The images of a loss come in batches of two.
func ExampleModel_Training() {
	folder := fstest.MapFS{}
	table := "filepath\ttitle\n"
	var images []image.Image
	var captions []string
	for i, name := range []string{"cat", "dog", "red cat", "red dog"} {
		m := image.NewRGBA(image.Rect(0, 0, 16, 16))
		for k := range 256 {
			m.Set(k%16, k/16, color.RGBA{R: uint8(k * (i + 1)), G: uint8(60 * i), B: 100, A: 255})
		}
		var file bytes.Buffer
		if err := png.Encode(&file, m); err != nil {
			log.Fatal(err)
		}
		folder[name+".png"] = &fstest.MapFile{Data: file.Bytes()}
		table += name + ".png\ta photo of " + name + "\n"
		images, captions = append(images, m), append(captions, "a photo of "+name)
	}
	folder["pairs.tsv"] = &fstest.MapFile{Data: []byte(table)}

	small, err := clip.Open("testdata/tiny", clip.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	model := clip.New(small.Config, rand.New(rand.NewPCG(1, 2))) // new weights
	model.Tokenizer, model.Preprocess = small.Tokenizer, small.Preprocess
	pairs, err := vision.OpenPairs(folder, "pairs.tsv", vision.PairOptions{Comma: '\t'})
	if err != nil {
		log.Fatal(err)
	}
	loader := &vision.Loader{Data: pairs, Preprocess: model.Preprocess, BatchSize: 2, Shuffle: true}
	config, err := model.Training(loader, clip.TrainOptions{Batches: 2})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	config.Epochs, config.Schedule = 100, train.Curve{Peak: 0.003, Warmup: 5, Length: 100}.Cosine()
	result, err := train.Run(ctx, config)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Losses[99] < 0.1)

	x, err := model.EncodeImages(ctx, images...)
	if err != nil {
		log.Fatal(err)
	}
	y, err := model.EncodeTexts(ctx, captions...)
	if err != nil {
		log.Fatal(err)
	}
	found := metrics.Retrieve(y, x, [][]int{{0}, {1}, {2}, {3}}, nil)
	fmt.Printf("%.0f %% of the texts find their image\n", 100*found.Recall(1))
	// Output:
	// true
	// 100 % of the texts find their image
}
