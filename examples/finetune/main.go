package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/fetch"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
)

func main() { os.Exit(console.Run("finetune", os.Args[1:], os.Stdout, os.Stderr, parse, finetune)) }

// finetune trains and saves a classifier.
func finetune(ctx context.Context, s settings, stdout, stderr io.Writer) error {
	out := console.New(stdout)
	if s.json {
		out = console.New(stderr)
	}
	images, err := vision.OpenDir(s.data, vision.FolderOptions{})
	if err != nil {
		return err
	}
	learned, held, err := vision.Split(images, 0.2, 1)
	if err != nil {
		return err
	}
	model, err := fetch.Open(ctx, s.model, out, vit.Open)
	if err != nil {
		return err
	}
	model.Workers = simd.NewWorkers(s.threads)
	model.NewHead(images.Classes(), rand.New(rand.NewPCG(1, 1)))
	if err := os.MkdirAll(s.out, 0o777); err != nil {
		return err
	}
	epochs, feed := 30, train.NewFeed(&vision.Loader{Data: learned, Preprocess: model.Preprocess, Augment: &vision.Augment{Flip: 0.5}, Shuffle: true, Seed: 1})
	groups := train.Groups(nn.Parameters(model), train.GroupOptions{WeightDecay: 0.05, NoDecay: model.NoDecay, LayerDecay: 0.75, Layers: len(model.Encoder.Blocks), Layer: model.Layer})
	progress := out.Phase("training", console.Steps, int64(epochs*feed.Batches()))
	result, err := train.Run(ctx, train.Config{
		Model: model, Optimizer: train.NewAdamW(groups, train.AdamOptions{}), Schedule: train.Curve{Peak: 5e-4, Warmup: 1, Length: float64(epochs)}.Cosine(),
		Epochs: epochs, Data: feed, ClipNorm: 1, Tape: autograd.Options{Workers: model.Workers},
		KeepBest: true, Patience: 5, File: s.out + "/resume.safetensors", Start: train.ResumeIfPresent,
		Loss: func(ctx context.Context, t *autograd.Tape, b *train.Batch) (*autograd.Tensor, error) {
			images, err := feed.Next(ctx, b)
			if err != nil {
				return nil, err
			}
			return autograd.CrossEntropy(model.Forward(t.Input(images.Pixels, images.Shape()...)), images.Labels, autograd.CrossEntropyOptions{}), nil
		},
		Validate: func(ctx context.Context, epoch int) (float64, error) {
			right, err := model.Evaluate(ctx, held)
			if err != nil {
				return 0, err
			}
			out.Line("epoch %d: %.1f %% right, mean over classes %.1f %%", epoch+1, 100*right.Accuracy(), 100*right.BalancedAccuracy())
			return right.BalancedAccuracy(), nil
		},
		OnStep: func(r train.Record) error { progress.At(int64(r.Step), fmt.Sprintf("loss %.3f", r.Loss)); return nil },
	})
	progress.End()
	if err != nil {
		return err
	}
	if err := model.Save(s.out, vit.SaveOptions{}); err != nil {
		return err
	}
	best, accuracy, chance := result.Best+1, result.Scores[result.Best], 1/float64(len(images.Classes()))
	out.Line("best epoch %d: mean over classes %.1f %%, by chance %.1f %%", best, 100*accuracy, 100*chance)
	if s.json {
		err = console.PrintJSON(stdout, answer{best, console.Double(accuracy), console.Double(chance), console.Name(s.out)})
	}
	return errors.Join(err, os.Remove(s.out+"/resume.safetensors"))
}
