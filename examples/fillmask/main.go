package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/fetch"
	"github.com/fovea-ml/fovea/models/bert"
	"github.com/fovea-ml/fovea/simd"
)

func main() {
	os.Exit(command(os.Args[1:], os.Stdout, os.Stderr))
}

// command runs the program and returns its exit status.
func command(args []string, stdout, stderr io.Writer) int {
	return console.Run("fillmask", args, stdout, stderr, parse, run)
}

// settings are the values of the flags.
type settings struct {
	Model   string
	Top     int
	Threads int
	Math    console.MathFlag
	JSON    bool
	Texts   []string
}

// parse reads the flags.
func parse(args []string, stdout io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet("fillmask", flag.ContinueOnError)
	f.StringVar(&s.Model, "model", "", "BERT or a variant with a head for masked words: a `folder` of transformers, or owner/name on the hub")
	f.IntVar(&s.Top, "top", 5, "show the `N` most probable words")
	f.IntVar(&s.Threads, "threads", 0, "use `N` cores (default: all); results do not depend on it")
	f.Var(&s.Math, "math", console.MathUsage)
	f.BoolVar(&s.JSON, "json", false, "print one JSON value on standard output")
	if err := console.ParseFlags(f, args, stdout, "Predicts the words of the masks in texts: fillmask -model MODEL [flags] TEXT..."); err != nil {
		return s, err
	}
	s.Texts = f.Args()
	switch {
	case s.Model == "":
		return s, errors.New("-model: expected a folder with a BERT; -h lists the flags")
	case s.Top < 1:
		return s, fmt.Errorf("-top: expected at least 1, found %d", s.Top)
	case len(s.Texts) == 0:
		return s, errors.New("expected texts after the flags, found none")
	}
	return s, console.CheckThreads(s.Threads)
}

// run fills the masks of all texts.
func run(ctx context.Context, s settings, stdout, stderr io.Writer) error {
	out := console.New(stderr)
	m, err := fetch.Open(ctx, s.Model, out, bert.Open)
	if err != nil {
		return err
	}
	m.Workers = simd.NewWorkers(s.Threads)
	s.Math.Choose(&m.Math, out)
	texts := s.Texts
	if mask := m.MaskToken(); mask != "" && mask != "[MASK]" {
		texts = make([]string, len(s.Texts))
		for i, t := range s.Texts {
			texts[i] = strings.ReplaceAll(t, "[MASK]", mask)
		}
	}
	filled, err := m.FillMask(ctx, bert.FillOptions{Top: s.Top}, texts...)
	if err != nil {
		return err
	}
	if s.JSON {
		return console.PrintJSON(stdout, toJSON(s.Texts, filled, m.Math))
	}
	for i, f := range filled {
		console.Title(stdout, i, s.Texts[i])
		for n, words := range f.Masks {
			if len(f.Masks) > 1 {
				fmt.Fprintf(stdout, "mask %d\n", n+1)
			}
			for _, w := range words {
				console.Share(stdout, w.Probability, w.Text)
			}
		}
	}
	return nil
}

type jsonFilled struct {
	Text  string              `json:"text"`
	Masks [][]jsonWord        `json:"masks"`
	Math  *console.Arithmetic `json:"math,omitempty"`
}

type jsonWord struct {
	Token string         `json:"token"`
	ID    int            `json:"id"`
	P     console.Number `json:"p"`
}

func toJSON(texts []string, filled []bert.Filled, math simd.Math) []jsonFilled {
	out := make([]jsonFilled, len(filled))
	for i, f := range filled {
		out[i].Text, out[i].Math = texts[i], console.ArithmeticOf(math)
		for _, words := range f.Masks {
			mask := []jsonWord{}
			for _, w := range words {
				mask = append(mask, jsonWord{w.Text, w.ID, console.Number(w.Probability)})
			}
			out[i].Masks = append(out[i].Masks, mask)
		}
	}
	return out
}
