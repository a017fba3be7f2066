package vision

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

var (
	pathColumns  = []string{"path", "file", "filename", "file_name", "image", "image_path", "img", "id"}
	labelColumns = []string{"label", "class", "class_name", "category", "target"}
)

// table is a table whose columns are to be found.
type table struct {
	fsys        fs.FS
	dir         string // of the table in fsys
	options     CSVOptions
	names       []string // of the columns; their numbers, from 1, where there is no header
	header      bool
	first       []string // row below the header
	path, label int      // columns
}

// findColumns sets the columns from the first rows of a table, and returns those rows without the header.
func (t *table) findColumns(rows []csvRow) ([]csvRow, error) {
	if len(rows) == 0 {
		return rows, nil
	}
	cells := rows[0].cells
	if t.header = t.isHeader(cells); t.header {
		rows = rows[1:]
	}
	t.names = make([]string, len(cells))
	for i, c := range cells {
		t.names[i] = strconv.Itoa(i + 1)
		if t.header {
			t.names[i] = strings.TrimSpace(c)
		}
	}
	if len(rows) == 0 {
		return rows, nil
	}
	t.first = rows[0].cells
	var err error
	if t.path, err = t.findPath(rows); err == nil {
		t.label, err = t.findLabel()
	}
	return rows, err
}

// isHeader reports whether a first row names the columns: one that holds the name of an image, or of a file that exists,
// does not.
func (t *table) isHeader(cells []string) bool {
	return !t.options.NoHeader && !slices.ContainsFunc(cells, func(c string) bool {
		c = strings.TrimSpace(c)
		return isImageName(c) || t.exists(c)
	})
}

// findPath returns the column of paths.
func (t *table) findPath(rows []csvRow) (int, error) {
	if t.options.Path != "" {
		return t.named("path", "Path", t.options.Path)
	}
	var among []int // the columns that hold files, or names of images, or all
	for _, holds := range []func(value string) bool{t.exists, t.isImage, func(string) bool { return true }} {
		if among = t.columns(rows, holds); len(among) == 1 {
			return among[0], nil
		}
		if len(among) > 1 {
			break
		}
	}
	for _, i := range among {
		if isOneOf(t.names[i], pathColumns) && t.header {
			return i, nil
		}
	}
	if !t.header && t.options.Extension != "" {
		return 0, nil // each value is the name of an image then
	}
	return 0, t.ask("path", "Path", pathColumns)
}

// findLabel returns the column of labels.
func (t *table) findLabel() (int, error) {
	if t.options.Label != "" {
		return t.named("label", "Label", t.options.Label)
	}
	for i, name := range t.names {
		if i != t.path && t.header && isOneOf(name, labelColumns) {
			return i, nil
		}
	}
	if len(t.names) == 2 || len(t.names) > 2 && !t.header && t.path == 0 {
		return 1 - t.path, nil
	}
	return 0, t.ask("label", "Label", labelColumns)
}

// named returns the column that an option names.
func (t *table) named(what, option, name string) (int, error) {
	for i, n := range t.names {
		if strings.EqualFold(n, strings.TrimSpace(name)) {
			return i, nil
		}
	}
	return 0, fmt.Errorf("no column %q for the %s, which CSVOptions.%s names, among %s", name, what, option, t.listed())
}

// ask returns the error for a column that cannot be told from the others.
func (t *table) ask(what, option string, usual []string) error {
	if !t.header {
		return fmt.Errorf("no column can be told to hold the %s among %s: set CSVOptions.%s to its number", what, t.listed(), option)
	}
	return fmt.Errorf("no column can be told to hold the %s among %s: expected one called %s; set CSVOptions.%s for another name",
		what, t.listed(), strings.Join(usual, ", "), option)
}

// listed returns the columns for messages: their names, or their numbers with the first value of each.
func (t *table) listed() string {
	const most = 20
	var list []string
	for i, name := range t.names[:min(len(t.names), most)] {
		if name = strconv.Quote(name); !t.header {
			name = fmt.Sprintf("%d (%q)", i+1, t.first[min(i, len(t.first)-1)])
		}
		list = append(list, name)
	}
	if more := len(t.names) - most; more > 0 {
		list = append(list, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(list, ", ")
}

// columns returns the columns all of whose values have a property. Empty values do not count.
func (t *table) columns(rows []csvRow, holds func(value string) bool) (found []int) {
	for i := range t.names {
		yes, no := 0, 0
		for _, row := range rows {
			if i >= len(row.cells) {
				continue
			}
			switch v := strings.TrimSpace(row.cells[i]); {
			case v == "":
			case holds(v):
				yes++
			default:
				no++
			}
		}
		if yes > 0 && no == 0 {
			found = append(found, i)
		}
	}
	return found
}

// file returns the name of an image in the file system, and whether it is valid.
func (t *table) file(value string) (string, bool) {
	p := path.Join(t.dir, strings.ReplaceAll(value, `\`, "/")+t.options.Extension)
	return p, value != "" && !path.IsAbs(value) && fs.ValidPath(p)
}

// exists reports whether a value names a file.
func (t *table) exists(value string) bool {
	p, ok := t.file(value)
	if !ok {
		return false
	}
	st, err := lookUp(t.fsys, p)
	return err == nil && st.Mode().IsRegular()
}

// isImage reports whether a value has the extension of an image by itself.
func (t *table) isImage(value string) bool {
	return t.options.Extension == "" && isImageName(value) && !strings.Contains(value, "://")
}

func isOneOf(name string, usual []string) bool {
	return slices.ContainsFunc(usual, func(u string) bool { return strings.EqualFold(u, name) })
}
