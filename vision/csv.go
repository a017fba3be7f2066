package vision

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// CSVOptions says how a table of paths and labels is read. The zero value reads a table with a header and usual names.
type CSVOptions struct {
	// Path and Label name the columns, in any case of letters. An empty Path means the first column called path, file,
	// filename, file_name, image, image_path, img or id. An empty Label means the first column called label, class,
	// class_name, category or target.
	Path, Label string
	// NoHeader says that the table has no header: its first column is the path, its second the label.
	NoHeader bool
	Comma    rune // between columns; 0 means a comma
	// Classes are the labels that may occur, in the order of their numbers. Empty means the labels that occur, sorted as
	// numbers if all are whole numbers, and as text otherwise.
	Classes []string
	// Extension is added to each path, for tables of names without one.
	Extension string
	// AllowOneClass accepts a single class, for training that needs no labels.
	AllowOneClass bool
	// Decode is passed to DecodeFile.
	Decode DecodeOptions
}

var (
	pathColumns  = []string{"path", "file", "filename", "file_name", "image", "image_path", "img", "id"}
	labelColumns = []string{"label", "class", "class_name", "category", "target"}
)

// OpenCSV reads a table of images. Each row has the path of an image, relative to the folder of the table, and its
// label. A path must stay inside fsys, and a label must not be empty. The images keep the order of the rows.
//
// Errors name the line. They match [ErrNoImages] when there are no rows, and [ErrOneClass] as for [OpenFolder]. The
// images are not opened: a missing or corrupted file gives an error from Open.
func OpenCSV(fsys fs.FS, name string, o CSVOptions) (*Folder, error) {
	d := &Folder{fsys: fsys, where: "table " + printable(name), options: FolderOptions{Decode: o.Decode}}
	f, _, err := openRegular(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("vision: %s: %w", d.where, err)
	}
	defer f.Close()
	labels, err := d.readRows(f, path.Dir(name), o)
	if err != nil {
		return nil, fmt.Errorf("vision: %s: %w", d.where, err)
	}
	if len(d.files) == 0 {
		return nil, fmt.Errorf("vision: %s has no rows: %w", d.where, ErrNoImages)
	}
	d.classes = o.Classes
	if len(d.classes) == 0 {
		d.classes = distinct(labels)
	}
	number := make(map[string]int, len(d.classes))
	for i, c := range d.classes {
		if _, twice := number[c]; twice {
			return nil, fmt.Errorf("vision: %s: the class %q is given twice", d.where, c)
		}
		number[c] = i
	}
	for i, l := range labels {
		n, ok := number[l]
		if !ok {
			return nil, fmt.Errorf("vision: %s: %s has the label %q, which is not among the %d classes", d.where, printable(d.files[i]), l, len(d.classes))
		}
		d.labels = append(d.labels, n)
	}
	if len(d.classes) == 1 && !o.AllowOneClass {
		return nil, fmt.Errorf("vision: %s holds the class %q alone, expected at least two: %w", d.where, d.classes[0], ErrOneClass)
	}
	return d, nil
}

// byteOrderMark begins the tables that spreadsheets write.
const byteOrderMark = "\ufeff"

// readRows fills d.files and returns the label of each.
func (d *Folder) readRows(f io.Reader, dir string, o CSVOptions) (labels []string, err error) {
	text := bufio.NewReader(f)
	if mark, _ := text.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		text.Discard(len(byteOrderMark))
	}
	r := csv.NewReader(text)
	r.FieldsPerRecord, r.ReuseRecord = -1, true
	if o.Comma != 0 {
		r.Comma = o.Comma
	}
	at, label := 0, 1
	header := !o.NoHeader
	for {
		row, err := r.Read()
		if err == io.EOF {
			return labels, nil
		}
		if err != nil {
			return nil, err // names the line
		}
		if header {
			header = false
			if at, err = column(row, "path", o.Path, pathColumns); err != nil {
				return nil, err
			}
			if label, err = column(row, "label", o.Label, labelColumns); err != nil {
				return nil, err
			}
			continue
		}
		line, _ := r.FieldPos(0)
		if len(row) <= max(at, label) {
			return nil, fmt.Errorf("line %d has %d columns, expected at least %d", line, len(row), max(at, label)+1)
		}
		p := path.Join(dir, strings.ReplaceAll(row[at], `\`, "/")+o.Extension)
		if row[at] == "" || path.IsAbs(row[at]) || !fs.ValidPath(p) {
			return nil, fmt.Errorf("line %d: path %q, expected one that is relative to the table's folder and stays in the file system", line, row[at])
		}
		if row[label] == "" {
			return nil, fmt.Errorf("line %d: %s has no label", line, printable(row[at]))
		}
		d.files = append(d.files, p)
		labels = append(labels, strings.Clone(row[label]))
	}
}

// column finds a column by its name, or the first that has one of the usual names.
func column(header []string, what, name string, usual []string) (int, error) {
	if name != "" {
		usual = []string{name}
	}
	for i, h := range header {
		h = strings.TrimSpace(h)
		if slices.ContainsFunc(usual, func(u string) bool { return strings.EqualFold(u, h) }) {
			return i, nil
		}
	}
	return 0, fmt.Errorf("no column for the %s among %q, expected %s", what, header, strings.Join(usual, ", "))
}

// distinct returns the different labels, sorted.
func distinct(labels []string) []string {
	all := slices.Clone(labels)
	slices.Sort(all)
	all = slices.Compact(all)
	number := func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err == nil && strconv.Itoa(n) != s {
			err = errors.New("another spelling")
		}
		return n, err
	}
	for _, l := range all {
		if _, err := number(l); err != nil {
			return all
		}
	}
	slices.SortFunc(all, func(a, b string) int {
		x, _ := number(a)
		y, _ := number(b)
		return cmp.Compare(x, y)
	})
	return all
}
