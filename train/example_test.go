package train_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/train"
)

// A line is fitted to points. The run is stopped after half of its steps and continued from its file.
func Example() {
	dir, err := os.MkdirTemp("", "train")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	run := func(ctx context.Context, start train.Start, onStep func(train.Record) error) (slope, shift float32, err error) {
		line := nn.NewLinear(1, 1, true)
		_, err = train.Run(ctx, train.Config{
			Model:     line,
			Optimizer: train.NewSGD(train.Groups(nn.Parameters(line), train.GroupOptions{}), train.SGDOptions{Momentum: 0.9}),
			Schedule:  train.Curve{Peak: 0.05, Warmup: 2, Length: 20}.Cosine(),
			Epochs:    20,
			Batches:   10,
			Seed:      1,
			File:      filepath.Join(dir, "run.safetensors"),
			Start:     start,
			OnStep:    onStep,
			Loss: func(_ context.Context, t *autograd.Tape, batch *train.Batch) (*autograd.Tensor, error) {
				x, y := make([]float32, 4), make([]float32, 4)
				for i, sample := range train.Order(make([]int, 40), batch.Seed, batch.Epoch)[4*batch.Index:][:4] {
					x[i] = float32(sample)/20 - 1
					y[i] = 3*x[i] + 0.5
				}
				wrong := autograd.Sub(line.Forward(t.Input(x, 4, 1)), t.Input(y, 4, 1))
				return autograd.Mean(autograd.Square(wrong), false), nil
			},
		})
		return line.Weight.Values()[0], line.Bias.Values()[0], err
	}

	ctx, cancel := context.WithCancel(context.Background())
	_, _, err = run(ctx, train.NewRun, func(r train.Record) error {
		if r.Step == 100 {
			cancel() // as Ctrl-C would
		}
		return nil
	})
	fmt.Println(err)
	fmt.Println(errors.Is(err, context.Canceled))

	slope, shift, err := run(context.Background(), train.Resume, nil)
	fmt.Printf("y = %.3f x + %.3f, %v\n", slope, shift, err)
	// Output:
	// train: stopped after step 100 of 200: context canceled
	// true
	// y = 3.000 x + 0.500, <nil>
}

// The learning rate of MAE pre-training: a base rate for 256 images, warm-up, half a cosine.
func ExampleCurve_Cosine() {
	const batch, base = 4096, 1.5e-4
	rate := train.Curve{Peak: base * batch / 256, Warmup: 40, Length: 800}.Cosine()
	for _, epoch := range []float64{0, 20, 40, 420, 800} {
		fmt.Printf("%.5f\n", rate.Rate(epoch))
	}
	// Output:
	// 0.00000
	// 0.00120
	// 0.00240
	// 0.00120
	// 0.00000
}

// Groups for fine-tuning with layer-wise decay: the nearer to the pixels, the slower.
func ExampleGroups() {
	params := func(yield func(string, *autograd.Parameter) bool) {
		_ = yield("Patch.Weight", autograd.NewParameter(8, 12)) &&
			yield("Blocks.0.Weight", autograd.NewParameter(8, 8)) &&
			yield("Blocks.0.Bias", autograd.NewParameter(8)) &&
			yield("Head.Weight", autograd.NewParameter(2, 8))
	}
	layer := func(path string) int {
		var block int
		if _, err := fmt.Sscanf(path, "Blocks.%d.", &block); err == nil {
			return block + 1
		}
		if path == "Head.Weight" {
			return 2
		}
		return 0
	}
	for _, g := range train.Groups(params, train.GroupOptions{WeightDecay: 0.05, LayerDecay: 0.5, Layers: 1, Layer: layer}) {
		fmt.Println(g.Params[0].Path, *g.LRScale, g.WeightDecay)
	}
	// Output:
	// Patch.Weight 0.25 0.05
	// Blocks.0.Weight 0.5 0.05
	// Blocks.0.Bias 0.5 0
	// Head.Weight 1 0.05
}

// A small model learns from the answers of another, without labels of its own.
func ExampleDistillation() {
	teacher, student := nn.NewLinear(2, 3, true), nn.NewLinear(2, 3, true)
	teacher.Weight.Update(func(v []float32) { copy(v, []float32{3, -1, -2, 2, 0, 1}) })
	distillation := &train.Distillation{Teacher: teacher.Forward, Temperature: 2, Alpha: new(0.9)}

	opt := train.NewSGD(train.Groups(nn.Parameters(student), train.GroupOptions{}), train.SGDOptions{Momentum: 0.9})
	tape, grads := autograd.NewTape(autograd.Options{Gradients: true, Training: true}), autograd.NewGradients()
	for range 200 {
		inputs := tape.Input([]float32{1, 0, 0, 1, -1, 1}, 3, 2)
		logits := student.Forward(inputs)
		base := autograd.CrossEntropy(logits, []int{0, 1, 1}, autograd.CrossEntropyOptions{}) // by the labels
		loss := distillation.Loss(base, logits, inputs)
		loss.Backward(grads)
		opt.Step(grads, 0.5, 1, nil)
		grads.Zero()
		tape.Reset()
	}
	x := tape.Input([]float32{0.2, 0.1}, 1, 2)
	fmt.Printf("teacher %.2f\nstudent %.2f\n", autograd.Softmax(teacher.Forward(x)).Floats(nil), autograd.Softmax(student.Forward(x)).Floats(nil))
	// Output:
	// teacher [0.46 0.23 0.31]
	// student [0.45 0.23 0.32]
}
