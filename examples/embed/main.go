package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

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
	return console.Run("embed", args, stdout, stderr, parse, func(ctx context.Context, s settings, stdout, stderr io.Writer) error {
		return run(ctx, s, stdin, stdout, stderr)
	})
}

// settings are the values of the flags.
type settings struct {
	Model   string
	File    string
	Index   string
	Among   ranges
	Forget  ranges
	Top     int
	Prompt  string
	Passage string
	Dim     int
	Threads int
	Math    console.MathFlag
	JSON    bool
	Texts   []string

	mode simd.Math // of the model
}

// parse reads the flags.
func parse(args []string, stdout io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet("embed", flag.ContinueOnError)
	f.StringVar(&s.Model, "model", "", "BERT or a variant: a `folder` of transformers or sentence-transformers, or owner/name on the hub")
	f.StringVar(&s.File, "file", "", "search the lines of a `file`, or of standard input for -")
	f.StringVar(&s.Index, "index", "", "with -file: keep the vectors of its lines in a `folder`, and embed only lines that are new")
	f.Var(&s.Among, "among", "with -index: search these `lines` alone, such as 7,12-20")
	f.Var(&s.Forget, "forget", "with -index: remove these `lines` from the index")
	f.IntVar(&s.Top, "top", 5, "with -file: show the `N` most similar lines")
	f.StringVar(&s.Prompt, "prompt", "", "the `name` of the model's prompt to put before each text (default: the model's default)")
	f.StringVar(&s.Passage, "passage-prompt", "", "with -file: the `name` of the prompt to put before each line")
	f.IntVar(&s.Dim, "dim", 0, "keep the first `N` values of each vector (default: the model's choice)")
	f.IntVar(&s.Threads, "threads", 0, "use `N` cores (default: all); results do not depend on it")
	f.Var(&s.Math, "math", console.MathUsage)
	f.BoolVar(&s.JSON, "json", false, "print one JSON value on standard output")
	if err := console.ParseFlags(f, args, stdout, "Turns texts into vectors, and searches a text file by meaning: embed -model MODEL [-file FILE] [flags] TEXT..."); err != nil {
		return s, err
	}
	s.Texts = f.Args()
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	switch {
	case s.Model == "":
		return s, errors.New("-model: expected a folder with a text encoder; -h lists the flags")
	case len(s.Texts) == 0 && s.Index == "":
		return s, errors.New("expected texts after the flags, found none")
	case s.File == "" && (given["top"] || given["passage-prompt"]):
		return s, errors.New("-top and -passage-prompt need -file")
	case s.Index != "" && (s.File == "" || s.File == "-"):
		return s, errors.New("-index needs a -file that can be read again")
	case s.Index == "" && (s.Among != nil || s.Forget != nil):
		return s, errors.New("-among and -forget need -index")
	case s.Top < 1:
		return s, fmt.Errorf("-top: expected at least 1, found %d", s.Top)
	case s.Dim < 0:
		return s, fmt.Errorf("-dim: expected at least 0, found %d", s.Dim)
	}
	return s, console.CheckThreads(s.Threads)
}

// run embeds the texts, and searches the file if there is one.
func run(ctx context.Context, s settings, stdin io.Reader, stdout, stderr io.Writer) error {
	out := console.New(stderr)
	m, err := fetch.Open(ctx, s.Model, out, bert.Open)
	if err != nil {
		return err
	}
	m.Workers = simd.NewWorkers(s.Threads)
	s.Math.Choose(&m.Math, out)
	s.mode = m.Math
	e, err := m.Embedder(bert.EmbedOptions{PromptName: s.Prompt, Dim: s.Dim, Normalize: s.File != ""})
	if err != nil {
		return err
	}
	vectors, err := e.Embed(ctx, s.Texts...)
	if err != nil {
		return err
	}
	if s.File == "" {
		return show(ctx, e, s, vectors, stdout)
	}
	lines, err := m.Embedder(bert.EmbedOptions{PromptName: s.Passage, Dim: s.Dim, Normalize: true})
	if err != nil {
		return err
	}
	if s.Index != "" {
		return searchSaved(ctx, lines, s, vectors, stdout, out)
	}
	return search(ctx, lines, s, vectors, stdin, stdout, out)
}
