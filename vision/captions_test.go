package vision

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/data"
)

func TestOpenPairs(t *testing.T) {
	for name, c := range map[string]struct {
		file, table string
		o           PairOptions
		want        string // the images with their captions, or the end of the error
	}{
		"open_clip":         {"t.csv", "filepath\ttitle\na.png\tA cat, sitting\nb.png\tA dog\n", PairOptions{Comma: '\t'}, "a.png: A cat, sitting; b.png: A dog"},
		"tabs, not said":    {"t.csv", "filepath\ttitle\na.png\tA cat, sitting\nb.png\tA dog\n", PairOptions{}, "a.png: A cat, sitting; b.png: A dog"},
		"named tsv":         {"t.TSV", "a.png\tA cat, sitting\nb.png\tA dog\n", PairOptions{}, "a.png: A cat, sitting; b.png: A dog"},
		"commas":            {"t.csv", "image,caption\na.png,\"A cat, \"\"sitting\"\"\"\nb.png, A dog \n", PairOptions{}, `a.png: A cat, "sitting"; b.png: A dog`},
		"several captions":  {"t.csv", "image,comment_number,comment\na.png,0,one\nb.png,0,dog\na.png,1,two\n", PairOptions{}, "a.png: one | two; b.png: dog"},
		"by option":         {"t.csv", "file,caption,alt\na.png,no,yes\n", PairOptions{Caption: "ALT"}, "a.png: yes"},
		"extension":         {"t.csv", "a,cat\nb,dog\n", PairOptions{NoHeader: true, Extension: ".png"}, "a.png: cat; b.png: dog"},
		"empty of several":  {"t.csv", "image,caption\na.png,\na.png,two\n", PairOptions{}, "a.png: two"},
		"no caption":        {"t.csv", "image,caption\na.png,\nb.png,dog\n", PairOptions{}, "a.png: no caption; b.png: dog"},
		"no rows":           {"t.csv", "image,caption\n", PairOptions{}, "table t.csv has no rows: no images"},
		"no caption column": {"t.csv", "file,x,y\na.png,1,2\n", PairOptions{}, `no column can be told to hold the caption among "file", "x", "y": expected one called caption, title, text, comment; set PairOptions.Caption for another name`},
		"unknown name":      {"t.csv", "file,x\na.png,1\n", PairOptions{Caption: "title"}, `no column "title" for the caption, which PairOptions.Caption names, among "file", "x"`},
		"outside":           {"t.csv", "file,caption\n../a.png,cat\n", PairOptions{}, `line 2: path "../a.png", expected one that is relative to the table's folder and stays in the file system`},
		"short row":         {"t.csv", "file,caption\na.png\n", PairOptions{}, "line 2 has 1 columns, expected at least 2"},
	} {
		d, err := OpenPairs(fstest.MapFS{c.file: {Data: []byte(c.table)}}, c.file, c.o)
		if err != nil {
			if !strings.HasSuffix(err.Error(), c.want) {
				t.Errorf("%s: found %v, expected %s", name, err, c.want)
			}
			continue
		}
		var found []string
		for i := range d.Len() {
			captions, err := d.Captions(i)
			if err != nil && errors.Is(err, ErrNoCaption) {
				captions = []string{"no caption"}
			}
			found = append(found, d.Name(i)+": "+strings.Join(captions, " | "))
		}
		if got := strings.Join(found, "; "); got != c.want {
			t.Errorf("%s: found %s, expected %s", name, got, c.want)
		}
	}
}

// spoken is a data set of n gray images with the captions "i" and "i again", but none for image bad.
type spoken struct {
	*Memory
	bad int
}

func (d *spoken) Captions(i int) ([]string, error) {
	if i == d.bad {
		return nil, ErrNoCaption
	}
	return []string{d.Name(i), d.Name(i) + " again"}, nil
}

func newSpoken(n, bad int) *spoken {
	d := &spoken{&Memory{}, bad}
	for i := range n {
		d.Images = append(d.Images, &Image{Pix: slices.Repeat([]byte{byte(i)}, 4), Width: 2, Height: 2, Channels: 1})
	}
	return d
}

// TestLoaderCaptions draws captions that stay beside their images, the same wherever the epoch is entered, and skips images
// without one.
func TestLoaderCaptions(t *testing.T) {
	loader := func(d Dataset) *Loader {
		return &Loader{Data: d, Preprocess: Preprocess{Mode: Stretch, Height: 2, Width: 2, Gray: true}, BatchSize: 4, Shuffle: true, Seed: 5, OnError: data.SkipErrors}
	}
	read := func(d Dataset, epoch, first int) (captions []string) {
		for b, err := range loader(d).EpochFrom(t.Context(), epoch, first) {
			if err != nil {
				t.Fatal(err)
			}
			if len(b.Captions) != b.Len() || len(b.Indices) != b.Len() {
				t.Fatalf("%d captions of %d images", len(b.Captions), b.Len())
			}
			for k, caption := range b.Captions {
				if name, _, _ := strings.Cut(caption, " "); name != d.Name(b.Indices[k]) {
					t.Errorf("image %d has the caption %q", b.Indices[k], caption)
				}
			}
			captions = append(captions, b.Captions...)
		}
		return captions
	}
	d := newSpoken(21, 7)
	all := read(d, 0, 0)
	if len(all) != 20 {
		t.Errorf("%d captions, expected 20", len(all))
	}
	if part := read(d, 0, 3); !slices.Equal(part, all[len(all)-len(part):]) || len(part) < 8 {
		t.Errorf("from batch 3: %q, expected the end of %q", part, all)
	}
	other := read(d, 1, 0)
	slices.Sort(all)
	slices.Sort(other)
	again := func(s string) bool { return strings.HasSuffix(s, "again") }
	if slices.Equal(all, other) || !slices.ContainsFunc(all, again) || slices.IndexFunc(all, func(s string) bool { return !again(s) }) < 0 {
		t.Errorf("captions of two epochs: %q and %q", all, other)
	}
	if part := read(&Subset{Of: d, Indices: []int{3, 4}}, 0, 0); len(part) != 2 {
		t.Errorf("a subset has %q", part)
	}
	for b := range loader(&Subset{Of: d.Memory, Indices: []int{3, 4}}).Epoch(t.Context(), 0) {
		if len(b.Captions) != 0 {
			t.Errorf("images without captions got %q", b.Captions)
		}
	}
	l := loader(d)
	l.OnError = data.StopOnError
	var last error
	for _, last = range l.Epoch(t.Context(), 0) {
	}
	if item := (*data.ItemError)(nil); !errors.As(last, &item) || item.Index != 7 || !errors.Is(last, ErrNoCaption) {
		t.Errorf("found %v", last)
	}
}
