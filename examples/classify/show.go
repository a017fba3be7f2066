package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/simd"
)

// jsonResult is the JSON form of a result. A model without a classifier has no logits. The last fields belong to -neighbors.
type jsonResult struct {
	Image     console.Name        `json:"image"`
	Logits    []console.Number    `json:"logits"`
	Top       []class             `json:"top"`
	Neighbors []near              `json:"neighbors,omitempty"`
	Vote      string              `json:"vote,omitempty"`
	Math      *console.Arithmetic `json:"math,omitempty"`
}

type class struct {
	Label string         `json:"label"`
	Index int            `json:"index"`
	P     console.Number `json:"p"`
}

type near struct {
	Image      console.Name   `json:"image"`
	Label      string         `json:"label,omitempty"`
	Similarity console.Number `json:"similarity"`
}

func toJSON(r *result, top int, math simd.Math) jsonResult {
	j := jsonResult{Image: console.Name(r.name), Logits: console.Numbers(r.Logits), Top: []class{}, Vote: r.vote, Math: console.ArithmeticOf(math)}
	for _, n := range r.near {
		j.Neighbors = append(j.Neighbors, near{console.Name(n.name), n.label, console.Number(n.similarity)})
	}
	for _, c := range best(r, top) {
		j.Top = append(j.Top, class{Label: c.Label, Index: c.Index, P: console.Number(c.Probability)})
	}
	return j
}

// best returns the most probable classes, at most top of them.
func best(r *result, top int) []models.Class { return r.Top[:min(top, len(r.Top))] }

// printer prints results as text.
type printer struct {
	to   io.Writer
	top  int
	bars bool
	more bool // a result was printed before
}

// width is the length of a full bar (100 %), in characters.
const width = 24

// print prints the file's name, its most probable classes, and its neighbors.
func (s *printer) print(r *result) error {
	var b strings.Builder
	if s.more {
		b.WriteByte('\n')
	}
	s.more = true
	fmt.Fprintf(&b, "%s%s\n", console.Printable(r.name), note(r))
	for _, c := range best(r, s.top) {
		label := console.Printable(c.Label)
		if r.Problem == models.Regression {
			fmt.Fprintf(&b, "  %8.4g  %s\n", c.Probability, label)
			continue
		}
		fmt.Fprintf(&b, "  %5.1f %%  ", 100*c.Probability)
		if s.bars {
			b.WriteString(bar(c.Probability) + "  ")
		}
		b.WriteString(label + "\n")
	}
	if r.vote != "" {
		fmt.Fprintf(&b, "  neighbors: %s\n", console.Printable(r.vote))
	}
	for _, n := range r.near {
		fmt.Fprintf(&b, "  %7.3f  %s\n", n.similarity, console.Printable(n.name))
	}
	_, err := io.WriteString(s.to, b.String())
	return err
}

// note names the kind of the numbers, unless they are the usual one: probabilities of exclusive classes, with sum 1.
func note(r *result) string {
	switch {
	case r.Problem == models.Regression:
		return " (values, not probabilities)"
	case r.Problem == models.MultiLabel && len(r.Top) > 1:
		return " (each class by itself)"
	}
	return ""
}

// bar draws a share as a bar with a resolution of an eighth of a character, padded to the full width.
func bar(share float32) string {
	eighths := max(0, min(int(share*width*8+0.5), width*8))
	whole := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		whole += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return whole + strings.Repeat(" ", width-(eighths+7)/8)
}
