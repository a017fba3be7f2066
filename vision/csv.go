package vision

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"

	"github.com/fovea-ml/fovea/internal/printable"
)

// CSVOptions says how a table of paths and labels is read. The zero value finds the columns by their names and content.
type CSVOptions struct {
	// Path and Label name the columns, in any case of letters, or give their numbers, from 1, where there is no header.
	//
	// An empty Path means the column whose values are files. If there are several or none, it is the one whose values have
	// extensions of images. If there are several or none again, it is the first of them called path, file, filename,
	// file_name, filepath, image, image_path, img or id.
	//
	// An empty Label means the first column called label, class, class_name, category or target, or the only other
	// column. Without a header it is the second column, after a path in the first.
	Path, Label string
	// NoHeader says that the table has no header. A first row that holds the name of an image, or of a file that exists,
	// is never one.
	NoHeader bool
	// Comma stands between columns. 0 means a tab for a file named *.tsv and for a table whose first line has a tab and no
	// comma, otherwise a comma.
	Comma rune
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

// OpenCSV reads a table of images. Each row has the path of an image, relative to the folder of the table, and its
// label. Spaces around them are cut off. A path must stay inside fsys, and a label must not be empty. The images keep the
// order of the rows.
//
// Errors name the line. Where no column can be found, they list the columns and name the option to set. They match
// [ErrNoImages] when there are no rows, and [ErrOneClass] as for [OpenFolder]. The images are not opened: a missing or
// corrupted file gives an error from Open.
func OpenCSV(fsys fs.FS, name string, o CSVOptions) (*Folder, error) {
	d := &Folder{fsys: fsys, where: "table " + printable.Name(name), options: FolderOptions{Decode: o.Decode}}
	var labels []string
	t := table{
		fsys: fsys, dir: path.Dir(name), noHeader: o.NoHeader, extension: o.Extension,
		path:  column{what: "path", option: "CSVOptions.Path", name: o.Path, usual: pathColumns},
		value: column{what: "label", option: "CSVOptions.Label", name: o.Label, usual: labelColumns, required: true},
	}
	err := t.read(name, o.Comma, func(file, label string) {
		d.files = append(d.files, file)
		labels = append(labels, label)
	})
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
			return nil, fmt.Errorf("vision: %s: %s has the label %q, which is not among the %d classes", d.where, printable.Name(d.files[i]), l, len(d.classes))
		}
		d.labels = append(d.labels, n)
	}
	if len(d.classes) == 1 && !o.AllowOneClass {
		return nil, fmt.Errorf("vision: %s holds the class %q alone, expected at least two: %w", d.where, d.classes[0], ErrOneClass)
	}
	return d, nil
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
