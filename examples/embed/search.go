package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

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
	for l, err := range embed(ctx, e, lines(from, 0, 0)) {
		if err != nil {
			return err
		}
		for i, q := range queries {
			best[i] = keep(best[i], found{l.number, l.text, dot(q, l.vector)}, s.Top)
		}
		progress.At(l.end)
	}
	progress.End()
	return printFound(s, best, stdout)
}

// keep adds a line to the best ones, which are sorted, unless it is worse than all of them. Of equal lines the first
// counts.
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
	Text  string              `json:"text"`
	Lines []jsonLine          `json:"lines"`
	Math  *console.Arithmetic `json:"math,omitempty"`
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
			out[i] = jsonFound{Text: s.Texts[i], Lines: []jsonLine{}, Math: console.ArithmeticOf(s.mode)}
			for _, f := range list {
				out[i].Lines = append(out[i].Lines, jsonLine{f.line, f.text, console.Number(f.score)})
			}
		}
		return console.PrintJSON(stdout, out)
	}
	for i, list := range best {
		console.Title(stdout, i, s.Texts[i])
		for _, f := range list {
			fmt.Fprintf(stdout, "  %6.3f  line %d: %s\n", f.score, f.line, console.Printable(f.text))
		}
	}
	return nil
}
