package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/photo"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/simd"
)

func main() {
	os.Exit(command(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// command runs the program and returns its exit status.
func command(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return console.Run("classify", args, stdout, stderr, parse, func(ctx context.Context, s settings, stdout, stderr io.Writer) error {
		return run(ctx, s, stdin, stdout, stderr)
	})
}

// settings are the values of the flags.
type settings struct {
	Model     string
	Top       int
	Threads   int
	Math      console.MathFlag
	JSON      bool
	CSV       bool
	List      string
	Neighbors string
	Attention string
	Rollout   bool
	Layer     int
	Head      int
	PCA       string
	Images    []string
}

// more reports whether something is asked for that needs no classifier.
func (s settings) more() bool { return s.Neighbors != "" || s.Attention != "" || s.PCA != "" }

// parse reads the flags.
func parse(args []string, stdout io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet("classify", flag.ContinueOnError)
	f.StringVar(&s.Model, "model", "", "Vision Transformer: a `folder` in the layout of Hugging Face or timm, a file of weights, or owner/name on the hub")
	f.IntVar(&s.Top, "top", 5, "show the `N` most probable classes, and the N nearest neighbors")
	f.IntVar(&s.Threads, "threads", 0, "use `N` cores (default: all); results do not depend on it")
	f.Var(&s.Math, "math", console.MathUsage)
	f.BoolVar(&s.JSON, "json", false, "print one JSON value on standard output")
	f.BoolVar(&s.CSV, "csv", false, "print CSV on standard output: a row for each image and class")
	f.StringVar(&s.List, "list", "", "a text `file` with the path of an image or folder in each line, or - for standard input")
	f.StringVar(&s.Neighbors, "neighbors", "", "find the most similar images of a `folder`, and let the nearest 20 vote where it has a folder for each class")
	f.StringVar(&s.Attention, "attention", "", "write what the model attends to, laid over each image, to a `folder`")
	f.BoolVar(&s.Rollout, "rollout", false, "with -attention: follow attention through all layers")
	f.IntVar(&s.Layer, "layer", -1, "the block `N` of -attention and -pca, from 0, or from -1 for the last")
	f.IntVar(&s.Head, "head", -1, "the head `N` of -attention, from 0; -1 is the mean of all")
	f.StringVar(&s.PCA, "pca", "", "write the principal components of each image's patches, as colors beside the image, to a `folder`")
	if err := console.ParseFlags(f, args, stdout, "Classifies images: classify -model MODEL [flags] IMAGE|FOLDER|-..."); err != nil {
		return s, err
	}
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	s.Images = f.Args()
	fromInput := 0
	for _, name := range append(slices.Clone(s.Images), s.List) {
		if name == photo.StandardInput {
			fromInput++
		}
	}
	switch {
	case s.Model == "":
		return s, errors.New("-model: expected a folder with a Vision Transformer; -h lists the flags")
	case s.Top < 1:
		return s, fmt.Errorf("-top: expected at least 1, found %d", s.Top)
	case s.JSON && s.CSV:
		return s, errors.New("expected -json or -csv, found both")
	case s.Rollout && s.Attention == "":
		return s, errors.New("-rollout: expected -attention, the folder for the images, beside it")
	case given["head"] && (s.Attention == "" || s.Rollout):
		return s, errors.New("-head: expected -attention beside it, without -rollout, which takes all heads")
	case given["layer"] && s.PCA == "" && (s.Attention == "" || s.Rollout):
		return s, errors.New("-layer: expected -pca, or -attention without -rollout, beside it: -rollout takes all blocks")
	case s.Attention != "" && s.Attention == s.PCA:
		return s, errors.New("-attention and -pca: expected two folders, found the same")
	case len(s.Images) == 0 && s.List == "":
		return s, errors.New("expected image files or folders after the flags, or -list, found none")
	case fromInput > 1:
		return s, errors.New("expected - once: standard input is one image, or one list")
	}
	return s, console.CheckThreads(s.Threads)
}

// run classifies all images. It returns the first error that stops the run, or an error that counts the unreadable
// images.
func run(ctx context.Context, s settings, stdin io.Reader, stdout, stderr io.Writer) error {
	out := console.New(stderr)
	names, err := inputs(s, stdin)
	if err != nil {
		return err
	}
	m, err := load(ctx, s, out)
	if err != nil {
		return err
	}
	m.Workers = simd.NewWorkers(s.Threads)
	s.Math.Choose(&m.Math, out)
	steps, finish, err := stepsOf(ctx, s, names, m, out, stderr)
	if err != nil {
		return err
	}
	text := &printer{to: stdout, top: s.Top, bars: console.OnTerminal(stdout)}
	var rows *table
	if s.CSV {
		rows = newTable(stdout, s)
	}
	results := []jsonResult{}
	done, broken := 0, 0
	progress := out.Phase("classifying", console.Files, int64(len(names)))
	err = eachFile(ctx, m, names, reader(stdin), steps, func(r *result) error {
		done++
		switch {
		case r.err != nil:
			broken++
			fmt.Fprintf(stderr, "classify: %s\n", console.OneLine(r.err))
		case s.JSON:
			results = append(results, toJSON(r, s.Top, m.Math))
			progress.At(int64(done))
		case s.CSV:
			return rows.add(r)
		default: // the printed results show the progress
			return text.print(r)
		}
		return nil
	})
	progress.End()
	if err != nil {
		return err
	}
	if err := finish(); err != nil {
		return err
	}
	if s.JSON {
		if err := console.PrintJSON(stdout, results); err != nil {
			return err
		}
	}
	if broken > 0 {
		return fmt.Errorf("%d of %d images could not be read", broken, len(names))
	}
	return nil
}

// stepsOf returns what the flags ask for: the steps of each image, and what follows after all of them.
func stepsOf(ctx context.Context, s settings, names []string, m *vit.Model, out *console.Console, stderr io.Writer) (steps []step, finish func() error, err error) {
	finish = func() error { return nil }
	if m.Head != nil {
		steps = append(steps, classify(m))
	}
	if s.Neighbors != "" {
		g, err := openGallery(ctx, m, s.Neighbors, out, stderr)
		if err != nil {
			return nil, nil, err
		}
		steps = append(steps, g.find(m, s.Top))
	}
	if s.Attention != "" {
		// Without images, these check what is asked for.
		_, err := m.Attention(ctx, vit.AttentionOptions{Layers: []int{s.Layer}})
		if heads := m.Config.NumAttentionHeads; err == nil && (s.Head < -1 || s.Head >= heads) {
			err = fmt.Errorf("head %d: expected -1 to %d", s.Head, heads-1)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("-attention: %w", err)
		}
		files, err := photo.NewOutputs(s.Attention, names)
		if err != nil {
			return nil, nil, fmt.Errorf("-attention: %w", err)
		}
		steps = append(steps, attend(m, s, files))
	}
	if s.PCA != "" {
		if _, err := m.Features(ctx, vit.FeatureOptions{Layers: []int{s.Layer}}); err != nil {
			return nil, nil, fmt.Errorf("-pca: %w", err)
		}
		files, err := photo.NewOutputs(s.PCA, names)
		if err != nil {
			return nil, nil, fmt.Errorf("-pca: %w", err)
		}
		all := &components{}
		steps = append(steps, all.add(m, s.Layer))
		finish = func() error {
			if err := all.save(m, files); err != nil {
				return fmt.Errorf("-pca: %w", err)
			}
			return nil
		}
	}
	return steps, finish, nil
}
