package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/vision"
)

const hf = "testdata/models/hf"

// ran runs the program without an error, and returns standard output.
func ran(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := command(args, strings.NewReader(stdin), &stdout, &stderr); status != 0 {
		t.Fatalf("%q: status %d: %s", args, status, &stderr)
	}
	return stdout.String()
}

func results(t *testing.T, text string) (found []parsed) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

// TestInputs classifies the images of folders, of lists, and of standard input, in the order in which they are given.
func TestInputs(t *testing.T) {
	dir := t.TempDir()
	for from, to := range map[string]string{"rgb.png": "b/deep/one.png", "gray.png": "a.png"} {
		data, err := os.ReadFile("testdata/images/" + from)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(dir, to)), 0o777)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, to), data, 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	list := filepath.Join(t.TempDir(), "list.txt")
	if err := os.WriteFile(list, []byte("testdata/images/small.png\r\n\n"+dir), 0o666); err != nil {
		t.Fatal(err)
	}
	one, two := filepath.Join(dir, "a.png"), filepath.Join(dir, "b", "deep", "one.png")
	rgb, err := os.ReadFile("testdata/images/rgb.png")
	if err != nil {
		t.Fatal(err)
	}
	want := results(t, ran(t, "", "-model", hf, "-json", "testdata/images/rgb.png"))[0].Logits
	for _, c := range []struct {
		stdin string
		args  []string
		names []string
		rgb   int // the place of the image whose logits are known
	}{
		{"", []string{dir}, []string{one, two}, 1},
		{"", []string{"-list", list, "testdata/images/rgb.png"}, []string{"testdata/images/rgb.png", "testdata/images/small.png", one, two}, 0},
		{"testdata/images/small.png\n" + two + "\n", []string{"-list", "-"}, []string{"testdata/images/small.png", two}, 1},
		{string(rgb), []string{"testdata/images/small.png", "-"}, []string{"testdata/images/small.png", "-"}, 1},
		{"", []string{"-list", "-"}, nil, -1},
	} {
		var names []string
		found := results(t, ran(t, c.stdin, append([]string{"-model", hf, "-json"}, c.args...)...))
		for _, r := range found {
			names = append(names, r.Image)
		}
		if d := cmp.Diff(c.names, names); d != "" {
			t.Fatalf("%q: %s", c.args, d)
		}
		if c.rgb >= 0 && !slices.Equal(found[c.rgb].Logits, want) {
			t.Errorf("%q: other logits", c.args)
		}
	}
	var stdout, stderr bytes.Buffer
	if status := command([]string{"-model", hf, "-"}, strings.NewReader("no image"), &stdout, &stderr); status != 1 || !strings.Contains(stderr.String(), "standard input") {
		t.Errorf("no image on standard input: status %d, %s", status, &stderr)
	}
}

// TestCSV prints the same as JSON, in rows that a CSV reader understands.
func TestCSV(t *testing.T) {
	args := []string{"-model", hf, "-top", "2", "testdata/images/rgb.png", "testdata/images/gray.png"}
	rows, err := csv.NewReader(strings.NewReader(ran(t, "", append([]string{"-csv"}, args...)...))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{{"image", "rank", "index", "label", "p"}}
	for _, r := range results(t, ran(t, "", append([]string{"-json"}, args...)...)) {
		for i, c := range r.Top {
			want = append(want, []string{r.Image, strconv.Itoa(i + 1), strconv.Itoa(c.Index), c.Label, strconv.FormatFloat(float64(c.P), 'g', -1, 32)})
		}
	}
	if d := cmp.Diff(want, rows); d != "" || len(rows) != 5 {
		t.Error(d)
	}
}

// shades writes a folder with the classes dark and light, of three images each, and returns it.
func shades(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for class, level := range map[string]int{"dark": 10, "light": 200} {
		if err := os.Mkdir(filepath.Join(dir, class), 0o777); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			savePNG(t, filepath.Join(dir, class, strconv.Itoa(i)+".png"), uint8(level+12*i))
		}
	}
	return dir
}

// savePNG writes an image of a gray level with a dark corner.
func savePNG(t *testing.T, path string, level uint8) {
	t.Helper()
	m := vision.NewImage(40, 60, 3)
	for i := range m.Pix {
		m.Pix[i] = level
	}
	copy(m.Pix, make([]uint8, 30))
	if err := vision.SavePNG(path, m); err != nil {
		t.Fatal(err)
	}
}

// TestNeighbors finds the images of the same shade, and their class, with a classifier and without one.
func TestNeighbors(t *testing.T) {
	dir, query := shades(t), filepath.Join(t.TempDir(), "query.png")
	savePNG(t, query, 206)
	headless := t.TempDir()
	m, err := vit.Open(hf, vit.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m.Head = nil
	if err := m.Save(headless, vit.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, model := range []string{hf, headless} {
		var found []struct {
			Logits    []float32
			Top       []class
			Vote      string
			Neighbors []struct {
				Image, Label string
				Similarity   float32
			}
		}
		if err := json.Unmarshal([]byte(ran(t, "", "-model", model, "-json", "-top", "2", "-neighbors", dir, query)), &found); err != nil {
			t.Fatal(err)
		}
		r := found[0]
		if len(r.Neighbors) != 2 || r.Vote != "light" || (len(r.Logits) > 0) != (model == hf) || r.Logits == nil || r.Top == nil {
			t.Fatalf("%s: found %+v", model, r)
		}
		for i, n := range r.Neighbors {
			if n.Label != "light" || filepath.Dir(n.Image) != filepath.Join(dir, "light") || !(n.Similarity > 0.9 && n.Similarity < 1.0001) || i > 0 && n.Similarity > r.Neighbors[0].Similarity {
				t.Errorf("%s: neighbor %d is %+v", model, i, n)
			}
		}
	}
	text := ran(t, "", "-model", headless, "-top", "1", "-neighbors", dir, query)
	if !strings.Contains(text, "\n  neighbors: light\n") || !strings.Contains(text, filepath.Join(dir, "light")) {
		t.Errorf("found %s", text)
	}
	// A folder without classes has neighbors and no vote. A broken file in it is named and skipped.
	flat := filepath.Join(dir, "dark")
	if err := os.WriteFile(filepath.Join(flat, "broken.png"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	status := command([]string{"-model", hf, "-csv", "-neighbors", flat, query}, nil, &stdout, &stderr)
	rows, err := csv.NewReader(&stdout).ReadAll()
	if status != 0 || err != nil || len(rows) != 4 || rows[1][3] != "" || rows[1][5] != "" || !strings.Contains(stderr.String(), "broken.png") {
		t.Errorf("status %d, %v: found %q, %s", status, err, rows, &stderr)
	}
}

// TestMaps writes an overlay and colors for each image, under names of their own.
func TestMaps(t *testing.T) {
	in, out := t.TempDir(), t.TempDir()
	for i, name := range []string{"a/x.png", "b/x.png", "b/y.png"} {
		path := filepath.Join(in, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		savePNG(t, path, uint8(60*i))
	}
	attention, pca, rollout := filepath.Join(out, "attention"), filepath.Join(out, "pca"), filepath.Join(out, "rollout")
	ran(t, "", "-model", hf, "-attention", attention, "-layer", "0", "-head", "1", "-pca", pca, in)
	ran(t, "", "-model", hf, "-attention", rollout, "-rollout", "-pca", filepath.Join(out, "first"), "-layer", "0", in) // of -pca alone
	m, err := vit.Open(hf, vit.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	height, width, _ := m.Preprocess.FixedSize()
	overlays := map[string]*vision.Image{}
	for _, dir := range []string{attention, pca, rollout} {
		for _, name := range []string{"x.png", "x-2.png", "y.png"} {
			img, err := vision.DecodeFile(os.DirFS(dir), name, vision.DecodeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			want := width
			if dir == pca {
				want = 2*width + 4
			}
			if img.Height != height || img.Width != want {
				t.Errorf("%s: found %d×%d pixels, expected %d×%d", name, img.Width, img.Height, want, height)
			}
			overlays[dir+name] = img
		}
		if files, err := os.ReadDir(dir); err != nil || len(files) != 3 {
			t.Errorf("found %v, %v", files, err)
		}
	}
	a, r := overlays[attention+"y.png"], overlays[rollout+"y.png"]
	if bytes.Equal(a.Pix, r.Pix) {
		t.Error("the roll-out equals the last layer")
	}
	if gray := a.At(width/2, height/2).(color.NRGBA); gray.R == gray.G && gray.G == gray.B {
		t.Error("the overlay is gray")
	}
	if bytes.Equal(a.Pix, overlays[attention+"x.png"].Pix) {
		t.Error("two images have the same overlay")
	}
}
