package vision

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// A table of any content gives paths inside the file system and labels that exist, or an error.
func FuzzOpenCSV(f *testing.F) {
	f.Add("path,label\na.png,1\nb.png,2\n", false)
	f.Add("x,cat\n../y,dog\n", true)
	f.Add("left,right,kind\na.png, b.png,1\nb.png,,2\n", false)
	f.Add("7,wren,a.png\n", true)
	f.Add("\ufeffID,Class\n\"a\"\"b\",\n", false)
	f.Fuzz(func(t *testing.T, table string, noHeader bool) {
		d, err := OpenCSV(fstest.MapFS{"in/a.png": {}, "in/t.csv": {Data: []byte(table)}}, "in/t.csv", CSVOptions{NoHeader: noHeader, AllowOneClass: true})
		if err != nil {
			return
		}
		for i := range d.Len() {
			if class := d.Classes()[d.Label(i)]; class != strings.TrimSpace(class) {
				t.Fatalf("label %q", class)
			}
			if !fs.ValidPath(d.Name(i)) || d.Label(i) < 0 || d.Label(i) >= len(d.Classes()) {
				t.Fatalf("image %d is %q with label %d of %d", i, d.Name(i), d.Label(i), len(d.Classes()))
			}
		}
	})
}
