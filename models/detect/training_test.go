package detect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
	"github.com/fovea-ml/fovea/vision/boxes"
)

// shapes returns a data set of images of noise with a bright red or blue rectangle each. The last has none.
func shapes(t testing.TB, n int) *boxes.Dataset {
	t.Helper()
	files := fstest.MapFS{"classes.txt": {Data: []byte("red\nblue\n")}}
	rng := rand.New(rand.NewPCG(7, 8))
	for i := range n {
		m := vision.NewImage(40, 48, 3)
		for k := range m.Pix {
			m.Pix[k] = uint8(rng.IntN(60))
		}
		label, x, y, w, h := i%2, rng.IntN(24), rng.IntN(20), 12+rng.IntN(12), 12+rng.IntN(8)
		line := fmt.Sprintf("%d %v %v %v %v\n", label, (float64(x)+float64(w)/2)/48, (float64(y)+float64(h)/2)/40, float64(w)/48, float64(h)/40)
		if i == n-1 {
			line = ""
		} else {
			for row := y; row < y+h; row++ {
				for column := x; column < x+w; column++ {
					m.Pix[3*(row*48+column)+2*label] = 250
				}
			}
		}
		var file bytes.Buffer
		if err := png.Encode(&file, m); err != nil {
			t.Fatal(err)
		}
		files[fmt.Sprintf("%02d.png", i)] = &fstest.MapFile{Data: file.Bytes()}
		files[fmt.Sprintf("%02d.txt", i)] = &fstest.MapFile{Data: []byte(line)}
	}
	d, err := boxes.OpenYOLO(files, ".", boxes.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestLoader gives the same batches on any number of workers and from any batch on, of several sizes, and with all changes.
func TestLoader(t *testing.T) {
	images := shapes(t, 9)
	m := New(small()[2], 3, rand.New(rand.NewPCG(1, 2)))
	if err := m.SetLabels([]string{backgroundLabel, "blue", "red"}); err != nil {
		t.Fatal(err)
	}
	o := TrainOptions{BatchSize: 4, Seed: 3, Sizes: []int{32, 48, 64}, Augment: &boxes.Augment{Mosaic: 0.5, Mixup: 0.3, ZoomOut: 0.5, Crop: 0.5, Flip: 0.5}}
	read := func(workers, epoch, first int) (all []Samples) {
		m.Workers = simd.NewWorkers(workers)
		l, err := m.Loader(images, o)
		if err != nil {
			t.Fatal(err)
		}
		for s, err := range l.EpochFrom(context.Background(), epoch, first) {
			if err != nil {
				t.Fatal(err)
			}
			kept := *s
			kept.Pixels, kept.Truth, kept.Sizes, kept.Items = slices.Clone(s.Pixels), slices.Clone(s.Truth), slices.Clone(s.Sizes), slices.Clone(s.Items)
			all = append(all, kept)
		}
		return all
	}
	same := func(a, b Samples) bool {
		return a.Shape == b.Shape && slices.Equal(a.Pixels, b.Pixels) && slices.Equal(a.Items, b.Items) && slices.Equal(a.Sizes, b.Sizes) &&
			slices.EqualFunc(a.Truth, b.Truth, func(a, b Truth) bool { return slices.Equal(a.Boxes, b.Boxes) && slices.Equal(a.Classes, b.Classes) })
	}
	first, heights, objects := read(1, 0, 0), map[int]bool{}, 0
	for epoch := range 3 {
		one, four := read(1, epoch, 0), read(4, epoch, 0)
		late := read(2, epoch, 2)
		if len(one) != 3 || !slices.EqualFunc(one, four, same) || len(late) != 1 || !same(late[0], one[2]) || (epoch > 0) == slices.EqualFunc(one, first, same) {
			t.Fatalf("epoch %d: other batches", epoch)
		}
		for _, s := range one {
			heights[s.Shape[2]] = true
			for _, o := range s.Truth {
				objects += len(o.Boxes)
				for _, class := range o.Classes {
					if class < 1 || class > 2 {
						t.Errorf("found class %d", class)
					}
				}
			}
		}
	}
	if len(heights) < 2 || objects < 15 {
		t.Errorf("found %d heights, %d objects", len(heights), objects)
	}
}

// trainables returns small configurations of all detectors that can be trained.
func trainables() []Config {
	return append(small(), tinyYOLO(), tinyCenterNets()["resdcn18"], Config{ModelType: fastestType, ImageSize: 64}, tinyDETR(), tinyYOLOS(), tinyRTDETR())
}

// TestTraining learns to find rectangles a little, from scratch, and gives the same bits after an interruption.
func TestTraining(t *testing.T) {
	images := shapes(t, 9)
	for k, c := range trainables() {
		if testing.Short() && c.ModelType != fcosType {
			continue
		}
		run := func(stop int, file string) ([]float32, train.Result) {
			m := New(c, 3, rand.New(rand.NewPCG(1, 2)))
			m.Workers = simd.NewWorkers(2)
			if err := m.NewHead(images.Classes(), rand.New(rand.NewPCG(3, 4))); err != nil {
				t.Fatal(err)
			}
			var first, last float64
			o := TrainOptions{Epochs: 4, BatchSize: 4, Rate: new(2e-3), Seed: 5, Augment: &boxes.Augment{Flip: 0.5}}
			if c.DETR != nil || c.YOLOS != nil || c.RTDETR != nil {
				o.Sizes = []int{64} // theirs are for photographs
			}
			var body *backbone.ResNet
			stages := false
			if all := m.bodies(); len(all) > 0 { // YOLOS has none
				body, stages = all[0].(*backbone.ResNet)
			}
			if stages {
				o.Freeze = 1
			}
			o.OnLosses = func(b *train.Batch, l Losses) {
				if last = float64(l.Sum().Float()); b.Step == 0 {
					first = last
				}
			}
			config, err := m.Training(images, o)
			if err != nil {
				t.Fatal(err)
			}
			config.File, config.Start = file, train.ResumeIfPresent
			config.OnStep = func(r train.Record) error {
				if r.Step == stop {
					return train.ErrStop
				}
				return nil
			}
			var stem []float32
			if stages {
				stem = slices.Clone(body.Stem[0].Conv.Weight.Values())
			}
			result, err := train.Run(context.Background(), config)
			if err != nil {
				t.Fatal(err)
			}
			if stages && !slices.Equal(stem, body.Stem[0].Conv.Weight.Values()) {
				t.Error("the frozen stem has changed")
			}
			if stop == 0 && first != 0 && k < len(small()) && !(last < first) { // a resumed run has no first step, and others have dropout
				t.Errorf("%s: the loss goes from %v to %v", c.ModelType, first, last)
			}
			var values []float32
			for _, p := range nn.Parameters(m) {
				values = append(values, p.Values()...)
			}
			return values, result
		}
		dir := t.TempDir()
		want, result := run(0, dir+"/whole.safetensors")
		run(5, dir+"/run.safetensors")
		got, resumed := run(0, dir+"/run.safetensors")
		if !slices.Equal(got, want) || !slices.Equal(result.Losses, resumed.Losses) {
			t.Errorf("%s: a resumed run ends with other bits", c.ModelType)
		}
	}
}

// TestTrainingErrors names what does not fit.
func TestTrainingErrors(t *testing.T) {
	images := shapes(t, 3)
	for _, c := range []struct {
		o    TrainOptions
		want string
	}{
		{TrainOptions{Epochs: -1}, "option Epochs: expected 0 or more, found -1"},
		{TrainOptions{BatchSize: -1}, "option BatchSize: expected 0 or more, found -1"},
		{TrainOptions{BackboneRate: new(0.)}, "option BackboneRate: expected a number above 0"},
		{TrainOptions{Weights: []float32{1}}, "option Weights: expected 3, one for each image, found 1"},
		{TrainOptions{Sizes: []int{64, 0}}, "option Sizes: expected sizes above 0"},
		{TrainOptions{Sizes: []int{1 << 20}}, "option Sizes: min_size: expected 1 to 4096"},
		{TrainOptions{Freeze: 5}, "option Freeze: expected -1, 0, or a number of stages of a ResNet, found 5"},
		{TrainOptions{Augment: &boxes.Augment{Flip: 2}}, "Flip is 2"},
	} {
		m := New(small()[0], 2, nil)
		if err := m.NewHead(images.Classes(), rand.New(rand.NewPCG(3, 4))); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Training(images, c.o); err == nil || !strings.HasPrefix(err.Error(), "detect: training: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("found %v, expected %s", err, c.want)
		}
	}
	if _, err := New(small()[0], 2, nil).Training(images, TrainOptions{}); err == nil || !strings.Contains(err.Error(), `no class named ["red" "blue"]`) {
		t.Errorf("found %v", err)
	}
	m := New(small()[0], 2, nil)
	if err := m.SetLabels(images.Classes()); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Training(images.Subset(nil), TrainOptions{}); !errors.Is(err, vision.ErrNoImages) {
		t.Errorf("found %v", err)
	}
	broken, err := boxes.OpenCOCO(fstest.MapFS{"a.json": {Data: []byte(`{"images":[{"id":1,"file_name":"a.png"}],"annotations":[],"categories":[{"id":1,"name":"red"}]}`)}}, "a.json", "", boxes.Options{})
	if err != nil {
		t.Fatal(err)
	}
	config, err := m.Training(broken, TrainOptions{OnError: data.StopOnError})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := train.Run(context.Background(), config); err == nil || !strings.Contains(err.Error(), "a.png") {
		t.Errorf("found %v", err)
	}
}
