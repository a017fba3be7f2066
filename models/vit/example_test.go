package vit_test

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"slices"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/lora"
	"github.com/fovea-ml/fovea/probe"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
	"github.com/fovea-ml/fovea/vision/draw"
)

// img is a gradient of 60×40 pixels.
func img() *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, 60, 40))
	for y := range 40 {
		for x := range 60 {
			m.Set(x, y, color.RGBA{uint8(4 * x), uint8(6 * y), 90, 255})
		}
	}
	return m
}

// The folder holds a model of two blocks with random weights, as transformers saved it; a real one is used in the
// same way.
func Example() {
	model, err := vit.Open("testdata/tiny", vit.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	predictions, err := model.Classify(context.Background(), img())
	if err != nil {
		log.Fatal(err)
	}
	for _, class := range predictions[0].Top[:2] {
		fmt.Printf("%s %.1f %%\n", class.Label, 100*class.Probability)
	}
	// Output:
	// LABEL_1 39.2 %
	// LABEL_0 34.5 %
}

// What the head sees is an embedding of an image. Similar images have similar embeddings.
func ExampleModel_Embed() {
	model, err := vit.Open("testdata/tiny", vit.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	embeddings, err := model.Embed(context.Background(), img(), img().SubImage(image.Rect(0, 0, 50, 40)), image.NewGray(image.Rect(0, 0, 9, 9)))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d values; a part of the image %.2f, black %.2f\n", len(embeddings[0]),
		cosine(embeddings[0], embeddings[1]), cosine(embeddings[0], embeddings[2]))
	// Output: 32 values; a part of the image 0.96, black 0.21
}

// The images of a folder that are most similar to a photograph are found by what the model embeds. Their classes vote as DINO's
// neighbors do. Package index keeps more vectors, in a folder.
func ExampleModel_Embed_neighbors() {
	model, err := vit.Open("testdata/tiny", vit.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	// vision.OpenDir and EmbedDataset read a folder; here are four images in memory.
	black := image.NewGray(image.Rect(0, 0, 9, 9))
	part := func(width int) image.Image { return img().SubImage(image.Rect(0, 0, width, 40)) }
	known, err := model.Embed(ctx, part(50), part(40), black, vision.NewImage(30, 20, 3))
	if err != nil {
		log.Fatal(err)
	}
	names, labels := []string{"wide", "square", "black", "dark"}, []int{0, 0, 1, 1}
	near, err := probe.FitNeighbors(slices.Concat(known...), labels, 2, probe.NeighborsOptions{K: 20, Temperature: 0.07})
	if err != nil {
		log.Fatal(err)
	}
	query, err := model.Embed(ctx, img())
	if err != nil {
		log.Fatal(err)
	}
	for _, n := range near.Nearest(query[0], 2)[0] {
		fmt.Printf("%s %.2f\n", names[n.Index], n.Similarity)
	}
	fmt.Println("class", near.Predict(query[0])[0])
	// Output:
	// wide 0.96
	// square 0.73
	// class 0
}

// The tokens of the patches describe the places of an image: here, how similar each is to the top left one. Layers may be
// asked for by number, for a detector or a segmentation on several of them.
func ExampleModel_Features() {
	model, err := vit.Open("testdata/tiny", vit.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	features, err := model.Features(context.Background(), vit.FeatureOptions{Layers: []int{0, -1}}, img())
	if err != nil {
		log.Fatal(err)
	}
	last := features[0][1]
	fmt.Printf("layer %d: %d values for the image, %d×%d patches\n", last.Layer, len(last.Class), last.Rows, last.Columns)
	for row := range last.Rows {
		for column := range last.Columns {
			fmt.Printf(" %5.2f", cosine(last.Patch(0, 0), last.Patch(row, column)))
		}
		fmt.Println()
	}
	// Output:
	// layer 1: 32 values for the image, 3×3 patches
	//   1.00  0.74  0.13
	//   0.91  0.54  0.03
	//   0.67  0.03 -0.07
}

func cosine(a, b []float32) float64 {
	ab, aa, bb := 0.0, 0.0, 0.0
	for i := range a {
		ab += float64(a[i] * b[i])
		aa += float64(a[i] * a[i])
		bb += float64(b[i] * b[i])
	}
	return ab / math.Sqrt(aa*bb)
}

// What the class token attends to is laid over the image. Rollout follows attention through all layers, and Attention gives
// the weights of each layer and head.
func ExampleModel_Rollout() {
	model, err := vit.Open("testdata/tiny", vit.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	photograph, err := vision.FromImage(img())
	if err != nil {
		log.Fatal(err)
	}
	maps, err := model.Rollout(context.Background(), vit.RolloutOptions{}, photograph)
	if err != nil {
		log.Fatal(err)
	}
	a := maps[0]
	seen, err := model.Preprocess.Geometry(photograph, nil) // resized and cropped
	if err != nil {
		log.Fatal(err)
	}
	shown, err := draw.Heatmap(seen, a.Map(0), a.Rows, a.Columns, draw.HeatmapOptions{})
	if err != nil {
		log.Fatal(err)
	}
	// vision.SavePNG("attention.png", shown) writes it to a file.
	fmt.Printf("%.3f\n", a.Map(0))
	fmt.Println(shown.Width, shown.Height)
	// Output:
	// [0.057 0.060 0.066 0.051 0.080 0.090 0.069 0.091 0.126]
	// 24 24
}

// The principal components of patch tokens show what a model tells apart, in several images at once.
func ExamplePCA() {
	model, err := vit.Open("testdata/tiny", vit.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	features, err := model.Features(context.Background(), vit.FeatureOptions{}, img(), image.NewGray(image.Rect(0, 0, 9, 9)))
	if err != nil {
		log.Fatal(err)
	}
	shown, err := vit.PCA(vit.PCAOptions{Whole: true}, features[0][0], features[1][0])
	if err != nil {
		log.Fatal(err)
	}
	enlarged, err := vision.Resize(shown[0], 240, 240, vision.Nearest)
	if err != nil {
		log.Fatal(err)
	}
	// vision.SavePNG("patches.png", enlarged) writes it to a file.
	fmt.Println(shown[0].Width, shown[0].Height, shown[0].At(0, 0), enlarged.Width)
	// Output: 3 3 {32 113 235 255} 240
}

// A folder that is not a model gives an error that says why.
func ExampleOpen() {
	_, err := vit.Open("../mae/testdata/tiny", vit.LoadOptions{})
	fmt.Println(err)
	// Output: vit: ../mae/testdata/tiny: config.json: model_type: expected "vit", found "vit_mae", which package models/mae loads
}

// A model that was trained or loaded here is saved for transformers, or for timm.
func ExampleModel_Save() {
	dir, err := os.MkdirTemp("", "vit")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	c := vit.Tiny16()
	c.NumHiddenLayers, c.Pooling = 2, vit.MeanPooling
	c.SetLabels([]string{"cat", "dog"})
	model := vit.New(c, 2, rand.New(rand.NewPCG(1, 2)))
	if err := model.Save(dir, vit.SaveOptions{Layout: models.Timm, DType: checkpoint.F16}); err != nil {
		log.Fatal(err)
	}
	// In Python: timm.create_model("local-dir:" + dir, pretrained=True)
	again, err := vit.Open(dir, vit.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(again.Config.Pooling, again.Config.Labels())
	// Output: mean [cat dog]
}

// A pretrained model learns the classes of other images.
func ExampleModel_Training() {
	model, err := vit.Open("testdata/tiny", vit.LoadOptions{Unmapped: true})
	if err != nil {
		log.Fatal(err)
	}
	images := &vision.Memory{ClassNames: []string{"dark", "light"}} // or vision.OpenDir(dir, vision.FolderOptions{})
	for i := range 16 {
		m := vision.NewImage(20, 20, 3)
		for k := range m.Pix {
			m.Pix[k] = uint8(150*(i%2) + 6*i)
		}
		images.Images, images.Labels = append(images.Images, m), append(images.Labels, i%2)
	}
	model.NewHead(images.Classes(), rand.New(rand.NewPCG(1, 2)))
	config, err := model.Training(images, vit.TrainOptions{Epochs: 10, BatchSize: 4, Rate: new(2e-3), Smoothing: 0.1})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := train.Run(context.Background(), config); err != nil {
		log.Fatal(err)
	}
	right, err := model.Evaluate(context.Background(), images)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.0f %% right\n", 100*right.Accuracy())
	// Output: 100 % right
}

// One file of weights, without a configuration, is enough: its shapes tell the sizes. ImageSize resizes what the model
// has learned about positions, to fine-tune it on larger images.
func ExampleOpen_file() {
	model, err := vit.Open("testdata/checkpoints/model_best.pth.tar", vit.LoadOptions{ImageSize: 32})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(model.Config.HiddenSize, model.Config.ImageSize, model.Encoder.Positions.Shape())
	// Output: 64 32 [1 17 64]
}

// Load reads a model from any file system, such as files inside the program. There go:embed fills the strings.
func ExampleLoad() {
	var config, weights string
	for name, text := range map[string]*string{"config.json": &config, "model.safetensors": &weights} {
		data, err := os.ReadFile("testdata/tiny/" + name)
		if err != nil {
			log.Fatal(err)
		}
		*text = string(data)
	}
	model, err := vit.Load(checkpoint.Embedded{"config.json": config, "model.safetensors": weights}, vit.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(model.Config.NumHiddenLayers, "blocks")
	// Output: 2 blocks
}

// A large model is fine-tuned through low-rank adapters. They are saved alone, as PEFT saves them, and loaded into a
// model with the same base weights.
func ExampleModel_AdapterNames() {
	base := func() *vit.Model {
		c := vit.Tiny16()
		c.NumHiddenLayers = 2
		return vit.New(c, 2, rand.New(rand.NewPCG(1, 2)))
	}
	model := base()
	err := lora.Attach(model, lora.Options{Layers: []string{"Encoder.Blocks.*.Attention.QKV.Query"}, Rank: 4, Alpha: 8}, rand.New(rand.NewPCG(3, 4)))
	if err != nil {
		log.Fatal(err)
	}
	// Train the model here: only the adapters change.
	dir, err := os.MkdirTemp("", "adapter")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := lora.Save(dir, model, model.AdapterNames()); err != nil {
		log.Fatal(err)
	}
	again := base()
	if err := lora.Load(os.DirFS(dir), again, again.AdapterNames()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(nn.Count(again)-nn.Count(base()), "parameters in the adapters")
	// Output: 3072 parameters in the adapters
}

// A pretrained model gets a new head, to be fine-tuned on other classes.
func ExampleModel_NewHead() {
	model, err := vit.Open("testdata/tiny", vit.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	model.NewHead([]string{"cat", "dog"}, rand.New(rand.NewPCG(1, 2)))
	fmt.Println(model.Head.Weight.Shape(), model.Config.Labels())
	// Output: [2 32] [cat dog]
}
