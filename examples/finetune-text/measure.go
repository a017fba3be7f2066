package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/internal/atomicfile"
	"github.com/fovea-ml/fovea/metrics"
)

// report holds the results on the test texts.
type report struct {
	counts    *metrics.Confusion
	low, high float64 // 95 % confidence interval of the accuracy
	mistakes  []mistake
}

// mistake is a test text whose predicted label is wrong.
type mistake struct {
	text             string
	label, predicted int
	p                float32 // of the predicted label
}

// measure classifies the test texts, and writes the wrong ones, the most certain first.
func (r *run) measure(ctx context.Context) (*report, error) {
	t := r.corpus.test
	list, err := r.predict(ctx, t.list)
	if err != nil {
		return nil, err
	}
	out := &report{counts: metrics.NewConfusion(len(r.corpus.classes))}
	out.counts.Names = r.corpus.classes
	for i, p := range list {
		first := p.Top[0]
		if out.counts.Add(t.labels[i], first.Index); first.Index != t.labels[i] {
			out.mistakes = append(out.mistakes, mistake{t.list[i], t.labels[i], first.Index, first.Probability})
		}
	}
	out.low, out.high = metrics.Interval(len(list)-len(out.mistakes), len(list))
	slices.SortStableFunc(out.mistakes, func(a, b mistake) int { return cmp.Compare(b.p, a.p) })
	return out, atomicfile.Write(r.path(mistakesName), func(w io.Writer) error { return r.writeMistakes(w, out.mistakes, 1<<20) })
}

// writeMistakes writes a table of mistakes with texts of at most width characters.
func (r *run) writeMistakes(w io.Writer, list []mistake, width int) error {
	names := r.corpus.classes
	longest := len("predicted")
	for _, s := range names {
		longest = max(longest, len([]rune(s)))
	}
	longest = min(longest, 24)
	cell := func(s string) string { return fmt.Sprintf("%-*s", longest, shorten(s, longest)) }
	if _, err := fmt.Fprintf(w, "      p  %s  %s  text\n", cell("predicted"), cell("label")); err != nil {
		return err
	}
	for _, m := range list {
		if _, err := fmt.Fprintf(w, "%5.1f %%  %s  %s  %s\n", 100*m.p, cell(names[m.predicted]), cell(names[m.label]), shorten(m.text, width)); err != nil {
			return err
		}
	}
	return nil
}

// shorten returns the first characters of a text on one line.
func shorten(s string, most int) string {
	s = console.Printable(strings.Join(strings.Fields(s), " "))
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return s
}

// majority returns the accuracy of naming the largest class of the training texts.
func (c *corpus) majority() float64 {
	counts := c.train.counts(len(c.classes))
	largest := slices.Index(counts, slices.Max(counts))
	return float64(c.test.counts(len(c.classes))[largest]) / float64(len(c.test.list))
}
