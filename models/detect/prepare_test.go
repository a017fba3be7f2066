package detect

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/quant"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
	"github.com/fovea-ml/fovea/vision/boxes"
)

// small returns small configurations of all detectors that can be trained.
func small() []Config {
	body := backbone.ResNet18()
	body.EmbeddingSize, body.HiddenSizes, body.Depths = 8, []int{8, 8, 16, 16}, []int{1, 1, 1, 1}
	pyramid := func(c Config) Config {
		c.Backbone, c.FPNChannels, c.MinSize, c.MaxSize = &body, 32, 64, 96
		return c
	}
	rcnn := pyramid(FasterRCNNResNet50())
	rcnn.HeadSize = 16
	return []Config{pyramid(FCOSResNet50()), pyramid(RetinaNetResNet50()), rcnn}
}

// noise returns an image of random bytes.
func noise(seed uint64, height, width, channels int) *vision.Image {
	rng := rand.New(rand.NewPCG(seed, 0))
	m := vision.NewImage(height, width, channels)
	for i := range m.Pix {
		m.Pix[i] = uint8(rng.Uint32())
	}
	return m
}

// TestPrepare expects the pixels that Detect computes with, and boxes in them. It leaves out crowds and what lies outside.
func TestPrepare(t *testing.T) {
	img := noise(1, 30, 60, 3)
	object := func(label int, x0, y0, x1, y1 float64) boxes.Object {
		return boxes.Object{Label: label, Box: boxes.Box{X0: x0, Y0: y0, X1: x1, Y1: y1}}
	}
	crowd := object(1, 0, 0, 20, 20)
	crowd.Crowd = true
	objects := []boxes.Object{
		object(1, 10, 5, 20, 25), crowd, object(1, -5, -5, 70, 40), // larger than the image
		object(1, 60, 0, 80, 30), object(1, 5, 5, 5.1, 30), object(1, math.NaN(), 0, 3, 3), // outside, thin, no number
	}
	for _, c := range small() {
		m := New(c, 2, rand.New(rand.NewPCG(1, 2)))
		p, err := m.Prepare(img, objects, 0)
		if err != nil {
			t.Fatal(err)
		}
		want := resizing{64, 96}.prepare(autograd.NewTape(autograd.Options{}), []*vision.Image{img})
		s := m.Samples(Samples{}, []Prepared{p})
		b := s.Batch(autograd.NewTape(autograd.Options{}))
		if !slices.Equal(b.Pixels.Floats(nil), want.pixels.Floats(nil)) || !slices.Equal(b.Pixels.Shape(), want.pixels.Shape()) || b.Sizes[0] != [2]int{48, 96} {
			t.Errorf("%s: other pixels than Detect computes with", c.ModelType)
		}
		if got := b.Truth[0].Boxes; len(got) != 2 || got[0] != (Box{X0: 16, Y0: 8, X1: 32, Y1: 40}) || got[1] != (Box{X1: 96, Y1: 48}) {
			t.Errorf("%s: found %v", c.ModelType, got)
		}
		if p, err := m.Prepare(img, nil, 32); err != nil || p.Height != 24 || p.Width != 48 {
			t.Errorf("%s: found %d×%d, %v", c.ModelType, p.Width, p.Height, err)
		}
		for what, err := range map[string]error{
			"min_size: expected 1 to 4096, found -1": second(m.Prepare(img, nil, -1)),
			"found 2":                                second(m.Prepare(img, []boxes.Object{object(2, 0, 0, 9, 9)}, 0)),
			"image":                                  second(m.Prepare(&vision.Image{}, nil, 0)),
		} {
			if err == nil || !strings.Contains(err.Error(), what) {
				t.Errorf("%s: expected %q, found %v", c.ModelType, what, err)
			}
		}
	}
}

// TestPrepareSquare expects the pixels that CenterNet and YOLOv1 compute with, boxes in them, and new heads that are saved.
func TestPrepareSquare(t *testing.T) {
	img := noise(1, 30, 60, 3)
	objects := []boxes.Object{{Label: 1, Box: boxes.Box{X0: 12, Y0: 6, X1: 30, Y1: 24}}}
	for _, c := range []struct {
		config Config
		keep   bool
		height int
		want   Box
	}{
		{tinyYOLO(), false, 128, Box{X0: 25.6, Y0: 25.6, X1: 64, Y1: 102.4}},
		{tinyCenterNets()["res18"], false, 64, Box{X0: 12.8, Y0: 22.4, X1: 32, Y1: 41.6}},
		{tinyCenterNets()["dla"], true, 32, Box{X0: 14, Y0: 7, X1: 32, Y1: 25}},
	} {
		m := New(c.config, 2, rand.New(rand.NewPCG(1, 2)))
		if d, ok := m.Network.(*CenterNet); ok {
			d.KeepSize = c.keep
		}
		p, err := m.Prepare(img, objects, 0)
		if err != nil || p.Height != c.height || len(p.Truth.Boxes) != 1 || p.Truth.Boxes[0].IoU(c.want) < 0.9999 {
			t.Fatalf("%s: found %d×%d, %v, %v, expected %v", c.config.ModelType, p.Width, p.Height, p.Truth, err, c.want)
		}
		switch d := m.Network.(type) {
		case *YOLOv1:
			if !slices.Equal(p.Pixels, d.prepare(img)) {
				t.Error("YOLOv1: other pixels than Detect computes with")
			}
			if _, err := m.Prepare(img, nil, 64); err == nil || !strings.Contains(err.Error(), "images of 128 pixels alone") {
				t.Errorf("found %v", err)
			}
		case *CenterNet:
			v, want := d.view(img, 64, 1), make([]float32, len(p.Pixels))
			if v.pixels(want, img); !slices.Equal(p.Pixels, want) {
				t.Error("CenterNet: other pixels than Detect computes with")
			}
			b := p.Truth.Boxes[0]
			if back := v.restore(Box{X0: b.X0 / 4, Y0: b.Y0 / 4, X1: b.X1 / 4, Y1: b.Y1 / 4}); back.IoU(Box{X0: 12, Y0: 6, X1: 30, Y1: 24}) < 0.9999 {
				t.Errorf("found %v", back)
			}
			if p, err := m.Prepare(img, nil, 96); err != nil || p.Height != 96 || p.Width != 96 {
				t.Errorf("found %d×%d, %v", p.Width, p.Height, err)
			}
			if _, err := m.Prepare(img, nil, 90); err == nil || !strings.Contains(err.Error(), "image_size: expected a multiple of 32") {
				t.Errorf("found %v", err)
			}
		}
		if err := m.NewHead([]string{"cat", "dog", "bird"}, rand.New(rand.NewPCG(3, 4))); err != nil {
			t.Fatal(err)
		}
		s := m.Samples(Samples{}, []Prepared{p, p})
		parts, err := m.Losses(s.Batch(autograd.NewTape(autograd.Options{Gradients: true, Training: true})), nil)
		if err != nil || len(parts) < 3 || !finite(parts.Sum().Float()) {
			t.Errorf("found %v, %v", parts, err)
		}
		dir := t.TempDir()
		if err := m.Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		if again, err := Open(dir, LoadOptions{}); err != nil || !slices.Equal(again.Labels(), []string{"cat", "dog", "bird"}) {
			t.Errorf("%s: %v", c.config.ModelType, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestSamples puts images of several sizes into one batch, and uses memory again.
func TestSamples(t *testing.T) {
	m := New(small()[0], 2, nil)
	one := Prepared{Pixels: slices.Repeat([]float32{1}, 3*2*40), Height: 2, Width: 40, Truth: Truth{Classes: []int{1}}}
	two := Prepared{Pixels: slices.Repeat([]float32{2}, 3*33*3), Height: 33, Width: 3}
	first := m.Samples(Samples{}, []Prepared{one, two})
	s := m.Samples(first, []Prepared{two, one})
	if s.Shape != [4]int{2, 3, 64, 64} || !slices.Equal(s.Sizes, [][2]int{{33, 3}, {2, 40}}) || len(s.Truth[1].Classes) != 1 || &s.Pixels[0] != &first.Pixels[0] {
		t.Fatalf("found %v, %v, %v", s.Shape, s.Sizes, s.Truth)
	}
	for i, v := range s.Pixels {
		n, y, x := i/(3*64*64), i/64%64, i%64
		if want := []float32{2, 1}[n]; v != want && (y < s.Sizes[n][0] && x < s.Sizes[n][1]) || v != 0 && (y >= s.Sizes[n][0] || x >= s.Sizes[n][1]) {
			t.Fatalf("image %d, row %d, column %d: found %v", n, y, x, v)
		}
	}
}

// TestQuantizedHead expects products in float32 of the layers that NewHead draws in a quantized model.
func TestQuantizedHead(t *testing.T) {
	for _, rule := range []quant.Rule{quant.All, quant.Halves} {
		for _, c := range small() {
			n := New(c, 3, nil).Network.(Trainable)
			m := New(c, 3+n.background(), rand.New(rand.NewPCG(1, 2)))
			if _, err := quant.Quantize(m.Network, rule); err != nil {
				t.Fatal(err)
			}
			if err := m.NewHead([]string{"cat", "dog", "bird"}, rand.New(rand.NewPCG(3, 4))); err != nil {
				t.Fatal(err)
			}
			for path, p := range nn.Parameters(m) {
				if p.DType() == autograd.Float32 && p.MathLimit() != simd.Strict {
					t.Errorf("%s: %s is float32 in %v", c.ModelType, path, p.MathLimit())
				}
			}
		}
	}
}

// TestNewHead draws the layers of the classes and keeps all others, also for as many classes as before.
func TestNewHead(t *testing.T) {
	for _, c := range small() {
		for _, labels := range [][]string{{"cat"}, {"cat", "dog", "bird"}} {
			n := New(c, 3, nil).Network.(Trainable)
			m := New(c, 3+n.background(), rand.New(rand.NewPCG(1, 2)))
			was := map[string][]float32{}
			for path, p := range nn.Parameters(m) {
				was[path] = slices.Clone(p.Values())
			}
			if err := m.NewHead(labels, rand.New(rand.NewPCG(3, 4))); err != nil {
				t.Fatal(err)
			}
			var drawn []string
			for path, p := range nn.Parameters(m) {
				if !slices.Equal(was[path], p.Values()) {
					drawn = append(drawn, path)
				}
			}
			want := []string{"Network.Class.Weight"}
			if c.ModelType == rcnnType {
				want = []string{"Network.Class.Weight", "Network.Box.Weight"}
			}
			if len(labels) == 1 { // biases have other sizes
				want = []string{"Network.Class.Weight", "Network.Class.Bias"}
				if c.ModelType == rcnnType {
					want = append(want, "Network.Box.Weight", "Network.Box.Bias")
				}
			}
			if !slices.Equal(drawn, want) {
				t.Errorf("%s: found %q, expected %q", c.ModelType, drawn, want)
			}
			classes, err := m.ClassesOf(labels)
			if err != nil || classes[0] != n.background() || m.Classes != len(labels)+n.background() {
				t.Errorf("%s: found %v of %d, %v", c.ModelType, classes, m.Classes, err)
			}
			if _, err := m.ClassesOf([]string{"cat", "cow"}); err == nil || !strings.Contains(err.Error(), `["cow"]`) {
				t.Errorf("found %v", err)
			}
			dir := t.TempDir()
			if err := m.Save(dir, SaveOptions{}); err != nil {
				t.Fatal(err)
			}
			loaded, err := Open(dir, LoadOptions{})
			if err != nil || !slices.Equal(loaded.Labels(), m.Labels()) {
				t.Fatalf("%s: found %v", c.ModelType, err)
			}
			if _, err := loaded.Detect(context.Background(), noise(1, 40, 50, 3)); err != nil {
				t.Error(err)
			}
		}
		if err := New(c, 3, nil).NewHead([]string{"cat", "cat"}, rand.New(rand.NewPCG(3, 4))); err == nil || !strings.Contains(err.Error(), `same name, "cat"`) {
			t.Errorf("found %v", err)
		}
	}
}

// TestLosses expects the named parts of a batch to be those of the typed losses, and takes a batch without objects.
func TestLosses(t *testing.T) {
	for _, c := range small() {
		m := New(c, 3, rand.New(rand.NewPCG(1, 2)))
		one, err := m.Prepare(noise(1, 64, 64, 3), []boxes.Object{{Label: 1, Box: boxes.Box{X0: 8, Y0: 8, X1: 40, Y1: 48}}}, 0)
		if err != nil {
			t.Fatal(err)
		}
		none, err := m.Prepare(noise(2, 50, 64, 1), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, images := range [][]Prepared{{one, none}, {none}} {
			tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true})
			s := m.Samples(Samples{}, images)
			b := s.Batch(tape)
			parts, err := m.Losses(b, rand.New(rand.NewPCG(5, 6)))
			if err != nil {
				t.Fatal(err)
			}
			var want []*autograd.Tensor
			switch n := m.Network.(type) {
			case *FCOS:
				l := n.Loss(b.Pixels, b.Truth)
				want = []*autograd.Tensor{l.Class, l.Box, l.Center}
			case *RetinaNet:
				l := n.Loss(b.Pixels, b.Truth)
				want = []*autograd.Tensor{l.Class, l.Box}
			case *FasterRCNN:
				l := n.Loss(b.Pixels, b.Sizes, b.Truth, rand.New(rand.NewPCG(5, 6)))
				want = []*autograd.Tensor{l.Object, l.Offsets, l.Class, l.Box}
			}
			if len(parts) != len(want) {
				t.Fatalf("%s: found %d parts", c.ModelType, len(parts))
			}
			sum := float32(0)
			for i, part := range parts {
				if part.Value.Float() != want[i].Float() {
					t.Errorf("%s: %s: found %v, expected %v", c.ModelType, part.Name, part.Value.Float(), want[i].Float())
				}
				sum += want[i].Float()
			}
			if got := parts.Sum(); got.Float() != sum {
				t.Errorf("%s: the sum is %v, expected %v", c.ModelType, got.Float(), sum)
			}
			grads := autograd.NewGradients()
			parts.Sum().Backward(grads)
			some := false
			for range grads.All() {
				some = true
			}
			if !some {
				t.Errorf("%s: no gradients", c.ModelType)
			}
		}
	}
	if _, err := (&Model{Network: struct{ Network }{}, Config: Config{ModelType: "other"}}).Losses(Batch{}, nil); err == nil || !strings.Contains(err.Error(), "other has no loss") {
		t.Errorf("found %v", err)
	}
}
