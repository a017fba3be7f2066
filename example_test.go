package fovea_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/index"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/models/bert"
	"github.com/fovea-ml/fovea/models/clip"
	"github.com/fovea-ml/fovea/models/detect"
	"github.com/fovea-ml/fovea/models/mae"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/quant"
	"github.com/fovea-ml/fovea/probe"
	"github.com/fovea-ml/fovea/serve"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/text"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
	"github.com/fovea-ml/fovea/vision/boxes"
)

// folder holds a very small random Vision Transformer, as transformers saved it.
const folder = "models/vit/testdata/tiny"

// A CLIP model labels an image with words that are chosen at run time.
func Example_classifier() {
	photograph, err := vision.DecodeFile(os.DirFS("vision/testdata/decode"), "420.jpg", vision.DecodeOptions{ApplyOrientation: true})
	if err != nil {
		log.Fatal(err)
	}
	words, err := classifier(context.Background(), "models/clip/testdata/tiny")
	if err != nil {
		log.Fatal(err)
	}
	predictions, err := words.Classify(context.Background(), photograph)
	if err != nil {
		log.Fatal(err)
	}
	for _, class := range predictions[0].Top {
		fmt.Printf("%s %.1f %%\n", class.Label, 100*class.Probability)
	}
	// Output:
	// dog 38.8 %
	// bird 32.3 %
	// cat 29.0 %
}

// classifier tells cats, dogs and birds apart.
func classifier(ctx context.Context, folder string) (*clip.Classifier, error) {
	model, err := clip.Open(folder, clip.LoadOptions{})
	if err != nil {
		return nil, err
	}
	return model.Classifier(ctx, []string{"cat", "dog", "bird"}, nil) // "a photo of a cat" and so on
}

// A model of sentences finds the lines that are nearest to a question. This one has random weights.
func Example_search() {
	lines := []string{"The parcel arrives on Monday.", "Our office opens at nine.", "The train leaves at noon."}
	dir := smallBERT(lines)
	defer os.RemoveAll(dir)
	hits, err := search(context.Background(), dir, lines, "the office opens")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(lines[hits[0].ID])
	// Output: Our office opens at nine.
}

// smallBERT returns a new folder with a small BERT of random weights, whose tokenizer knows the words of the lines.
func smallBERT(lines []string) (dir string) {
	tokenizer, err := text.Train(context.Background(), func(yield func(string, error) bool) {
		for _, line := range lines {
			if !yield(line, nil) {
				return
			}
		}
	}, text.TrainOptions{Kind: text.WordPiece, Lowercase: true})
	if err != nil {
		log.Fatal(err)
	}
	config := bert.MiniLM()
	config.VocabSize, config.NumHiddenLayers = tokenizer.Size(), 1
	model := bert.New(config, bert.Features, 0, rand.New(rand.NewPCG(1, 2)))
	model.Tokenizer = tokenizer
	if dir, err = os.MkdirTemp("", "bert"); err != nil {
		log.Fatal(err)
	}
	if err := model.Save(dir, bert.SaveOptions{}); err != nil {
		log.Fatal(err)
	}
	return dir
}

// search returns the three lines that are nearest to a question in meaning.
func search(ctx context.Context, folder string, lines []string, question string) ([]index.Hit, error) {
	model, err := bert.Open(folder, bert.LoadOptions{})
	if err != nil {
		return nil, err
	}
	vectors, err := model.Embed(ctx, slices.Concat(lines, []string{question})...)
	if err != nil {
		return nil, err
	}
	known, err := index.New(index.Options{Dim: len(vectors[0])})
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(lines))
	for i := range ids {
		ids[i] = int64(i)
	}
	if err := known.Add(ids, vectors[:len(lines)]); err != nil {
		return nil, err
	}
	return known.Search(ctx, vectors[len(lines)], 3, index.SearchOptions{})
}

// A pretrained BERT learns to tell two classes of texts apart.
func Example_teach() {
	var examples []bert.Example
	for range 40 {
		examples = append(examples, bert.Example{Text: "a dull, long book", Class: 0}, bert.Example{Text: "a lovely, funny book", Class: 1})
	}
	dir := smallBERT([]string{"a dull, long book", "a lovely, funny book", "a dull, long book", "a lovely, funny book"})
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "taught")
	if err := teach(context.Background(), dir, out, examples, bert.TrainOptions{Rate: new(1e-3)}); err != nil {
		log.Fatal(err)
	}
	model, err := bert.Open(out, bert.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	predictions, err := model.Classify(context.Background(), "a lovely book", "a dull book")
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range predictions {
		fmt.Println(p.Top[0].Label)
	}
	// Output:
	// good
	// bad
}

// teach trains a classifier of texts from a pretrained model, and saves it.
func teach(ctx context.Context, folder, out string, examples []bert.Example, o bert.TrainOptions) error {
	model, err := bert.Open(folder, bert.LoadOptions{})
	if err != nil {
		return err
	}
	model.NewHead(bert.SequenceClassification, []string{"bad", "good"}, rand.New(rand.NewPCG(1, 2)))
	run, err := model.Training(examples, o)
	if err != nil {
		return err
	}
	if _, err := train.Run(ctx, run); err != nil {
		return err
	}
	return model.Save(out, bert.SaveOptions{})
}

// A Batcher answers many goroutines by batches.
func Example_batcher() {
	model, err := clip.Open("models/clip/testdata/tiny", clip.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	labels, err := model.Classifier(context.Background(), []string{"cat", "dog", "bird"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	b := batcher(labels)
	defer b.Close()
	answer, err := b.Do(context.Background(), image.NewGray(image.Rect(0, 0, 40, 30)))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(answer.Top), "labels")
	// Output: 3 labels
}

// batcher gathers concurrent requests for the labels of images into batches.
func batcher(labels *clip.Classifier) *serve.Batcher[image.Image, clip.Prediction] {
	return serve.New(func(ctx context.Context, images []image.Image) ([]clip.Prediction, error) {
		return labels.Classify(ctx, images...)
	}, serve.Options{})
}

// A model folder from Hugging Face classifies images of any size.
func Example_classify() {
	predictions, err := classify(folder, "vision/testdata/decode/420.jpg")
	if err != nil {
		log.Fatal(err)
	}
	best := predictions[0].Top[0]
	fmt.Printf("%s %.1f %%\n", best.Label, 100*best.Probability)
	// Output: LABEL_1 63.2 %
}

// classify returns the prediction for a photograph: its classes, the most probable first.
func classify(folder, photograph string) ([]vit.Prediction, error) {
	model, err := vit.Open(folder, vit.LoadOptions{})
	if err != nil {
		return nil, err
	}
	file, err := os.Open(photograph)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	image, err := vision.Decode(file, vision.DecodeOptions{ApplyOrientation: true})
	if err != nil {
		return nil, err
	}
	return model.Classify(context.Background(), image)
}

// A model becomes smaller, and its products faster.
func Example_quantize() {
	model, err := vit.Open(folder, vit.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	photograph, err := vision.DecodeFile(os.DirFS("vision/testdata/decode"), "420.jpg", vision.DecodeOptions{})
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "quantized")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	predictions, err := quantize(context.Background(), model, photograph, dir)
	if err != nil {
		log.Fatal(err)
	}
	again, err := vit.Open(dir, vit.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(predictions), again.Math)
	// Output:
	// 1 int8
}

func quantize(ctx context.Context, model *vit.Model, photograph image.Image, folder string) ([]vit.Prediction, error) {
	if _, err := quant.Quantize(model, quant.Blocks); err != nil {
		return nil, err
	}
	model.Math = simd.Int8
	if err := model.Save(folder, vit.SaveOptions{}); err != nil { // vit.Open(folder, …) loads it
		return nil, err
	}
	return model.Classify(ctx, photograph)
}

// The embeddings of a model find similar images.
func Example_neighbors() {
	if err := neighbors(context.Background(), folder, "examples/classify/testdata/images"); err != nil {
		log.Fatal(err)
	}
	// Output:
	// gray.png: rgba.png (0.69)
	// palette.png: rgba.png (0.80)
	// rgb.png: rgba.png (0.82)
	// rgba.png: rgb.png (0.82)
	// small.png: gray.png (0.65)
	// turned.png: rgba.png (0.81)
}

// neighbors prints the most similar other image for each image of a folder.
func neighbors(ctx context.Context, folder, photographs string) error {
	model, err := vit.Open(folder, vit.LoadOptions{})
	if err != nil {
		return err
	}
	files, err := vision.OpenDir(photographs, vision.FolderOptions{Unlabeled: true})
	if err != nil {
		return err
	}
	embeddings, err := model.EmbedDataset(ctx, files)
	if err != nil {
		return err
	}
	rows := slices.Concat(embeddings...)
	known, err := probe.FitNeighbors(rows, make([]int, files.Len()), 1, probe.NeighborsOptions{})
	if err != nil {
		return err
	}
	for i, nearest := range known.Nearest(rows, 2) {
		for _, n := range nearest[1:] { // the first is the image itself
			fmt.Printf("%s: %s (%.2f)\n", files.Name(i), files.Name(n.Index), n.Similarity)
		}
	}
	return nil
}

// A pretrained model gets a new head and learns the classes of other images.
func Example_finetune() {
	model, err := vit.Open(folder, vit.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	best, err := finetune(context.Background(), model, colored())
	fmt.Println(best, err)
	// Output: 1 <nil>
}

// finetune trains a model to tell the classes of a data set apart. It stops when 3 epochs bring no better accuracy on a
// fifth of the images, leaves the best weights in the model, and returns their accuracy.
func finetune(ctx context.Context, model *vit.Model, images vision.Dataset) (accuracy float64, err error) {
	learned, held, err := vision.Split(images, 0.2, 1)
	if err != nil {
		return 0, err
	}
	model.NewHead(images.Classes(), rand.New(rand.NewPCG(1, 2)))
	c, err := model.Training(learned, vit.TrainOptions{Epochs: 20, BatchSize: 8, Rate: new(1e-3)})
	if err != nil {
		return 0, err
	}
	c.Patience, c.KeepBest = 3, true
	c.Validate = func(ctx context.Context, epoch int) (float64, error) {
		confusion, err := model.Evaluate(ctx, held)
		if err != nil {
			return 0, err
		}
		return confusion.Accuracy(), nil
	}
	result, err := train.Run(ctx, c)
	if err != nil {
		return 0, err
	}
	return result.Scores[result.Best], nil
}

// A small detector gets classes of its own, and learns them from images with boxes.
func Example_learn() {
	body := backbone.ResNet18()
	body.EmbeddingSize, body.HiddenSizes, body.Depths = 8, []int{8, 8, 16, 16}, []int{1, 1, 1, 1}
	c := detect.FCOSResNet50()
	c.Backbone, c.FPNChannels, c.MinSize, c.MaxSize = &body, 32, 32, 32
	model := detect.New(c, 91, rand.New(rand.NewPCG(1, 2))) // one that was loaded
	model.Options.MinScore = new(float32(0.001))            // curves of precision and recall also need unsure detections

	var photograph bytes.Buffer
	if err := png.Encode(&photograph, image.NewGray(image.Rect(0, 0, 32, 32))); err != nil {
		log.Fatal(err)
	}
	files := fstest.MapFS{ // os.DirFS("cells") for a folder on disk
		"classes.txt": {Data: []byte("cell\n")},
		"a.png":       {Data: photograph.Bytes()}, "a.txt": {Data: []byte("0 0.5 0.5 0.4 0.4\n")},
		"b.png": {Data: photograph.Bytes()}, "b.txt": {Data: []byte("0 0.5 0.5 0.4 0.4\n")},
	}
	cells, err := boxes.OpenYOLO(files, ".", boxes.Options{})
	if err != nil {
		log.Fatal(err)
	}
	ap, err := learn(context.Background(), model, cells.Subset([]int{0}), cells.Subset([]int{1}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("measured:", ap >= 0, model.Labels())
	// Output:
	// measured: true [cell]
}

// learn trains a model to find the objects of a data set. It stops when 5 epochs bring no better average precision on other
// images, leaves the best weights in the model, and returns their precision.
func learn(ctx context.Context, model *detect.Model, learned, held *boxes.Dataset) (ap float64, err error) {
	if err := model.NewHead(learned.Classes(), rand.New(rand.NewPCG(1, 2))); err != nil {
		return 0, err
	}
	c, err := model.Training(learned, detect.TrainOptions{Epochs: 20, FreezeNorms: true, Augment: &boxes.Augment{Crop: 0.5, Flip: 0.5}})
	if err != nil {
		return 0, err
	}
	c.Patience, c.KeepBest = 5, true
	c.Validate = func(ctx context.Context, epoch int) (float64, error) {
		found, err := model.DetectDataset(ctx, held)
		if err != nil {
			return 0, err
		}
		result, err := metrics.COCO(held.Truth(), found, metrics.COCOOptions{})
		if err != nil {
			return 0, err
		}
		return result.AP, nil
	}
	result, err := train.Run(ctx, c)
	if err != nil {
		return 0, err
	}
	return result.Scores[result.Best], nil
}

// A masked autoencoder learns from images without labels. A classifier continues with its encoder.
func Example_pretrain() {
	c := mae.Base()
	c.EncoderConfig = config().EncoderConfig
	c.DecoderHiddenSize, c.DecoderNumHiddenLayers, c.DecoderNumAttentionHeads, c.DecoderIntermediateSize = 16, 1, 2, 32
	classifier, err := pretrain(context.Background(), mae.New(c, rand.New(rand.NewPCG(1, 2))), colored())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("classes:", classifier.Config.Labels())
	// Output:
	// 5 epochs
	// classes: [green red]
}

// pretrain trains a masked autoencoder without labels, and returns a classifier with its encoder and a new head.
func pretrain(ctx context.Context, model *mae.Model, images vision.Dataset) (*vit.Model, error) {
	feed := train.NewFeed(&vision.Loader{Data: images, Preprocess: model.Preprocess, BatchSize: 8, Shuffle: true})
	groups := train.Groups(nn.Parameters(model), train.GroupOptions{WeightDecay: 0.05, NoDecay: model.NoDecay})
	result, err := train.Run(ctx, train.Config{
		Model:     model,
		Data:      feed,
		Optimizer: train.NewAdamW(groups, train.AdamOptions{Beta2: new(0.95)}),
		Schedule:  train.Curve{Peak: 1e-3, Warmup: 1, Length: 5}.Cosine(),
		Epochs:    5,
		Loss: func(ctx context.Context, t *autograd.Tape, b *train.Batch) (*autograd.Tensor, error) {
			images, err := feed.Next(ctx, b)
			if err != nil {
				return nil, err
			}
			masking := model.Masking(model.Noise(b.Seed, b.Key, images.Len()), images.Len())
			return model.Loss(t.Input(images.Pixels, images.Shape()...), masking), nil
		},
	})
	if err != nil {
		return nil, err
	}
	fmt.Println(len(result.Losses), "epochs")
	return model.Classifier(images.Classes(), mae.ClassifierOptions{}, rand.New(rand.NewPCG(3, 4))), nil
}

// config is a Vision Transformer that is small enough for an example.
func config() vit.Config {
	c := vit.Tiny16()
	c.ImageSize, c.PatchSize, c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize = 16, 4, 24, 2, 2, 48
	return c
}

// colored returns green and red images, 20 of each, with noise.
func colored() *vision.Memory {
	rng := rand.New(rand.NewPCG(5, 6))
	images := &vision.Memory{ClassNames: []string{"green", "red"}}
	for i := range 40 {
		m := vision.NewImage(20, 24, 3)
		for k := range m.Pix {
			m.Pix[k] = uint8(60 + rng.IntN(60))
		}
		for k := 1 - i%2; k < len(m.Pix); k += 3 {
			m.Pix[k] += 100
		}
		images.Images = append(images.Images, m)
		images.Labels = append(images.Labels, i%2)
	}
	return images
}

// TestReadme checks that each block of Go in the README is a whole function of this file, which compiles and runs, and
// that each link leads to a file.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range regexp.MustCompile(`\]\(([^):]+)\)`).FindAllStringSubmatch(string(readme), -1) {
		if _, err := os.Stat(link[1]); err != nil {
			t.Errorf("README.md links to %s: %v", link[1], err)
		}
	}
	blocks := strings.Split(string(readme), "```go\n")[1:]
	if len(blocks) == 0 {
		t.Error("the README shows no Go")
	}
	for _, b := range blocks {
		code, _, _ := strings.Cut(b, "```")
		if !strings.HasPrefix(code, "func ") || !strings.HasSuffix(code, "\n}\n") || !strings.Contains(string(source), "\n"+code) {
			t.Errorf("README.md shows code that is not a function of example_test.go:\n%s", code)
		}
	}
}
