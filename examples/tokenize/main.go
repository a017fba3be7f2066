package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/examples/internal/console"
)

func main() {
	os.Exit(command(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// command runs the program and returns its exit status.
func command(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return console.Run("tokenize", args, stdout, stderr, parse, func(ctx context.Context, s settings, stdout, stderr io.Writer) error {
		return run(ctx, s, stdin, stdout, stderr)
	})
}

// settings are the values of the flags.
type settings struct {
	Model     string
	Pair      bool
	NoSpecial bool
	JSON      bool
	IDs       bool
	Count     bool
	Lines     bool
	Threads   int
	Train     int
	Kind      string
	Out       string
	Args      []string // texts, ids or files
}

const about = `Shows the tokens of texts, and counts the tokens of files.

  tokenize -model MODEL [flags] TEXT...
  tokenize -model MODEL -ids ID...
  tokenize -model MODEL -count FILE...
  tokenize -train SIZE -kind KIND -out FILE FILE...

Without texts, ids or files it reads standard input.`

// parse reads the flags.
func parse(args []string, stdout io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet("tokenize", flag.ContinueOnError)
	f.StringVar(&s.Model, "model", "", "tokenizer: a `folder` in the layout of Hugging Face, a tokenizer.json, vocab.txt or SentencePiece file, or owner/name on the hub")
	f.BoolVar(&s.Pair, "pair", false, "each two texts are a pair")
	f.BoolVar(&s.NoSpecial, "no-special", false, "leave out special tokens around a text, and in the text of -ids")
	f.BoolVar(&s.JSON, "json", false, "print one JSON value on standard output")
	f.BoolVar(&s.IDs, "ids", false, "the arguments are ids: print their text")
	f.BoolVar(&s.Count, "count", false, "the arguments are files: count their tokens")
	f.BoolVar(&s.Lines, "lines", false, "with -count: each line is a text, without its line break")
	f.IntVar(&s.Threads, "threads", 0, "use `N` cores (default: all); results do not depend on it")
	f.IntVar(&s.Train, "train", 0, "the arguments are files: make a vocabulary of `N` tokens from their lines")
	f.StringVar(&s.Kind, "kind", "", "with -train: the `kind` of model: bpe, wordpiece or unigram")
	f.StringVar(&s.Out, "out", "", "with -train: write the tokenizer to this `file`")
	if err := console.ParseFlags(f, args, stdout, about); err != nil {
		return s, err
	}
	s.Args = f.Args()
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	training := given["train"]
	var modes []string
	for _, name := range []string{"pair", "ids", "count", "train"} {
		if given[name] {
			modes = append(modes, "-"+name)
		}
	}
	switch {
	case len(modes) > 1:
		return s, fmt.Errorf("expected one of -pair, -ids, -count and -train, found %s", strings.Join(modes, " and "))
	case s.Lines && !s.Count:
		return s, errors.New("-lines needs -count")
	case !training && (given["kind"] || given["out"]):
		return s, errors.New("-kind and -out need -train")
	case training && given["model"]:
		return s, errors.New("expected one of -model and -train, found both")
	case training:
		if err := s.checkTraining(); err != nil {
			return s, err
		}
	case s.Model == "":
		return s, errors.New("-model: expected a folder with a tokenizer; -h lists the flags")
	case s.Pair && (len(s.Args) == 0 || len(s.Args)%2 > 0):
		return s, fmt.Errorf("-pair: expected two texts for each pair, found %d", len(s.Args))
	}
	return s, console.CheckThreads(s.Threads)
}

// run does what the flags ask for.
func run(ctx context.Context, s settings, stdin io.Reader, stdout, stderr io.Writer) error {
	out := console.New(stderr)
	if s.Train > 0 {
		return trainFiles(ctx, s, stdin, stdout, out)
	}
	t, err := open(ctx, s.Model, out)
	if err != nil {
		return fmt.Errorf("-model: %w", err)
	}
	if s.Count {
		return count(ctx, t, s, stdin, stdout, stderr)
	}
	if len(s.Args) == 0 {
		text, err := readAll(ctx, stdin)
		if err != nil {
			return err
		}
		s.Args = []string{strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")}
	}
	if s.IDs {
		ids, err := parseIDs(s.Args)
		if err != nil {
			return err
		}
		return decode(t, ids, s, stdout)
	}
	return show(t, s, stdout)
}

// readAll reads standard input. It does not wait after Ctrl-C.
func readAll(ctx context.Context, stdin io.Reader) (string, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		data, err := io.ReadAll(stdin)
		done <- result{data, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return "", fmt.Errorf("standard input: %w", r.err)
		}
		return string(r.data), nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// parseIDs reads ids with spaces, commas or brackets around them, as programs print lists.
func parseIDs(args []string) ([]int, error) {
	ids := []int{}
	for _, field := range strings.FieldsFunc(strings.Join(args, " "), func(r rune) bool { return strings.ContainsRune(" ,[]\n\r\t", r) }) {
		id, err := strconv.Atoi(field)
		if err != nil || id < 0 {
			return nil, fmt.Errorf("-ids: expected numbers of at least 0, found %q", field)
		}
		ids = append(ids, id)
	}
	return ids, nil
}
