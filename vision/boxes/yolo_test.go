package boxes

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/vision"
)

func TestOpenYOLO(t *testing.T) {
	wide, square := pngFile(t, 30, 40), pngFile(t, 16, 16)
	names := text("path: ../datasets\ntrain: images/train # 128 images\nnames: [dog, 'cat']\n")
	want := []string{"images/train/a.png cat{10 7.5 30 22.5} dog{0 0 40 30}", "images/train/deep/b.png", "images/train/none.png"}
	fsys := fstest.MapFS{
		"data.yaml":                 names,
		"images/train/a.png":        wide,
		"images/train/deep/b.png":   square,
		"images/train/none.png":     square,
		"labels/train/a.txt":        text("1 0.5 0.5 0.5 0.5\r\n\n 0\t.5 5e-1 1 1\n"),
		"labels/train/deep/b.txt":   text("\n"),
		"labels/train/no_image.txt": text("0 0.5 0.5 1 1\n"),
	}
	d, err := OpenYOLO(fsys, "images/train", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, list(d)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"dog", "cat"}, d.Classes()); diff != "" {
		t.Error(diff)
	}
	if d.Objects(0)[0].Area != 20*15 {
		t.Errorf("area %v", d.Objects(0)[0].Area)
	}
	// Forms that ultralytics takes: a line twice, a class as a float, and a share that was rounded up.
	odd := fstest.MapFS{"a.png": wide, "classes.txt": text("dog\ncat\n"),
		"a.txt": text("1 0.5 0.5 0.5 0.5\n0 0.5 0.5 1.0078125 1\n1.000e+00 .5 .5 .5 .5\n0 0.5 0.5 0.5 0.5\n")}
	if d, err = OpenYOLO(odd, ".", Options{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a.png cat{10 7.5 30 22.5} dog{-0.15625 0 40.15625 30} dog{10 7.5 30 22.5}"}, list(d)); diff != "" {
		t.Error(diff)
	}
	// Text files beside the images, and names in other files.
	for _, file := range []string{"set/classes.txt", "classes.txt", "obj.names", "set/obj.names"} {
		beside := fstest.MapFS{"set/a.png": wide, "set/a.txt": text("1 0.5 0.5 0.5 0.5\n"), file: text("dog\r\ncat\n\n")}
		if d, err = OpenYOLO(beside, "set", Options{}); err != nil || !cmp.Equal(list(d), []string{"set/a.png cat{10 7.5 30 22.5}"}) {
			t.Errorf("%s: %v", file, err)
		}
	}
	root := fstest.MapFS{"a.png": wide, "a.txt": text("1 0.5 0.5 0.5 0.5\n")}
	if d, err = OpenYOLO(root, ".", Options{Classes: []string{"dog", "cat"}}); err != nil || !cmp.Equal(list(d), []string{"a.png cat{10 7.5 30 22.5}"}) {
		t.Errorf("given classes: %v", err)
	}
	for want, fsys := range map[string]fstest.MapFS{
		"boxes: no names of classes in a .yaml file, classes.txt or obj.names: set Options.Classes":  root,
		"boxes: b.yaml: other names of classes than in a.yml: set Options.Classes":                   {"a.yml": text("names: [a]"), "b.yaml": text("names: [b]"), "a.png": wide},
		"boxes: classes.txt: line 2: no name":                                                        {"classes.txt": text("dog\n\ncat\n"), "a.png": wide},
		"boxes: obj.names: no names of classes":                                                      {"obj.names": text("\n"), "a.png": wide},
		"boxes: .: no text file for any of the 1 images in the folder ., expected one such as a.txt": {"classes.txt": text("dog"), "a.png": wide},
		"boxes: x.yaml: line 2: names: expected a list, or numbers with names":                       {"x.yaml": text("nc: 1\nnames: dog\n"), "a.png": wide},
	} {
		if _, err := OpenYOLO(fsys, ".", Options{}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("found %v, expected %s", err, want)
		}
	}
	if _, err := OpenYOLO(fstest.MapFS{"images/readme.md": {}}, "images", Options{}); !errors.Is(err, vision.ErrNoImages) {
		t.Errorf("no images: %v", err)
	}
	if _, err := OpenYOLO(fsys, "../images", Options{}); err == nil {
		t.Error("a folder outside")
	}
}

// TestPolygons takes the bounds of polygons, and boxes beside them.
func TestPolygons(t *testing.T) {
	fsys := fstest.MapFS{"classes.txt": text("dog\ncat\n"), "a.png": pngFile(t, 30, 40),
		"a.txt": text("1 0.5 0.2 0.25 0.4 0.75 0.6\n0 0.5 0.5 0.5 0.5\n1 .1 .1 .2 .1 .2 .2 .1 .2\n")}
	d, err := OpenYOLO(fsys, ".", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a.png cat{10 6 30 18} dog{10 7.5 30 22.5} cat{4 3 8 6}"}, list(d)); diff != "" {
		t.Error(diff)
	}
	fsys = fstest.MapFS{"data.yaml": text("kpt_shape: [2, 2]\nnames: [dog]\n"), "a.png": pngFile(t, 30, 40), "a.txt": text("0 .5 .5 .5 .5 .4 .4 .6 .6\n")}
	if _, err := OpenYOLO(fsys, ".", Options{}); err == nil || err.Error() != "boxes: data.yaml: line 1: kpt_shape: key points are not supported" {
		t.Errorf("found %v", err)
	}
}

// TestYOLOFolders finds the folders that a .yaml file names, as ultralytics and Roboflow write it.
func TestYOLOFolders(t *testing.T) {
	fsys := func(yaml string) fstest.MapFS {
		return fstest.MapFS{"data.yaml": text(yaml), "images/train2017/a.png": {}, "valid/images/a.png": {}, "tests/a.png": {}}
	}
	for yaml, want := range map[string][3]string{
		"names: [cat]\n": {},
		"path: ../datasets/coco128 # root\ntrain: images/train2017 # 128 images\nval: images/train2017\ntest: # (optional)\nnames:\n  0: cat\n": {"images/train2017", "images/train2017"},
		"train: ../images/train2017\nval: ../valid/images\ntest: ../test/images\nroboflow:\n  train: x\n":                                       {"images/train2017", "valid/images"},
		"path: images\ntrain: 'train2017'\nval: \"./valid/images/\"\ntest: tests\n":                                                             {"images/train2017", "valid/images", "tests"},
		"path: /content/data\ntrain: images\\train2017\r\nval: ~\n":                                                                             {"images/train2017"},
	} {
		train, val, test, err := YOLOFolders(fsys(yaml))
		if got := [3]string{train, val, test}; err != nil || got != want {
			t.Errorf("%q: found %q, %v, expected %q", yaml, got, err, want)
		}
	}
	for yaml, want := range map[string]string{
		"train: images/train":                   `line 1: train: the folder "images/train": file does not exist`,
		"val: x\ntrain: /home/images/train2017": `line 2: train: the folder "/home/images/train2017"`,
		"train: ../../tests":                    `line 1: train: the folder "../../tests"`,
		"train: a.txt":                          `line 1: train: "a.txt" is a list of images`,
		"train: [tests, images]":                `line 1: train: "[tests, images]", expected text`,
		"\ntrain:\n- tests\n":                   `line 2: train: "- tests", expected text behind the key`,
		"train: tests\ntrain: tests":            "line 2: train: it is given twice",
	} {
		var e *Error
		if _, _, _, err := YOLOFolders(fsys(yaml)); !errors.As(err, &e) || !strings.HasPrefix(err.Error(), "boxes: data.yaml: "+want) {
			t.Errorf("%q: found %v, expected %s", yaml, err, want)
		}
	}
	two := fsys("train: tests")
	two["b.yml"] = text("train: images/train2017")
	if _, _, _, err := YOLOFolders(two); err == nil || err.Error() != "boxes: data.yaml: other folders of images than in b.yml" {
		t.Errorf("found %v", err)
	}
}

// TestYOLOErrors refuses lines that cannot be used, and images whose size cannot be read.
func TestYOLOErrors(t *testing.T) {
	for line, want := range map[string]string{
		"NaN 0.5 0.5 0.5 0.5":           `the class "NaN", expected a number from 0 to 1`,
		"1.5 0.5 0.5 0.5 0.5":           `the class "1.5", expected a number from 0 to 1`,
		"1e30 0.5 0.5 0.5 0.5":          `the class "1e30", expected a number from 0 to 1`,
		"0 0.5 0.5 0.5":                 "4 words, expected 5: class, x, y, width and height",
		"0 0.5 0.5 0.5 0.5 0.9":         "6 words, expected 5",
		"0 0.1 0.1 0.2 0.1 0.2 0.3 .4":  "8 words, expected 5: class, x, y, width and height, or the class and the points of a polygon",
		"0 0.1 0.1 0.2 0.1 0.2 1.3":     "y3 is 1.3, expected a share of the image from 0 to 1",
		"0 0.1 0.1 0.2 x 0.2 0.3":       `y2 is "x", expected a number`,
		"0 0.1 0.1 0.2 0.1 0.3 0.1":     "the box has a width of 8 and a height of 0 pixels",
		"2 0.5 0.5 0.5 0.5":             `the class "2", expected a number from 0 to 1`,
		"-1 0.5 0.5 0.5 0.5":            `the class "-1"`,
		"dog 0.5 0.5 0.5 0.5":           `the class "dog"`,
		"0 320 240 20 20":               "x is 320, expected a share of the image from 0 to 1",
		"0 0.5 0.5 0.5 -0.5":            "height is -0.5",
		"0 0.5 NaN 0.5 0.5":             `y is "NaN", expected a number`,
		"0 0.5 0.5 0 0.5":               "the box has a width of 0 and a height of 15 pixels",
		"0 0.5 0.5 0.5 1e999":           `height is "1e999", expected a number`,
		"# class x y width height of 2": "8 words, expected 5",
	} {
		fsys := fstest.MapFS{"classes.txt": text("dog\ncat\n"), "a.png": pngFile(t, 30, 40), "a.txt": text("1 0.5 0.5 1 1\n" + line + "\n")}
		_, err := OpenYOLO(fsys, ".", Options{})
		var e *Error
		if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), "boxes: a.txt: line 2: "+want) {
			t.Errorf("%s: found %v, expected %s", line, err, want)
		}
		d, err := OpenYOLO(fsys, ".", Options{OnError: data.SkipErrors})
		if err != nil {
			t.Errorf("%s, with SkipErrors: %v", line, err)
		} else if total, _ := d.Skipped(); total != 1 || len(d.Objects(0)) != 1 {
			t.Errorf("%s, with SkipErrors: %v", line, list(d))
		}
	}
	fsys := fstest.MapFS{"classes.txt": text("dog"), "a.png": pngFile(t, 3, 4), "a.txt": text("0 0.5 0.5 1 1"), "b.png": text("no image"), "b.txt": text("0 0.5 0.5 1 1")}
	if _, err := OpenYOLO(fsys, ".", Options{}); !errors.Is(err, vision.ErrFormat) || !strings.Contains(err.Error(), "b.png") {
		t.Errorf("no size: %v", err)
	}
	if d, err := OpenYOLO(fsys, ".", Options{OnError: data.SkipErrors}); err != nil || d.Len() != 1 {
		t.Errorf("no size, with SkipErrors: %v", err)
	}
}

// TestYOLOUpright takes the size of a photograph as it is shown.
func TestYOLOUpright(t *testing.T) {
	content, err := os.ReadFile("../testdata/decode/orient6_exif.jpg")
	if err != nil {
		t.Fatal(err)
	}
	photo, err := vision.DecodeBytes(content, vision.DecodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{"classes.txt": text("dog"), "a.txt": text("0 0.5 0.5 1 1"), "a.jpg": {Data: content}}
	d, err := OpenYOLO(fsys, ".", Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := d.Open(0)
	if err != nil {
		t.Fatal(err)
	}
	if photo.Width == photo.Height || m.Width != photo.Height || m.Height != photo.Width || d.Objects(0)[0].Box != (Box{0, 0, float64(m.Width), float64(m.Height)}) {
		t.Errorf("stored %d×%d, opened %d×%d, box %v", photo.Width, photo.Height, m.Width, m.Height, d.Objects(0)[0].Box)
	}
}

func TestYAMLNames(t *testing.T) {
	for file, want := range map[string][]string{
		"train: x\nval: y\n": nil,
		"names: [cat, dog]":  {"cat", "dog"},
		"names: [ 'it''s', \"a \\\"b\\\"\", plain one , # comment\n  \"#1, 2\", x-ray ]  # end\nnc: 5\n": {"it's", `a "b"`, "plain one", "#1, 2", "x-ray"},
		"names: [cat,\n  dog,\n]":                                         {"cat", "dog"},
		"names: {1: dog, 0: 'cat'}":                                       {"cat", "dog"},
		"nc: 2\nnames:\n  0: cat\n  1: dog # or wolf\nother: 1\n":         {"cat", "dog"},
		"names:\n- cat\n\n- \"dog\"\nnc: 2":                               {"cat", "dog"},
		"names:\r\n  - cat\r\n  - don't\r\ndownload: |\r\n  names: x\r\n": {"cat", "don't"},
		"  names: [nested]":                                               nil,
		"names:\n  1: dog\n  0: cat":                                      {"cat", "dog"},
	} {
		names, err := yamlNames(file)
		if err != nil {
			t.Errorf("%q: %v", file, err)
		} else if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("%q: %s", file, diff)
		}
	}
	for file, want := range map[string]string{
		"x: 1\nnames: cat":          "line 2: names: expected a list",
		"names:":                    "0 names",
		"names: []":                 "0 names",
		"names: [cat":               "no ] at the end",
		"names: [cat, [dog]]":       `"[dog]]", expected a name`,
		"names: [cat, , dog]":       "expected a name",
		"names: [cat] x":            `"x" behind the end`,
		"names: ['cat]":             "no quote at the end",
		"names: [\"c\\qat\"]":       "unknown escape",
		"names: [*anchor]":          "expected a name",
		"names: {0: cat, 2: dog}":   `the number "2", expected those from 0 to 1, each once`,
		"names: {0: cat, 0: dog}":   `the number "0"`,
		"names: {cat, dog}":         `"cat" without a name`,
		"names:\n  - cat\n  1: dog": "a list and numbers at once",
		"names:\n  cat":             `"cat", expected a number and a name`,
		"names:\n  - 'cat' dog":     `"dog" behind a name`,
		"names:\n  - |":             "expected a name",
		"nc: 3\nnames: [a, b]":      "line 2: 2 names, and nc is 3",
		"nc: three":                 "line 1: nc: expected a whole number",
		"names: [a]\nnames: [b]":    "line 2: names is given twice",
		"names: [" + strings.Repeat("a,", maxClasses+1) + "]": "names, expected 1 to 100000",
		"names:" + strings.Repeat("\n- a", maxClasses+1):      "names, expected 1 to 100000",
	} {
		names, err := yamlNames(file)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.50q: found %.50q, %v, expected %s", file, fmt.Sprint(names), err, want)
		}
	}
}

func FuzzYOLO(f *testing.F) {
	f.Add("0 0.5 0.5 0.5 0.5\n1 0.5 0.5 1 1\n", "names: ['a', \"b\"]\nnc: 2", false)
	f.Add("0 0.5 0.5 0.5", "names:\n  0: a\n", true)
	f.Add("0 0.1 0.1 0.2 0.1 0.3 0.3", "names: [a]\ntrain: ../images\npath: x", true)
	f.Add("3 0.5 0.5 1 1e-9\n", "names: {0: a, 1: 'b, #'}\n", true)
	f.Fuzz(func(t *testing.T, lines, yaml string, skip bool) {
		fsys := fstest.MapFS{"data.yaml": text(yaml), "images/a.png": pngFile(t, 3, 4), "labels/a.txt": text(lines)}
		YOLOFolders(fsys)
		d, err := OpenYOLO(fsys, "images", Options{OnError: policy(skip)})
		checkFuzzed(t, d, err)
	})
}
