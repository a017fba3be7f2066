package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/simd"
)

func main() {
	os.Exit(command(os.Args[1:], os.Stdout, os.Stderr))
}

// command runs the program and returns its exit status.
func command(args []string, stdout, stderr io.Writer) int {
	return console.Run("mae", args, stdout, stderr, parse, func(ctx context.Context, s settings, stdout, stderr io.Writer) error {
		return execute(ctx, &run{settings: s, recipe: recipeFor(s)}, stdout, stderr)
	})
}

// execute does a run and prints its results. After an interrupt, the error contains the command to continue.
func execute(ctx context.Context, r *run, stdout, stderr io.Writer) error {
	return console.Execute(ctx, r.settings.JSON, stdout, stderr, func(c *console.Console) (any, error) {
		r.console = c
		o, err := r.do(ctx)
		if err != nil {
			return nil, err
		}
		return resultOf(o, &r.settings), nil
	})
}

const about = `Pre-trains a masked autoencoder on images without labels. Then trains classifiers from it on a few labels, and for
comparison the same network from scratch and logistic regression on pixels, on the same labels.`

// parse reads the flags.
func parse(args []string, stdout io.Writer) (settings, error) {
	s := settings{Epochs: defaultEpochs}
	f := flag.NewFlagSet("mae", flag.ContinueOnError)
	f.StringVar(&s.Data, "data", "", "train on the images in `DIR`, with one sub-folder for each class, instead of the embedded Fashion-MNIST")
	f.StringVar(&s.Init, "init", "", "start from the masked autoencoder in `DIR`, in the layout of Hugging Face, or from owner/name on the hub; it determines the architecture and the image size")
	f.Func("epochs", "pre-train for `N` epochs; 0 fine-tunes the model of -init without pre-training (default: about "+strconv.Itoa(fashionRecipe().Pretrain.Steps)+" steps)", func(value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return errors.New("expected an integer of 0 or more")
		}
		s.Epochs = n
		return nil
	})
	f.IntVar(&s.Labels, "labels", 10, "use the labels of `N` images of each class")
	f.Float64Var(&s.Mask, "mask", 0, "hide this `share` of the patches in pre-training (default: 0.55, with -data 0.75, with -init the model's)")
	f.StringVar(&s.Out, "out", "mae-out", "write results to `DIR`")
	f.BoolVar(&s.Resume, "resume", false, "continue the unfinished run in the folder of -out, with its flags")
	f.Uint64Var(&s.Seed, "seed", 1, "seed of all random numbers; the same seed gives the same run")
	f.BoolVar(&s.JSON, "json", false, "print one JSON value on standard output, and everything else on standard error")
	f.BoolVar(&s.SkipBroken, "skip-broken", false, "skip unreadable images and list them")
	f.IntVar(&s.Threads, "threads", 0, "use `N` cores (default: all); results do not depend on it")
	f.TextVar(&s.Math, "math", simd.Strict, console.TrainingMathUsage)
	if err := console.ParseFlags(f, args, stdout, about); err != nil {
		return s, err
	}
	if f.NArg() > 0 {
		return s, fmt.Errorf("expected flags only, found %q", f.Arg(0))
	}
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if given["mask"] && s.Mask == 0 {
		return s, errors.New("-mask: expected a share above 0 and below 1, found 0")
	}
	if s.Resume {
		if err := s.restore(given); err != nil {
			return s, err
		}
	}
	return s, s.check()
}
