package vision

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestOpenCSV(t *testing.T) {
	open := func(table string, o CSVOptions) (*Folder, error) {
		return OpenCSV(fstest.MapFS{"sets/train.csv": {Data: []byte(table)}}, "sets/train.csv", o)
	}
	d, err := open("\ufeffId,File_Name,Label\r\n1,a/x.png,10\r\n2,\"b,c.png\",9\r\n3,.\\d.png,10\r\n", CSVOptions{Path: "file_name"})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"9", "10"}; !slices.Equal(d.Classes(), want) {
		t.Errorf("classes %v", d.Classes())
	}
	if d.Len() != 3 || d.Name(0) != "sets/a/x.png" || d.Name(1) != "sets/b,c.png" || d.Name(2) != "sets/d.png" || d.Label(0) != 1 || d.Label(1) != 0 {
		t.Errorf("%+v", d)
	}
	d, err = open("x;dog\ny;cat\n", CSVOptions{NoHeader: true, Comma: ';', Extension: ".jpg", Classes: []string{"dog", "cat", "cow"}})
	if err != nil || d.Name(1) != "sets/y.jpg" || d.Label(1) != 1 || len(d.Classes()) != 3 {
		t.Errorf("%+v, %v", d, err)
	}
	for name, c := range map[string]struct {
		table string
		o     CSVOptions
	}{
		"nothing":        {"", CSVOptions{}},
		"header alone":   {"path,label\n", CSVOptions{}},
		"no path column": {"a,label\nx,1\n", CSVOptions{}},
		"no label":       {"path,label\nx,\ny,1\n", CSVOptions{}},
		"short row":      {"path,label\nx\n", CSVOptions{}},
		"above":          {"path,label\n../../x,1\ny,2\n", CSVOptions{}},
		"absolute":       {"path,label\n/etc/x,1\ny,2\n", CSVOptions{}},
		"empty path":     {"path,label\n,1\ny,2\n", CSVOptions{}},
		"one class":      {"path,label\nx,1\ny,1\n", CSVOptions{}},
		"unknown class":  {"path,label\nx,1\ny,2\n", CSVOptions{Classes: []string{"1", "3"}}},
		"broken quotes":  {"path,label\n\"x,1\n", CSVOptions{}},
	} {
		if d, err := open(c.table, c.o); err == nil {
			t.Errorf("%s: accepted as %+v", name, d)
		}
	}
	if _, err := OpenCSV(fstest.MapFS{}, "none.csv", CSVOptions{}); err == nil {
		t.Error("a missing table was accepted")
	}
}

// TestTablesOfSpreadsheets reads the mark that spreadsheets put before a table, with and without a header, and labels
// that are the largest and smallest numbers.
func TestTablesOfSpreadsheets(t *testing.T) {
	for table, o := range map[string]CSVOptions{
		"\ufeffpath,label\na.png,x\nb.png,y\n":         {},
		"\ufeff\"path\",\"label\"\na.png,x\nb.png,y\n": {},
		"\ufeffa.png,x\nb.png,y\n":                     {NoHeader: true},
		"\ufeff\"a.png\";x\nb.png;y\n":                 {NoHeader: true, Comma: ';'},
	} {
		d, err := OpenCSV(fstest.MapFS{"t.csv": {Data: []byte(table)}}, "t.csv", o)
		if err != nil {
			t.Errorf("%q: %v", table, err)
		} else if d.Name(0) != "a.png" || !slices.Equal(d.Classes(), []string{"x", "y"}) {
			t.Errorf("%q: found %s and the classes %q", table, d.Name(0), d.Classes())
		}
	}
	fsys := fstest.MapFS{"t.csv": {Data: []byte("path,label\na.png,1\nb.png,9223372036854775807\nc.png,-9223372036854775808\n")}}
	d, err := OpenCSV(fsys, "t.csv", CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"-9223372036854775808", "1", "9223372036854775807"}; !slices.Equal(d.Classes(), want) {
		t.Errorf("expected the classes %q, found %q", want, d.Classes())
	}
	if _, err := OpenCSV(fsys, "t.csv", CSVOptions{Classes: []string{"1", "2", "1"}}); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a class given twice: %v", err)
	}
}

// TestCSVColumns finds columns by their names and by what they hold, or asks.
func TestCSVColumns(t *testing.T) {
	files := map[string]*fstest.MapFile{"in/a.png": {}, "in/b.png": {}, "in/deep/c": {}, "in/small/a.png": {}, "in/small/b.png": {}}
	for name, c := range map[string]struct {
		table string
		o     CSVOptions
		want  string // the first image and the name of its label, or the end of the error
	}{
		"extension, no usual name": {"picture,species\nx.jpg,wren\ny.jpg,robin\n", CSVOptions{}, "in/x.jpg wren"},
		"path in second column":    {"species,picture\nwren,x.jpg\nrobin,y.jpg\n", CSVOptions{}, "in/x.jpg wren"},
		"id is not the path":       {"id,photo,class\n7,x.jpg,wren\n8,y.jpg,robin\n", CSVOptions{}, "in/x.jpg wren"},
		"file without extension":   {"where,class\ndeep/c,wren\ndeep/c,robin\n", CSVOptions{}, "in/deep/c wren"},
		"files before extensions":  {"original,stored,class\n1.jpg,a.png,wren\n2.jpg,b.png,robin\n", CSVOptions{}, "in/a.png wren"},
		"usual name of two":        {"thumb,image,class\nsmall/a.png,a.png,wren\nsmall/b.png,b.png,robin\n", CSVOptions{}, "in/a.png wren"},
		"extension option":         {"name,code,class\na,1,wren\nb,2,robin\n", CSVOptions{Extension: ".png"}, "in/a.png wren"},
		"addresses are not files":  {"url,img,class\nhttps://example.org/x.jpg,x.jpg,wren\nhttps://example.org/y.jpg,y.jpg,robin\n", CSVOptions{}, "in/x.jpg wren"},
		"other names by option":    {"one,two,kind\na.png,b.png,wren\nb.png,a.png,robin\n", CSVOptions{Path: "TWO", Label: "kind"}, "in/b.png wren"},
		"empty cell elsewhere":     {"photo,note,class\nx.jpg,,wren\ny.jpg,seen,robin\n", CSVOptions{}, "in/x.jpg wren"},

		"no header":                   {"wren,x.jpg\nrobin,y.jpg\n", CSVOptions{NoHeader: true}, "in/x.jpg wren"},
		"no header, not said":         {"x.jpg,wren\ny.jpg,robin\n", CSVOptions{}, "in/x.jpg wren"},
		"no header, not said, third":  {"7,wren,x.jpg\n8,robin,y.jpg\n", CSVOptions{Label: "2"}, "in/x.jpg wren"},
		"no header, extension option": {"a,wren\nb,robin\n", CSVOptions{Extension: ".png"}, "in/a.png wren"},
		"no header, no extension":     {"deep/c,wren\ndeep/c,robin\n", CSVOptions{}, "in/deep/c wren"},
		"no header, first two":        {"x.jpg,wren,1\ny.jpg,robin,2\n", CSVOptions{NoHeader: true}, "in/x.jpg wren"},
		"no header, by number":        {"x.jpg,a.png,wren\ny.jpg,b.png,robin\n", CSVOptions{NoHeader: true, Path: "1", Label: "3"}, "in/x.jpg wren"},

		"spaces":         {"file , label\na.png,  wren \n b.png, robin\n", CSVOptions{}, "in/a.png wren"},
		"spaces of tabs": {"file\tlabel\na.png\t wren\u00a0\nb.png\trobin\n", CSVOptions{Comma: '\t'}, "in/a.png wren"},

		"two that hold images": {"left,right,class\na.png,b.png,wren\nb.png,a.png,robin\n", CSVOptions{},
			`vision: table in/t.csv: no column can be told to hold the path among "left", "right", "class": expected one called path, file, filename, file_name, filepath, image, image_path, img, id; set CSVOptions.Path for another name`},
		"none holds images": {"a,b,class\n1,2,wren\n2,3,robin\n", CSVOptions{},
			`no column can be told to hold the path among "a", "b", "class": expected one called path, file, filename, file_name, filepath, image, image_path, img, id; set CSVOptions.Path for another name`},
		"no label": {"file,bird,plumage\na.png,wren,1\nb.png,robin,2\n", CSVOptions{},
			`no column can be told to hold the label among "file", "bird", "plumage": expected one called label, class, class_name, category, target; set CSVOptions.Label for another name`},
		"no header, no label": {"7,wren,x.jpg\n8,robin,y.jpg\n", CSVOptions{NoHeader: true},
			`no column can be told to hold the label among 1 ("7"), 2 ("wren"), 3 ("x.jpg"): set CSVOptions.Label to its number`},
		"no header, no path":    {"7,wren\n8,robin\n", CSVOptions{NoHeader: true}, `no column can be told to hold the path among 1 ("7"), 2 ("wren"): set CSVOptions.Path to its number`},
		"unknown name":          {"file,label\na.png,wren\n", CSVOptions{Path: "photo"}, `no column "photo" for the path, which CSVOptions.Path names, among "file", "label"`},
		"number beyond columns": {"a.png,wren\n", CSVOptions{NoHeader: true, Label: "3"}, `no column "3" for the label, which CSVOptions.Label names, among 1 ("a.png"), 2 ("wren")`},
		"a label of spaces":     {"file,label\na.png,wren\nb.png,  \n", CSVOptions{}, "line 3: b.png has no label"},
	} {
		fsys := fstest.MapFS{"in/t.csv": {Data: []byte(c.table)}}
		for name, file := range files {
			fsys[name] = file
		}
		d, err := OpenCSV(fsys, "in/t.csv", c.o)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = d.Name(0) + " " + d.Classes()[d.Label(0)]
		}
		if !strings.HasSuffix(got, c.want) || err == nil && got != c.want {
			t.Errorf("%s: found %s, expected %s", name, got, c.want)
		}
	}
}

// TestCSVLines names the line of an error below the rows by which columns are found, and beyond a quoted line break.
func TestCSVLines(t *testing.T) {
	table := "file,label\n\"a.png\",\"w\nren\"\n" + strings.Repeat("a.png,robin\n", 50) + "a.png,\n"
	_, err := OpenCSV(fstest.MapFS{"t.csv": {Data: []byte(table)}}, "t.csv", CSVOptions{})
	if err == nil || !strings.Contains(err.Error(), "line 54: a.png has no label") {
		t.Errorf("found %v", err)
	}
	wide := strings.Repeat("x,", 30) + "x\n"
	if _, err := OpenCSV(fstest.MapFS{"t.csv": {Data: []byte(wide + wide)}}, "t.csv", CSVOptions{}); err == nil || !strings.Contains(err.Error(), "and 11 more") {
		t.Errorf("31 columns: %v", err)
	}
}
