package main

import (
	"cmp"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/examples/finetune-text/reviews"
	"github.com/fovea-ml/fovea/models/bert"
)

// texts is a part of the data.
type texts struct {
	list   []string
	labels []int
}

// corpus is the data of a run. Nothing is learned from test, and validation chooses the epoch alone.
type corpus struct {
	classes                 []string
	train, validation, test texts
}

// Shares of the rows that are set apart: for testing, and of the rest for validation.
const (
	testShare       = 0.2
	validationShare = 0.1
)

// maxClasses bounds the head, and what a confusion matrix takes. It tells a column of texts or numbers from labels.
const maxClasses = 1000

// load reads the tables of -data and -test, or takes the embedded reviews.
func (r *run) load() error {
	s := &r.settings
	var all, apart []row
	var err error
	if s.Data == "" {
		if all, apart, err = embedded(); err != nil {
			return err
		}
	} else {
		c := columns{s.Text, s.Label}
		if all, err = readTable(s.Data, c); err != nil {
			return fmt.Errorf("-data: %w", err)
		}
		if s.Test != "" {
			if apart, err = readTable(s.Test, c); err != nil {
				return fmt.Errorf("-test: %w", err)
			}
		}
	}
	classes := classesOf(all)
	if len(classes) < 2 || len(classes) > maxClasses {
		return fmt.Errorf("-data: %s: expected 2 to %d labels, found %d different ones in the column %q (-label names another)", s.Data, maxClasses, len(classes), s.Label)
	}
	r.corpus.classes = classes
	rest, err := r.corpus.texts(all)
	if err != nil {
		return err
	}
	if apart == nil {
		if rest, r.corpus.test, err = rest.split(len(classes), testShare, s.Seed); err != nil {
			return err
		}
	} else if r.corpus.test, err = r.corpus.texts(apart); err != nil {
		return fmt.Errorf("-test: %s: %w", s.Test, err)
	}
	r.corpus.train, r.corpus.validation, err = rest.split(len(classes), validationShare, s.Seed+1)
	if err == nil && (len(r.corpus.test.list) == 0 || len(r.corpus.validation.list) == 0) {
		err = fmt.Errorf("-data: %s: no label has enough rows to set one apart for validation and testing: expected at least 3 with the same label", s.Data)
	}
	return err
}

// embedded returns the movie reviews.
func embedded() (train, test []row, err error) {
	a, b, err := reviews.Load()
	if err != nil {
		return nil, nil, err
	}
	rows := func(list []reviews.Review) (out []row) {
		for i, r := range list {
			out = append(out, row{r.Text, r.Label, i + 2})
		}
		return out
	}
	return rows(a), rows(b), nil
}

// classesOf returns the labels in order: of numbers if all are, otherwise of texts.
func classesOf(rows []row) []string {
	seen := map[string]bool{}
	var list []string
	numbers := true
	for _, r := range rows {
		if !seen[r.label] {
			seen[r.label] = true
			list = append(list, r.label)
			_, err := strconv.Atoi(r.label)
			numbers = numbers && err == nil
		}
	}
	slices.SortFunc(list, func(a, b string) int {
		if numbers {
			x, _ := strconv.Atoi(a)
			y, _ := strconv.Atoi(b)
			if x != y {
				return cmp.Compare(x, y)
			}
		}
		return slices.Compare([]byte(a), []byte(b))
	})
	return list
}

// texts converts rows. It returns an error for a label that is no class.
func (c *corpus) texts(rows []row) (t texts, err error) {
	index := map[string]int{}
	for i, name := range c.classes {
		index[name] = i
	}
	for _, r := range rows {
		class, ok := index[r.label]
		if !ok {
			return t, fmt.Errorf("line %d: the label %q is not among those of the training texts, %s", r.line, r.label, quoted(c.classes))
		}
		t.list, t.labels = append(t.list, r.text), append(t.labels, class)
	}
	return t, nil
}

// split sets a share apart, class by class.
func (t texts) split(classes int, share float64, seed uint64) (first, second texts, err error) {
	a, b, err := data.Split(t.labels, classes, share, seed)
	return t.pick(a), t.pick(b), err
}

func (t texts) pick(items []int) (out texts) {
	for _, i := range items {
		out.list, out.labels = append(out.list, t.list[i]), append(out.labels, t.labels[i])
	}
	return out
}

// examples returns the texts for training.
func (t texts) examples() []bert.Example {
	out := make([]bert.Example, len(t.list))
	for i, s := range t.list {
		out[i] = bert.Example{Text: s, Class: t.labels[i]}
	}
	return out
}

// counts returns the number of texts of each class.
func (t texts) counts(classes int) []int {
	n := make([]int, classes)
	for _, l := range t.labels {
		n[l]++
	}
	return n
}

// sum identifies the texts and labels of a run.
func (c *corpus) sum() string {
	h := crc32.NewIEEE()
	fmt.Fprintf(h, "%q\n", c.classes)
	for _, t := range []texts{c.train, c.validation, c.test} {
		for i, s := range t.list {
			fmt.Fprintf(h, "%d %q\n", t.labels[i], s)
		}
	}
	return fmt.Sprintf("%d, %d and %d texts, %08x", len(c.train.list), len(c.validation.list), len(c.test.list), h.Sum32())
}
