package vision

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/data"
	"github.com/google/go-cmp/cmp"
)

func pngFile(t testing.TB, m *Image) *fstest.MapFile {
	t.Helper()
	var b bytes.Buffer
	if err := WritePNG(&b, m); err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: b.Bytes()}
}

func TestOpenFolder(t *testing.T) {
	p := pngFile(t, testImage(6, 8, 3))
	fsys := fstest.MapFS{
		"dogs/b.png": p, "dogs/a.PNG": p, "dogs/deep/er/c.png": p, "dogs/notes.txt": {Data: []byte("x")},
		"cats/z.png": p, "cats/.hidden.png": p, "cats/.cache/x.png": p,
		".git/x.png": p, "loose.png": p, "README.md": {Data: []byte("x")},
	}
	d, err := OpenFolder(fsys, FolderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"cats", "dogs"}, d.Classes()); diff != "" {
		t.Error(diff)
	}
	var got []string
	for i := range d.Len() {
		got = append(got, fmt.Sprintf("%s=%d", d.Name(i), d.Label(i)))
	}
	if diff := cmp.Diff([]string{"cats/z.png=0", "dogs/a.PNG=1", "dogs/b.png=1", "dogs/deep/er/c.png=1"}, got); diff != "" {
		t.Error(diff)
	}
	m, err := d.Open(2)
	if err != nil || !bytes.Equal(m.Pix, testImage(6, 8, 3).Pix) {
		t.Errorf("Open: %v", err)
	}
	u, err := OpenFolder(fsys, FolderOptions{Unlabeled: true})
	if err != nil || u.Len() != 5 || len(u.Classes()) != 1 {
		t.Errorf("unlabeled: %v", err)
	}
}

func TestOpenFolderErrors(t *testing.T) {
	p := pngFile(t, testImage(6, 8, 3))
	for name, c := range map[string]struct {
		fsys fs.FS
		kind error
		says string
	}{
		"empty":       {fstest.MapFS{}, ErrNoImages, "no sub-folders"},
		"loose only":  {fstest.MapFS{"a.png": p, "b.png": p}, ErrNoImages, "2 images"},
		"empty class": {fstest.MapFS{"a/x.png": p, "b/readme": p}, ErrNoImages, "in b"},
		"one class":   {fstest.MapFS{"a/x.png": p}, ErrOneClass, `"a"`},
		"splits":      {fstest.MapFS{"train/a/x.png": p, "train/b/x.png": p, "val/a/y.png": p}, ErrNoImages, "train, val"},
	} {
		_, err := OpenFolder(c.fsys, FolderOptions{})
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, expected %v and %q", name, err, c.kind, c.says)
		}
	}
	if _, err := OpenDir("testdata/no such folder", FolderOptions{}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "no such folder") {
		t.Errorf("missing folder: %v", err)
	}
	if _, err := OpenDir("testdata/resize.json", FolderOptions{}); err == nil || !strings.Contains(err.Error(), "resize.json") {
		t.Errorf("a file as folder: %v", err)
	}
	dir := t.TempDir()
	for _, class := range []string{"cat", "dog"} {
		if err := errors.Join(os.Mkdir(filepath.Join(dir, class), 0o755), os.WriteFile(filepath.Join(dir, class, "x.png"), p.Data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if d, err := OpenDir(dir, FolderOptions{}); err != nil || !slices.Equal(d.Classes(), []string{"cat", "dog"}) {
		t.Errorf("directory: %v", err)
	}
	if d, err := OpenFolder(fstest.MapFS{"a/x.png": p}, FolderOptions{AllowOneClass: true}); err != nil || d.Len() != 1 {
		t.Errorf("one class allowed: %v", err)
	}
	d, err := OpenFolder(fstest.MapFS{"a/x.png": p, "b/y.jpg": {Data: []byte("not an image")}}, FolderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open(1); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "b/y.jpg") {
		t.Errorf("unreadable file: %v", err)
	}
	// What a phone takes is not passed over in silence.
	d, err = OpenFolder(fstest.MapFS{"a/x.png": p, "b/y.HEIC": {Data: []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00")}}, FolderOptions{})
	if err != nil || d.Len() != 2 {
		t.Fatalf("%v, %v", d, err)
	}
	if _, err := d.Open(1); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "heic") {
		t.Errorf("a HEIC file: %v", err)
	}
}

func idxFile(kind byte, dims []int, values []uint8) []byte {
	b := []byte{0, 0, kind, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, uint32(d))
	}
	return append(b, values...)
}

func zipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

// stored is a gzip file in which the bytes stand as they are, at the end before the checksum and the length.
func stored(b []byte) []byte {
	head := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1, byte(len(b)), byte(len(b) >> 8), ^byte(len(b)), ^byte(len(b) >> 8)}
	out := append(head, b...)
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(b))
	return binary.LittleEndian.AppendUint32(out, uint32(len(b)))
}

func TestOpenIDX(t *testing.T) {
	pix := testImage(3*5, 4, 1).Pix
	flipped := stored(idxFile(8, []int{5}, []uint8{2, 0, 1, 1, 2}))
	flipped[len(flipped)-8-1] ^= 1 // the last label; the checksum follows
	fsys := fstest.MapFS{
		"images":   {Data: zipped(idxFile(8, []int{5, 3, 4}, pix))},
		"labels":   {Data: idxFile(8, []int{5}, []uint8{2, 0, 1, 1, 2})},
		"fewer":    {Data: idxFile(8, []int{4}, []uint8{2, 0, 1, 1})},
		"floats":   {Data: idxFile(13, []int{5}, make([]uint8, 20))},
		"short":    {Data: idxFile(8, []int{5, 3, 4}, pix[:59])},
		"cut":      {Data: idxFile(8, []int{5, 3, 4}, pix)[:11]},
		"cut zip":  {Data: zipped(idxFile(8, []int{5, 3, 4}, pix))[:40]},
		"huge":     {Data: idxFile(8, []int{1<<31 - 1, 1<<31 - 1, 1<<31 - 1}, nil)},
		"no width": {Data: idxFile(8, []int{5, 3, 0}, nil)},
		"longer":   {Data: idxFile(8, []int{5}, []uint8{2, 0, 1, 1, 2, 0})},
		"longer z": {Data: zipped(idxFile(8, []int{5}, []uint8{2, 0, 1, 1, 2, 0}))},
		"flipped":  {Data: flipped},
		"no end":   {Data: flipped[:len(flipped)-8]},
	}
	d, err := OpenIDX(fsys, "images", "labels", nil)
	if err != nil {
		t.Fatal(err)
	}
	if d.Len() != 5 || d.Label(0) != 2 || d.Name(3) != "images#3" || !slices.Equal(d.Classes(), []string{"0", "1", "2"}) {
		t.Errorf("%d images, label %d, name %s, classes %v", d.Len(), d.Label(0), d.Name(3), d.Classes())
	}
	m, err := d.Open(1)
	if err != nil || m.Width != 4 || m.Height != 3 || !bytes.Equal(m.Pix, pix[12:24]) {
		t.Errorf("image 1: %+v, %v", m, err)
	}
	for _, c := range []struct {
		images, labels string
		classes        []string
		kind           error
	}{
		{"none", "labels", nil, fs.ErrNotExist},
		{"images", "fewer", nil, ErrIDX},
		{"images", "floats", nil, ErrIDX},
		{"short", "labels", nil, ErrIDX},
		{"cut", "labels", nil, ErrIDX},
		{"cut zip", "labels", nil, ErrIDX},
		{"huge", "labels", nil, ErrTooLarge},
		{"labels", "labels", nil, ErrIDX},
		{"no width", "labels", nil, ErrNoImages},
		{"images", "longer", nil, ErrIDX},
		{"images", "longer z", nil, ErrIDX},
		{"images", "flipped", nil, ErrIDX},
		{"images", "no end", nil, ErrIDX},
		{"images", "labels", []string{"a", "b"}, ErrIDX},
	} {
		if _, err := OpenIDX(fsys, c.images, c.labels, c.classes); !errors.Is(err, c.kind) {
			t.Errorf("%s, %s, %v: error %v, expected %v", c.images, c.labels, c.classes, err, c.kind)
		}
	}
}

func TestFashionMNIST(t *testing.T) {
	fsys := sharedData(t)
	d, err := OpenIDX(fsys, "fashion-mnist/t10k-images-idx3-ubyte.gz", "fashion-mnist/t10k-labels-idx1-ubyte.gz", nil)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("../shared/data/fashion-mnist is not here")
	}
	if err != nil {
		t.Fatal(err)
	}
	m, err := d.Open(0)
	if err != nil {
		t.Fatal(err)
	}
	if d.Len() != 10000 || len(d.Classes()) != 10 || m.Width != 28 || m.Height != 28 || d.Label(0) != 9 {
		t.Errorf("%d images of %d×%d, %d classes, first label %d", d.Len(), m.Width, m.Height, len(d.Classes()), d.Label(0))
	}
}

// TestIDXBomb refuses a compressed file before it fills the memory.
func TestIDXBomb(t *testing.T) {
	const size = 80 << 20
	file := zipped(idxFile(8, []int{size}, make([]uint8, size)))
	if _, _, err := ReadIDX(bytes.NewReader(file), 0); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%d bytes: found %v", len(file), err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := OpenIDX(fstest.MapFS{"file": {Data: file}}, "file", "file", nil)
	if runtime.ReadMemStats(&after); !errors.Is(err, ErrIDX) || after.TotalAlloc-before.TotalAlloc > 1<<20 {
		t.Errorf("labels for images: %v, after %d bytes", err, after.TotalAlloc-before.TotalAlloc)
	}
}

func FuzzReadIDX(f *testing.F) {
	f.Add(idxFile(8, []int{2, 3}, make([]uint8, 6)))
	f.Add(zipped(idxFile(8, []int{4}, make([]uint8, 4))))
	f.Add(idxFile(8, []int{1 << 20, 1 << 20}, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		dims, values, err := ReadIDX(bytes.NewReader(data), 1<<16)
		if err != nil {
			if !errors.Is(err, ErrIDX) && !errors.Is(err, ErrTooLarge) {
				t.Fatalf("error %v of no kind", err)
			}
			return
		}
		n := 1
		for _, d := range dims {
			n *= d
		}
		if n != len(values) || n > 1<<16 {
			t.Fatalf("dimensions %v, %d values", dims, len(values))
		}
	})
}

// labels is a data set of labels alone.
type labels []int

func (d labels) Len() int                   { return len(d) }
func (d labels) Classes() []string          { return []string{"a", "b", "c"} }
func (d labels) Label(i int) int            { return d[i] }
func (d labels) Name(i int) string          { return fmt.Sprint(i) }
func (d labels) Open(i int) (*Image, error) { return nil, errors.New("labels only") }

func TestSplit(t *testing.T) {
	var d labels
	for i := range 130 {
		switch {
		case i < 100:
			d = append(d, 0)
		case i < 129:
			d = append(d, 1)
		default:
			d = append(d, 2)
		}
	}
	train, test, err := Split(d, 0.2, 7)
	if err != nil {
		t.Fatal(err)
	}
	var count [3]int
	for i := range test.Len() {
		count[test.Label(i)]++
	}
	if count != [3]int{20, 6, 0} || train.Len() != 104 {
		t.Errorf("test has %v of each class, train %d in all", count, train.Len())
	}
	all := append(slices.Clone(train.Indices), test.Indices...)
	slices.Sort(all)
	for i, v := range all {
		if i != v {
			t.Fatalf("image %d is in both or neither", i)
		}
	}
	_, again, _ := Split(d, 0.2, 7)
	_, other, _ := Split(d, 0.2, 8)
	if !slices.Equal(test.Indices, again.Indices) || slices.Equal(test.Indices, other.Indices) {
		t.Error("the division does not depend on the seed alone")
	}
	if _, test, _ := Split(d, 0.001, 1); test.Len() != 2 { // one of each class that can spare one
		t.Errorf("a small share left %d", test.Len())
	}
	if train, test, _ := Split(d, 0, 1); test.Len() != 0 || train.Len() != 130 {
		t.Errorf("a share of 0 left %d", test.Len())
	}
	for _, share := range []float64{-0.1, 1, math.NaN()} {
		if _, _, err := Split(d, share, 1); err == nil {
			t.Errorf("share %v: no error", share)
		}
	}
	if _, _, err := Split(labels{0, 3}, 0.5, 1); err == nil {
		t.Error("label out of range: no error")
	}
	if _, _, err := Split(labels{0, 1}, 0.5, 1); err == nil || !strings.Contains(err.Error(), "no class has two images") {
		t.Errorf("one image of each class: %v", err)
	}
}

func TestAugmentRect(t *testing.T) {
	a := Augment{}
	r := data.NewRand(4)
	areas := 0.0
	const n = 4000
	for range n {
		b := a.Rect(r, 300, 400)
		if b.Empty() || b.Min.X < 0 || b.Min.Y < 0 || b.Max.X > 400 || b.Max.Y > 300 {
			t.Fatalf("%v leaves the image", b)
		}
		f := float64(b.Dx()) / float64(b.Dy())
		if f < 0.72 || f > 1.39 {
			t.Fatalf("%v has ratio %.2f", b, f)
		}
		areas += float64(b.Dx()*b.Dy()) / 120000
	}
	// Large areas fit at few ratios only, which pulls the mean below the middle of 0.08 to 1: torchvision's mean
	// over 6000 draws is 0.4357.
	if mean := areas / n; math.Abs(mean-0.4357) > 0.012 {
		t.Errorf("mean area %.3f", mean)
	}
	// No rectangle of these ratios fits: the central part with the nearest ratio is taken.
	for _, c := range []struct{ w, h, x, y, cw, ch int }{{1000, 10, 493, 0, 13, 10}, {10, 1000, 0, 493, 10, 13}, {1, 1, 0, 0, 1, 1}} {
		whole := Augment{Scale: [2]float64{1, 1}}
		b := whole.Rect(data.NewRand(1), c.h, c.w)
		if b.Min.X != c.x || b.Min.Y != c.y || b.Dx() != c.cw || b.Dy() != c.ch {
			t.Errorf("%d×%d: %v", c.w, c.h, b)
		}
	}
	for _, bad := range []Augment{{Scale: [2]float64{0.5, 0.2}}, {Scale: [2]float64{0, 1}}, {Ratio: [2]float64{-1, 1}}, {Flip: 2}, {Flip: math.NaN()}} {
		if bad.Validate() == nil {
			t.Errorf("%+v: no error", bad)
		}
	}
}

func TestAugmentApply(t *testing.T) {
	m := testImage(20, 30, 3)
	p := Half(16)
	always, never := Augment{Flip: 1}, Augment{}
	a, err := always.Apply(data.NewRand(1), m, &p)
	if err != nil {
		t.Fatal(err)
	}
	b, err := never.Apply(data.NewRand(1), m, &p)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.FlipHorizontal().Pix, b.Pix) || bytes.Equal(a.Pix, b.Pix) {
		t.Error("mirroring")
	}
	crop := Augment{Crop: true}
	c, err := crop.Apply(data.NewRand(1), m, &p)
	if err != nil || c.Width != 16 || c.Height != 16 || bytes.Equal(c.Pix, b.Pix) {
		t.Errorf("crop: %v", err)
	}
	d, _ := crop.Apply(data.NewRand(1), m, &p)
	if !bytes.Equal(c.Pix, d.Pix) {
		t.Error("the same key gave two crops")
	}
	loose := Preprocess{Mode: ShortSide, Width: 5}
	if _, err := crop.Apply(data.NewRand(1), m, &loose); !errors.Is(err, ErrSize) {
		t.Errorf("size that depends on the image: %v", err)
	}
}
