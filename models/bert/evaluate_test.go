package bert

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/models"
)

// TestEvaluate counts what Classify answers, text by text.
func TestEvaluate(t *testing.T) {
	ctx := context.Background()
	m := classifierOf(t)
	list := examples()
	list = append(list, Example{Text: strings.Repeat("a long text ", 100), Class: 1}, Example{Class: 0})
	confusion, err := m.Evaluate(ctx, list)
	if err != nil {
		t.Fatal(err)
	}
	m.Truncate = true
	var want [2][2]int
	for _, e := range list {
		p, err := m.Classify(ctx, e.Text)
		if e.Pair != "" {
			p, err = m.ClassifyPairs(ctx, Pair{e.Text, e.Pair})
		}
		if err != nil {
			t.Fatal(err)
		}
		want[e.Class][p[0].Top[0].Index]++
	}
	for label := range 2 {
		for predicted := range 2 {
			if got := confusion.Count(label, predicted); got != want[label][predicted] {
				t.Errorf("label %d, predicted %d: expected %d, found %d", label, predicted, want[label][predicted], got)
			}
		}
	}
	if confusion.Total() != len(list) || strings.Join(confusion.Names, " ") != "bad good" {
		t.Errorf("%d texts of the classes %q", confusion.Total(), confusion.Names)
	}
}

func TestEvaluateErrors(t *testing.T) {
	m := classifierOf(t)
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.Evaluate(canceled, examples()); !errors.Is(err, context.Canceled) {
		t.Errorf("found %v", err)
	}
	for _, c := range []struct {
		want string
		list []Example
		edit func()
	}{
		{"at least one example", nil, func() {}},
		{"example 1: expected a class of 0 to 1, found 2", []Example{{}, {Class: 2}}, func() {}},
		{"example 0: expected a class of 0 to 1, found -1", []Example{{Class: -1}}, func() {}},
		{"one class for a text", examples(), func() { m.Config.Problem = models.MultiLabel }},
		{"no tokenizer", examples(), func() { m.Config.Problem, m.Tokenizer = "", nil }},
		{"expected a model for the task", examples(), func() { m.Task = Features }},
	} {
		c.edit()
		if _, err := m.Evaluate(context.Background(), c.list); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("found %v, expected %q", err, c.want)
		}
	}
}

// TestSimilarities compares the cosines with the products of MiniLM's vectors, which are normalized.
func TestSimilarities(t *testing.T) {
	ctx := context.Background()
	m := classifierOf(t)
	e, err := m.Embedder(EmbedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pairs := []Pair{{"a good day", "a good day"}, {"a good day", "the engine is broken"}, {"", "."}}
	found, err := e.Similarities(ctx, pairs...)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range pairs {
		v, err := e.Embed(ctx, p.First, p.Second)
		if err != nil {
			t.Fatal(err)
		}
		var xx, yy, xy float64
		for k, x := range v[0] {
			y := float64(v[1][k])
			xx, yy, xy = xx+float64(x)*float64(x), yy+y*y, xy+float64(x)*y
		}
		if want := xy / math.Sqrt(xx*yy); math.Abs(float64(found[i])-want) > 1e-5 {
			t.Errorf("pair %d: found %v, expected %v", i, found[i], want)
		}
	}
	if math.Abs(float64(found[0])-1) > 1e-6 || found[1] > 0.999 {
		t.Errorf("found %v", found)
	}
}
