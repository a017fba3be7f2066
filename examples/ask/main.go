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
	os.Exit(command(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// command runs the program and returns its exit status.
func command(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return console.Run("ask", args, stdout, stderr, parse, func(ctx context.Context, s settings, stdout, stderr io.Writer) error {
		return run(ctx, s, stdin, stdout, stderr)
	})
}

// settings are the values of the flags.
type settings struct {
	Model     string
	File      string
	Top       int
	Length    int
	None      bool
	Threads   int
	Math      console.MathFlag
	JSON      bool
	Questions []string
}

// parse reads the flags.
func parse(args []string, stdout io.Writer) (settings, error) {
	var s settings
	f := flag.NewFlagSet("ask", flag.ContinueOnError)
	f.StringVar(&s.Model, "model", "", "BERT or a variant for question answering: a `folder` of transformers, or owner/name on the hub")
	f.StringVar(&s.File, "file", "", "the text `file` that holds the answers, or - for standard input")
	f.IntVar(&s.Top, "top", 3, "show the `N` best answers")
	f.IntVar(&s.Length, "length", 15, "answers have at most `N` tokens")
	f.BoolVar(&s.None, "none", false, "allow the answer that there is none")
	f.IntVar(&s.Threads, "threads", 0, "use `N` cores (default: all); results do not depend on it")
	f.Var(&s.Math, "math", console.MathUsage)
	f.BoolVar(&s.JSON, "json", false, "print one JSON value on standard output")
	if err := console.ParseFlags(f, args, stdout, "Answers questions with parts of a text file: ask -model MODEL -file FILE [flags] QUESTION..."); err != nil {
		return s, err
	}
	s.Questions = f.Args()
	switch {
	case s.Model == "":
		return s, errors.New("-model: expected a folder with a BERT; -h lists the flags")
	case s.File == "":
		return s, errors.New("-file: expected a text file, or - for standard input")
	case s.Top < 1 || s.Length < 1:
		return s, fmt.Errorf("-top and -length: expected at least 1, found %d and %d", s.Top, s.Length)
	case len(s.Questions) == 0:
		return s, errors.New("expected questions after the flags, found none")
	}
	return s, console.CheckThreads(s.Threads)
}

// largest is the size of the largest file, in bytes. Its tokens and windows take a multiple of it in memory.
const largest = 16 << 20

// read returns the text of the file.
func read(name string, stdin io.Reader) (string, error) {
	from := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		defer f.Close()
		from = f
	}
	data, err := io.ReadAll(io.LimitReader(from, largest+1))
	if err == nil && len(data) > largest {
		err = fmt.Errorf("%s: expected at most %d bytes of text, found more", name, largest)
	}
	return string(data), err
}

// run answers all questions.
func run(ctx context.Context, s settings, stdin io.Reader, stdout, stderr io.Writer) error {
	passage, err := read(s.File, stdin)
	if err != nil {
		return fmt.Errorf("-file: %w", err)
	}
	out := console.New(stderr)
	m, err := fetch.Open(ctx, s.Model, out, bert.Open)
	if err != nil {
		return err
	}
	m.Workers = simd.NewWorkers(s.Threads)
	s.Math.Choose(&m.Math, out)
	o := bert.AnswerOptions{Top: s.Top, MaxTokens: s.Length}
	if s.None {
		o.NoAnswer = new(0.0)
	}
	results := []jsonQuestion{}
	for i, q := range s.Questions {
		answers, err := m.Answer(ctx, q, passage, o)
		if err != nil {
			return err
		}
		r := toJSON(q, passage, answers, m.Math)
		if s.JSON {
			results = append(results, r)
			continue
		}
		console.Title(stdout, i, q)
		for _, a := range r.Answers {
			text := "(no answer)"
			if a.Text != "" {
				text = fmt.Sprintf("line %d: %s", a.Line, a.Text)
			}
			console.Share(stdout, a.Score, text)
		}
	}
	if s.JSON {
		return console.PrintJSON(stdout, results)
	}
	return nil
}

type jsonQuestion struct {
	Question string              `json:"question"`
	Answers  []jsonAnswer        `json:"answers"`
	Math     *console.Arithmetic `json:"math,omitempty"`
}

type jsonAnswer struct {
	Text  string         `json:"text"`
	Line  int            `json:"line"`
	Start int            `json:"start"`
	End   int            `json:"end"`
	Score console.Number `json:"score"`
}

func toJSON(question, passage string, answers []bert.Answer, math simd.Math) jsonQuestion {
	q := jsonQuestion{question, []jsonAnswer{}, console.ArithmeticOf(math)}
	for _, a := range answers {
		j := jsonAnswer{Text: a.Text, Start: a.Start, End: a.End, Score: console.Number(a.Score)}
		if a.Text != "" {
			j.Line = 1 + strings.Count(passage[:a.Start], "\n")
		}
		q.Answers = append(q.Answers, j)
	}
	return q
}
