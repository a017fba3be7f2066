package vision

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/internal/printable"
)

// byteOrderMark begins the tables that spreadsheets write.
const byteOrderMark = "\ufeff"

// read reads the named table and calls add with the file and the value of each row. Errors name the line, but not the
// table.
func (t *table) read(name string, comma rune, add func(file, value string)) error {
	f, _, err := openRegular(t.fsys, name)
	if err != nil {
		return err
	}
	defer f.Close()
	text := bufio.NewReaderSize(f, 64<<10)
	if mark, _ := text.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		text.Discard(len(byteOrderMark))
	}
	r := csv.NewReader(text)
	r.FieldsPerRecord, r.ReuseRecord = -1, true
	if r.Comma = comma; comma == 0 {
		r.Comma = commaOf(name, text)
	}
	each := func(row csvRow) error {
		if n := max(t.path.at, t.value.at) + 1; len(row.cells) < n {
			return fmt.Errorf("line %d has %d columns, expected at least %d", row.line, len(row.cells), n)
		}
		file, value := strings.TrimSpace(row.cells[t.path.at]), strings.TrimSpace(row.cells[t.value.at])
		p, ok := t.file(file)
		if !ok {
			return fmt.Errorf("line %d: path %q, expected one that is relative to the table's folder and stays in the file system", row.line, file)
		}
		if value == "" && t.value.required {
			return fmt.Errorf("line %d: %s has no %s", row.line, printable.Name(file), t.value.what)
		}
		add(p, strings.Clone(value))
		return nil
	}
	const sample = 20 // rows, by whose content columns are found
	var first []csvRow
	for len(first) <= sample {
		row, err := readRow(r)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		row.cells = slices.Clone(row.cells)
		first = append(first, row)
	}
	if first, err = t.findColumns(first); err != nil {
		return err
	}
	for _, row := range first {
		if err := each(row); err != nil {
			return err
		}
	}
	for {
		row, err := readRow(r)
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = each(row)
		}
		if err != nil {
			return err
		}
	}
}

// commaOf returns the separator of columns of a table whose options leave it open.
func commaOf(name string, text *bufio.Reader) rune {
	if strings.EqualFold(path.Ext(name), ".tsv") {
		return '\t'
	}
	start, _ := text.Peek(text.Size())
	line, _, _ := bytes.Cut(start, []byte("\n"))
	if bytes.ContainsRune(line, '\t') && !bytes.ContainsRune(line, ',') {
		return '\t'
	}
	return ','
}

// csvRow is a row of a table and the line on which it begins.
type csvRow struct {
	line  int
	cells []string
}

// Bounds of a row. A table beyond them is no table of images, and each column of the first rows may cost a look at the disk.
const (
	maxRow     = 2 << 20 // bytes
	maxColumns = 1 << 14
)

// readRow reads a row, whose cells are valid until the next one. Its errors name the line.
func readRow(r *csv.Reader) (csvRow, error) {
	from := r.InputOffset()
	cells, err := r.Read()
	if err != nil {
		return csvRow{}, err
	}
	line, _ := r.FieldPos(0)
	if n := r.InputOffset() - from; n > maxRow {
		return csvRow{}, fmt.Errorf("line %d begins a row of %d bytes, the limit is %d", line, n, maxRow)
	}
	if n := len(cells); n > maxColumns {
		return csvRow{}, fmt.Errorf("line %d has %d columns, the limit is %d", line, n, maxColumns)
	}
	return csvRow{line, cells}, nil
}
