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
	pathColumns    = []string{"path", "file", "filename", "file_name", "filepath", "image", "image_path", "img", "id"}
	labelColumns   = []string{"label", "class", "class_name", "category", "target"}
	captionColumns = []string{"caption", "title", "text", "comment"}
)

// table is a table of images, of which two columns are to be found: that of paths, and that of values about the images.
type table struct {
	fsys        fs.FS
	dir         string // of the table in fsys
	noHeader    bool
	extension   string // added to each path
	path, value column

	names  []string // of the columns; their numbers, from 1, where there is no header
	header bool
	first  []string // row below the header
}

// column is a column to be found.
type column struct {
	what     string   // it holds, for errors
	option   string   // that names it, for errors
	name     string   // which the option gives, or ""
	usual    []string // names
	required bool     // in every row
	at       int      // its place, once it is found
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
	if t.path.at, err = t.findPath(rows); err == nil {
		t.value.at, err = t.findValue()
	}
	return rows, err
}

// isHeader reports whether a first row names the columns: one that holds the name of an image, or of a file that exists,
// does not.
func (t *table) isHeader(cells []string) bool {
	return !t.noHeader && !slices.ContainsFunc(cells, func(c string) bool {
		c = strings.TrimSpace(c)
		return isImageName(c) || t.exists(c)
	})
}

// findPath returns the column of paths.
func (t *table) findPath(rows []csvRow) (int, error) {
	if t.path.name != "" {
		return t.named(t.path)
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
		if isOneOf(t.names[i], t.path.usual) && t.header {
			return i, nil
		}
	}
	if !t.header && t.extension != "" {
		return 0, nil // each value is the name of an image then
	}
	return 0, t.ask(t.path)
}

// findValue returns the column of values.
func (t *table) findValue() (int, error) {
	if t.value.name != "" {
		return t.named(t.value)
	}
	for i, name := range t.names {
		if i != t.path.at && t.header && isOneOf(name, t.value.usual) {
			return i, nil
		}
	}
	if len(t.names) == 2 || len(t.names) > 2 && !t.header && t.path.at == 0 {
		return 1 - t.path.at, nil
	}
	return 0, t.ask(t.value)
}

// named returns the place of a column that an option names.
func (t *table) named(c column) (int, error) {
	for i, n := range t.names {
		if strings.EqualFold(n, strings.TrimSpace(c.name)) {
			return i, nil
		}
	}
	return 0, fmt.Errorf("no column %q for the %s, which %s names, among %s", c.name, c.what, c.option, t.listed())
}

// ask returns the error for a column that cannot be told from the others.
func (t *table) ask(c column) error {
	if !t.header {
		return fmt.Errorf("no column can be told to hold the %s among %s: set %s to its number", c.what, t.listed(), c.option)
	}
	return fmt.Errorf("no column can be told to hold the %s among %s: expected one called %s; set %s for another name",
		c.what, t.listed(), strings.Join(c.usual, ", "), c.option)
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
	p := path.Join(t.dir, strings.ReplaceAll(value, `\`, "/")+t.extension)
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
	return t.extension == "" && isImageName(value) && !strings.Contains(value, "://")
}

func isOneOf(name string, usual []string) bool {
	return slices.ContainsFunc(usual, func(u string) bool { return strings.EqualFold(u, name) })
}
