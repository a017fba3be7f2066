package vision

import (
	"bytes"
	"errors"
	"image"
	"os"
	"path/filepath"
	"testing"
)

func TestWritePNG(t *testing.T) {
	for _, channels := range []int{1, 3, 4} {
		m := testImage(13, 7, channels)
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
	m := testImage(13, 7, 3)
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
	m := testImage(7, 5, 3)
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
	if _, err := m.CenterCrop(0, 3, CenterFloor); !errors.Is(err, ErrSize) {
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
		if w, h := ShortestEdge(c[0], c[1], c[2]); w != c[3] || h != c[4] {
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
		m := testImage(5, 4, channels)
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
	for _, f := range []func(){func() { NewImage(0, 1, 3) }, func() { NewImage(1, 1, 2) }} {
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
