package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/text"
)

// tally is the size of a file, or of all files.
type tally struct {
	Tokens     int `json:"tokens"`
	Characters int `json:"characters"`
	Bytes      int `json:"bytes"`
}

// fileTally is the tally of a file in JSON.
type fileTally struct {
	File console.Name `json:"file"`
	tally
	err error
}

// count counts the tokens of files, or of standard input, several at a time.
func count(ctx context.Context, t *text.Tokenizer, s settings, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(s.Args) == 0 {
		data, err := readAll(ctx, stdin)
		if err != nil {
			return err
		}
		n, err := countText(ctx, t, data, s.Lines)
		if err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
		return printTallies([]fileTally{{File: "-", tally: n}}, s, stdout)
	}
	files := make([]fileTally, len(s.Args))
	next, done := make(chan int), make(chan int, len(files))
	// A worker in the middle of a large file does not hold up Ctrl-C: nobody waits for the workers.
	for range min(simd.NewWorkers(s.Threads).Limit(), len(files)) {
		go func() {
			for i := range next {
				files[i] = countFile(ctx, t, s.Args[i], s.Lines)
				done <- i
			}
		}()
	}
	go func() {
		defer close(next)
		for i := range files {
			select {
			case next <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	progress := console.New(stderr).Phase("counting", console.Files, int64(len(files)))
	defer progress.End()
	for n := range files {
		select {
		case <-done:
			progress.At(int64(n + 1))
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	progress.End()
	readable := []fileTally{}
	for _, f := range files {
		if f.err != nil {
			fmt.Fprintf(stderr, "tokenize: %s\n", console.OneLine(f.err))
			continue
		}
		readable = append(readable, f)
	}
	if err := printTallies(readable, s, stdout); err != nil {
		return err
	}
	if broken := len(files) - len(readable); broken > 0 {
		return fmt.Errorf("%d of %d files could not be counted", broken, len(files))
	}
	return nil
}

// countFile counts a file.
func countFile(ctx context.Context, t *text.Tokenizer, path string, lines bool) fileTally {
	data, err := readFile(path)
	f := fileTally{File: console.Name(path), err: err}
	if err == nil {
		if f.tally, err = countText(ctx, t, data, lines); err != nil {
			f.err = fmt.Errorf("%s: %w", path, err)
		}
	}
	return f
}

// readFile reads a file.
func readFile(path string) (string, error) {
	if err := checkRegular(path); err != nil {
		return "", err
	}
	data, err := os.ReadFile(path)
	return string(data), err
}

// checkRegular returns an error for pipes and devices. Opening a named pipe would wait, and no signal would end that.
func checkRegular(path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return fmt.Errorf("%s: expected a regular file", path)
	}
	return nil
}

// countText counts the tokens of a text, or of each of its lines.
func countText(ctx context.Context, t *text.Tokenizer, data string, lines bool) (tally, error) {
	n := tally{Characters: utf8.RuneCountInString(data), Bytes: len(data)}
	o := text.Options{NoSpecial: true}
	if !lines {
		e, err := t.Encode(data, o)
		if err == nil {
			n.Tokens = e.Len()
		}
		return n, err
	}
	for line := range strings.Lines(data) {
		if ctx.Err() != nil {
			return n, context.Cause(ctx)
		}
		e, err := t.Encode(strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), o)
		if err != nil {
			return n, err
		}
		n.Tokens += e.Len()
	}
	return n, nil
}

// printTallies prints the tallies and their sum.
func printTallies(files []fileTally, s settings, stdout io.Writer) error {
	total := fileTally{File: "total"}
	for _, f := range files {
		total.Tokens += f.Tokens
		total.Characters += f.Characters
		total.Bytes += f.Bytes
	}
	if s.JSON {
		return console.PrintJSON(stdout, struct {
			Files []fileTally `json:"files"`
			tally
		}{files, total.tally})
	}
	if len(files) != 1 {
		files = append(files, total)
	}
	rows := [][]string{{"tokens", "characters", "a token", "file"}}
	for _, f := range files {
		each := "-"
		if f.Tokens > 0 {
			each = fmt.Sprintf("%.2f", float64(f.Characters)/float64(f.Tokens))
		}
		rows = append(rows, []string{strconv.Itoa(f.Tokens), strconv.Itoa(f.Characters), each, escaped(string(f.File))})
	}
	var b strings.Builder
	table(&b, rows, "rrrl")
	_, err := io.WriteString(stdout, b.String())
	return err
}
