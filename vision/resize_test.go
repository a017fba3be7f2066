package vision

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"math"
	"os"
	"testing"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/simd"
)

// testImage is the test image of testdata/gen/vision_resize.py: blocks of hard black and white, of gradients, and
// of noise.
func testImage(h, w, channels int) *Image {
	m := NewImage(h, w, channels)
	i := 0
	for y := range uint32(h) {
		for x := range uint32(w) {
			for c := range uint32(channels) {
				noise := (x*73856093 ^ y*19349663 ^ c*83492791) >> 11 & 255
				v := noise
				switch (x/7 + y/5) % 3 {
				case 0:
					v = 0
					if noise > 127 {
						v = 255
					}
				case 1:
					v = (x*5 + y*3 + c*40) % 256
				}
				m.Pix[i] = uint8(v)
				i++
			}
		}
	}
	return m
}

func filterNamed(t testing.TB, name string) Filter {
	for f := range filterCount {
		if f.String() == name {
			return f
		}
	}
	t.Fatalf("no filter %q", name)
	return 0
}

func TestResizeEqualsPillow(t *testing.T) { testResizeGolden(t, "testdata/resize.json", false) }
func TestResizeEqualsPillow12(t *testing.T) {
	testResizeGolden(t, "testdata/resize_pillow12.json", true)
}

func testResizeGolden(t *testing.T, file string, rowsFirst bool) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Cases []struct {
			In, Out  [2]int
			Channels int
			Filter   string
			Box      []float32
			SHA256   string
			Pixels   []byte
		}
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Cases) < 60 {
		t.Fatalf("%d cases", len(golden.Cases))
	}
	for _, c := range golden.Cases {
		name := fmt.Sprintf("%v→%v/%d/%s/%v", c.In, c.Out, c.Channels, c.Filter, c.Box)
		t.Run(name, func(t *testing.T) {
			m := testImage(c.In[1], c.In[0], c.Channels)
			for _, workers := range []*simd.Workers{nil, simd.NewWorkers(3)} {
				r := Resizer{Filter: filterNamed(t, c.Filter), Workers: workers, RowsFirst: rowsFirst}
				var got *Image
				var err error
				if c.Box != nil {
					got, err = r.ResizeBox(m, SourceBox{c.Box[0], c.Box[1], c.Box[2], c.Box[3]}, c.Out[1], c.Out[0])
				} else {
					got, err = r.Resize(m, c.Out[1], c.Out[0])
				}
				if err != nil {
					t.Fatal(err)
				}
				if err := got.Validate(); err != nil {
					t.Fatal(err)
				}
				sum := sha256.Sum256(got.Pix)
				if hex.EncodeToString(sum[:16]) != c.SHA256 {
					t.Errorf("pixels differ from Pillow's; got %v, want %v", got.Pix[:min(len(got.Pix), 48)], c.Pixels)
				}
			}
			if !bytes.Equal(m.Pix, testImage(c.In[1], c.In[0], c.Channels).Pix) {
				t.Error("the source was changed")
			}
		})
	}
}

// ResizeRect must equal cropping first, which is how torchvision crops and resizes.
func TestResizeRect(t *testing.T) {
	for _, channels := range []int{1, 3, 4} {
		m := testImage(45, 60, channels)
		for _, r := range []image.Rectangle{m.Bounds(), image.Rect(3, 4, 50, 40), image.Rect(59, 44, 60, 45), image.Rect(0, 0, 20, 45)} {
			for f := range filterCount {
				c, err := m.Crop(r)
				if err != nil {
					t.Fatal(err)
				}
				want, err := Resize(c, 20, 16, f)
				if err != nil {
					t.Fatal(err)
				}
				got, err := Resizer{Filter: f}.ResizeRect(m, r, 20, 16)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got.Pix, want.Pix) {
					t.Errorf("%d channels, %v, %v: differs from crop and resize", channels, r, f)
				}
			}
		}
	}
}

func TestResizeRefuses(t *testing.T) {
	m := testImage(8, 10, 3)
	nan := float32(math.NaN())
	r := Resizer{}
	errs := map[string]func() error{
		"no image":   func() error { _, err := r.Resize(nil, 3, 3); return err },
		"zero image": func() error { _, err := r.Resize(&Image{Channels: 3}, 3, 3); return err },
		"short Pix": func() error {
			_, err := r.Resize(&Image{Pix: make([]uint8, 5), Width: 2, Height: 1, Channels: 3}, 3, 3)
			return err
		},
		"two channels": func() error {
			_, err := r.Resize(&Image{Pix: make([]uint8, 4), Width: 2, Height: 1, Channels: 2}, 3, 3)
			return err
		},
		"zero width":   func() error { _, err := r.Resize(m, 3, 0); return err },
		"huge":         func() error { _, err := r.Resize(m, 3, math.MaxInt); return err },
		"negative":     func() error { _, err := r.Resize(m, -1, 3); return err },
		"box outside":  func() error { _, err := r.ResizeBox(m, SourceBox{0, 0, 11, 8}, 3, 3); return err },
		"box empty":    func() error { _, err := r.ResizeBox(m, SourceBox{2, 2, 2, 5}, 3, 3); return err },
		"box NaN":      func() error { _, err := r.ResizeBox(m, SourceBox{nan, 0, 3, 3}, 3, 3); return err },
		"rect outside": func() error { _, err := r.ResizeRect(m, image.Rect(-1, 0, 3, 3), 3, 3); return err },
		"rect empty":   func() error { _, err := r.ResizeRect(m, image.Rect(1, 1, 1, 3), 3, 3); return err },
	}
	for name, f := range errs {
		if err := f(); !errors.Is(err, ErrSize) {
			t.Errorf("%s: error %v, expected ErrSize", name, err)
		}
	}
	if _, err := (Resizer{Filter: 200}).Resize(m, 3, 3); err == nil {
		t.Error("unknown filter: no error")
	}
}

func BenchmarkResize(b *testing.B) {
	m := testImage(3000, 4000, 3)
	for _, f := range []Filter{Bilinear, Bicubic, Lanczos} {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("4000x3000→224/%v/threads=%d", f, threads), func(b *testing.B) {
				r := Resizer{Filter: f, Workers: simd.NewWorkers(threads)}
				b.ReportAllocs()
				b.SetBytes(int64(len(m.Pix)))
				for b.Loop() {
					if _, err := r.Resize(m, 224, 224); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
	small := testImage(480, 640, 3)
	b.Run("640x480→224/bicubic/threads=1", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Resize(small, 224, 224, Bicubic); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// Part of a result equals a crop of the whole result, although less of the source is read for it.
func TestResizePart(t *testing.T) {
	rng := data.NewRand(4)
	out := new(Image)
	for n := range 300 {
		m := testImage(1+rng.IntN(90), 1+rng.IntN(90), []int{1, 3, 4}[rng.IntN(3)])
		w, h := 1+rng.IntN(70), 1+rng.IntN(70)
		x, y := rng.IntN(w), rng.IntN(h)
		part := image.Rect(x, y, x+1+rng.IntN(w-x), y+1+rng.IntN(h-y))
		r := Resizer{Filter: Filter(n % int(filterCount)), RowsFirst: n%7 == 0, Tensor: n%5 == 0}
		box := m.whole()
		if n%3 == 0 {
			box.X0, box.Y1 = box.X1*0.3, box.Y1*0.7
		}
		whole, err := r.ResizeBox(m, box, h, w)
		if err != nil {
			t.Fatal(err)
		}
		want, err := whole.Crop(part)
		if err != nil {
			t.Fatal(err)
		}
		if out, err = r.resize(out, m, box, h, w, part); err != nil {
			t.Fatal(err)
		}
		if out.Width != part.Dx() || out.Height != part.Dy() || !bytes.Equal(out.Pix, want.Pix) {
			t.Fatalf("%+v, %d×%d×%d to %d×%d: %v differs from the whole cropped", r, m.Width, m.Height, m.Channels, w, h, part)
		}
	}
}

// Lines so long that their coefficients are made piece by piece come out as one: every thousand outputs repeat.
func TestResizeLong(t *testing.T) {
	if testing.Short() {
		t.Skip("6 million pixels")
	}
	const n, period = 1_200_000, 1000
	tile := testImage(1, 3*period, 3).Pix
	m := &Image{Pix: bytes.Repeat(tile, n/period), Width: 3 * n, Height: 1, Channels: 3}
	if _, _, width := newAxis(m.Width, 0, float32(m.Width), n, Bilinear, false).reach(); n <= mostTaps/width {
		t.Fatalf("windows of %d: not long enough", width)
	}
	for range 2 {
		got, err := Resize(m, max(m.Height/3, 1), max(m.Width/3, 1), Bilinear)
		if err != nil {
			t.Fatal(err)
		}
		// Away from the ends, where windows are cut.
		a, b := got.Pix[3:3*(n-period)-3], got.Pix[3*period+3:3*n-3]
		if !bytes.Equal(a, b) {
			t.Errorf("%d×%d: the result does not repeat as the source does", m.Width, m.Height)
		}
		m = &Image{Pix: m.Pix, Width: 1, Height: m.Width, Channels: 3}
	}
}
