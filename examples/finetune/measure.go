package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/imageset"
	"github.com/fovea-ml/fovea/internal/atomicfile"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/probe"
	"github.com/fovea-ml/fovea/vision"
	"github.com/fovea-ml/fovea/vision/draw"
)

// report holds the results on the test images.
type report struct {
	counts    *metrics.Confusion
	low, high float64 // 95 % confidence interval of the accuracy
	mistakes  []mistake
}

// mistake is a test image whose predicted class is wrong.
type mistake struct {
	image            int // in the test images
	label, predicted int
	p                float64 // of the predicted class
}

// measure compares the logits of the test images with their labels, and writes the mistakes, the most certain first.
func (r *run) measure(logits []float32) (*report, error) {
	c, d := &r.corpus, r.corpus.test.files
	out := &report{counts: c.confusion(logits, d)}
	for i := range d.Len() {
		row := logits[i*len(c.classes) : (i+1)*len(c.classes)]
		if class := metrics.Argmax(row); class != d.Label(i) {
			p := math.Exp(-crossEntropy(row, []int{class}))
			out.mistakes = append(out.mistakes, mistake{i, d.Label(i), class, p})
		}
	}
	slices.SortStableFunc(out.mistakes, func(a, b mistake) int { return cmp.Compare(b.p, a.p) })
	out.low, out.high = metrics.Interval(d.Len()-len(out.mistakes), d.Len())
	err := atomicfile.Write(r.path(mistakesName), func(w io.Writer) error {
		for _, m := range out.mistakes {
			if _, err := fmt.Fprintln(w, r.line(m)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, r.drawMistakes(out.mistakes)
}

// line describes a mistake.
func (r *run) line(m mistake) string {
	c := &r.corpus
	return fmt.Sprintf("%5.1f %%  %s  for %s: %s", 100*m.p, console.Printable(c.classes[m.predicted]), console.Printable(c.classes[m.label]), console.Printable(c.test.files.Name(m.image)))
}

// drawMistakes writes a contact sheet of the most certain mistakes. Without mistakes there is none, and that of an earlier run is removed.
func (r *run) drawMistakes(list []mistake) error {
	const most, columns, side = 24, 6, 128
	if len(list) == 0 {
		if err := os.Remove(r.path(sheetName)); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	o := draw.GridOptions{Columns: columns, Gap: 6}
	var images []*vision.Image
	for _, m := range list[:min(most, len(list))] {
		img, err := r.corpus.test.files.Open(m.image)
		if err != nil {
			return err
		}
		scale := side / float64(max(img.Width, img.Height))
		if img, err = vision.Resize(img.RGB(), max(1, int(float64(img.Height)*scale)), max(1, int(float64(img.Width)*scale)), vision.Bicubic); err != nil {
			return err
		}
		images = append(images, img)
		o.Captions = append(o.Captions, fmt.Sprintf("%s, not %s", r.corpus.classes[m.label], r.corpus.classes[m.predicted]))
	}
	sheet, err := draw.Grid(images, o)
	if err != nil {
		return err
	}
	return vision.SavePNG(r.path(sheetName), sheet)
}

// majority returns the accuracy of naming the largest class of the training images.
func (c *corpus) majority() float64 {
	counts := imageset.Counts(c.train.files)
	largest := slices.Index(counts, slices.Max(counts))
	return float64(imageset.Counts(c.test.files)[largest]) / float64(c.test.files.Len())
}

// baseline returns the test accuracy of logistic regression on pixels. The validation images choose the strength of its
// penalty.
func (r *run) baseline(ctx context.Context) (float64, error) {
	c := &r.corpus
	side := 32
	for side > 8 && c.train.files.Len()*len(c.classes)*3*side*side > 1e8 { // a step of a fit takes some 0.1 s
		side /= 2
	}
	p := imageset.Small(r.model.Preprocess, side)
	pixels := func(what string, d vision.Dataset) ([]float32, error) {
		loader := &vision.Loader{Data: d, Preprocess: p, Goroutines: r.settings.Threads}
		return imageset.Rows(ctx, r.console, what, loader, autograd.Options{Workers: r.model.Workers}, func(x *autograd.Tensor) *autograd.Tensor { return x })
	}
	known, err := pixels("reading pixels", c.train.kept)
	if err != nil {
		return 0, err
	}
	held, err := pixels("reading pixels", c.validation.kept)
	if err != nil {
		return 0, err
	}
	asked, err := pixels("reading pixels", c.test.files)
	if err != nil {
		return 0, err
	}
	show := r.console.Phase("fitting logistic regression on pixels", console.Steps, 3)
	defer show.End()
	most, share := -1.0, 0.0
	for i, strength := range []float64{0.01, 0.1, 1} {
		fitted, err := probe.FitLogistic(ctx, known, imageset.Labels(c.train.kept), len(c.classes), probe.LogisticOptions{C: strength, Tolerance: 1e-3, Workers: r.model.Workers})
		if err != nil {
			return 0, err
		}
		if a := metrics.Accuracy(fitted.Logits(held), imageset.Labels(c.validation.kept)); a > most {
			most, share = a, metrics.Accuracy(fitted.Logits(asked), imageset.Labels(c.test.files))
		}
		show.At(int64(i + 1))
	}
	return share, nil
}
