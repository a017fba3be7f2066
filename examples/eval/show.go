package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/examples/internal/console"
)

// results are the values that -json prints.
type results struct {
	Model          console.Name        `json:"model"`
	Classifier     *measurement        `json:"classifier"`
	Classification *classification     `json:"classification"`
	Retrieval      *retrieval          `json:"retrieval"`
	Skipped        []skipped           `json:"skipped"`
	Math           *console.Arithmetic `json:"math,omitempty"`
}

// skipped is an image or pair that was left out.
type skipped struct {
	Name  console.Name `json:"name"`
	Error string       `json:"error"`
}

// print writes the results as text.
func (r *results) print(w io.Writer) {
	row := func(what string, share console.Number) {
		fmt.Fprintf(w, "  %-52s %5.1f %%\n", what, 100*float64(share))
	}
	if r.Classifier != nil {
		r.Classifier.print(w)
	}
	if c := r.Classification; c != nil {
		fmt.Fprintf(w, "accuracy on %d test images of %d classes:\n", c.Test, len(c.Classes))
		row(fmt.Sprintf("zero-shot, %s", count(c.Templates, "template")), c.ZeroShot)
		row(fmt.Sprintf("linear probe, %d training images, C = %.3g", c.Train, float64(c.LinearC)), c.Linear)
		if c.TipAdapter != nil {
			row("Tip-Adapter, keys trained on the same images", *c.TipAdapter)
		}
		row("guessing", c.Chance)
		row("always answering "+console.Printable(c.majority), c.Majority)
	}
	if t := r.Retrieval; t != nil {
		if r.Classification != nil {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "retrieval among %d images and %d captions:   found, and by chance\n", t.Images, t.Texts)
		for _, direction := range []struct {
			what          string
			found, chance recall
		}{{"captions to images", t.ToImage, t.ChanceImages}, {"images to captions", t.ToText, t.ChanceText}} {
			for _, k := range cutoffs {
				name := strconv.Itoa(k)
				fmt.Fprintf(w, "  %-44s %5.1f %%   %5.1f %%\n", direction.what+", recall@"+name, 100*float64(direction.found[name]), 100*float64(direction.chance[name]))
			}
		}
	}
	if len(r.Skipped) > 0 {
		fmt.Fprintf(w, "skipped %d:\n", len(r.Skipped))
		for _, s := range r.Skipped {
			fmt.Fprintf(w, "  %s\n", s.Error)
		}
	}
}

func count(n int, what string) string {
	switch {
	case n != 1 && strings.HasSuffix(what, "s"):
		what += "es"
	case n != 1:
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
