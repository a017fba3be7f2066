package vision

import (
	"bytes"
	"errors"
	"image"
	"os"
	"path/filepath"
	"testing"

	"github.com/fovea-ml/fovea/data"
)

func TestWritePNG(t *testing.T) {
	for _, channels := range []int{1, 3, 4} {
		m := testImage(7, 13, channels)
		var b bytes.Buffer
		if err := WritePNG(&b, m); err != nil {
			t.Fatal(err)
		}
		back, err := DecodeBytes(b.Bytes(), DecodeOptions{})
		if err != nil || !bytes.Equal(back.Pix, m.RGB().Pix) {
			t.Errorf("%d channels: did not come back: %v", channels, err)
		}
	}
	if err := WritePNG(new(bytes.Buffer), &Image{}); !errors.Is(err, ErrSize) {
		t.Errorf("empty image: %v", err)
	}
}

func TestSavePNG(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.png")
	m := testImage(7, 13, 3)
	if err := SavePNG(path, m); err != nil {
		t.Fatal(err)
	}
	if err := SavePNG(path, &Image{}); !errors.Is(err, ErrSize) {
		t.Errorf("empty image: %v", err)
	}
	back, err := DecodeFile(os.DirFS(filepath.Dir(path)), "a.png", DecodeOptions{})
	if err != nil || !bytes.Equal(back.Pix, m.Pix) {
		t.Errorf("did not come back, or a failed save took the file: %v", err)
	}
	if err := SavePNG(filepath.Join(path, "b.png"), m); err == nil {
		t.Error("a file as folder: no error")
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("%d files left, %v", len(entries), err)
	}
}

func TestCropAndPad(t *testing.T) {
	m := testImage(5, 7, 3)
	if _, err := m.Crop(image.Rect(0, 0, 8, 5)); !errors.Is(err, ErrSize) {
		t.Errorf("crop outside: %v", err)
	}
	p, err := m.Pad(2, 1, 0, 3, [3]uint8{9, 8, 7})
	if err != nil || p.Width != 9 || p.Height != 9 || !bytes.Equal(p.Pix[:3], []uint8{9, 8, 7}) {
		t.Fatalf("pad: %v", err)
	}
	c, err := p.Crop(image.Rect(2, 1, 9, 6))
	if err != nil || !bytes.Equal(c.Pix, m.Pix) {
		t.Errorf("crop of pad: %v", err)
	}
	if _, err := m.Pad(-1, 0, 0, 0, [3]uint8{}); !errors.Is(err, ErrSize) {
		t.Errorf("negative pad: %v", err)
	}
	if _, err := m.CenterCrop(3, 0, CenterFloor); !errors.Is(err, ErrSize) {
		t.Errorf("empty center crop: %v", err)
	}
}

// Center crops of sizes whose difference is odd, and of images that are too small; offsets from running
// transformers' center_crop and torchvision's CenterCrop.
func TestCenterRect(t *testing.T) {
	for _, c := range []struct{ n, want, floor, even int }{
		{10, 4, 3, 3}, {11, 4, 3, 4}, {9, 4, 2, 2}, {13, 4, 4, 4}, {4, 4, 0, 0}, {3, 4, -1, 0}, {1, 4, -2, -1}, {2, 5, -2, -1},
	} {
		if got := centerRect(c.n, c.n, c.want, c.want, CenterFloor).Min; got != image.Pt(c.floor, c.floor) {
			t.Errorf("%d of %d, floor: %v, want %d", c.want, c.n, got, c.floor)
		}
		if got := centerRect(c.n, c.n, c.want, c.want, CenterEven).Min; got != image.Pt(c.even, c.even) {
			t.Errorf("%d of %d, even: %v, want %d", c.want, c.n, got, c.even)
		}
	}
}

func TestShortestEdge(t *testing.T) {
	for _, c := range [][5]int{{640, 480, 224, 298, 224}, {480, 640, 224, 224, 298}, {7, 7, 3, 3, 3}, {1, 1000, 2, 2, 2000}, {333, 500, 256, 256, 384}} {
		if h, w := ShortestEdge(c[1], c[0], c[2]); w != c[3] || h != c[4] {
			t.Errorf("%d×%d to %d: %d×%d, want %d×%d", c[0], c[1], c[2], w, h, c[3], c[4])
		}
	}
}

func TestGray(t *testing.T) {
	m := &Image{Pix: []uint8{255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30}, Width: 4, Height: 1, Channels: 3}
	if g := m.Gray(); !bytes.Equal(g.Pix, []uint8{76, 150, 29, 18}) { // Pillow's convert("L")
		t.Errorf("%v", g.Pix)
	}
	if g := testImage(3, 3, 1); g.Gray() != g {
		t.Error("gray of gray is a new image")
	}
}

func TestImageIsAnImage(t *testing.T) {
	for _, channels := range []int{1, 3, 4} {
		m := testImage(4, 5, channels)
		var std image.Image = m
		r, g, b, a := std.At(3, 2).RGBA()
		got, err := FromImage(struct{ image.Image }{std}) // by At alone
		if err != nil {
			t.Fatal(err)
		}
		if channels != 4 && !bytes.Equal(got.Pix, m.RGB().Pix) {
			t.Errorf("%d channels: reading by At gives other pixels", channels)
		}
		if channels == 3 && (r>>8 != uint32(m.Pix[39]) || g>>8 != uint32(m.Pix[40]) || b>>8 != uint32(m.Pix[41]) || a != 0xffff) {
			t.Error("At(3, 2)")
		}
		if m.Opaque() != (channels != 4) {
			t.Error("Opaque")
		}
		if _, _, _, a := m.At(-1, 0).RGBA(); a != 0 {
			t.Error("outside")
		}
		_ = std.ColorModel().Convert(std.At(0, 0))
		c := m.Clone()
		c.Pix[0]++
		if c.Pix[0] == m.Pix[0] {
			t.Error("Clone shares memory")
		}
	}
	for _, f := range []func(){func() { NewImage(1, 0, 3) }, func() { NewImage(1, 1, 2) }} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("NewImage did not panic")
				}
			}()
			f()
		}()
	}
}

// TestHeightFirst makes images that are higher than wide by every function that takes or returns a size.
func TestHeightFirst(t *testing.T) {
	m := testImage(40, 20, 3)
	stretch := Preprocess{Height: 8, Width: 6}
	crop := Preprocess{Mode: NoResize, CropHeight: 8, CropWidth: 6}
	sizes := func(h, w int, ok bool) [2]int {
		if !ok {
			t.Error("no fixed size")
		}
		return [2]int{h, w}
	}
	made := func(m *Image, err error) [2]int {
		if err != nil {
			t.Error(err)
			return [2]int{}
		}
		return [2]int{m.Height, m.Width}
	}
	pair := func(h, w int) [2]int { return [2]int{h, w} }
	pixels := func(_ []float32, h, w int, err error) [2]int {
		if err != nil {
			t.Error(err)
		}
		return [2]int{h, w}
	}
	full := (&Augment{Scale: [2]float64{1, 1}, Ratio: [2]float64{0.75, 0.75}}).Rect(data.NewRand(1), 8, 6)
	for name, got := range map[string][2]int{
		"NewImage":                made(NewImage(8, 6, 3), nil),
		"FromCHW":                 made(FromCHW(make([]float32, 3*8*6), 8, 6, HalfMean, HalfStd), nil),
		"Resize":                  made(Resize(m, 8, 6, Bicubic)),
		"ResizeBox":               made(Resizer{}.ResizeBox(m, SourceBox{1, 2, 19, 38}, 8, 6)),
		"ResizeRect":              made(Resizer{}.ResizeRect(m, image.Rect(1, 2, 19, 38), 8, 6)),
		"CenterCrop":              made(m.CenterCrop(8, 6, CenterFloor)),
		"FixedSize of a stretch":  sizes(stretch.FixedSize()),
		"FixedSize of a crop":     sizes(crop.FixedSize()),
		"OutputSize of a stretch": pair(stretch.OutputSize(40, 20)),
		"OutputSize of a crop":    pair(crop.OutputSize(40, 20)),
		"OutputSize of no resize": pair((&Preprocess{Mode: NoResize}).OutputSize(8, 6)),
		"Pixels":                  pixels(stretch.Pixels(nil, nil, m)),
		"Pixels of no images":     pixels(stretch.Pixels(nil, nil)),
		"Augment without Crop":    made(new(Augment).Apply(data.NewRand(1), m, &crop)),
		"Augment with Crop":       made((&Augment{Crop: true}).Apply(data.NewRand(1), m, &stretch)),
		"Augment.Rect":            pair(full.Dy(), full.Dx()),
	} {
		if got != [2]int{8, 6} {
			t.Errorf("%s: height %d and width %d, expected 8 and 6", name, got[0], got[1])
		}
	}
	if h, w := ShortestEdge(40, 20, 10); h != 20 || w != 10 {
		t.Errorf("ShortestEdge: %d, %d", h, w)
	}
}
