package vision

import (
	"bytes"
	"context"
	"math"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/data"
	"github.com/google/go-cmp/cmp"
)

func TestParseRandAugment(t *testing.T) {
	got, err := ParseRandAugment("rand-m9-mstd0.5-inc1")
	if err != nil {
		t.Fatal(err)
	}
	want := &RandAugment{Magnitude: 9, MagnitudeStd: 0.5, Increasing: true, Fill: [3]uint8{124, 116, 104}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	got, err = ParseRandAugment("rand-n3-mstd101-p0.2-m12-mmax30")
	if err != nil {
		t.Fatal(err)
	}
	want = &RandAugment{Magnitude: 12, MagnitudeStd: math.Inf(1), MagnitudeMax: 30, Layers: new(3), Prob: new(0.2), Fill: want.Fill}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, bad := range []string{"", "augmix-m3", "rand-m-1", "rand-mx", "rand-t", "rand-tall", "rand-t3A", "rand-tweights-t3a", "rand-m3-m4", "rand-mstd1-mstd2", "rand-tweights-n16", "rand-n1.5", "rand-p2",
		"rand-m9-", "rand-mstd-0.5", "rand-n1e9", "rand-mmax1e9", "rand-mNaN", "rand-m9e999"} {
		if a, err := ParseRandAugment(bad); err == nil {
			t.Errorf("%q gave %+v", bad, a)
		}
	}
}

// Every operation is drawn about as often as any other, changes the image within its bounds, and leaves the operand
// alone.
func TestRandAugmentDraws(t *testing.T) {
	a, _ := ParseRandAugment("rand-m9-mstd0.5-inc1")
	m := testImage(23, 31, 3)
	before := m.Clone()
	same := 0
	const runs = 400
	for i := range uint64(runs) {
		x, y := a.Apply(data.NewRand(1, i), m), a.Apply(data.NewRand(1, i), m)
		if !bytes.Equal(x.Pix, y.Pix) {
			t.Fatal("one key gave two images")
		}
		if x.Width != m.Width || x.Height != m.Height || x.Channels != 3 {
			t.Fatalf("%d×%d", x.Width, x.Height)
		}
		if bytes.Equal(x.Pix, m.Pix) {
			same++
		}
	}
	if !bytes.Equal(m.Pix, before.Pix) {
		t.Error("the operand was changed")
	}
	// Two operations with probability 1/2 each leave a quarter alone, and a few do nothing.
	if share := float64(same) / runs; share < 0.18 || share > 0.38 {
		t.Errorf("%.2f of the images stayed as they were", share)
	}
	levels := 0.0
	r := data.NewRand(3)
	for range 4000 {
		l := a.level(r)
		if l < 0 || l > 1 {
			t.Fatalf("level %v", l)
		}
		levels += l / 4000
	}
	if math.Abs(levels-0.9) > 0.005 {
		t.Errorf("mean level %v", levels)
	}
}

// TestAugmentGray changes an image of one channel as it changes the same image as RGB, of which the fill is gray too. An
// image with alpha becomes RGB.
func TestAugmentGray(t *testing.T) {
	rand, err := ParseRandAugment("rand-m9-n4-p0.9-mstd0.5")
	if err != nil {
		t.Fatal(err)
	}
	rand.Fill = [3]uint8{99, 99, 99}
	jitter := ColorJitter{Brightness: 0.4, Contrast: 0.4, Saturation: 0.4, Hue: 0.1}
	m := testImage(23, 31, 1)
	for i := range uint64(100) {
		for name, apply := range map[string]func(r *data.Rand, m *Image) *Image{"RandAugment": rand.Apply, "ColorJitter": jitter.Apply} {
			got, want := apply(data.NewRand(1, i), m), apply(data.NewRand(1, i), m.RGB())
			if got.Channels != 1 || !bytes.Equal(got.RGB().Pix, want.Pix) {
				t.Fatalf("%s, seed %d: %d channels, or other pixels than those of the same image as RGB", name, i, got.Channels)
			}
			if got := apply(data.NewRand(1, i), testImage(9, 9, 4)); got.Channels != 3 {
				t.Fatalf("%s: an image with alpha gave %d channels", name, got.Channels)
			}
		}
	}
}

func TestColorJitterFactors(t *testing.T) {
	m := testImage(20, 20, 3)
	if got := (&ColorJitter{}).Apply(data.NewRand(1), m); !bytes.Equal(got.Pix, m.Pix) {
		t.Error("no jitter changed the image")
	}
	j := ColorJitter{Brightness: 0.4}
	for i := range uint64(50) {
		got := j.Apply(data.NewRand(1, i), m)
		for k, v := range got.Pix {
			lo, hi := int(0.6*float64(m.Pix[k]))-1, int(1.4*float64(m.Pix[k]))+1
			if int(v) < lo || int(v) > hi {
				t.Fatalf("%d became %d", m.Pix[k], v)
			}
		}
	}
	all := ColorJitter{Brightness: 2, Contrast: 0.4, Saturation: 0.4, Hue: 0.1}
	if err := all.Validate(); err != nil {
		t.Error(err)
	}
	if bytes.Equal(all.Apply(data.NewRand(2), m).Pix, m.Pix) {
		t.Error("jitter changed nothing")
	}
	for _, bad := range []ColorJitter{{Hue: 0.6}, {Hue: math.NaN()}, {Brightness: -1}, {Contrast: math.Inf(1)}} {
		if bad.Validate() == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
}

func TestRandomErasing(t *testing.T) {
	const w, h, runs = 40, 30, 300
	for _, mode := range []EraseMode{EraseZero, EraseColor, ErasePixels} {
		e := RandomErasing{Prob: 0.5, Mode: mode}
		erased := 0
		for i := range uint64(runs) {
			planes := make([]float32, 3*w*h)
			for k := range planes {
				planes[k] = 100
			}
			e.Apply(data.NewRand(7, i), planes, h, w)
			n := 0
			x0, x1, y0, y1 := w, -1, h, -1
			for k := range w * h {
				if planes[k] != 100 {
					n++
					x0, x1 = min(x0, k%w), max(x1, k%w)
					y0, y1 = min(y0, k/w), max(y1, k/w)
				}
			}
			if n == 0 {
				continue
			}
			erased++
			if n != (x1-x0+1)*(y1-y0+1) {
				t.Fatalf("%d pixels in a box of %d×%d", n, x1-x0+1, y1-y0+1)
			}
			if share := float64(n) / (w * h); share < 0.01 || share > 0.37 {
				t.Fatalf("%.3f of the area was erased", share)
			}
			first, second := planes[y0*w+x0], planes[y1*w+x1]
			switch {
			case mode == EraseZero && (first != 0 || second != 0),
				mode == EraseColor && first != second,
				mode == ErasePixels && n > 1 && first == second:
				t.Fatalf("mode %d wrote %v and %v", mode, first, second)
			}
		}
		if share := float64(erased) / runs; share < 0.4 || share > 0.6 {
			t.Errorf("%.2f of the images were erased", share)
		}
	}
	for _, bad := range []RandomErasing{{Prob: 2}, {Area: [2]float64{0.5, 0.2}}, {Aspect: [2]float64{1, math.Inf(1)}}, {Mode: 9}, {Count: -1}} {
		if bad.Validate() == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
}

// mixBatch is a batch of constant images, image i being i+1 everywhere.
func mixBatch(n, w, h int) *Batch {
	b := &Batch{Width: w, Height: h, Pixels: make([]float32, n*3*w*h)}
	for i := range n {
		b.Labels = append(b.Labels, i%3)
		for k := range 3 * w * h {
			b.Pixels[i*3*w*h+k] = float32(i + 1)
		}
	}
	return b
}

// The targets follow the pixels: the share of an image's own class is the share of its own pixels.
func TestMixTargetsFollowPixels(t *testing.T) {
	const n, w, h, classes = 5, 16, 12, 3
	for _, x := range []Mix{{Mixup: 0.8}, {Cutmix: 1}, {Mixup: 0.8, Cutmix: 1}} {
		mixed := 0
		for seed := range uint64(60) {
			b := mixBatch(n, w, h)
			x.Apply(data.NewRand(seed), b, classes)
			for i := range n {
				own, other := float64(i+1), float64(n-i)
				sum := 0.0
				for k := range w * h {
					sum += float64(b.Pixels[i*3*w*h+k])
				}
				share := 1.0
				if own != other {
					share = (sum/(w*h) - other) / (own - other)
				}
				want := make([]float64, classes)
				want[i%3] += share
				want[(n-1-i)%3] += 1 - share
				total := 0.0
				for c, v := range want {
					got := float64(b.Targets[i*classes+c])
					total += got
					if own != other && math.Abs(got-v) > 1e-5 {
						t.Fatalf("%+v: target %v of image %d, want %v", x, got, i, v)
					}
				}
				if math.Abs(total-1) > 1e-5 {
					t.Fatalf("targets sum to %v", total)
				}
				if share < 0.999 {
					mixed++
				}
			}
		}
		if mixed < 100 {
			t.Errorf("%+v mixed %d images of 300", x, mixed)
		}
	}
	b := mixBatch(2, 4, 4)
	(&Mix{Smoothing: 0.1}).Apply(data.NewRand(1), b, 2)
	if want := []float32{0.95, 0.05, 0.05, 0.95}; !near(b.Targets, want) || b.Pixels[0] != 1 {
		t.Errorf("smoothing alone gave %v", b.Targets)
	}
	for _, bad := range []Mix{{Mixup: -1}, {Prob: new(2.0)}, {Switch: new(-0.1)}, {Smoothing: -0.1}, {Cutmix: math.NaN()}} {
		if bad.Validate() == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
}

func near(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Abs(float64(x-y)) < 1e-6 })
}

// An epoch with everything random in it does not depend on the goroutines, nor on where it is entered.
func TestLoaderAugmentsReproducibly(t *testing.T) {
	data := &Memory{ClassNames: []string{"a", "b", "c"}}
	for i := range 11 {
		data.Images = append(data.Images, testImage(17, 20+i, 3))
		data.Labels = append(data.Labels, i%3)
	}
	rand, _ := ParseRandAugment("rand-m9-mstd0.5-inc1")
	epoch := func(goroutines, first int) (pixels, targets []float32, indices []int) {
		l := &Loader{
			Data: data, Preprocess: ImageNet(16), BatchSize: 4, Shuffle: true, Seed: 5, Repeats: 3, Goroutines: goroutines,
			Augment: &Augment{Crop: true, Flip: 0.5, Jitter: &ColorJitter{Hue: 0.1}, Rand: rand, Erase: &RandomErasing{Prob: 0.5, Mode: ErasePixels}},
			Mix:     &Mix{Mixup: 0.8, Cutmix: 1, Smoothing: 0.1},
		}
		for b, err := range l.EpochFrom(context.Background(), 2, first) {
			if err != nil {
				t.Fatal(err)
			}
			if len(b.Targets) != 3*len(b.Labels) {
				t.Fatalf("%d targets for %d images", len(b.Targets), len(b.Labels))
			}
			pixels, targets, indices = append(pixels, b.Pixels...), append(targets, b.Targets...), append(indices, b.Indices...)
		}
		return pixels, targets, indices
	}
	pixels, targets, indices := epoch(1, 0)
	p3, t3, i3 := epoch(3, 0)
	if !slices.Equal(pixels, p3) || !slices.Equal(targets, t3) || !slices.Equal(indices, i3) {
		t.Error("three goroutines gave another epoch than one")
	}
	p1, t1, i1 := epoch(2, 1)
	each := 3 * 16 * 16
	if !slices.Equal(pixels[4*each:], p1) || !slices.Equal(targets[4*3:], t1) || !slices.Equal(indices[4:], i1) {
		t.Error("entered at its second batch, the epoch is another")
	}
	if len(indices) != 11 || indices[0] != indices[1] || indices[1] != indices[2] || indices[2] == indices[3] {
		t.Errorf("repeated order %v", indices)
	}
	if slices.Equal(pixels[:each], pixels[each:2*each]) {
		t.Error("a repeated image was augmented alike")
	}
}

// TestPosterizeBeyondFullRange posterizes as timm does where mmax lets a magnitude exceed 10: to more bits than the four
// of magnitude 10 without inc, to none with it.
func TestPosterizeBeyondFullRange(t *testing.T) {
	m := testImage(2, 9, 3)
	for _, c := range []struct {
		level      float64
		increasing bool
		bits       int
	}{
		{0, false, 0}, {0.6, false, 2}, {1, false, 4}, {1.25, false, 5}, {1.5, false, 6}, {2, false, 8}, {10, false, 8},
		{0, true, 4}, {0.6, true, 2}, {1, true, 0}, {1.25, true, 0}, {10, true, 0},
	} {
		name := map[bool]string{false: "Posterize", true: "PosterizeIncreasing"}[c.increasing]
		got := operations[name](new(RandAugment), data.NewRand(1), m, c.level)
		if want := posterize(m, c.bits); !bytes.Equal(got.Pix, want.Pix) {
			t.Errorf("level %v, increasing %v: expected %d bits", c.level, c.increasing, c.bits)
		}
	}
}

// TestMixNothing mixes a batch without images, and refuses an α for which no λ can be drawn.
func TestMixNothing(t *testing.T) {
	b := Batch{Targets: []float32{1, 2}}
	(&Mix{Cutmix: 1}).Apply(data.NewRand(1), &b, 2)
	if len(b.Targets) != 0 {
		t.Errorf("found the targets %v", b.Targets)
	}
	for _, alpha := range []float64{5e-324, 1e-9, -1, 1001, math.NaN()} {
		if (&Mix{Mixup: alpha}).Validate() == nil || (&Mix{Cutmix: alpha}).Validate() == nil {
			t.Errorf("α of %v is accepted", alpha)
		}
	}
}

// TestWrittenZeros expects that a zero is a zero, and nil the default.
func TestWrittenZeros(t *testing.T) {
	m := testImage(9, 9, 3)
	for name, a := range map[string]RandAugment{
		"no operation":   {Magnitude: 9, Prob: new(1.0), Layers: new(0)},
		"no probability": {Magnitude: 9, Prob: new(0.0), Layers: new(50)},
	} {
		if err := a.Validate(); err != nil {
			t.Error(err)
		}
		for seed := range uint64(20) {
			if got := a.Apply(data.NewRand(seed), m); !bytes.Equal(got.Pix, m.Pix) {
				t.Fatalf("%s: the image is changed", name)
			}
		}
	}
	counts := func(x Mix) (mixed, cut int) {
		if err := x.Validate(); err != nil {
			t.Error(err)
		}
		for seed := range uint64(200) {
			lambda, c := x.draw(data.NewRand(seed))
			if lambda < 1 {
				mixed++
			}
			if c {
				cut++
			}
		}
		return mixed, cut
	}
	if mixed, cut := counts(Mix{Mixup: 1, Cutmix: 1}); mixed != 200 || cut < 70 || cut > 130 {
		t.Errorf("defaults mix %d of 200 batches, %d by cutting", mixed, cut)
	}
	if mixed, _ := counts(Mix{Mixup: 1, Cutmix: 1, Prob: new(0.0)}); mixed != 0 {
		t.Errorf("a probability of 0 mixes %d batches", mixed)
	}
	if mixed, cut := counts(Mix{Mixup: 1, Cutmix: 1, Switch: new(0.0)}); mixed != 200 || cut != 0 {
		t.Errorf("a switch of 0 mixes %d batches, %d by cutting", mixed, cut)
	}
}
