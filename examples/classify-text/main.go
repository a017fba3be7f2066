package main

import (
	"bufio"
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
	os.Exit(command(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// command runs the program and returns its exit status.
func command(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return console.Run("classify-text", args, stdout, stderr, parse, func(ctx context.Context, s settings, stdout, stderr io.Writer) error {
		return run(ctx, s, stdin, stdout, stderr)
	})
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
	f := flag.NewFlagSet("classify-text", flag.ContinueOnError)
	f.StringVar(&s.Model, "model", "", "a classifier of texts, BERT or a variant: a `folder` of transformers, or owner/name on the hub")
	f.IntVar(&s.Top, "top", 3, "show the `N` most probable classes")
	f.IntVar(&s.Threads, "threads", 0, "use `N` cores (default: all); results do not depend on it")
	f.Var(&s.Math, "math", console.MathUsage)
	f.BoolVar(&s.JSON, "json", false, "print one JSON value on standard output")
	if err := console.ParseFlags(f, args, stdout, "Names the classes of texts: classify-text -model MODEL [flags] TEXT..."); err != nil {
		return s, err
	}
	s.Texts = f.Args()
	switch {
	case s.Model == "":
		return s, errors.New("-model: expected a folder with a classifier of texts; -h lists the flags")
	case s.Top < 1:
		return s, fmt.Errorf("-top: expected at least 1, found %d", s.Top)
	}
	return s, console.CheckThreads(s.Threads)
}

// run classifies the texts.
func run(ctx context.Context, s settings, stdin io.Reader, stdout, stderr io.Writer) error {
	out := console.New(stderr)
	m, err := fetch.Open(ctx, s.Model, out, bert.Open)
	if err != nil {
		return err
	}
	m.Truncate, m.Workers = true, simd.NewWorkers(s.Threads)
	s.Math.Choose(&m.Math, out)
	if len(s.Texts) == 0 {
		if s.Texts, err = lines(stdin); err != nil {
			return err
		}
	}
	const some = 256
	results := []jsonText{}
	show := out.Phase("classifying", console.Steps, int64(len(s.Texts)))
	defer show.End()
	for from := 0; from < len(s.Texts); from += some {
		part := s.Texts[from:min(from+some, len(s.Texts))]
		list, err := m.Classify(ctx, part...)
		if err != nil {
			return err
		}
		for i, p := range list {
			if s.JSON {
				results = append(results, toJSON(part[i], p, s.Top, m.Math))
				continue
			}
			fmt.Fprintln(stdout, console.Printable(part[i]))
			for _, class := range p.Top[:min(s.Top, len(p.Top))] {
				fmt.Fprintf(stdout, "  %5.1f %%  %s\n", 100*class.Probability, console.Printable(class.Label))
			}
		}
		show.At(int64(from + len(part)))
	}
	if s.JSON {
		return console.PrintJSON(stdout, results)
	}
	return nil
}

// longest is the size of the longest line, in bytes.
const longest = 16 << 20

// lines returns the lines that are not empty.
func lines(from io.Reader) ([]string, error) {
	var list []string
	scanner := bufio.NewScanner(from)
	scanner.Buffer(nil, longest)
	for scanner.Scan() {
		if line := strings.TrimSpace(scanner.Text()); line != "" {
			list = append(list, line)
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("standard input: line %d: %w", len(list)+1, err)
	}
	return list, nil
}

type jsonText struct {
	Text   string              `json:"text"`
	Logits []console.Number    `json:"logits"`
	Top    []jsonClass         `json:"top"`
	Math   *console.Arithmetic `json:"math,omitempty"`
}

type jsonClass struct {
	Label string         `json:"label"`
	Index int            `json:"index"`
	P     console.Number `json:"p"`
}

func toJSON(text string, p bert.Prediction, top int, math simd.Math) jsonText {
	j := jsonText{text, console.Numbers(p.Logits), []jsonClass{}, console.ArithmeticOf(math)}
	for _, class := range p.Top[:min(top, len(p.Top))] {
		j.Top = append(j.Top, jsonClass{class.Label, class.Index, console.Number(class.Probability)})
	}
	return j
}
