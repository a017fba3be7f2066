package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/describe"
	"github.com/fovea-ml/fovea/examples/internal/fetch"
	"github.com/fovea-ml/fovea/models/clip"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

func main() {
	os.Exit(command(os.Args[1:], os.Stdout, os.Stderr))
}

// command runs the program and returns its exit status.
func command(args []string, stdout, stderr io.Writer) int {
	return console.Run("eval", args, stdout, stderr, parse, run)
}

// settings are the values of the flags.
type settings struct {
	Model      string
	Data, Test string
	Map        string
	Captions   string
	Templates  []string
	Shots      int // training images of each class; 0 is all
	Seed       uint64
	SkipBroken bool
	Threads    int
	Math       console.MathFlag
	JSON       bool
}

// parse reads the flags.
func parse(args []string, stdout io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet("eval", flag.ContinueOnError)
	f.StringVar(&s.Model, "model", "", "CLIP or a Vision Transformer with a classifier: a `folder` in the layout of Hugging Face, open_clip or timm, a file of weights, OpenAI's archive, or owner/name on the hub")
	f.StringVar(&s.Data, "data", "", "measure classification on the images in `DIR`, with one sub-folder for each class")
	f.StringVar(&s.Test, "test", "", "test on the images in `DIR`, and train on all of -data (default: test on half of each class of -data)")
	f.StringVar(&s.Map, "map", "", "read the classes of a classifier for folders of -data from a `FILE` with lines FOLDER,CLASS (default: by name, number or WordNet identifier)")
	f.StringVar(&s.Captions, "captions", "", "measure retrieval on a `table` of images and captions (.csv or .tsv), or on tar shards such as '{000..009}.tar'")
	f.Func("templates", "make texts by `T`: a text with {} for the class, 'seven' or 'imagenet' for OpenAI's; may be given several times (default: "+clip.DefaultTemplate+")", func(value string) error {
		switch {
		case value == "seven":
			s.Templates = append(s.Templates, clip.SevenTemplates()...)
		case value == "imagenet":
			s.Templates = append(s.Templates, clip.ImageNetTemplates()...)
		case strings.Contains(value, "{}"):
			s.Templates = append(s.Templates, value)
		default:
			return errors.New("expected seven, imagenet, or a text with {} for the class")
		}
		return nil
	})
	f.IntVar(&s.Shots, "shots", 0, "train on `N` images of each class, and measure Tip-Adapter beside the linear probe (default: all, without Tip-Adapter)")
	f.Uint64Var(&s.Seed, "seed", 1, "seed of the division into training, validation and test images")
	f.BoolVar(&s.SkipBroken, "skip-broken", false, "skip unreadable images and pairs, and list them")
	f.IntVar(&s.Threads, "threads", 0, "use `N` cores (default: all); results do not depend on it")
	f.Var(&s.Math, "math", console.MathUsage)
	f.BoolVar(&s.JSON, "json", false, "print one JSON value on standard output")
	if err := console.ParseFlags(f, args, stdout, "Measures a classifier by its top-1 and top-5 accuracy, or a CLIP model by zero-shot classification beside a linear probe, and by retrieval."); err != nil {
		return s, err
	}
	switch {
	case f.NArg() > 0:
		return s, fmt.Errorf("expected flags only, found %q", f.Arg(0))
	case s.Model == "":
		return s, errors.New("-model: expected a folder with CLIP or a classifier; -h lists the flags")
	case s.Data == "" && s.Captions == "":
		return s, errors.New("expected -data or -captions; -h lists the flags")
	case s.Shots < 0:
		return s, fmt.Errorf("-shots: expected at least 1, found %d", s.Shots)
	case s.Shots > 0 && s.Data == "":
		return s, errors.New("-shots needs -data, the training images")
	case s.Test != "" && s.Data == "":
		return s, errors.New("-test needs -data, the training images of the linear probe")
	}
	return s, console.CheckThreads(s.Threads)
}

// evaluation is a run of the program.
type evaluation struct {
	settings settings
	console  *console.Console
	skipped  []*data.ItemError

	model      *clip.Model // one of these
	classifier *vit.Model
	names      []string // of the classifier
	computed   simd.Math
}

// run measures what the flags ask for.
func run(ctx context.Context, s settings, stdout, stderr io.Writer) error {
	e := &evaluation{settings: s, console: console.New(stderr)}
	if err := e.load(ctx); err != nil {
		return err
	}
	r := results{Model: console.Name(s.Model), Skipped: []skipped{}, Math: console.ArithmeticOf(e.computed)}
	var err error
	switch {
	case e.classifier != nil:
		if r.Classifier, err = e.measureImages(ctx); err != nil {
			return err
		}
	case s.Data != "":
		if r.Classification, err = e.classify(ctx); err != nil {
			return err
		}
	}
	if s.Captions != "" {
		if r.Retrieval, err = e.retrieve(ctx); err != nil {
			return err
		}
	}
	for _, item := range e.skipped {
		r.Skipped = append(r.Skipped, skipped{console.Name(item.Name), console.OneLine(item)})
	}
	if s.JSON {
		return console.PrintJSON(stdout, r)
	}
	r.print(stdout)
	return nil
}

// load loads the model that -model names: a classifier, or CLIP.
func (e *evaluation) load(ctx context.Context) error {
	s := &e.settings
	_, err := fetch.Open(ctx, s.Model, e.console, func(path string, _ struct{}) (*evaluation, error) {
		v, err := vit.Open(path, vit.LoadOptions{})
		if err == nil && v.Head != nil {
			e.classifier, e.names = v, modelNames(s.Model, path)
			return e, nil
		}
		var other error
		if e.model, other = clip.Open(path, clip.LoadOptions{}); other == nil {
			return e, nil
		}
		if err == nil {
			err = errors.New("the model has no classifier")
		}
		return nil, fmt.Errorf("neither CLIP nor a classifier: %w; %w", other, err)
	})
	if err != nil {
		return err
	}
	var prepare *vision.Preprocess
	assumed, workers := false, simd.NewWorkers(s.Threads)
	if m := e.classifier; m != nil {
		if s.Captions != "" || s.Test != "" || s.Shots > 0 || s.Templates != nil {
			return errors.New("-captions, -test, -shots and -templates are for CLIP: -model is a classifier")
		}
		if c, p := m.Config.NumChannels, m.Preprocess.Channels(); c != p {
			return fmt.Errorf("-model %s: the model takes images with %d channels, and its preprocessing gives %d", s.Model, c, p)
		}
		prepare, assumed, m.Workers = &m.Preprocess, m.PreprocessAssumed, workers
		e.choose(&m.Math)
	} else {
		if s.Map != "" {
			return errors.New("-map is for classifiers: -model is CLIP")
		}
		if len(s.Templates) == 0 {
			s.Templates = []string{clip.DefaultTemplate}
		}
		prepare, assumed, e.model.Workers = &e.model.Preprocess, e.model.PreprocessAssumed, workers
		e.choose(&e.model.Math)
	}
	if assumed {
		e.console.Line("%s", describe.Assumed(prepare))
	}
	return nil
}

// choose sets the arithmetic of the model.
func (e *evaluation) choose(m *simd.Math) {
	e.settings.Math.Choose(m, e.console)
	e.computed = *m
}

// features encodes the images of a data set, with a bar.
func (e *evaluation) features(ctx context.Context, what string, d vision.Dataset) (*clip.Features, error) {
	progress := e.console.Phase("encoding "+what, console.Files, int64(d.Len()))
	defer progress.End()
	f, err := e.model.Features(ctx, d, clip.FeatureOptions{OnError: e.policy(), OnBatch: func(done int) { progress.At(int64(done)) }})
	if err != nil {
		return nil, e.advise(err)
	}
	e.skipped = append(e.skipped, f.Skipped...)
	return f, nil
}

func (e *evaluation) policy() data.ErrorPolicy {
	if e.settings.SkipBroken {
		return data.SkipErrors
	}
	return data.StopOnError
}

// advise adds the flag that helps to the error of an image.
func (e *evaluation) advise(err error) error {
	if item := (*data.ItemError)(nil); errors.As(err, &item) && !e.settings.SkipBroken {
		return fmt.Errorf("%w (use -skip-broken to skip such files)", err)
	}
	return err
}
