package vision

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/data"
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
	text, err := os.ReadFile("testdata/augment.json")
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
	if err := json.Unmarshal(text, &g); err != nil {
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
			"gaussianblur": func() *Image { return gaussianBlur(m, x) },
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

// randAugmentGolden is testdata/randaugment.json.
type randAugmentGolden struct {
	Forms []struct {
		Form       string
		Layers     int
		Prob       float64
		Magnitude  float64
		Std        string
		Max        float64
		Fill       [3]uint8
		Operations []string
		Weights    []float64 // nil where all are alike
	}
	Levels []struct {
		Operation string
		Magnitude float64
		Max       float64
		Image     string
		SHA256    []string // one, or one for each sign
	}
}

func readRandAugmentGolden(t *testing.T) (g randAugmentGolden) {
	text, err := os.ReadFile("testdata/randaugment.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Forms) < 10 || len(g.Levels) < 200 {
		t.Fatalf("%d forms, %d levels", len(g.Forms), len(g.Levels))
	}
	return g
}

// TestParseRandAugmentEqualsTimm reads forms as timm does.
func TestParseRandAugmentEqualsTimm(t *testing.T) {
	for _, want := range readRandAugmentGolden(t).Forms {
		a, err := ParseRandAugment(want.Form)
		if err != nil {
			t.Error(err)
			continue
		}
		std, err := strconv.ParseFloat(want.Std, 64)
		if err != nil {
			t.Fatal(err)
		}
		if a.layers() != want.Layers || a.prob() != want.Prob || a.Magnitude != want.Magnitude || a.MagnitudeStd != std || a.most() != want.Max || a.Fill != want.Fill {
			t.Errorf("%s: found %+v, timm has %+v", want.Form, a, want)
		}
		all, once := a.choices()
		if len(all) != len(want.Operations) || once != (want.Weights != nil) {
			t.Fatalf("%s: %d operations, each once: %v; timm has %d", want.Form, len(all), once, len(want.Operations))
		}
		total := 0.0
		for _, c := range all {
			total += c.weight
		}
		for i, c := range all {
			if c.name != want.Operations[i] {
				t.Errorf("%s: operation %s, timm has %s", want.Form, c.name, want.Operations[i])
			}
			if once && math.Abs(c.weight/total-want.Weights[i]) > 1e-12 {
				t.Errorf("%s: %s has the weight %v of %v, timm has %v", want.Form, c.name, c.weight, total, want.Weights[i])
			}
		}
	}
}

// TestRandAugmentLevelsEqualTimm applies each operation at magnitudes up to 10 and above, where it is limited to the
// largest. Operations with a sign give the image of each sign.
func TestRandAugmentLevelsEqualTimm(t *testing.T) {
	images := augmentImages()
	seen := map[string]bool{}
	for _, want := range readRandAugmentGolden(t).Levels {
		a := &RandAugment{Magnitude: want.Magnitude, MagnitudeMax: want.Max, Fill: [3]uint8{124, 116, 104}, Filters: []Filter{Bicubic}}
		if err := a.Validate(); err != nil {
			t.Error(err)
		}
		seen[want.Operation] = true
		got := map[string]bool{}
		for seed := range uint64(16) {
			r := data.NewRand(seed)
			sum := sha256.Sum256(operations[want.Operation](a, r, images[want.Image], a.level(r)).Pix)
			got[hex.EncodeToString(sum[:16])] = true
		}
		if d := cmp.Diff(want.SHA256, slices.Sorted(maps.Keys(got))); d != "" {
			t.Errorf("%s at magnitude %v of %v on %s differs from timm's: %s", want.Operation, want.Magnitude, a.most(), want.Image, d)
		}
	}
	if len(seen) != len(operations) {
		t.Errorf("%d of %d operations compared", len(seen), len(operations))
	}
}

// TestRandAugmentSets draws as often as the weights say, and each operation of a weighted set once.
func TestRandAugmentSets(t *testing.T) {
	for _, set := range []RandSet{RandAll, RandWeights, Rand3A, Rand3AWeights} {
		all, once := (&RandAugment{Set: set}).choices()
		total := 0.0
		for _, c := range all {
			total += c.weight
		}
		const draws = 20000
		count := make([]int, len(all))
		r := data.NewRand(1)
		for range draws {
			count[pick(r, all)]++
		}
		for i, c := range all {
			share := 1 / float64(len(all))
			if once {
				share = c.weight / total
			}
			if got := float64(count[i]) / draws; math.Abs(got-share) > 0.012 {
				t.Errorf("%v: %s is drawn with probability %.3f, expected %.3f", set, c.name, got, share)
			}
		}
	}
	m := testImage(9, 9, 3)
	every := RandAugment{Set: RandWeights, Layers: new(15), Prob: new(1.0)}
	if err := every.Validate(); err != nil {
		t.Error(err)
	}
	if got := every.Apply(data.NewRand(1), m); bytes.Equal(got.Pix, m.Pix) {
		t.Error("fifteen operations changed nothing")
	}
	if len(randWeights) != 15 || randWeights[0].name != "Rotate" {
		t.Error("drawing changed the set")
	}
	for _, bad := range []RandAugment{{Set: 9}, {Set: RandWeights, Layers: new(16)}, {Magnitude: -1}, {Magnitude: math.NaN()}, {Layers: new(-1)}, {Prob: new(1.5)}} {
		if bad.Validate() == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
}

// TestShift moves an image by every distance up to Shift, and no further. What enters is black.
func TestShift(t *testing.T) {
	m := NewImage(5, 7, 1)
	for i := range m.Pix {
		m.Pix[i] = uint8(i + 1)
	}
	p := Preprocess{Mode: NoResize, Gray: true}
	seen := map[[2]int]int{}
	for seed := range uint64(900) {
		out, err := (&Augment{Shift: 1}).Apply(data.NewRand(seed), m, &p)
		if err != nil {
			t.Fatal(err)
		}
		dy, dx := 0, 0
		for y := range out.Height {
			for x := range out.Width {
				if out.Pix[y*out.Width+x] == m.Pix[2*7+3] { // the central pixel
					dy, dx = y-2, x-3
				}
			}
		}
		for y := range out.Height {
			for x := range out.Width {
				want := uint8(0)
				if sy, sx := y-dy, x-dx; sy >= 0 && sy < 5 && sx >= 0 && sx < 7 {
					want = m.Pix[sy*7+sx]
				}
				if got := out.Pix[y*out.Width+x]; got != want {
					t.Fatalf("moved by %d, %d: pixel %d, %d is %d, expected %d", dy, dx, y, x, got, want)
				}
			}
		}
		seen[[2]int{dy, dx}]++
	}
	if len(seen) != 9 {
		t.Errorf("expected 9 places, found %v", seen)
	}
	for at, n := range seen {
		if n < 60 || n > 140 {
			t.Errorf("moved by %v in %d of 900 images", at, n)
		}
	}
	if err := (&Augment{Shift: math.MaxInt}).Validate(); err == nil {
		t.Error("a shift beyond every image was accepted")
	}
	if err := (&Augment{Shift: -1}).Validate(); err == nil {
		t.Error("a negative shift was accepted")
	}
}
