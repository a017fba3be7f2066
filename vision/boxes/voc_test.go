package boxes

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/vision"
)

// pngFile is an image of the given size, each sample of which differs from its neighbors.
func pngFile(t testing.TB, height, width int) *fstest.MapFile {
	t.Helper()
	m := vision.NewImage(height, width, 3)
	for i := range m.Pix {
		m.Pix[i] = uint8(7 * i)
	}
	var b bytes.Buffer
	if err := vision.WritePNG(&b, m); err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: b.Bytes()}
}

func text(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }

// vocObjectXML is an object of a file.
func vocObjectXML(name, more string, xmin, ymin, xmax, ymax any) string {
	return fmt.Sprintf("<object>\n<name>%s</name>%s<bndbox><xmin>%v</xmin><ymin>%v</ymin><xmax>%v</xmax><ymax>%v</ymax></bndbox>\n</object>\n",
		name, more, xmin, ymin, xmax, ymax)
}

const vocSize = "<annotation>\n<size><width>40</width><height>30</height><depth>3</depth></size>\n"

// list returns the objects of a data set, one line each.
func list(d *Dataset) (all []string) {
	for i := range d.Len() {
		line := d.Name(i)
		for _, o := range d.Objects(i) {
			line += fmt.Sprintf(" %s%v", d.Classes()[o.Label], o.Box)
			for _, flag := range []struct {
				name string
				set  bool
			}{{"crowd", o.Crowd}, {"difficult", o.Difficult}, {"occluded", o.Occluded}, {"truncated", o.Truncated}} {
				if flag.set {
					line += " " + flag.name
				}
			}
		}
		all = append(all, line)
	}
	return all
}

func TestOpenVOC(t *testing.T) {
	img := pngFile(t, 30, 40)
	fsys := fstest.MapFS{
		"Annotations/a.xml": text("\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?>\n" + vocSize + "<filename>other.jpg</filename>\n" +
			vocObjectXML("dog", "<difficult>1</difficult><truncated>Unspecified</truncated>", 1, 1, 40, 30) +
			vocObjectXML(" cat ", "<part><name>head</name><bndbox><xmin>9</xmin></bndbox></part>", "3.5", 2, 3.5, 2) + "</annotation>\n"),
		"Annotations/b.xml":           text("<annotation></annotation>"),
		"Annotations/c.xml":           text("<annotation>" + vocObjectXML("ox", "<occluded>1</occluded>", 0, 0, 2, 2) + vocSize[len("<annotation>"):] + "</annotation>"),
		"Annotations/.hidden.xml":     text("x"),
		"JPEGImages/a.PNG":            img,
		"JPEGImages/b.jpg":            img,
		"JPEGImages/c.png":            img,
		"JPEGImages/more.png":         img,
		"ImageSets/Main/train.txt":    text("c\r\n a \n\n"),
		"ImageSets/Main/none.txt":     text("\n"),
		"ImageSets/Main/dog.txt":      text("a 1\nb -1\n"),
		"ImageSets/Main/twice.txt":    text("a\nb\na\n"),
		"ImageSets/Main/unknown.txt":  text("a\nz\n"),
		"ImageSets/Main/outside.txt":  text("../a\n"),
		"ImageSets/Layout/layout.txt": text("a\n"),
	}
	d, err := OpenVOC(fsys, "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if truth := d.Truth(); len(truth) != 3 || !truth[0].Difficult || truth[2].Image != 2 || truth[2].Area != 9 || d.ImageID(2) != 2 || d.ClassID(1) != 1 {
		t.Errorf("objects for an evaluation: %+v", truth)
	}
	want := []string{"JPEGImages/a.PNG dog{0 0 40 30} difficult cat{2.5 1 3.5 2}", "JPEGImages/b.jpg", "JPEGImages/c.png ox{-1 -1 2 2} occluded"}
	if diff := cmp.Diff(want, list(d)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"cat", "dog", "ox"}, d.Classes()); diff != "" {
		t.Error(diff)
	}
	if o := d.Objects(0)[0]; o.Area != 40*30 {
		t.Errorf("area %v", o.Area)
	}
	if m, err := d.Open(0); err != nil || m.Height != 30 || m.Width != 40 {
		t.Errorf("Open: %v", err)
	}
	// A list has an order of its own, and the labels of the whole.
	if d, err = OpenVOC(fsys, "train", Options{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{want[2], want[0]}, list(d)); diff != "" {
		t.Error(diff)
	}
	if d, err = OpenVOC(fsys, "train", Options{Classes: []string{"ox", "dog", "cat", "hen"}}); err != nil || d.Objects(0)[0].Label != 0 || len(d.Classes()) != 4 {
		t.Errorf("given classes: %v", err)
	}
	for list, want := range map[string]string{
		"none":      "ImageSets/Main/none.txt: no images",
		"dog":       "ImageSets/Main/dog.txt: line 1: expected the name of an image, found 2 words",
		"twice":     `ImageSets/Main/twice.txt: line 3: "a" is on line 1 too`,
		"unknown":   `ImageSets/Main/unknown.txt: line 2: "z" has no annotation in the folder Annotations`,
		"outside":   `line 1: "../a" has no annotation`,
		"layout":    "ImageSets/Main/layout.txt: ",
		"../Layout": "ImageSets/Layout.txt: ",
	} {
		if _, err := OpenVOC(fsys, list, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("list %s: %v, expected %s", list, err, want)
		}
	}
	// Files side by side, as labeling programs write them.
	flat := fstest.MapFS{"a.xml": fsys["Annotations/a.xml"], "a.jpg": img, "notes.txt": text("x")}
	if d, err = OpenVOC(flat, "", Options{}); err != nil || d.Len() != 1 || d.Name(0) != "a.jpg" {
		t.Errorf("side by side: %v", err)
	}
	if _, err := OpenVOC(fstest.MapFS{"a.jpg": img}, "", Options{}); !errors.Is(err, vision.ErrNoImages) {
		t.Errorf("no annotations: %v", err)
	}
	if _, err := OpenVOC(fsys, "missing", Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no list: %v", err)
	}
}

// TestVOCErrors refuses what cannot be used, and leaves out as much as necessary and no more.
func TestVOCErrors(t *testing.T) {
	good := vocObjectXML("dog", "", 1, 1, 4, 4)
	for name, c := range map[string]struct {
		xml     string
		want    string // of the error
		objects int    // left with SkipErrors; -1 when the image is left out
	}{
		"inverted":       {vocSize + good + vocObjectXML("dog", "", 9, 1, 3, 4) + "</annotation>", `a.xml: line 6, object 2 ("dog"): the box has a width of -5 and a height of 4 pixels, expected more than 0`, 1},
		"outside":        {vocSize + vocObjectXML("dog", "", 41, 1, 50, 4) + good + "</annotation>", `object 1 ("dog"): the box from (40, 0) to (50, 4) lies outside the image of 40×30 pixels`, 1},
		"no number":      {vocSize + vocObjectXML("dog", "", 1, "top", 3, 4) + "</annotation>", `ymin is "top", expected a number`, 0},
		"not finite":     {vocSize + vocObjectXML("dog", "", 1, 1, "NaN", 4) + "</annotation>", `xmax is "NaN", expected a number`, 0},
		"huge":           {"<annotation>" + vocObjectXML("dog", "", 1, 1, "1e300", 4) + "</annotation>", "expected coordinates of an image", 0},
		"flag":           {vocSize + vocObjectXML("dog", "<difficult>maybe</difficult>", 1, 1, 3, 4) + "</annotation>", `difficult is "maybe", expected 0 or 1`, 0},
		"two flags":      {vocSize + vocObjectXML("dog", "<difficult>1</difficult><difficult>0</difficult>", 1, 1, 3, 4) + "</annotation>", "2 elements <difficult>, expected one", 0},
		"no name":        {vocSize + vocObjectXML(" ", "", 1, 1, 3, 4) + "</annotation>", "line 5: object 1 has 1 elements <name>, expected one with text", -1},
		"two names":      {vocSize + vocObjectXML("dog", "<name>cat</name>", 1, 1, 3, 4) + "</annotation>", "object 1 has 2 elements <name>", -1},
		"no box":         {vocSize + "<object><name>dog</name><polygon/></object></annotation>", `object 1 ("dog") has 0 elements <bndbox>, expected one`, -1},
		"two edges":      {vocSize + vocObjectXML("dog", "", 1, 1, "3</xmax><xmax>5", 4) + "</annotation>", "has 2 elements <xmax>", -1},
		"size":           {"<annotation><size><width>wide</width></size></annotation>", `width is "wide", expected a number`, -1},
		"ends early":     {vocSize + good, "a.xml: line 6: unexpected EOF", -1},
		"empty":          {"", "the file ends early", -1},
		"another format": {"<html><body/></html>", "the element <html>, expected one <annotation>", -1},
		"two documents":  {"<annotation/><annotation/>", "the element <annotation>, expected one", -1},
		"text behind":    {"<annotation/>x", "text behind </annotation>", -1},
		"entity":         {vocSize + vocObjectXML("&bomb;", "", 1, 1, 3, 4) + "</annotation>", "invalid character entity &bomb;", -1},
		"charset":        {`<?xml version="1.0" encoding="utf-7"?><annotation/>`, "utf-7", -1},
	} {
		fsys := fstest.MapFS{"Annotations/a.xml": text(c.xml), "Annotations/b.xml": text(vocSize + good + "</annotation>"), "JPEGImages/a.png": {}, "JPEGImages/b.png": {}}
		_, err := OpenVOC(fsys, "", Options{})
		var e *Error
		if !errors.As(err, &e) || e.File != "Annotations/a.xml" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: found %v, expected %s", name, err, c.want)
		}
		d, err := OpenVOC(fsys, "", Options{OnError: data.SkipErrors})
		if err != nil {
			t.Errorf("%s, with SkipErrors: %v", name, err)
			continue
		}
		images, objects := 2, c.objects
		if objects < 0 {
			images = 1
			objects = 1 // of b
		}
		if total, first := d.Skipped(); total != 1 || !strings.Contains(first[0].Error(), c.want) || d.Len() != images || len(d.Objects(0)) != objects {
			t.Errorf("%s, with SkipErrors: %v, %d left out", name, list(d), total)
		}
	}
	// Images, and classes that are not among those given.
	annotation := text(vocSize + good + "</annotation>")
	for want, fsys := range map[string]fstest.MapFS{
		`Annotations/a.xml: no image named "a" in the folder JPEGImages`:               {"Annotations/a.xml": annotation, "JPEGImages/b.png": {}},
		`Annotations/a.xml: 2 images named "a" in the folder JPEGImages, expected one`: {"Annotations/a.xml": annotation, "JPEGImages/a.png": {}, "JPEGImages/a.jpg": {}},
	} {
		if _, err := OpenVOC(fsys, "", Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("found %v, expected %s", err, want)
		}
		if _, err := OpenVOC(fsys, "", Options{OnError: data.SkipErrors}); !errors.Is(err, vision.ErrNoImages) || !strings.Contains(err.Error(), want) {
			t.Errorf("found %v, expected no images and %s", err, want)
		}
	}
	fsys := fstest.MapFS{"Annotations/a.xml": annotation, "JPEGImages/a.png": {}}
	if _, err := OpenVOC(fsys, "", Options{Classes: []string{"cat"}}); err == nil || !strings.Contains(err.Error(), `object 1 ("dog"): its name is not among the 1 classes`) {
		t.Errorf("another class: %v", err)
	}
	fsys["Annotations/a.xml"] = text(vocSize + strings.Repeat("<!--"+strings.Repeat("x", 1<<20)+"-->", 9) + "</annotation>")
	if _, err := OpenVOC(fsys, "", Options{}); err == nil || !strings.Contains(err.Error(), "expected at most 8388608") {
		t.Errorf("a large file: %v", err)
	}
	for want, o := range map[string]Options{
		"ReduceTo is 4, expected 0":           {Decode: vision.DecodeOptions{ReduceTo: 4}},
		"1 of the 3 classes are given twice":  {Classes: []string{"a", "b", "a"}},
		"unknown error policy ErrorPolicy(9)": {OnError: 9},
	} {
		if _, err := OpenVOC(fsys, "", o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("found %v, expected %s", err, want)
		}
	}
}

// TestBCCD reads the annotations of a real data set. The numbers were computed by a Python program over the XML files. Two
// boxes are of one pixel.
func TestBCCD(t *testing.T) {
	const dir = "../../../shared/data/bccd"
	if _, err := os.Stat(dir); err != nil {
		t.Skip(dir + " is not here")
	}
	for list, want := range map[string]struct {
		images int
		counts [3]int // Platelets, RBC, WBC
		sums   [4]float64
	}{
		"train": {205, [3]int{209, 2382, 214}, [4]float64{750459, 528697, 1049625, 812915}},
		"val":   {87, [3]int{83, 968, 87}, [4]float64{307042, 216644, 428519, 333073}},
		"test":  {72, [3]int{69, 805, 71}, [4]float64{253888, 179273, 354330, 275373}},
	} {
		d, err := OpenVOC(os.DirFS(dir), list, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var counts [3]int
		var sums [4]float64
		for i := range d.Len() {
			for _, o := range d.Objects(i) {
				counts[o.Label]++
				for k, v := range []float64{o.Box.X0 + 1, o.Box.Y0 + 1, o.Box.X1, o.Box.Y1} {
					sums[k] += v
				}
			}
		}
		if diff := cmp.Diff([]string{"Platelets", "RBC", "WBC"}, d.Classes()); diff != "" || d.Len() != want.images || counts != want.counts || sums != want.sums {
			t.Errorf("%s: %d images, %v objects of %q, sums %v; expected %+v", list, d.Len(), counts, d.Classes(), sums, want)
		}
	}
	all, err := OpenVOC(os.DirFS(dir), "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range all.Len() {
		if err := all.Check(i); err != nil {
			t.Error(err)
		}
	}
	crops := all.Crops(CropOptions{})
	if large := all.Crops(CropOptions{MinSide: 2}); crops.Len() != 4888 || large.Len() != 4886 {
		t.Errorf("%d crops, %d of them of more than a pixel", crops.Len(), large.Len())
	}
}

func FuzzVOC(f *testing.F) {
	f.Add([]byte(vocSize+vocObjectXML("dog", "<difficult>1</difficult>", 1, 2, 3, 4)+"</annotation>"), false)
	f.Add([]byte("<annotation>"+vocObjectXML("dog", "<difficult>x</difficult>", 1, 2, 3, "4e4")+"<size><height>-1</height></size></annotation>"), true)
	f.Fuzz(func(t *testing.T, data []byte, skip bool) {
		fsys := fstest.MapFS{"Annotations/a.xml": {Data: data}, "JPEGImages/a.png": {}}
		d, err := OpenVOC(fsys, "", Options{OnError: policy(skip)})
		checkFuzzed(t, d, err)
	})
}

func policy(skip bool) data.ErrorPolicy {
	if skip {
		return data.SkipErrors
	}
	return data.StopOnError
}

// checkFuzzed expects an error that says where, or objects that can be used.
func checkFuzzed(t *testing.T, d *Dataset, err error) {
	if err != nil {
		if strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Fatalf("an error of several lines: %q", err)
		}
		return
	}
	for i := range d.Len() {
		if !fs.ValidPath(d.Name(i)) {
			t.Fatalf("image %q", d.Name(i))
		}
		for _, o := range d.Objects(i) {
			if o.Label < 0 || o.Label >= len(d.Classes()) || o.Box.check(0, 0) != nil || !(o.Area >= 0) {
				t.Fatalf("%+v", o)
			}
		}
	}
	for i := range d.Crops(CropOptions{}).Len() {
		d.Crops(CropOptions{}).Name(i)
	}
}
