package vision

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/data"
)

// TestLoaderFloatResize prepares images without rounding, as Pixels does.
func TestLoaderFloatResize(t *testing.T) {
	d := numbered(5)
	p := Preprocess{Mode: Stretch, Height: 12, Width: 10, Backend: Torchvision, FloatResize: true}
	rounded := p
	rounded.FloatResize = false
	same := 0
	for _, b := range collect(t, &Loader{Data: d, Preprocess: p, BatchSize: 2}, 0, 0) {
		for i, index := range b.Indices {
			found := b.Pixels[i*360 : (i+1)*360]
			want, _, _, err := p.Pixels(nil, nil, d.Images[index])
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(want, found) {
				t.Errorf("image %d differs from Pixels", index)
			}
			if other, _, _, err := rounded.Pixels(nil, nil, d.Images[index]); err == nil && slices.Equal(other, found) {
				same++
			}
		}
	}
	if same == 5 {
		t.Error("no image shows the difference from rounding")
	}
}

// TestLoaderGray prepares batches of one channel: as Pixels does without augmentation, and in part of that with all of it.
func TestLoaderGray(t *testing.T) {
	d := numbered(7)
	p := Preprocess{Height: 12, Width: 10, Gray: true, Mean: uniform(0.2), Std: uniform(0.3)}
	l := &Loader{Data: d, Preprocess: p, BatchSize: 4}
	for _, b := range collect(t, l, 0, 0) {
		if d := cmp.Diff([]int{len(b.Labels), 1, 12, 10}, b.Shape()); d != "" {
			t.Fatal(d)
		}
		for i, index := range b.Indices {
			want, _, _, err := p.Pixels(nil, nil, d.Images[index])
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(want, b.Pixels[i*120:(i+1)*120]) {
				t.Errorf("image %d differs from Pixels", index)
			}
		}
	}
	rand, err := ParseRandAugment("rand-m9-mstd0.5-inc1")
	if err != nil {
		t.Fatal(err)
	}
	l.Shuffle, l.Repeats = true, 2
	l.Augment = &Augment{Crop: true, Flip: 0.5, Jitter: &ColorJitter{Brightness: 0.4, Hue: 0.1}, Rand: rand, Erase: &RandomErasing{Prob: 1, Mode: ErasePixels}}
	l.Mix = &Mix{Cutmix: 1}
	want := collect(t, l, 0, 0)
	for _, b := range want {
		if len(b.Pixels) != len(b.Labels)*120 || len(b.Targets) != 2*len(b.Labels) {
			t.Fatalf("%d pixels and %d targets for %d images", len(b.Pixels), len(b.Targets), len(b.Labels))
		}
	}
	l.Goroutines = 3
	if !same(want, collect(t, l, 0, 0)) {
		t.Error("three goroutines gave other batches")
	}
	l.Preprocess.Mean = ImageNetMean
	for _, err := range l.Epoch(t.Context(), 0) {
		if err == nil || !strings.Contains(err.Error(), "one mean") {
			t.Errorf("three means: %v", err)
		}
	}
}

// TestMixGray exchanges the same rectangle in images of one channel as in each channel of three.
func TestMixGray(t *testing.T) {
	for seed := range uint64(20) {
		one, three := &Batch{Channels: 1, Height: 6, Width: 5, Labels: []int{0, 1}}, &Batch{Channels: 3, Height: 6, Width: 5, Labels: []int{0, 1}}
		for image := range 2 {
			for range 3 {
				for i := range 30 {
					three.Pixels = append(three.Pixels, float32(100*image+i))
				}
			}
			one.Pixels = append(one.Pixels, three.Pixels[image*90:][:30]...)
		}
		mix := Mix{Cutmix: 1}
		mix.Apply(data.NewRand(seed), one, 2)
		mix.Apply(data.NewRand(seed), three, 2)
		for image := range 2 {
			for channel := range 3 {
				if !slices.Equal(one.Pixels[image*30:][:30], three.Pixels[image*90+channel*30:][:30]) {
					t.Fatalf("seed %d: image %d differs from channel %d", seed, image, channel)
				}
			}
		}
		if !slices.Equal(one.Targets, three.Targets) {
			t.Fatalf("seed %d: targets %v and %v", seed, one.Targets, three.Targets)
		}
	}
}
