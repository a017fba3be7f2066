package fovea_test

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/mae"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
)

// folder holds a very small random Vision Transformer as transformers saved it.
const folder = "models/vit/testdata/tiny"

// photograph is a picture to classify, in the folder photographs.
const photographs, photograph = "vision/testdata/decode", "420.jpg"

// A model folder from Hugging Face classifies pictures of any size.
func Example_classify() {
	picture, err := vision.DecodeFile(os.DirFS(photographs), photograph, vision.DecodeOptions{ApplyOrientation: true})
	if err != nil {
		log.Fatal(err)
	}
	model, err := vit.Load(os.DirFS(folder), vit.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	predictions, err := model.Classify(context.Background(), picture)
	if err != nil {
		log.Fatal(err)
	}
	best := predictions[0].Top[0]
	fmt.Printf("%s %.1f %%\n", best.Label, 100*best.Probability)
	// Output: LABEL_1 63.2 %
}

// Training needs a tape, a table of gradients and an optimizer.
func Example_train() {
	model := vit.New(config(), 2, rand.New(rand.NewPCG(1, 2)))
	pixels, labels := batch()

	workers := simd.NewWorkers(0) // all cores
	tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Workers: workers})
	grads := autograd.NewGradients()
	adamw := train.NewAdamW(train.Groups(nn.Parameters(model), train.GroupOptions{WeightDecay: 0.05}), train.AdamOptions{})
	var first, last float32
	for step := range 60 {
		logits := model.Forward(tape.Input(pixels, 4, 3, 16, 16))
		loss := autograd.CrossEntropy(logits, labels, autograd.CrossEntropyOptions{})
		if last = loss.Float(); step == 0 {
			first = last
		}
		loss.Backward(grads)
		adamw.Step(grads, 1e-3, 1, workers) // learning rate, scale of the gradients
		grads.Zero()
		tape.Reset()
	}
	fmt.Println("the loss fell tenfold:", last < first/10)
	// Output: the loss fell tenfold: true
}

// A masked autoencoder learns from pictures without labels and hands its encoder over to a classifier.
func Example_pretrain() {
	c := mae.Base()
	c.EncoderConfig = config().EncoderConfig
	c.DecoderHiddenSize, c.DecoderNumHiddenLayers, c.DecoderNumAttentionHeads, c.DecoderIntermediateSize = 16, 1, 2, 32
	pixels, _ := batch()

	model := mae.New(c, rand.New(rand.NewPCG(1, 2)))
	groups := train.Groups(nn.Parameters(model), train.GroupOptions{WeightDecay: 0.05})
	result, err := train.Run(context.Background(), train.Config{
		Optimizer:     train.NewAdamW(groups, train.AdamOptions{Beta2: 0.95}),
		Schedule:      train.Curve{Peak: 1e-3, Warmup: 1, Length: 5}.Cosine(),
		Epochs:        5,
		StepsPerEpoch: 10,
		Loss: func(_ context.Context, t *autograd.Tape, b train.Batch) (*autograd.Tensor, error) {
			masking := model.Masking(model.Noise(b.Seed, b.Key, 4), 4)
			return model.Loss(t.Input(pixels, 4, 3, 16, 16), masking), nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	classifier := model.Classifier([]string{"cat", "dog"}, mae.ClassifierOptions{}, rand.New(rand.NewPCG(3, 4)))
	fmt.Println(len(result.Losses), "epochs; the classifier knows", classifier.Config.Labels())
	// Output: 5 epochs; the classifier knows [cat dog]
}

// config is small enough for an example.
func config() vit.Config {
	c := vit.Tiny16()
	c.ImageSize, c.PatchSize, c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize = 16, 4, 24, 2, 2, 48
	return c
}

// batch returns four random pictures, as their pixels, and their labels.
func batch() (pixels []float32, labels []int) {
	rng := rand.New(rand.NewPCG(5, 6))
	pixels = make([]float32, 4*3*16*16)
	for i := range pixels {
		pixels[i] = float32(rng.NormFloat64())
	}
	return pixels, []int{0, 1, 1, 0}
}

// TestReadme demands that every line of Go in the README is one of this file, which compiles and runs, and that
// its links lead somewhere.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]bool{}
	for line := range strings.Lines(string(source)) {
		lines[strings.TrimSpace(line)] = true
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
		for line := range strings.Lines(code) {
			if line = strings.TrimSpace(line); line != "" && !lines[line] {
				t.Errorf("README.md shows a line that no example runs: %s", line)
			}
		}
	}
}
