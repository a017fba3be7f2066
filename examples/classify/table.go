package main

import (
	"encoding/csv"
	"io"
	"strconv"
)

// table writes results as CSV: a row for each class that is shown, or with -neighbors for each neighbor.
type table struct {
	rows      *csv.Writer
	top       int
	neighbors bool
}

// newTable returns a table with its header.
func newTable(to io.Writer, s settings) *table {
	t := &table{csv.NewWriter(to), s.Top, s.Neighbors != ""}
	header := []string{"image", "rank", "index", "label", "p"}
	if t.neighbors {
		header = []string{"image", "rank", "neighbor", "label", "similarity", "vote"}
	}
	t.rows.Write(header) // errors are kept until flush
	return t
}

// add writes the rows of an image.
func (t *table) add(r *result) error {
	number := func(f float32) string { return strconv.FormatFloat(float64(f), 'g', -1, 32) }
	if t.neighbors {
		for i, n := range r.near {
			t.rows.Write([]string{r.name, strconv.Itoa(i + 1), n.name, n.label, number(n.similarity), r.vote})
		}
	} else {
		for i, c := range best(r, t.top) {
			t.rows.Write([]string{r.name, strconv.Itoa(i + 1), strconv.Itoa(c.Index), c.Label, number(c.Probability)})
		}
	}
	t.rows.Flush()
	return t.rows.Error()
}
