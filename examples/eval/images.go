package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
)

// measurement is the accuracy of a classifier among all classes of its head.
type measurement struct {
	Images       int               `json:"images"`
	Labels       int               `json:"labels"` // classes of the head
	Top1         console.Number    `json:"top1"`
	Top1Interval [2]console.Number `json:"top1_interval"`
	Top5         console.Number    `json:"top5"`
	Top5Interval [2]console.Number `json:"top5_interval"`
	Chance       console.Number    `json:"chance_top1"`
	Classes      []classResult     `json:"classes"`
	Published    *published        `json:"published"`
	Throughput   console.Number    `json:"images_per_second"`
}

// classResult is the accuracy on the images of one folder.
type classResult struct {
	Folder string         `json:"folder"`
	Label  string         `json:"label"`
	Index  int            `json:"index"`
	By     string         `json:"matched_by"` // of the folder
	Images int            `json:"images"`
	Top1   console.Number `json:"top1"`
	Top5   console.Number `json:"top5"`

	first, five int // right images
}

// measureImages classifies the images of a folder with a sub-folder for each class.
func (e *evaluation) measureImages(ctx context.Context) (*measurement, error) {
	m := e.classifier
	folder, err := vision.OpenDir(e.settings.Data, vision.FolderOptions{AllowOneClass: true, Decode: decode})
	if err != nil {
		return nil, err
	}
	given, err := readMap(e.settings.Map)
	if err != nil {
		return nil, err
	}
	labels := m.Config.LabelsOf(m.Head.Weight.Shape()[0])
	classes, by, err := matchClasses(folder.Classes(), labels, given)
	if err != nil {
		return nil, fmt.Errorf("-data: %w", err)
	}
	out := &measurement{Labels: len(labels), Chance: console.Number(1 / float64(len(labels)))}
	for i, name := range folder.Classes() {
		out.Classes = append(out.Classes, classResult{Folder: name, Label: labels[classes[i]], Index: classes[i], By: by[i]})
	}
	loader := &vision.Loader{Data: folder, Preprocess: m.Preprocess, OnError: e.policy(), Goroutines: e.settings.Threads}
	progress := e.console.Phase("classifying", console.Files, int64(folder.Len()))
	defer progress.End()
	began, five := time.Now(), min(5, len(labels))
	err = train.Evaluate(ctx, loader, autograd.Options{Workers: m.Workers, Math: m.Math}, func(t *autograd.Tape, b *vision.Batch) error {
		logits := m.Forward(t.Input(b.Pixels, b.Shape()...)).Floats(nil)
		for i, label := range b.Labels {
			row, want := logits[i*len(labels):(i+1)*len(labels)], []int{classes[label]}
			c := &out.Classes[label]
			c.Images++
			c.first += metrics.Correct(row, want, 1)
			c.five += metrics.Correct(row, want, five)
		}
		out.Images += b.Len()
		progress.At(int64(out.Images))
		return nil
	})
	e.skipped = append(e.skipped, loader.Skipped()...)
	if err == nil && out.Images == 0 {
		err = errors.New("no image can be read")
	}
	if err != nil {
		return nil, fmt.Errorf("-data: %w", e.advise(err))
	}
	out.Throughput = console.Number(float64(out.Images) / time.Since(began).Seconds())
	out.finish()
	if len(labels) == imageNetClasses {
		out.Published = findPublished(e.names)
	}
	return out, nil
}

const imageNetClasses = 1000

// finish sums the classes up.
func (m *measurement) finish() {
	first, five := 0, 0
	for i := range m.Classes {
		c := &m.Classes[i]
		c.Top1, c.Top5 = share(c.first, c.Images), share(c.five, c.Images)
		first, five = first+c.first, five+c.five
	}
	interval := func(n int) [2]console.Number {
		low, high := metrics.Interval(n, m.Images)
		return [2]console.Number{console.Number(low), console.Number(high)}
	}
	m.Top1, m.Top1Interval = share(first, m.Images), interval(first)
	m.Top5, m.Top5Interval = share(five, m.Images), interval(five)
}

// share is NaN, in JSON null, for no images.
func share(right, n int) console.Number { return console.Number(float32(right) / float32(n)) }

// matched says how the folders were matched with classes.
func (m *measurement) matched() string {
	var parts []string
	for _, by := range []string{byMap, byName, bySynset, byNumber} {
		n := 0
		for _, c := range m.Classes {
			if c.By == by {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%s: %d", by, n))
		}
	}
	return strings.Join(parts, ", ")
}

// print writes the accuracies, and the classes with the lowest.
func (m *measurement) print(w io.Writer) {
	fmt.Fprintf(w, "accuracy on %s of %s, among the model's %d:\n", count(m.Images, "image"), count(len(m.Classes), "class"), m.Labels)
	fmt.Fprintf(w, "  folders matched by %s\n", m.matched())
	row := func(what string, x console.Number, interval [2]console.Number) {
		fmt.Fprintf(w, "  %-12s %5.1f %%   (95 %% sure: %.1f to %.1f %%)\n", what, 100*float64(x), 100*float64(interval[0]), 100*float64(interval[1]))
	}
	row("top-1", m.Top1, m.Top1Interval)
	row("top-5", m.Top5, m.Top5Interval)
	fmt.Fprintf(w, "  %-12s %5.1f %%\n", "guessing", 100*float64(m.Chance))
	if p := m.Published; p != nil {
		five := ""
		if p.Top5 != nil {
			five = fmt.Sprintf(", top-5 %.1f %%", 100*float64(*p.Top5))
		}
		fmt.Fprintf(w, "published for %s on ImageNet's 50,000 validation images of %d pixels (%s): top-1 %.1f %%%s\n", p.Model, p.Size, p.Source, 100*float64(p.Top1), five)
	}
	fmt.Fprintf(w, "%.1f images a second\n", float64(m.Throughput))
	worst := slices.DeleteFunc(slices.Clone(m.Classes), func(c classResult) bool { return c.Images == 0 })
	slices.SortStableFunc(worst, func(a, b classResult) int { return cmp.Compare(a.Top1, b.Top1) })
	const shown = 10
	fmt.Fprintln(w, "top-1 and top-5 of the classes, the lowest first:")
	for _, c := range worst[:min(shown, len(worst))] {
		fmt.Fprintf(w, "  %5.1f %%  %5.1f %%  %s (%s)\n", 100*float64(c.Top1), 100*float64(c.Top5), console.Printable(c.Label), count(c.Images, "image"))
	}
	if n := len(worst) - shown; n > 0 {
		fmt.Fprintf(w, "  and %d more, with -json\n", n)
	}
}
