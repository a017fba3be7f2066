package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"image"
	"io"
	"os"
	"slices"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/describe"
	"github.com/fovea-ml/fovea/examples/internal/fetch"
	"github.com/fovea-ml/fovea/examples/internal/photo"
	"github.com/fovea-ml/fovea/models/clip"
	"github.com/fovea-ml/fovea/simd"
)

func main() {
	os.Exit(command(os.Args[1:], os.Stdout, os.Stderr))
}

// command runs the program and returns its exit status.
func command(args []string, stdout, stderr io.Writer) int {
	return console.Run("zeroshot", args, stdout, stderr, parse, run)
}

// settings are the values of the flags.
type settings struct {
	Model   string
	Images  []string
	Threads int
	Math    console.MathFlag
	JSON    bool
	Texts   []string
}

// parse reads the flags.
func parse(args []string, stdout io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet("zeroshot", flag.ContinueOnError)
	f.StringVar(&s.Model, "model", "", "CLIP: a `folder` in the layout of Hugging Face or open_clip, OpenAI's archive, or owner/name on the hub")
	f.Func("image", "image `file`; may be given several times", func(name string) error {
		s.Images = append(s.Images, name)
		return nil
	})
	f.IntVar(&s.Threads, "threads", 0, "use `N` cores (default: all); results do not depend on it")
	f.Var(&s.Math, "math", console.MathUsage)
	f.BoolVar(&s.JSON, "json", false, "print one JSON value on standard output")
	if err := console.ParseFlags(f, args, stdout, "Says which text describes an image: zeroshot -model MODEL -image FILE [flags] TEXT..."); err != nil {
		return s, err
	}
	s.Texts = f.Args()
	switch {
	case s.Model == "":
		return s, errors.New("-model: expected a folder with a CLIP model; -h lists the flags")
	case len(s.Images) == 0:
		return s, errors.New("-image: expected an image file, found none")
	case len(s.Texts) == 0:
		return s, errors.New("expected texts after the flags, found none")
	}
	return s, console.CheckThreads(s.Threads)
}

// answer is the result in JSON.
type answer struct {
	Logits [][]console.Number  `json:"logits_per_image"`
	Probs  [][]console.Number  `json:"probs"`
	Images [][]console.Number  `json:"image_embeds"`
	Texts  [][]console.Number  `json:"text_embeds"`
	Math   *console.Arithmetic `json:"math,omitempty"`
}

// run compares the images with the texts.
func run(ctx context.Context, s settings, stdout, stderr io.Writer) error {
	out := console.New(stderr)
	m, err := fetch.Open(ctx, s.Model, out, clip.Open)
	if err != nil {
		return err
	}
	if m.PreprocessAssumed {
		out.Line("%s", describe.Assumed(&m.Preprocess))
	}
	m.Workers = simd.NewWorkers(s.Threads)
	s.Math.Choose(&m.Math, out)
	var images []image.Image
	for _, name := range s.Images {
		img, err := photo.Read(name)
		if err != nil {
			return err
		}
		images = append(images, img)
	}
	photographs, err := m.EncodeImages(ctx, images...)
	if err != nil {
		return err
	}
	words, err := m.EncodeTexts(ctx, s.Texts...)
	if err != nil {
		return err
	}
	logits := m.Logits(photographs, words)
	probs := m.Probabilities(logits)
	if s.JSON {
		return console.PrintJSON(stdout, answer{numbers(logits), numbers(probs), numbers(photographs), numbers(words), console.ArithmeticOf(m.Math)})
	}
	for i, row := range logits {
		console.Title(stdout, i, s.Images[i])
		order := make([]int, len(row))
		for k := range order {
			order[k] = k
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(row[b], row[a]) })
		for _, k := range order {
			console.Share(stdout, probs[i][k], s.Texts[k])
		}
	}
	return nil
}

func numbers(rows [][]float32) [][]console.Number {
	out := make([][]console.Number, len(rows))
	for i, row := range rows {
		out[i] = console.Numbers(row)
	}
	return out
}
