package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/simd"
)

func main() {
	os.Exit(command(os.Args[1:], os.Stdout, os.Stderr))
}

// command runs the program and returns its exit status.
func command(args []string, stdout, stderr io.Writer) int {
	return console.Run("classify", args, stdout, stderr, parse, run)
}

// settings are the values of the flags.
type settings struct {
	Model   string
	Top     int
	Threads int
	JSON    bool
	Images  []string
}

// parse reads the flags.
func parse(args []string, stdout io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet("classify", flag.ContinueOnError)
	f.StringVar(&s.Model, "model", "", "Vision Transformer: a `folder` in the layout of Hugging Face or timm, a file of weights, or owner/name on the hub")
	f.IntVar(&s.Top, "top", 5, "show the `N` most probable classes")
	f.IntVar(&s.Threads, "threads", 0, "use `N` cores (default: all); results do not depend on it")
	f.BoolVar(&s.JSON, "json", false, "print one JSON value on standard output")
	if err := console.ParseFlags(f, args, stdout, "Classifies images: classify -model MODEL [flags] IMAGE..."); err != nil {
		return s, err
	}
	s.Images = f.Args()
	switch {
	case s.Model == "":
		return s, errors.New("-model: expected a folder with a Vision Transformer; -h lists the flags")
	case s.Top < 1:
		return s, fmt.Errorf("-top: expected at least 1, found %d", s.Top)
	case len(s.Images) == 0:
		return s, errors.New("expected image files after the flags, found none")
	}
	return s, console.CheckThreads(s.Threads)
}

// run classifies all images. It returns the first error that stops the run, or an error that counts the unreadable
// images.
func run(ctx context.Context, s settings, stdout, stderr io.Writer) error {
	out := console.New(stderr)
	m, err := load(ctx, s.Model, out)
	if err != nil {
		return err
	}
	m.Workers = simd.NewWorkers(s.Threads)
	text := &printer{to: stdout, top: s.Top, bars: console.OnTerminal(stdout)}
	results := []jsonResult{}
	broken := 0
	progress := out.Phase("classifying", console.Files, int64(len(s.Images)))
	err = classifyFiles(ctx, m, s.Images, func(r *result) error {
		switch {
		case r.err != nil:
			broken++
			fmt.Fprintf(stderr, "classify: %s\n", console.OneLine(r.err))
		case s.JSON:
			results = append(results, toJSON(r, s.Top))
			progress.At(int64(len(results) + broken))
		default: // the printed results show the progress
			return text.print(r)
		}
		return nil
	})
	progress.End()
	if err != nil {
		return err
	}
	if s.JSON {
		if err := console.PrintJSON(stdout, results); err != nil {
			return err
		}
	}
	if broken > 0 {
		return fmt.Errorf("%d of %d images could not be read", broken, len(s.Images))
	}
	return nil
}
