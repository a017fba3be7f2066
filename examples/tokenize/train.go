package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"runtime"
	"strings"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/internal/atomicfile"
	"github.com/fovea-ml/fovea/text"
)

// checkTraining checks the flags of -train.
func (s settings) checkTraining() error {
	switch kind := text.Kind(s.Kind); {
	case s.Train < 1:
		return fmt.Errorf("-train: expected at least 1 token, found %d", s.Train)
	case kind != text.BPE && kind != text.WordPiece && kind != text.Unigram:
		return fmt.Errorf("-kind: expected %s, %s or %s, found %q", text.BPE, text.WordPiece, text.Unigram, s.Kind)
	case s.Out == "":
		return errors.New("-out: expected a file for the tokenizer")
	}
	return nil
}

// trainFiles makes a tokenizer from the lines of files, or of standard input, and writes it.
func trainFiles(ctx context.Context, s settings, stdin io.Reader, stdout io.Writer, out *console.Console) error {
	if s.Threads > 0 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(s.Threads))
	}
	progress := out.Phase("counting words", console.Files, int64(len(s.Args)))
	defer func() { progress.End() }()
	steps := int64(0)
	o := text.TrainOptions{Kind: text.Kind(s.Kind), Size: s.Train, Progress: func(done, total int) {
		if steps++; steps == 1 {
			progress.End()
			progress = out.Phase("making the vocabulary", console.Steps, 0)
		}
		progress.At(steps, fmt.Sprintf("%d tokens of %d", done, total))
	}}
	t, err := text.Train(ctx, readLines(ctx, s.Args, stdin, func(done int) { progress.At(int64(done)) }), o)
	if err != nil {
		return err
	}
	progress.End()
	data, err := t.MarshalJSON()
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(s.Out, data); err != nil {
		return err
	}
	if s.JSON {
		return console.PrintJSON(stdout, struct {
			Out    console.Name `json:"out"`
			Kind   string       `json:"kind"`
			Tokens int          `json:"tokens"`
		}{console.Name(s.Out), s.Kind, t.Size()})
	}
	_, err = fmt.Fprintf(stdout, "%s: %s with %d tokens\n", s.Out, s.Kind, t.Size())
	return err
}

// readLines yields the lines of files, or of standard input, with their line breaks. It calls done after each file.
func readLines(ctx context.Context, files []string, stdin io.Reader, done func(n int)) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if len(files) == 0 {
			data, err := readAll(ctx, stdin)
			if err != nil {
				yield("", err)
			}
			for line := range strings.Lines(data) {
				if !yield(line, nil) {
					return
				}
			}
		}
		for i, path := range files {
			if !fileLines(path, yield) {
				return
			}
			done(i + 1)
		}
	}
}

// fileLines yields the lines of a file. It returns whether to go on.
func fileLines(path string, yield func(string, error) bool) bool {
	if err := checkRegular(path); err != nil {
		return yield("", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return yield("", err)
	}
	defer f.Close()
	for r := bufio.NewReader(f); ; {
		line, err := r.ReadString('\n')
		if line != "" && !yield(line, nil) {
			return false
		}
		switch {
		case errors.Is(err, io.EOF):
			return true
		case err != nil:
			return yield("", err)
		}
	}
}
