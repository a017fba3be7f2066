package fashion

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/internal/test/golden"
)

func TestLoad(t *testing.T) {
	train, test, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		m    Images
		each int
		sum  string // SHA-256 of pixels, then labels
	}{
		{"train", train, 800, "3fc3c5f7cb89c15342c87369a5de49614b0afa857bee68ba117e74fae5e3bacb"},
		{"test", test, 200, "8e8b02fc2db0ff9ed2d481ff30f8bd7cc5c88205cb131d7f4a0c19448f6957c9"},
	} {
		if c.m.Len() != len(Classes)*c.each || len(c.m.Pixels) != c.m.Len()*Size*Size {
			t.Errorf("%s: found %d labels, %d pixels", c.name, c.m.Len(), len(c.m.Pixels))
		}
		var count [len(Classes)]int
		for _, l := range c.m.Labels {
			count[l]++
		}
		for class, n := range count {
			if n != c.each {
				t.Errorf("%s: expected %d of %s, found %d", c.name, c.each, Classes[class], n)
			}
		}
		h := sha256.New()
		h.Write(c.m.Pixels)
		h.Write(c.m.Labels)
		if sum := fmt.Sprintf("%x", h.Sum(nil)); sum != c.sum {
			t.Errorf("%s: expected checksum %s, found %s", c.name, c.sum, sum)
		}
	}
	if g := train.Image(3); g.GrayAt(13, 14).Y != train.Pixels[3*Size*Size+14*Size+13] || g.Bounds().Dx() != Size || g.Bounds().Dy() != Size {
		t.Error("Image returns the wrong image")
	}
}

func TestSize(t *testing.T) {
	total := int64(0)
	err := fs.WalkDir(Files(), ".", func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		total += info.Size()
		return err
	})
	if err != nil || total > 5<<20 {
		t.Errorf("embedded files are %d bytes, %v", total, err)
	}
}

// TestSubset checks against the whole data set that the images are the first of each class, in order and unchanged.
func TestSubset(t *testing.T) {
	if testing.Short() {
		t.Skip("decompresses 55 MB")
	}
	train, test, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	allTrain, allTest, err := LoadFS(os.DirFS(golden.SharedData(t, "fashion-mnist")))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		part, all Images
		each      int
		total     int
	}{{"train", train, allTrain, 800, 60000}, {"test", test, allTest, 200, 10000}} {
		if c.all.Len() != c.total {
			t.Errorf("%s: expected %d images in the whole, found %d", c.name, c.total, c.all.Len())
		}
		var seen [len(Classes)]int
		next := 0
		for i, label := range c.all.Labels {
			if seen[label]++; seen[label] > c.each {
				continue
			}
			if c.part.Labels[next] != label || !bytes.Equal(c.part.Image(next).Pix, c.all.Image(i).Pix) {
				t.Fatalf("%s: image %d is not image %d of the whole data set", c.name, next, i)
			}
			next++
		}
		if next != c.part.Len() {
			t.Errorf("%s: expected %d images, found %d", c.name, next, c.part.Len())
		}
	}
}

func TestBadFiles(t *testing.T) {
	idx := func(data int, head ...uint32) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		binary.Write(z, binary.BigEndian, head)
		z.Write(make([]byte, data))
		z.Close()
		return b.Bytes()
	}
	label := func(l byte) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write([]byte{0, 0, 8, 1, 0, 0, 0, 1, l})
		z.Close()
		return b.Bytes()
	}
	goodLabels, goodImages := idx(2, 0x801, 2), idx(2*Size*Size, 0x803, 2, Size, Size)
	for _, c := range []struct {
		name           string
		labels, images []byte
		want           string
	}{
		{"good", goodLabels, goodImages, ""},
		{"none", idx(0, 0x801, 0), idx(0, 0x803, 0, Size, Size), ""},
		{"no gzip", []byte("plain"), goodImages, "train-labels-idx1-ubyte.gz: "},
		{"cut", goodLabels, goodImages[:20], "train-images-idx3-ubyte.gz: unexpected EOF"},
		{"short head", idx(0, 0x801), goodImages, "unexpected EOF"},
		{"magic", goodImages, goodImages, "expected an idx file of 1 dimensions of bytes (0x00000801), found 0x00000803"},
		{"other size", goodLabels, idx(2*32*32, 0x803, 2, 32, 32), "expected dimension 1 to be 28, found 32"},
		{"other count", goodLabels, idx(Size*Size, 0x803, 1, Size, Size), "expected 2 images"},
		{"too little", idx(1, 0x801, 2), goodImages, "expected 2 elements, found 1"},
		{"too much", idx(3, 0x801, 2), goodImages, "expected 2 elements, found 3"},
		{"huge", goodLabels, idx(1, 0x803, 1<<32-1, Size, Size), "expected at most"},
		{"label 10", label(10), goodImages, "expected labels below 10, found 10"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := LoadFS(fstest.MapFS{
				"train-labels-idx1-ubyte.gz": {Data: c.labels}, "train-images-idx3-ubyte.gz": {Data: c.images},
				"t10k-labels-idx1-ubyte.gz": {Data: goodLabels}, "t10k-images-idx3-ubyte.gz": {Data: goodImages},
			})
			if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
				t.Errorf("expected %q, found %v", c.want, err)
			}
		})
	}
}

func ExampleLoad() {
	train, test, err := Load()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(train.Len(), test.Len(), Classes[train.Labels[0]])
	boot := train.Image(0)
	for y := 6; y < Size-4; y += 2 {
		for x := range Size {
			if boot.GrayAt(x, y).Y > 60 {
				fmt.Print("#")
			} else {
				fmt.Print(".")
			}
		}
		fmt.Println()
	}
	// Output:
	// 8000 2000 Ankle boot
	// ..............#########.###.
	// .............##############.
	// .............##############.
	// ............###############.
	// ............###############.
	// ......#####################.
	// .##########################.
	// ############################
	// .###########################
}
