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

// folder holds a very small random Vision Transformer, as transformers saved it.
const folder = "models/vit/testdata/tiny"

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
	model, err := vit.Load(os.DirFS(folder), vit.LoadOptions{})
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

// Training needs a tape, a table of gradients and an optimizer.
func Example_train() {
	model := vit.New(config(), 2, rand.New(rand.NewPCG(1, 2)))
	losses := fit(model, pixels(), []int{0, 1, 1, 0})
	fmt.Println("the loss fell tenfold:", losses[len(losses)-1] < losses[0]/10)
	// Output: the loss fell tenfold: true
}

// fit trains a model on one batch for 60 steps. It returns the loss of each step.
func fit(model *vit.Model, pixels []float32, labels []int) (losses []float32) {
	workers := simd.NewWorkers(0) // all cores
	tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Workers: workers})
	grads := autograd.NewGradients()
	adamw := train.NewAdamW(train.Groups(nn.Parameters(model), train.GroupOptions{WeightDecay: 0.05}), train.AdamOptions{})
	for step := range 60 {
		tape.Step(uint64(step)) // keys dropout and other random numbers
		logits := model.Forward(tape.Input(pixels, len(labels), 3, 16, 16))
		loss := autograd.CrossEntropy(logits, labels, autograd.CrossEntropyOptions{})
		losses = append(losses, loss.Float())
		tape.Commit() // running statistics, where a model has them
		loss.Backward(grads)
		adamw.Step(grads, 1e-3, 1, workers) // learning rate, scale of the gradients
		grads.Zero()
		tape.Reset()
	}
	return losses
}

// A masked autoencoder learns from images without labels. A classifier continues with its encoder.
func Example_pretrain() {
	c := mae.Base()
	c.EncoderConfig = config().EncoderConfig
	c.DecoderHiddenSize, c.DecoderNumHiddenLayers, c.DecoderNumAttentionHeads, c.DecoderIntermediateSize = 16, 1, 2, 32
	classifier, err := pretrain(mae.New(c, rand.New(rand.NewPCG(1, 2))), pixels(), 4)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("classes:", classifier.Config.Labels())
	// Output:
	// 5 epochs
	// classes: [cat dog]
}

// pretrain trains a masked autoencoder on n images and returns a classifier with its encoder and a new head.
func pretrain(model *mae.Model, pixels []float32, n int) (*vit.Model, error) {
	groups := train.Groups(nn.Parameters(model), train.GroupOptions{WeightDecay: 0.05})
	result, err := train.Run(context.Background(), train.Config{
		Optimizer: train.NewAdamW(groups, train.AdamOptions{Beta2: new(0.95)}),
		Schedule:  train.Curve{Peak: 1e-3, Warmup: 1, Length: 5}.Cosine(),
		Epochs:    5,
		Batches:   10,
		Loss: func(_ context.Context, t *autograd.Tape, b *train.Batch) (*autograd.Tensor, error) {
			masking := model.Masking(model.Noise(b.Seed, b.Key, n), n)
			return model.Loss(t.Input(pixels, n, 3, 16, 16), masking), nil
		},
	})
	if err != nil {
		return nil, err
	}
	fmt.Println(len(result.Losses), "epochs")
	return model.Classifier([]string{"cat", "dog"}, mae.ClassifierOptions{}, rand.New(rand.NewPCG(3, 4))), nil
}

// config is a Vision Transformer that is small enough for an example.
func config() vit.Config {
	c := vit.Tiny16()
	c.ImageSize, c.PatchSize, c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize = 16, 4, 24, 2, 2, 48
	return c
}

// pixels returns four random images, [4, 3, 16, 16].
func pixels() []float32 {
	rng := rand.New(rand.NewPCG(5, 6))
	values := make([]float32, 4*3*16*16)
	for i := range values {
		values[i] = float32(rng.NormFloat64())
	}
	return values
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
