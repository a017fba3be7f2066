package boxes

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/internal/test/oracle"
	"github.com/fovea-ml/fovea/vision"
)

// TestSamplePython compares with torchvision's transforms: boxes, which of them are left, and pixels.
func TestSamplePython(t *testing.T) {
	cmd := oracle.Command(t, "torchvision", "check_box_transforms.py")
	type transform struct {
		Size  [2]int       `json:"size"`
		Boxes [][4]float64 `json:"boxes"`
		Do    string       `json:"do"`
		With  []float64    `json:"with"`
	}
	rng := data.NewRand(21)
	var cases []transform
	for i := range 150 {
		h, w := 2+rng.IntN(40), 2+rng.IntN(40)
		c := transform{Size: [2]int{h, w}, Do: []string{"flip", "flip vertical", "pad", "crop", "resize", "overlap"}[i%6], Boxes: [][4]float64{}}
		for range rng.IntN(6) {
			x, y := rng.Uniform(0, float64(w)-0.1), rng.Uniform(0, float64(h)-0.1) // torchvision clips boxes to the image
			c.Boxes = append(c.Boxes, [4]float64{x, y, rng.Uniform(x, float64(w)), rng.Uniform(y, float64(h))})
		}
		left, top := rng.IntN(w), rng.IntN(h)
		cw, ch := 1+rng.IntN(w-left), 1+rng.IntN(h-top)
		switch c.Do {
		case "pad":
			c.With = []float64{float64(rng.IntN(9)), float64(rng.IntN(9)), float64(rng.IntN(9)), float64(rng.IntN(9))}
		case "crop":
			c.With = []float64{float64(top), float64(left), float64(ch), float64(cw)}
		case "resize":
			c.With = []float64{float64(1 + rng.IntN(60)), float64(1 + rng.IntN(60))}
		case "overlap":
			c.With = []float64{float64(left), float64(top), float64(left + cw), float64(top + ch), []float64{0, 0.1, 0.3}[rng.IntN(3)]}
		}
		cases = append(cases, c)
	}
	input, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), os.Stderr
	answer, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []struct {
		Boxes  [][4]float64
		Kept   []int
		Digest string
	}
	if err := json.Unmarshal(answer, &want); err != nil || len(want) != len(cases) {
		t.Fatalf("%d answers for %d cases: %v", len(want), len(cases), err)
	}
	for i, c := range cases {
		s := Sample{Image: vision.NewImage(c.Size[0], c.Size[1], 3)}
		for k := range s.Image.Pix {
			s.Image.Pix[k] = uint8(31 * k % 251)
		}
		for k, b := range c.Boxes {
			s.Objects = append(s.Objects, Object{Box: Box{b[0], b[1], b[2], b[3]}, Label: k})
		}
		n := make([]int, len(c.With))
		for k, v := range c.With {
			n[k] = int(v)
		}
		var got Sample
		var err error
		switch c.Do {
		case "flip":
			got = s.FlipHorizontal()
		case "flip vertical":
			got = s.FlipVertical()
		case "pad":
			got, err = s.Pad(n[0], n[1], n[2], n[3], [3]uint8{})
		case "crop":
			got, err = s.Crop(image.Rect(n[1], n[0], n[1]+n[3], n[0]+n[2]))
		case "resize":
			got, err = s.Resize(n[0], n[1], vision.Bilinear)
		case "overlap":
			part := image.Rect(n[0], n[1], n[2], n[3])
			var kept []int
			for k, o := range s.Objects {
				if o.Box.centered(part) {
					kept = append(kept, k)
				}
			}
			fits := map[bool]string{true: "True", false: "False"}[s.overlaps(part, c.With[4])]
			if !slices.Equal(kept, want[i].Kept) || fits != want[i].Digest {
				t.Errorf("%+v: found %v, %s, expected %v, %s", c, kept, fits, want[i].Kept, want[i].Digest)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var kept []int
		for k, o := range got.Objects {
			kept = append(kept, o.Label)
			if k >= len(want[i].Boxes) {
				break
			}
			for side, v := range []float64{o.Box.X0, o.Box.Y0, o.Box.X1, o.Box.Y1} {
				if math.Abs(v-want[i].Boxes[k][side]) > 1e-4 {
					t.Errorf("%+v: found %v, expected %v", c, o.Box, want[i].Boxes[k])
					break
				}
			}
		}
		if !slices.Equal(kept, want[i].Kept) {
			t.Errorf("%+v: found the boxes %v, expected %v", c, kept, want[i].Kept)
		}
		if sum := sha256.Sum256(got.Image.Pix); c.Do != "resize" && hex.EncodeToString(sum[:]) != want[i].Digest {
			t.Errorf("%+v: other pixels", c)
		}
	}
}

// painted returns a sample of black pixels with rectangles, each in a color of its own, which the label keeps.
func painted(r *data.Rand, height, width, objects int) Sample {
	s := Sample{Image: vision.NewImage(height, width, 3)}
	for range objects {
		w, h := 4+r.IntN(width/3), 4+r.IntN(height/3)
		x, y := r.IntN(width-w), r.IntN(height-h)
		o := Object{Label: 1 + r.IntN(20), Box: Box{float64(x), float64(y), float64(x + w), float64(y + h)}, Area: float64(w * h)}
		for row := y; row < y+h; row++ {
			for column := x; column < x+w; column++ {
				at := s.Image.Pix[3*(row*width+column):]
				at[0], at[1], at[2] = uint8(12*o.Label), uint8(255-12*o.Label), 255
			}
		}
		s.Objects = append(s.Objects, o)
	}
	return s
}

// TestAugment follows painted rectangles: every box of the result lies in the image and holds its color, unless another one
// covers it.
func TestAugment(t *testing.T) {
	const seeds = 60
	for name, a := range map[string]Augment{
		"none": {}, "flip": {Flip: 0.5, FlipVertical: 0.5}, "zoom": {ZoomOut: 1, MaxZoom: 2}, "crop": {Crop: 1}, "mosaic": {Mosaic: 1, MinVisible: 0.3},
		"all": {Mosaic: 0.5, ZoomOut: 0.5, MaxZoom: 3, Crop: 1, Flip: 0.5, FlipVertical: 0.5, MinVisible: 0.2},
	} {
		t.Run(name, func(t *testing.T) {
			found, changed := 0, 0
			for seed := range uint64(seeds) {
				s := painted(data.NewRand(seed, 1), 48, 64, 1)
				more := func(r *data.Rand) (Sample, error) { return painted(r, 30+r.IntN(30), 30+r.IntN(30), 1), nil }
				got, err := a.Apply(data.NewRand(seed, 2), s, more)
				if err != nil {
					t.Fatal(err)
				}
				again, err := a.Apply(data.NewRand(seed, 2), s, more)
				if err != nil || !same(got, again) {
					t.Fatalf("seed %d: the same draws give another sample, %v", seed, err)
				}
				if !same(got, s) {
					changed++
				}
				for _, o := range got.Objects {
					b := o.Box
					if b.X0 < 0 || b.Y0 < 0 || b.X1 > float64(got.Image.Width) || b.Y1 > float64(got.Image.Height) || !(b.X0 < b.X1 && b.Y0 < b.Y1) || o.Area <= 0 || math.Abs(o.Area-b.area()) > 1e-6*o.Area {
						t.Fatalf("seed %d: found %+v in %d×%d pixels", seed, o, got.Image.Width, got.Image.Height)
					}
					if b.X1-b.X0 < 4 || b.Y1-b.Y0 < 4 { // resized: of mixed colors
						continue
					}
					found++
					x, y := int((b.X0+b.X1)/2), int((b.Y0+b.Y1)/2)
					if p := got.Image.Pix[3*(y*got.Image.Width+x):][:3]; p[2] != 255 || int(p[0]) != 12*o.Label {
						t.Errorf("seed %d: %+v holds the color %v", seed, o, p)
					}
				}
			}
			if found < seeds/2 || changed == 0 && name != "none" || changed > 0 && name == "none" {
				t.Errorf("found %d boxes in %d changed samples", found, changed)
			}
		})
	}
}

func same(a, b Sample) bool {
	return bytes.Equal(a.Image.Pix, b.Image.Pix) && a.Image.Width == b.Image.Width && slices.Equal(a.Objects, b.Objects)
}

// TestMixupLarge leaves images whose canvas would be much larger than both.
func TestMixupLarge(t *testing.T) {
	s := Sample{Image: vision.NewImage(1, 20_000, 3)}
	a := Augment{Mixup: 1}
	got, err := a.Apply(data.NewRand(1, 2), s, func(*data.Rand) (Sample, error) { return Sample{Image: vision.NewImage(20_000, 1, 3)}, nil })
	if err != nil || got.Image.Height != 1 || got.Image.Width != 20_000 {
		t.Errorf("found %d×%d pixels, %v", got.Image.Width, got.Image.Height, err)
	}
}

// TestMixup adds pixels of two images, with weights around one half, and keeps the objects of both.
func TestMixup(t *testing.T) {
	white := func(height, width, label int) Sample {
		m := vision.NewImage(height, width, 1)
		for i := range m.Pix {
			m.Pix[i] = 255
		}
		return Sample{m, []Object{{Label: label, Box: Box{0, 0, 5, 5}, Area: 25}}}
	}
	a := Augment{Mixup: 1}
	got, err := a.Apply(data.NewRand(1), white(20, 10, 1), func(*data.Rand) (Sample, error) { return white(10, 20, 2), nil })
	if err != nil {
		t.Fatal(err)
	}
	at := func(y, x int) int { return int(got.Image.Pix[3*(20*y+x)]) }
	if both, first, second := at(5, 5), at(15, 5), at(5, 15); both < 254 || first+second != both || first < 64 || second < 64 || at(15, 15) != 0 {
		t.Errorf("found %d, %d, %d and %d", both, first, second, at(15, 15))
	}
	if len(got.Objects) != 2 || got.Objects[0].Label != 1 || got.Objects[1].Label != 2 {
		t.Errorf("found %v", got.Objects)
	}
}

// TestAugmentEdges takes images of a pixel and without objects, and names what is out of range.
func TestAugmentEdges(t *testing.T) {
	all := Augment{Mosaic: 1, Mixup: 1, ZoomOut: 1, Crop: 1, Flip: 1, FlipVertical: 1, Jitter: &vision.ColorJitter{Brightness: 0.5}}
	dot := func(*data.Rand) (Sample, error) { return Sample{Image: vision.NewImage(1, 1, 4)}, nil }
	for seed := range uint64(20) {
		if _, err := all.Apply(data.NewRand(seed), Sample{Image: vision.NewImage(1, 1, 1), Objects: []Object{{Box: Box{0, 0, 1, 1}, Area: 1}}}, dot); err != nil {
			t.Error(err)
		}
		if s, err := all.Apply(data.NewRand(seed), Sample{Image: vision.NewImage(3, 2, 3)}, dot); err != nil || len(s.Objects) != 0 {
			t.Errorf("found %v, %v", s.Objects, err)
		}
	}
	for _, c := range []struct {
		a    Augment
		want string
	}{
		{Augment{Flip: 1.5}, "boxes: augment: Flip is 1.5, expected 0 to 1"},
		{Augment{MinVisible: math.NaN()}, "boxes: augment: MinVisible is NaN, expected 0 to 1"},
		{Augment{MaxZoom: 0.5}, "boxes: augment: MaxZoom is 0.5, expected 1 to 16"},
		{Augment{Mosaic: 1}, "boxes: augment: Mosaic and Mixup need more samples"},
		{Augment{Jitter: &vision.ColorJitter{Hue: 2}}, "vision: color jitter: hue by 2, expected 0 to 0.5"},
	} {
		if _, err := c.a.Apply(data.NewRand(1), Sample{Image: vision.NewImage(3, 2, 3)}, nil); fmt.Sprint(err) != c.want {
			t.Errorf("found %v, expected %s", err, c.want)
		}
	}
	if _, err := (&Augment{}).Apply(data.NewRand(1), Sample{Image: &vision.Image{}}, nil); err == nil {
		t.Error("no pixels: expected an error")
	}
}

// TestSubset keeps the order that is asked for.
func TestSubset(t *testing.T) {
	d := &Dataset{classes: []string{"cell"}, images: []annotated{{file: "a"}, {file: "b", objects: make([]Object, 2)}, {file: "c"}}}
	s := d.Subset([]int{2, 1})
	if s.Len() != 2 || s.Name(0) != "c" || len(s.Objects(1)) != 2 || d.Len() != 3 || !slices.Equal(s.Classes(), d.Classes()) {
		t.Errorf("found %v", s.images)
	}
	defer func() {
		if recover() == nil {
			t.Error("expected a panic")
		}
	}()
	d.Subset([]int{3})
}

// TestCheck names an image of another size than its annotation states, and one that is missing.
func TestCheck(t *testing.T) {
	for want, image := range map[string]*fstest.MapFile{
		"": pngFile(t, 30, 40),
		"boxes: annotations/x.jpg: expected an image of 40×30 pixels, as its annotation states, found 40×31: ": pngFile(t, 31, 40),
		"found 30×40; is it turned by its EXIF orientation?":                                                   pngFile(t, 40, 30),
		"annotations/x.jpg": nil,
	} {
		files := cocoFile("")
		if image != nil {
			files["annotations/x.jpg"] = image
			files["annotations/sub/y.jpg"] = image // of unknown size
		}
		d, err := OpenCOCO(files, "annotations/a.json", "", Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, sampled := d.Sample(0)
		for _, err := range []error{d.Check(0), sampled} {
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("found %v, expected %q", err, want)
			}
		}
		if err := d.Check(1); image != nil && err != nil {
			t.Error(err)
		}
	}
}

// FuzzAugment changes samples of any boxes. What remains lies in the image.
func FuzzAugment(f *testing.F) {
	f.Add(uint64(1), uint8(20), uint8(30), 1.0, 2.0, 8.0, 9.0)
	f.Add(uint64(2), uint8(0), uint8(0), math.NaN(), math.Inf(-1), math.Inf(1), -1e300)
	f.Fuzz(func(t *testing.T, seed uint64, height, width uint8, x0, y0, x1, y1 float64) {
		s := Sample{vision.NewImage(1+int(height), 1+int(width), 1+2*int(seed%2)), []Object{{Box: Box{x0, y0, x1, y1}}, {Box: Box{y1, x0, x1, y0}}}}
		a := Augment{Mosaic: 0.5, Mixup: 0.5, ZoomOut: 0.5, Crop: 0.5, Flip: 0.5, FlipVertical: 0.5, MinVisible: 0.1, Jitter: &vision.ColorJitter{Contrast: 0.5}}
		got, err := a.Apply(data.NewRand(seed), s, func(*data.Rand) (Sample, error) { return s, nil })
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range got.Objects {
			if b := o.Box; !(b.X0 >= 0 && b.Y0 >= 0 && b.X0 < b.X1 && b.Y0 < b.Y1 && b.X1 <= float64(got.Image.Width) && b.Y1 <= float64(got.Image.Height)) {
				t.Errorf("found %+v in %d×%d pixels", o, got.Image.Width, got.Image.Height)
			}
		}
	})
}
