package vision

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"image"
	"io/fs"
	"math"
	"os"
	"path"
	"testing"
)

// sharedData returns the folder of shared test data, or skips the test.
func sharedData(t *testing.T) fs.FS {
	t.Helper()
	const dir = "../../shared/data"
	if _, err := os.Stat(dir + "/images"); err != nil {
		t.Skip("../shared/data is not here")
	}
	return os.DirFS(dir)
}

func TestPhotographs(t *testing.T) {
	fsys := sharedData(t)
	data, err := os.ReadFile("testdata/shared.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		JPEG map[string]struct {
			goldenPixels
			Size, At [2]int
			Mean     [3]float64
		}
		PNG map[string]map[string]string
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	decode := func(t *testing.T, name string) *Image {
		t.Helper()
		m, err := DecodeFile(fsys, name, DecodeOptions{})
		if errors.Is(err, fs.ErrNotExist) {
			t.Skipf("%s is not in ../shared/data", name)
		}
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for name, c := range g.JPEG {
		t.Run(path.Base(name), func(t *testing.T) {
			m := decode(t, name)
			if m.Width != c.Size[0] || m.Height != c.Size[1] {
				t.Fatalf("%d×%d pixels, want %v", m.Width, m.Height, c.Size)
			}
			part, err := m.Crop(image.Rect(c.At[0], c.At[1], c.At[0]+c.Width, c.At[1]+c.Height))
			if err != nil {
				t.Fatal(err)
			}
			most, mean := worst(t, part, c.image(t))
			t.Logf("largest difference %d levels, mean %.4f", most, mean)
			if most > jpegTolerance {
				t.Errorf("pixels differ from Pillow's by up to %d levels, want at most %d", most, jpegTolerance)
			}
			for ch, want := range c.Mean {
				sum := 0
				for i := ch; i < len(m.Pix); i += 3 {
					sum += int(m.Pix[i])
				}
				if got := float64(sum) / float64(m.Width*m.Height); math.Abs(got-want) > 0.05 {
					t.Errorf("channel %d: mean %.4f, want %.4f", ch, got, want)
				}
			}
		})
	}
	for name, c := range g.PNG {
		t.Run(path.Base(name), func(t *testing.T) {
			m := decode(t, name)
			check := func(what string, m *Image) {
				sum := sha256.Sum256(m.Pix)
				if hex.EncodeToString(sum[:16]) != c[what] {
					t.Errorf("%s: pixels differ from Pillow's", what)
				}
			}
			check("decoded", m)
			for f := range filterCount {
				out, err := Resize(m, 224, 224, f)
				if err != nil {
					t.Fatal(err)
				}
				check(f.String(), out)
			}
			var buf bytes.Buffer
			if err := WritePNG(&buf, m); err != nil {
				t.Fatal(err)
			}
			back, err := DecodeBytes(buf.Bytes(), DecodeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			check("decoded", back)
		})
	}
}
