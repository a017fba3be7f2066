package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/peak"
	"github.com/fovea-ml/fovea/models/mae"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/train"
)

// engine computes a case: on how many threads, in which arithmetic.
type engine struct {
	workers *simd.Workers
	math    simd.Math
}

// tape returns a tape for inference.
func (e engine) tape() *autograd.Tape {
	return autograd.NewTape(autograd.Options{Workers: e.workers, Math: e.math})
}

// prepare prepares a case, given its name and the number of threads. It returns the function that runs the case once.
func prepare(words []string) (func() error, error) {
	if len(words) != 2 {
		return nil, fmt.Errorf("expected a case and a number of threads")
	}
	threads, err := strconv.Atoi(words[1])
	if err != nil {
		return nil, err
	}
	name, arithmetic, found := strings.Cut(words[0], "@")
	e := engine{workers: simd.NewWorkers(threads)}
	if found {
		if e.math, err = simd.ParseMath(arithmetic); err != nil {
			return nil, err
		}
	}
	name, rest, _ := strings.Cut(name, ":")
	args := strings.Split(rest, ":")
	if name == "detect" {
		return detector(e, args)
	}
	run, err := newCase(e, name, args)
	if err != nil {
		return nil, err
	}
	return func() error { run(); return nil }, nil
}

// newCase prepares a case that cannot fail when it runs.
func newCase(e engine, name string, args []string) (func(), error) {
	number := func(i int) int {
		if i >= len(args) {
			return 0
		}
		n, _ := strconv.Atoi(args[i])
		return n
	}
	switch name {
	case "train", "mae", "resnet18", "fcostrain", "finetune":
		if e.math == simd.Int8 {
			return nil, fmt.Errorf("%s trains: expected strict, accurate or bf16, found int8", name)
		}
	case "nms":
		if e.math != simd.Strict {
			return nil, fmt.Errorf("nms has no products: expected strict, found %v", e.math)
		}
	}
	switch name {
	case "gemm", "gemmpacked":
		return gemm(e, number(0), number(1), number(2), name == "gemmpacked"), nil
	case "vit":
		c, err := preset(args[0])
		if err != nil {
			return nil, err
		}
		if size := number(2); size > 0 {
			c.ImageSize = size
		}
		return inference(e, c, number(1)), nil
	case "train":
		c, err := preset(args[0])
		if err != nil {
			return nil, err
		}
		return training(e, c, number(1)), nil
	case "mae":
		return pretraining(e, number(0)), nil
	case "conv", "fastestdet", "r50fpn":
		return images(e, name, number), nil
	case "resnet18":
		return trainResNet(e, number(0)), nil
	case "fcostrain":
		return trainFCOS(e, number(0), number(1), number(2)), nil
	case "nms":
		return suppression(number(0)), nil
	case "lstm":
		return lstm(e, number(0), number(1), number(2)), nil
	case "clip":
		return clipTower(e, args[0], number(1))
	case "text":
		return text(e, args[0], number(1))
	case "finetune":
		return finetune(e, args[0], number(1))
	}
	return nil, fmt.Errorf("unknown case %s", name)
}

func preset(name string) (vit.Config, error) {
	switch name {
	case "tiny":
		return vit.Tiny16(), nil
	case "small":
		return vit.Small16(), nil
	case "base":
		return vit.Base16(), nil
	case "dinov2s":
		c := vit.Small16()
		c.PatchSize, c.LayerScaleInit = 14, 1
		return c, nil
	}
	return vit.Config{}, fmt.Errorf("unknown model %s", name)
}

func random(n int) []float32 {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

func gemm(e engine, m, k, n int, packed bool) func() {
	a, b, c := random(m*k), random(n*k), make([]float32, m*n)
	am := simd.Matrix{Data: a, Stride: k}
	bm := simd.Matrix{Data: b, Stride: k, Trans: true}
	if packed {
		p := simd.Pack(e.workers, k, n, bm, simd.PackOptions{Math: e.math})
		return func() { simd.GemmPacked(e.workers, m, am, p, 0, c, n, nil) }
	}
	return func() { e.math.Gemm(e.workers, m, n, k, am, bm, 0, c, n, nil) }
}

// readRate returns the GB/s at which threads read 256 MB, the best of three times.
func readRate(threads int) float64 {
	const part, parts = 1 << 18, 256
	x, w := make([]float32, part*parts), simd.NewWorkers(threads)
	for i := range x {
		x[i] = 1 // so that each page has memory of its own
	}
	best := 0.0
	for range 3 {
		start := time.Now()
		w.For(parts, func(i int) { simd.Sum(x[i*part:][:part]) })
		best = max(best, 4*part*parts/1e9/time.Since(start).Seconds())
	}
	return best
}

const classes = 1000

func inference(e engine, c vit.Config, batch int) func() {
	m := vit.New(c, classes, rand.New(rand.NewPCG(1, 1)))
	pixels := random(batch * 3 * c.ImageSize * c.ImageSize)
	tape := e.tape()
	out := make([]float32, batch*classes)
	return func() {
		m.Forward(tape.Input(pixels, batch, 3, c.ImageSize, c.ImageSize)).Floats(out)
		tape.Reset()
	}
}

func training(e engine, c vit.Config, batch int) func() {
	m := vit.New(c, classes, rand.New(rand.NewPCG(1, 1)))
	pixels := random(batch * 3 * c.ImageSize * c.ImageSize)
	labels := make([]int, batch)
	return step(e, m, func(t *autograd.Tape) *autograd.Tensor {
		logits := m.Forward(t.Input(pixels, batch, 3, c.ImageSize, c.ImageSize))
		return autograd.CrossEntropy(logits, labels, autograd.CrossEntropyOptions{})
	})
}

// loop trains a model (tiny, small, base or mae) with the training loop of package train. It returns the peak memory in
// MB after ten steps and at the end.
func loop(words []string) (early, late float64, err error) {
	if len(words) != 3 {
		return 0, 0, fmt.Errorf("expected a model, a batch size and a number of steps")
	}
	batch, _ := strconv.Atoi(words[1])
	steps, _ := strconv.Atoi(words[2])
	var model any
	var loss func(t *autograd.Tape, pixels *autograd.Tensor, b *train.Batch) *autograd.Tensor
	if words[0] == "mae" {
		m := mae.New(mae.Base(), rand.New(rand.NewPCG(1, 1)))
		model = m
		loss = func(t *autograd.Tape, pixels *autograd.Tensor, b *train.Batch) *autograd.Tensor {
			return m.Loss(pixels, m.Masking(m.Noise(b.Seed, b.Key, batch), batch))
		}
	} else {
		c, err := preset(words[0])
		if err != nil {
			return 0, 0, err
		}
		m := vit.New(c, classes, rand.New(rand.NewPCG(1, 1)))
		model = m
		labels := make([]int, batch)
		loss = func(t *autograd.Tape, pixels *autograd.Tensor, b *train.Batch) *autograd.Tensor {
			return autograd.CrossEntropy(m.Forward(pixels), labels, autograd.CrossEntropyOptions{})
		}
	}
	values := random(batch * 3 * 224 * 224)
	_, err = train.Run(context.Background(), train.Config{
		Optimizer: train.NewAdamW(train.Groups(nn.Parameters(model), train.GroupOptions{WeightDecay: 0.05}), train.AdamOptions{}),
		Schedule:  train.Curve{Peak: 1e-4, Length: 1}.Cosine(),
		Epochs:    1, Batches: steps,
		Tape: autograd.Options{Workers: simd.NewWorkers(0)},
		Loss: func(_ context.Context, t *autograd.Tape, b *train.Batch) (*autograd.Tensor, error) {
			return loss(t, t.Input(values, batch, 3, 224, 224), b), nil
		},
		OnStep: func(r train.Record) error {
			if r.Step == 10 {
				early = float64(peak.Memory()) / 1e6
			}
			return nil
		},
	})
	return early, float64(peak.Memory()) / 1e6, err
}

func pretraining(e engine, batch int) func() {
	c := mae.Base()
	m := mae.New(c, rand.New(rand.NewPCG(1, 1)))
	pixels := random(batch * 3 * c.ImageSize * c.ImageSize)
	n := uint64(0)
	return step(e, m, func(t *autograd.Tape) *autograd.Tensor {
		n++
		return m.Loss(t.Input(pixels, batch, 3, c.ImageSize, c.ImageSize), m.Masking(m.Noise(1, n, batch), batch))
	})
}

// step returns a function that trains one step with AdamW. The batch is always the same.
func step(e engine, model any, loss func(t *autograd.Tape) *autograd.Tensor) func() {
	groups := train.Groups(nn.Parameters(model), train.GroupOptions{WeightDecay: 0.05})
	opt := train.NewAdamW(groups, train.AdamOptions{})
	tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true, Workers: e.workers, Math: e.math})
	grads := autograd.NewGradients()
	return func() {
		loss(tape).Backward(grads)
		opt.Step(grads, 1e-4, 1, e.workers)
		tape.Commit()
		grads.Zero()
		tape.Reset()
	}
}
