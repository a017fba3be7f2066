package vision

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"
)

// augmentImages are the images of testdata/gen/vision_augment.py.
func augmentImages() map[string]*Image {
	dim := testImage(25, 40, 3)
	for i, v := range dim.Pix {
		dim.Pix[i] = v/3 + [3]uint8{10, 60, 120}[i%3]
	}
	flat := NewImage(5, 6, 3)
	for i := range flat.Pix {
		flat.Pix[i] = 77
	}
	images := map[string]*Image{
		"wide": testImage(37, 61, 3), "tall": testImage(44, 19, 3), "square": testImage(32, 32, 3), "dim": dim,
		"flat": flat, "dot": testImage(1, 1, 3), "line": testImage(2, 9, 3),
	}
	for _, name := range slices.Collect(maps.Keys(images)) {
		images[name+" gray"] = images[name].Gray()
	}
	return images
}

func TestAugmentOperationsEqualPillow(t *testing.T) {
	data, err := os.ReadFile("testdata/augment.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Fill  [3]uint8
		Cases []struct {
			Image, Op, SHA256 string
			Args              []any
			Pixels            []byte
		}
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Cases) < 600 {
		t.Fatalf("%d cases", len(g.Cases))
	}
	images := augmentImages()
	for _, c := range g.Cases {
		m := images[c.Image]
		before := m.Clone()
		var x float64
		if len(c.Args) > 0 {
			x = c.Args[0].(float64)
		}
		f := Bilinear
		if len(c.Args) > 1 {
			f = filterNamed(t, c.Args[1].(string))
		}
		out := map[string]func() *Image{
			"autocontrast": func() *Image { return autoContrast(m) },
			"equalize":     func() *Image { return equalize(m) },
			"invert":       func() *Image { return invert(m) },
			"posterize":    func() *Image { return posterize(m, int(x)) },
			"solarize":     func() *Image { return solarize(m, int(x)) },
			"solarizeadd":  func() *Image { return solarizeAdd(m, int(x), 128) },
			"saturation":   func() *Image { return adjustSaturation(m, x) },
			"contrast":     func() *Image { return adjustContrast(m, x) },
			"brightness":   func() *Image { return adjustBrightness(m, x) },
			"sharpness":    func() *Image { return adjustSharpness(m, x) },
			"hue":          func() *Image { return shiftHue(m, x) },
			"shearx":       func() *Image { return affine(m, [6]float64{1, x, 0, 0, 1, 0}, f, g.Fill) },
			"sheary":       func() *Image { return affine(m, [6]float64{1, 0, 0, x, 1, 0}, f, g.Fill) },
			"translatex":   func() *Image { return affine(m, [6]float64{1, 0, x * float64(m.Width), 0, 1, 0}, f, g.Fill) },
			"translatey":   func() *Image { return affine(m, [6]float64{1, 0, 0, 0, 1, x * float64(m.Height)}, f, g.Fill) },
			"rotate":       func() *Image { return rotate(m, x, f, g.Fill) },
		}[c.Op]()
		if sum := sha256.Sum256(out.Pix); hex.EncodeToString(sum[:16]) != c.SHA256 {
			t.Errorf("%s%v of %s differs from Pillow's", c.Op, c.Args, c.Image)
			if c.Pixels != nil {
				t.Errorf("  got  %v\n  want %v", out.Pix, c.Pixels)
			}
		}
		if !bytes.Equal(m.Pix, before.Pix) {
			t.Fatalf("%s changed its operand", c.Op)
		}
	}
}
