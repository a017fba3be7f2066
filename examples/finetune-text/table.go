package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// row is a text and its label, and where it stands.
type row struct {
	text, label string
	line        int
}

// columns are the names of the columns that hold texts and labels.
type columns struct{ text, label string }

// readTable reads the rows of a .csv, .tsv or .jsonl file. An error names the file and the line.
func readTable(name string, c columns) ([]row, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: expected a file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 64<<10)
	if mark, _ := in.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		in.Discard(len(byteOrderMark))
	}
	var rows []row
	switch strings.ToLower(filepath.Ext(name)) {
	case ".csv":
		rows, err = c.readCSV(in)
	case ".tsv":
		rows, err = c.readTSV(in)
	case ".jsonl", ".ndjson":
		rows, err = c.readJSON(in)
	default:
		err = errors.New("expected a name that ends in .csv, .tsv or .jsonl")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s: expected rows with a text and a label, found none", name)
	}
	return rows, nil
}

// byteOrderMark begins the tables that spreadsheets write.
const byteOrderMark = "\ufeff"

// readCSV reads comma-separated values with quotes (RFC 4180).
func (c columns) readCSV(in io.Reader) ([]row, error) {
	r := csv.NewReader(in)
	r.FieldsPerRecord = -1
	return c.read(func() ([]string, int, error) {
		cells, err := r.Read()
		if err != nil {
			return nil, 0, err // it names the line
		}
		line, _ := r.FieldPos(0)
		return cells, line, nil
	})
}

// readTSV reads lines of cells between tabs. Quotes are part of a text, but around a whole cell they are those of a
// spreadsheet.
func (c columns) readTSV(in *bufio.Reader) ([]row, error) {
	line := 0
	return c.read(func() ([]string, int, error) {
		for {
			s, err := readLine(in)
			if err != nil {
				return nil, 0, err
			}
			if line++; s == "" {
				continue
			}
			cells := strings.Split(s, "\t")
			for i, cell := range cells {
				if n := len(cell); n > 1 && cell[0] == '"' && cell[n-1] == '"' {
					if inner := strings.ReplaceAll(cell[1:n-1], `""`, ""); !strings.Contains(inner, `"`) {
						cells[i] = strings.ReplaceAll(cell[1:n-1], `""`, `"`)
					}
				}
			}
			return cells, line, nil
		}
	})
}

// readLine returns a line without its end, or io.EOF.
func readLine(in *bufio.Reader) (string, error) {
	s, err := in.ReadString('\n')
	if err != nil && (err != io.EOF || s == "") {
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r"), nil
}

// read makes rows of the cells that next returns, with their line, until io.EOF. The first ones are the names of the
// columns.
func (c columns) read(next func() ([]string, int, error)) ([]row, error) {
	names, _, err := next()
	if err == io.EOF {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var at [2]int
	for i, want := range []string{c.text, c.label} {
		at[i] = slices.IndexFunc(names, func(s string) bool { return strings.TrimSpace(s) == want })
		if at[i] < 0 {
			at[i] = slices.IndexFunc(names, func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), want) })
		}
		if at[i] < 0 {
			flag := []string{"text", "label"}[i]
			return nil, fmt.Errorf("expected a column %q in the first row, found %s: name the column with -%s", want, quoted(names), flag)
		}
	}
	if at[0] == at[1] {
		return nil, fmt.Errorf("-text and -label name the same column %q", names[at[0]])
	}
	var rows []row
	for {
		cells, line, err := next()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		if len(cells) != len(names) {
			return nil, fmt.Errorf("line %d: expected %d columns, found %d", line, len(names), len(cells))
		}
		r := row{cells[at[0]], strings.TrimSpace(cells[at[1]]), line}
		if err := r.check(c); err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
}

// quoted lists names for an error, a few of them.
func quoted(names []string) string {
	const most = 8
	var list []string
	for _, s := range names[:min(most, len(names))] {
		if len(s) > 40 {
			s = strings.ToValidUTF8(s[:40], "") + "…"
		}
		list = append(list, strconv.Quote(s))
	}
	if len(names) > most {
		list = append(list, fmt.Sprintf("and %d more", len(names)-most))
	}
	return strings.Join(list, ", ")
}

// check returns an error for a row without a text or a label.
func (r row) check(c columns) error {
	switch {
	case !utf8.ValidString(r.text) || !utf8.ValidString(r.label):
		return fmt.Errorf("line %d: expected UTF-8", r.line)
	case strings.TrimSpace(r.text) == "":
		return fmt.Errorf("line %d: the text in the column %q is empty", r.line, c.text)
	case r.label == "":
		return fmt.Errorf("line %d: the label in the column %q is empty", r.line, c.label)
	}
	return nil
}

// readJSON reads a JSON object from each line. A label may be a text, an integer, true or false.
func (c columns) readJSON(in *bufio.Reader) ([]row, error) {
	var rows []row
	for line := 1; ; line++ {
		s, err := readLine(in)
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		if strings.TrimSpace(s) == "" {
			continue
		}
		if !utf8.ValidString(s) {
			return nil, fmt.Errorf("line %d: expected UTF-8", line)
		}
		var object map[string]json.RawMessage
		if err := json.Unmarshal([]byte(s), &object); err != nil || object == nil {
			return nil, fmt.Errorf("line %d: expected a JSON object: %w", line, objectError(err))
		}
		r := row{line: line}
		if err := json.Unmarshal(object[c.text], &r.text); err != nil || object[c.text] == nil {
			return nil, fmt.Errorf("line %d: expected a text in the field %q (-text names it)", line, c.text)
		}
		if r.label, err = labelOf(object[c.label]); err != nil {
			return nil, fmt.Errorf("line %d: the field %q (-label names it): %w", line, c.label, err)
		}
		if err := r.check(c); err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
}

// objectError returns the error, or one that says that null is no object.
func objectError(err error) error {
	if err == nil {
		return errors.New("found null")
	}
	return err
}

// labelOf returns the label that a JSON value stands for.
func labelOf(value json.RawMessage) (string, error) {
	wrong := errors.New("expected a label: a text, an integer, true or false")
	switch value = bytes.TrimSpace(value); {
	case len(value) == 0 || bytes.ContainsAny(value[:1], "n[{"):
		return "", wrong
	case value[0] == '"':
		var s string
		err := json.Unmarshal(value, &s)
		return strings.TrimSpace(s), err
	case value[0] == 't' || value[0] == 'f':
		return string(value), nil
	}
	if _, err := strconv.ParseInt(string(value), 10, 64); err != nil {
		return "", wrong
	}
	return string(value), nil
}
