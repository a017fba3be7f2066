package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/photo"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
	"github.com/fovea-ml/fovea/vision/draw"
)

// jsonResult is the JSON form of a result.
type jsonResult struct {
	Image      console.Name        `json:"image"`
	Detections []jsonDetection     `json:"detections"`
	Math       *console.Arithmetic `json:"math,omitempty"`
}

type jsonDetection struct {
	Box       []console.Number   `json:"box"`
	Label     string             `json:"label"`
	Score     console.Number     `json:"score"`
	Landmarks [][]console.Number `json:"landmarks"`
	Track     int                `json:"track,omitempty"`
}

func toJSON(r *result, math simd.Math) jsonResult {
	j := jsonResult{Image: console.Name(r.name), Detections: []jsonDetection{}, Math: console.ArithmeticOf(math)}
	for i, d := range r.found {
		one := jsonDetection{
			Track: r.track(i),
			Box:   console.Numbers([]float32{d.Box.X0, d.Box.Y0, d.Box.X1, d.Box.Y1}),
			Label: d.Label, Score: console.Number(d.Score), Landmarks: [][]console.Number{},
		}
		for _, p := range d.Landmarks {
			one.Landmarks = append(one.Landmarks, console.Numbers(p[:]))
		}
		j.Detections = append(j.Detections, one)
	}
	return j
}

// track returns the number of object i, 0 for none.
func (r *result) track(i int) int {
	if r.tracks == nil {
		return 0
	}
	return r.tracks[i]
}

// label returns the class of object i, and its number where there is one.
func (r *result) label(i int) string {
	if t := r.track(i); t > 0 {
		return fmt.Sprintf("%s %d", r.found[i].Label, t)
	}
	return r.found[i].Label
}

// print prints the name of a file, which has the number i, and what was found in it.
func print(w io.Writer, i int, r *result) error {
	var b strings.Builder
	console.Title(&b, i, r.name)
	if len(r.found) == 0 {
		b.WriteString("  nothing\n")
	}
	for i, d := range r.found {
		fmt.Fprintf(&b, "  %4.2f  %s  from (%.0f, %.0f) to (%.0f, %.0f)\n", d.Score, console.Printable(r.label(i)), d.Box.X0, d.Box.Y0, d.Box.X1, d.Box.Y1)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// drawBoxes writes the image of a result, with boxes around what was found, to its file of -draw.
func drawBoxes(r *result, files *photo.Outputs) error {
	var found []draw.Annotation
	for i, o := range r.found {
		found = append(found, draw.Annotation{Box: draw.Box(o.Box), Label: r.label(i), Score: o.Score, Class: o.Class, Points: o.Landmarks})
	}
	out, err := draw.Annotate(r.image, found)
	if err != nil {
		return fmt.Errorf("-draw: %s: %w", console.Printable(r.name), err)
	}
	return vision.SavePNG(files.Path(r.name), out)
}
