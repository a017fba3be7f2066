package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/nn/quant"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

func main() {
	os.Exit(command(os.Args[1:], os.Stdout, os.Stderr))
}

// command runs the program and returns its exit status.
func command(args []string, stdout, stderr io.Writer) int {
	return console.Run("quantize", args, stdout, stderr, parse, run)
}

// settings are the values of the flags.
type settings struct {
	Model    string
	Out      string
	Keep     string
	KeepMath simd.Math
	Tables   simd.Math
	Data     string
	Threads  int
	JSON     bool
}

// parse reads the flags.
func parse(args []string, stdout io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet("quantize", flag.ContinueOnError)
	f.StringVar(&s.Model, "model", "", "convert this model: a `folder`, a file of weights, or owner/name on the hub")
	f.StringVar(&s.Out, "out", "", "write the model to a new folder `DIR`")
	f.StringVar(&s.Keep, "keep", "", "convert no weights whose path matches a `pattern`, such as '*.FC2.Weight'")
	f.TextVar(&s.KeepMath, "keep-math", simd.Strict, "compute products with the weights of -keep in `MODE`: strict or bf16")
	f.TextVar(&s.Tables, "tables", simd.Strict, "store embedding tables in `MODE`: strict (float32) or bf16")
	f.StringVar(&s.Data, "data", "", "compare the accuracy of a classifier on the images of a `folder` with one sub-folder for each class")
	f.IntVar(&s.Threads, "threads", 0, "use `N` cores (default: all); results do not depend on it")
	f.BoolVar(&s.JSON, "json", false, "print one JSON value on standard output, and everything else on standard error")
	if err := console.ParseFlags(f, args, stdout, "Converts a model's weights to integers or bfloat16: quantize -model MODEL -out DIR [flags]"); err != nil {
		return s, err
	}
	_, pattern := path.Match(s.Keep, "")
	switch {
	case f.NArg() > 0:
		return s, fmt.Errorf("expected flags only, found %q", f.Arg(0))
	case s.Model == "":
		return s, errors.New("-model: expected a folder with a model; -h lists the flags")
	case s.Out == "":
		return s, errors.New("-out: expected a folder")
	case s.KeepMath != simd.Strict && s.KeepMath != simd.BF16:
		return s, fmt.Errorf("-keep-math: expected strict or bf16, found %v", s.KeepMath)
	case s.Keep == "" && s.KeepMath != simd.Strict:
		return s, fmt.Errorf("-keep-math %v: expected -keep with the weights that it is for", s.KeepMath)
	case s.Tables != simd.Strict && s.Tables != simd.BF16:
		return s, fmt.Errorf("-tables: expected strict or bf16, found %v", s.Tables)
	case pattern != nil:
		return s, fmt.Errorf("-keep: %w: %q", pattern, s.Keep)
	}
	if _, err := os.Stat(s.Out); err == nil {
		return s, fmt.Errorf("-out: %s exists", s.Out)
	}
	return s, console.CheckThreads(s.Threads)
}

// rule is that of the flags.
func (s settings) rule(w quant.Weight) simd.Math {
	math := quant.Blocks(w)
	if kept, _ := path.Match(s.Keep, w.Path); kept && math != simd.Strict {
		return s.KeepMath
	}
	return math
}

// result is the value that -json prints.
type result struct {
	Layers   []layer             `json:"layers"`
	Before   int64               `json:"bytes_before"`
	After    int64               `json:"bytes"`
	Images   int                 `json:"images"`
	Accurate *console.Number     `json:"accuracy_before"`
	Accuracy *console.Number     `json:"accuracy"`
	Math     *console.Arithmetic `json:"math"`
	Out      console.Name        `json:"out"`
}

type layer struct {
	Path   string         `json:"path"`
	Shape  []int          `json:"shape"`
	Math   string         `json:"math"`
	Error  console.Number `json:"error"`
	Before int64          `json:"bytes_before"`
	After  int64          `json:"bytes"`
}

// add adds a weight to the result, and prints it.
func (r *result) add(c *console.Console, w quant.Weight) {
	c.Line("%-50s %-14s %-7s error %.4f  %s, before %s", w.Path, fmt.Sprint(w.Shape), w.Math, w.Error, console.Size(w.After), console.Size(w.Before))
	r.Layers = append(r.Layers, layer{w.Path, w.Shape, w.Math.String(), console.Number(w.Error), w.Before, w.After})
}

// run converts the model, measures it and writes it.
func run(ctx context.Context, s settings, stdout, stderr io.Writer) error {
	return console.Execute(ctx, s.JSON, stdout, stderr, func(c *console.Console) (any, error) {
		return convert(ctx, s, c)
	})
}

func convert(ctx context.Context, s settings, c *console.Console) (*result, error) {
	m, err := open(ctx, s.Model, c)
	if err != nil {
		return nil, err
	}
	m.use(simd.NewWorkers(s.Threads), simd.Strict)
	var images *vision.Folder
	if s.Data != "" {
		if m.accuracy == nil {
			return nil, errors.New("-data: expected a model with a classifier of images in -model")
		}
		if images, err = vision.OpenDir(s.Data, vision.FolderOptions{}); err != nil {
			return nil, fmt.Errorf("-data: %w", err)
		}
	}
	r := &result{Before: quant.Bytes(m.parts), Math: console.ArithmeticOf(simd.Int8), Out: console.Name(s.Out)}
	measure := func() (*console.Number, error) {
		if images == nil {
			return nil, nil
		}
		r.Images = images.Len()
		share, err := m.accuracy(ctx, images)
		if err != nil {
			return nil, fmt.Errorf("-data: %w", err)
		}
		return new(console.Number(share)), nil
	}
	if r.Accurate, err = measure(); err != nil {
		return nil, err
	}
	weights, err := quant.Quantize(m.parts, s.rule)
	if err != nil {
		return nil, err
	}
	converted, kept := 0, 0
	for _, w := range weights {
		if w.Math != simd.Strict {
			converted++
		}
		if match, _ := path.Match(s.Keep, w.Path); match {
			kept++
		}
		r.add(c, w)
	}
	if s.Keep != "" && kept == 0 {
		return nil, fmt.Errorf("-keep: no weight matches %q", s.Keep)
	}
	if converted == 0 {
		return nil, errors.New("no weight is converted: the model has no linear layers in numbered blocks and no convolutions of 16 channels, or -keep names all of them")
	}
	tables, err := quant.Tables(m.parts, func(quant.Weight) simd.Math { return s.Tables })
	if err != nil {
		return nil, err
	}
	if s.Tables == simd.BF16 {
		if len(tables) == 0 {
			return nil, errors.New("-tables: the model has no embedding table")
		}
		for _, w := range tables {
			r.add(c, w)
		}
	}
	r.After = quant.Bytes(m.parts)
	c.Line("all parameters: %s, before %s", console.Size(r.After), console.Size(r.Before))
	m.use(simd.NewWorkers(s.Threads), simd.Int8)
	c.Math(simd.Int8)
	if r.Accuracy, err = measure(); err != nil {
		return nil, err
	}
	if r.Accuracy != nil {
		c.Line("accuracy on %d images: %.2f %%, before %.2f %%", r.Images, 100**r.Accuracy, 100**r.Accurate)
	}
	if err := m.save(s.Out); err != nil {
		return nil, err
	}
	c.Line("written to %s", s.Out)
	return r, nil
}
