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
)

func main() {
	os.Exit(command(os.Args[1:], os.Stdout, os.Stderr))
}

// command runs the program and returns its exit status.
func command(args []string, stdout, stderr io.Writer) int {
	s, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return console.Exit(context.Background(), stderr, "mae", err)
	}
	ctx, stop := console.UntilSignal()
	defer stop()
	return execute(ctx, &run{settings: s, recipe: recipeFor(s)}, stdout, stderr)
}

// execute does a run and reports how it ended.
func execute(ctx context.Context, r *run, stdout, stderr io.Writer) int {
	s := r.settings
	human := stdout
	if s.JSON {
		human = stderr
	}
	r.console = console.New(human)
	o, err := r.do(ctx)
	if err != nil && r.begun && console.Interrupted(ctx, err) {
		err = fmt.Errorf("%w; continue with -resume -out %s", err, s.Out)
	}
	if err == nil && s.JSON {
		err = console.PrintJSON(stdout, resultOf(o, s.Out))
	}
	return console.Exit(ctx, stderr, "mae", err)
}

// parse reads the flags.
func parse(args []string, stderr io.Writer) (settings, error) {
	s := settings{Epochs: defaultEpochs}
	f := flag.NewFlagSet("mae", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&s.Data, "data", "", "learn from the pictures in `DIR`, one sub-folder a class, instead of the embedded Fashion-MNIST")
	f.StringVar(&s.Init, "init", "", "start from the masked autoencoder in `DIR`, in Hugging Face's layout, or owner/name on the hub; it decides the model's shape and the size of pictures")
	f.Func("epochs", "pre-train for `N` epochs; 0, with -init, fine-tunes the model as it is (default: about "+strconv.Itoa(clothes().PretrainSteps)+" steps)", func(value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return errors.New("expected a whole number of 0 or more")
		}
		s.Epochs = n
		return nil
	})
	f.IntVar(&s.Labels, "labels", 10, "use the labels of `N` pictures a class")
	f.Float64Var(&s.Mask, "mask", 0, "hide this `share` of the patches in pre-training (default: the model's, 0.75)")
	f.StringVar(&s.Out, "out", "mae-out", "write results to `DIR`")
	f.BoolVar(&s.Resume, "resume", false, "continue the unfinished run in the folder of -out; other flags are remembered")
	f.Uint64Var(&s.Seed, "seed", 1, "key of everything random: the same seed gives the same run")
	f.BoolVar(&s.JSON, "json", false, "print one JSON value on standard output, and everything else on standard error")
	f.BoolVar(&s.SkipBroken, "skip-broken", false, "leave out pictures that cannot be read, and name them")
	f.IntVar(&s.Threads, "threads", 0, "use `N` cores (default: all); results do not depend on it")
	usage := func() {
		fmt.Fprintln(stderr, "Pre-trains a masked autoencoder on pictures without labels, then fine-tunes it on few labels and trains")
		fmt.Fprintln(stderr, "the same network from scratch on these, for comparison.")
		fmt.Fprintln(stderr)
		f.SetOutput(stderr)
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			usage()
			return s, err
		}
		return s, fmt.Errorf("%w; -h lists the flags", err)
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
