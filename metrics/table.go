package metrics

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// String returns the counts as a table, a row for each label and a column for each prediction, with recall, precision
// and F1 in percent. A row begins with the number and the name of its class, a column with the number. It panics when
// there are Names, but not one for each class.
func (c *Confusion) String() string {
	if c.Names != nil && len(c.Names) != c.classes {
		panic(fmt.Sprintf("metrics: expected %d names, one for each class, found %d", c.classes, len(c.Names)))
	}
	head := []string{""}
	for class := range c.classes {
		head = append(head, strconv.Itoa(class))
	}
	rows := [][]string{append(head, "recall", "precision", "F1")}
	for label := range c.classes {
		name := strconv.Itoa(label)
		if c.Names != nil {
			name += " " + c.Names[label]
		}
		row := []string{name}
		for _, count := range c.row(label) {
			row = append(row, strconv.Itoa(count))
		}
		for _, share := range []float64{c.Recall(label), c.Precision(label), c.F1(label)} {
			row = append(row, fmt.Sprintf("%.1f", 100*share))
		}
		rows = append(rows, row)
	}
	return align(rows)
}

// align joins cells to lines: the first column to the left, the others to the right, two spaces apart.
func align(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			gap := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				b.WriteString(cell + gap)
			} else {
				b.WriteString("  " + gap + cell)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}
