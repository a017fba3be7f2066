package detect

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
	"github.com/fovea-ml/fovea/vision/boxes"
)

// everyModel returns a small model of every detector, whose detections are unsure ones too.
func everyModel(t *testing.T) (all []*Model) {
	darknet, _, err := parseDarknet(darknetText)
	if err != nil {
		t.Fatal(err)
	}
	configs := append(trainables(), darknet)
	second := RTDETRv2(tinyRTDETR())
	softmax := *second.RTDETR
	softmax.UseFocalLoss, softmax.DecoderMethod = false, "discrete"
	second.RTDETR = &softmax
	configs = append(configs, second)
	for _, c := range tinyCenterNets() {
		configs = append(configs, c)
	}
	for _, c := range configs {
		m := New(c, 3, rand.New(rand.NewPCG(1, 2)))
		m.Options.MinScore, m.Options.MaxDetections = new(float32(0)), 50
		if d, ok := m.Network.(*RTDETR); ok {
			d.Preprocess.Width, d.Preprocess.Height = 64, 64
		} else if d, ok := m.Network.(setNetwork); ok {
			d.preparing().Width, d.preparing().MaxLong = 48, 96
		}
		all = append(all, m)
	}
	return all
}

// TestDetectSame expects the same detections of an image alone and among others, on any number of cores, and in many goroutines.
func TestDetectSame(t *testing.T) {
	images := []image.Image{noise(1, 40, 60, 3), noise(2, 64, 64, 3), noise(3, 1, 1, 3), noise(4, 70, 30, 1), noise(5, 40, 60, 3)}
	for _, m := range everyModel(t) {
		m.Workers = nil
		var want []Detections
		for _, img := range images {
			found, err := m.Detect(context.Background(), img)
			if err != nil {
				t.Fatalf("%s: %v", m.Config.ModelType, err)
			}
			want = append(want, found...)
		}
		if !slices.ContainsFunc(want, func(d Detections) bool { return len(d) > 0 }) {
			t.Errorf("%s found nothing", m.Config.ModelType)
		}
		m.Workers = simd.NewWorkers(2)
		var group sync.WaitGroup
		for k := range 4 {
			group.Go(func() {
				order := []int{0, 1, 2, 3, 4}
				if k%2 == 1 {
					slices.Reverse(order)
				}
				var some []image.Image
				for _, i := range order {
					some = append(some, images[i])
				}
				found, err := m.Detect(context.Background(), some...)
				if err != nil {
					t.Errorf("%s: %v", m.Config.ModelType, err)
					return
				}
				for at, i := range order {
					if !reflect.DeepEqual(found[at], want[i]) {
						t.Errorf("%s: image %d among others: found %v, expected %v", m.Config.ModelType, i, found[at], want[i])
					}
				}
			})
		}
		group.Wait()
	}
}

// TestHostileImages searches and prepares images of every shape, and by networks whose weights are no numbers: the answer is
// detections or an error.
func TestHostileImages(t *testing.T) {
	images := []*vision.Image{noise(1, 1, 1, 3), noise(2, 1, 900, 1), noise(3, 900, 1, 4), noise(4, 5000, 3, 3), noise(5, 3, 5000, 3)}
	object := boxes.Object{Label: 1, Box: boxes.Box{X1: 1e9, Y1: 1e9}}
	for _, m := range everyModel(t) {
		for _, weight := range []float32{1, 1e30, float32(math.NaN()), float32(math.Inf(1))} {
			if weight != 1 {
				for _, p := range nn.Parameters(m) {
					nn.Constant(p, weight)
				}
			}
			for i, img := range images {
				found, _ := m.Detect(context.Background(), img)
				for _, each := range found {
					for _, d := range each {
						if !(d.Score >= 0) || !finite(d.Box.X0+d.Box.X1) {
							t.Errorf("%s: image %d, weights %v: found %v", m.Config.ModelType, i, weight, d)
						}
					}
				}
			}
			p, err := m.Prepare(noise(1, 40, 40, 3), []boxes.Object{object}, 0)
			if err != nil {
				t.Fatalf("%s: %v", m.Config.ModelType, err)
			}
			tape := autograd.NewTape(autograd.Options{Gradients: true, Training: true})
			grads := autograd.NewGradients()
			b := m.Samples(Samples{}, []Prepared{p, p})
			if parts, err := m.Losses(b.Batch(tape), rand.New(rand.NewPCG(1, 2))); err != nil {
				t.Errorf("%s: %v", m.Config.ModelType, err)
			} else {
				parts.Sum().Backward(grads)
			}
		}
		for _, img := range images {
			m.Prepare(img, []boxes.Object{object}, 0)
		}
	}
}

// TestPrepareLarge expects an error for an image that is too large in its own size.
func TestPrepareLarge(t *testing.T) {
	m := New(tinyCenterNets()["resdcn18"], 3, rand.New(rand.NewPCG(1, 2)))
	m.Network.(*CenterNet).KeepSize = true
	if _, err := m.Prepare(noise(1, 3, maxSize+1, 3), nil, 0); err == nil || !strings.Contains(err.Error(), "expected at most 4096 pixels a side") {
		t.Errorf("found %v", err)
	}
}

// TestDarknetTall expects a high image to take little memory beside its own.
func TestDarknetTall(t *testing.T) {
	d := &Darknet{size: 64}
	img := vision.NewImage(200_000, 1, 3)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	d.prepare(img)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes", n)
	}
}

// TestFalseClasses expects an error for a tensor that claims very many classes, before memory is set aside for them.
func TestFalseClasses(t *testing.T) {
	cells := tinyYOLO()
	cells.HeadSize = 0
	darknet, _, err := parseDarknet(darknetText)
	if err != nil {
		t.Fatal(err)
	}
	const many = 4 * 100_000
	for _, c := range []struct {
		config       Config
		tensor, want string
		shape        []int
	}{
		{tinyYOLO(), "predict.bias", "", []int{many}}, {tinyYOLO(), "predict.weight", "expected a shape", []int{many, 1}},
		{cells, "cells.bias", "", []int{many}}, {cells, "cells.weight", "expected a shape", []int{many, 1, 1, 1}},
		{darknet, "layers.5.connected.bias", "", []int{many}}, {darknet, "layers.5.connected.weight", "expected a shape", []int{many, 1}},
		{tinyRTDETR(), "model.enc_score_head.weight", "the configuration describes", []int{many, 16}},
	} {
		dir := t.TempDir()
		if err := New(c.config, 3, rand.New(rand.NewPCG(1, 2))).Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "model.safetensors")
		weights, err := checkpoint.Open(path, checkpoint.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var entries []checkpoint.Entry
		found := false
		for w := range weights.Tensors() {
			e := w.Entry()
			if e.Name == c.tensor {
				found = true
				n := 1
				for _, side := range c.shape {
					n *= side
				}
				e = checkpoint.Entry{Name: e.Name, Shape: c.shape, Floats: make([]float32, n)}
			}
			entries = append(entries, e)
		}
		var b bytes.Buffer
		if err := checkpoint.Encode(&b, entries, checkpoint.WriteOptions{}); err != nil || !found {
			t.Fatalf("%s: %v", c.tensor, err)
		}
		weights.Close()
		if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = Open(dir, LoadOptions{})
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: expected an error with %q, found %v", c.tensor, c.want, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 4*uint64(b.Len())+1<<22 {
			t.Errorf("%s: a file of %d bytes took %d", c.tensor, b.Len(), n)
		}
	}
}

// TestManyObjects expects an error for objects that the queries of denoising would take much memory for.
func TestManyObjects(t *testing.T) {
	m := New(tinyRTDETR(), 3, rand.New(rand.NewPCG(1, 2)))
	m.Network.(*RTDETR).Preprocess.Width, m.Network.(*RTDETR).Preprocess.Height = 64, 64
	objects := slices.Repeat([]boxes.Object{{Box: boxes.Box{X1: 9, Y1: 9}}}, maxDenoising)
	if _, err := m.Prepare(noise(1, 40, 40, 3), objects, 0); err != nil {
		t.Error(err)
	}
	if _, err := m.Prepare(noise(1, 40, 40, 3), append(objects, objects[0]), 0); err == nil || !strings.Contains(err.Error(), "expected at most 4096 objects") {
		t.Errorf("found %v", err)
	}
}

// TestLoaderNames expects the name of an image that a network cannot take, and skips it when that is asked for, at one size and at
// several.
func TestLoaderNames(t *testing.T) {
	files := fstest.MapFS{"classes.txt": {Data: []byte("a\n")}}
	for i, m := range []*vision.Image{noise(1, 40, 40, 3), noise(2, 1, 200, 3), noise(3, 40, 40, 3)} {
		var file bytes.Buffer
		if err := png.Encode(&file, m); err != nil {
			t.Fatal(err)
		}
		files[fmt.Sprintf("%d.png", i)] = &fstest.MapFile{Data: file.Bytes()}
		files[fmt.Sprintf("%d.txt", i)] = &fstest.MapFile{Data: []byte("0 0.5 0.5 0.5 0.5\n")}
	}
	images, err := boxes.OpenYOLO(files, ".", boxes.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := sets()["detr"]
	if err := m.NewHead([]string{"a"}, rand.New(rand.NewPCG(1, 2))); err != nil {
		t.Fatal(err)
	}
	for _, sizes := range [][]int{nil, {48}, {48, 64}} {
		for _, policy := range []data.ErrorPolicy{data.StopOnError, data.SkipErrors} {
			l, err := m.Loader(images, TrainOptions{Sizes: sizes, OnError: policy})
			if err != nil {
				t.Fatal(err)
			}
			var last error
			n := 0
			for s, err := range l.EpochFrom(context.Background(), 0, 0) {
				if last = err; err == nil {
					n += s.Len()
				}
			}
			if policy == data.SkipErrors && (last != nil || n != 2) || policy != data.SkipErrors && (last == nil || !strings.Contains(last.Error(), "1.png")) {
				t.Errorf("sizes %v, %v: found %d images, %v", sizes, policy, n, last)
			}
		}
	}
}
