package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/models/bert"
)

// found is a line of the file and its similarity to a text.
type found struct {
	line  int
	text  string
	score float64
}

// search reads the lines of the file and prints those that are most similar to each text.
func search(ctx context.Context, e *bert.Embedder, s settings, queries [][]float32, stdin io.Reader, stdout io.Writer, out *console.Console) error {
	from, size := stdin, int64(0)
	if s.File != "-" {
		f, err := os.Open(s.File)
		if err != nil {
			return fmt.Errorf("-file: %w", err)
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil {
			size = info.Size()
		}
		from = f
	}
	progress := out.Phase("reading", console.Bytes, size)
	defer progress.End()
	best := make([][]found, len(queries))
	done, number := int64(0), 0
	var waiting []string // lines whose vectors are to come
	for vector, err := range e.Stream(ctx, func(yield func(string, error) bool) {
		for text, err := range lines(from) {
			waiting = append(waiting, text)
			if !yield(text, err) {
				return
			}
		}
	}) {
		if err != nil {
			return err
		}
		text := waiting[0]
		waiting = waiting[1:]
		number++
		for i, q := range queries {
			best[i] = keep(best[i], found{number, text, dot(q, vector)}, s.Top)
		}
		done += int64(len(text)) + 1
		progress.At(done)
	}
	progress.End()
	return printFound(s, best, stdout)
}

// lines yields the lines of a file without their line breaks.
func lines(r io.Reader) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		b := bufio.NewReaderSize(r, 1<<16)
		for {
			line, err := b.ReadString('\n')
			if line != "" && !yield(strings.TrimRight(line, "\r\n"), nil) {
				return
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					yield("", err)
				}
				return
			}
		}
	}
}

// keep adds a line to the best ones, which are sorted, unless it is worse than all of them. Of equal lines the first counts.
func keep(best []found, f found, top int) []found {
	at := len(best)
	for at > 0 && worse(best[at-1].score, f.score) {
		at--
	}
	if at == top {
		return best
	}
	best = slices.Insert(best, at, f)
	return best[:min(len(best), top)]
}

// worse orders scores. One that is not a number is the worst.
func worse(a, b float64) bool { return a < b || math.IsNaN(a) && !math.IsNaN(b) }

type jsonFound struct {
	Text  string     `json:"text"`
	Lines []jsonLine `json:"lines"`
}

type jsonLine struct {
	Line  int            `json:"line"`
	Text  string         `json:"text"`
	Score console.Number `json:"score"`
}

// printFound prints the best lines for each text.
func printFound(s settings, best [][]found, stdout io.Writer) error {
	if s.JSON {
		out := make([]jsonFound, len(best))
		for i, list := range best {
			out[i] = jsonFound{Text: s.Texts[i], Lines: []jsonLine{}}
			for _, f := range list {
				out[i].Lines = append(out[i].Lines, jsonLine{f.line, f.text, console.Number(f.score)})
			}
		}
		return console.PrintJSON(stdout, out)
	}
	for i, list := range best {
		if i > 0 {
			fmt.Fprintln(stdout)
		}
		fmt.Fprintln(stdout, console.Printable(s.Texts[i]))
		for _, f := range list {
			fmt.Fprintf(stdout, "  %6.3f  line %d: %s\n", f.score, f.line, console.Printable(f.text))
		}
	}
	return nil
}
