package main

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/examples/internal/fetch"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/models/detect"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
	"github.com/fovea-ml/fovea/vision/boxes"
)

// scratch are the small detectors to train from scratch, by the value of -model, for images of a size.
var scratch = map[string]func(size int) detect.Config{
	"fcos":      func(size int) detect.Config { return smaller(detect.FCOSResNet50(), size) },
	"retinanet": func(size int) detect.Config { return smaller(detect.RetinaNetResNet50(), size) },
	"faster_rcnn": func(size int) detect.Config {
		c := smaller(detect.FasterRCNNResNet50(), size)
		c.HeadSize = 256
		return c
	},
	"fastestdet": func(size int) detect.Config {
		c := detect.Fastest()
		c.ImageSize = size
		return c
	},
	"centernet": func(size int) detect.Config {
		c := detect.CenterNetResNet18()
		c.Backbone, c.ImageSize, c.Deformable, c.UpSizes = smallBody(), size, false, []int{64, 64, 64}
		return c
	},
	"yolov1": func(size int) detect.Config { // a cell for 32 pixels, and no fully connected layers
		c := detect.YOLOv1ResNet18()
		c.Backbone, c.ImageSize, c.GridSize, c.HeadChannels, c.HeadSize = smallBody(), size, size/32, 128, 0
		return c
	},
}

// scratchSize is the size of images of a detector from scratch.
const scratchSize = 256

// smallBody is a ResNet-18 of half the width.
func smallBody() *backbone.Config {
	body := backbone.ResNet18()
	body.EmbeddingSize, body.HiddenSizes = 32, []int{32, 64, 128, 256}
	return &body
}

// smaller puts a detector on the small ResNet, with a pyramid of 64 channels.
func smaller(c detect.Config, size int) detect.Config {
	c.MaxSize = int(math.Round(float64(c.MaxSize) * float64(size) / float64(c.MinSize)))
	c.Backbone, c.FPNChannels, c.MinSize = smallBody(), 64, size
	return c
}

// make returns the model to train, that of -init or a new one, for the classes of the data. Each call returns another one with
// the same weights. It also returns how many of the parameters are drawn anew.
func (r *run) make(ctx context.Context) (m *detect.Model, drawn int, err error) {
	s := &r.settings
	rng := rand.New(rand.NewPCG(s.Seed, 0))
	classes := r.corpus.train.Classes()
	if s.Init == "" {
		c := r.scratch(cmp.Or(s.Size, scratchSize))
		if err := c.Validate(); err != nil {
			return nil, 0, fmt.Errorf("-size: %w", err)
		}
		m = detect.New(c, 1, rng)
	} else {
		m, err = fetch.OpenFlag(ctx, "-init", s.Init, r.console, func(path string, o detect.LoadOptions) (*detect.Model, error) {
			o.Unmapped, o.ImageSize = true, s.Size
			return detect.Open(path, o)
		})
		if err != nil {
			return nil, 0, err
		}
		if s.Model != "" && s.Model != m.Config.ModelType {
			return nil, 0, fmt.Errorf("-model: the weights of -init are those of %s, expected %s", m.Config.ModelType, s.Model)
		}
	}
	m.Workers, m.Math = simd.NewWorkers(s.Threads), s.Math
	// An evaluation also needs unsure detections.
	m.Options.MinScore, m.Options.MaxDetections = new(float32(0.001)), 100
	if _, err := m.ClassesOf(classes); err == nil && s.Init != "" {
		return m, 0, nil
	}
	known := map[*autograd.Parameter]bool{}
	for _, p := range nn.Parameters(m) {
		known[p] = true
	}
	if err := m.NewHead(classes, rng); err != nil {
		return nil, 0, fmt.Errorf("-init: %w", err)
	}
	for _, p := range nn.Parameters(m) {
		if !known[p] {
			drawn += p.Len()
		}
	}
	return m, drawn, nil
}

// scratch returns the configuration of a new detector.
func (r *run) scratch(size int) detect.Config {
	if r.config != nil {
		return *r.config
	}
	return scratch[cmp.Or(r.settings.Model, "fcos")](size)
}

// augment returns the random changes of training images.
func (s *settings) augment() *boxes.Augment {
	switch s.Augment {
	case "light":
		return &boxes.Augment{Crop: 0.5, Flip: 0.5, MinVisible: 0.25, Jitter: &vision.ColorJitter{Brightness: 0.2, Contrast: 0.2, Saturation: 0.2, Hue: 0.02}}
	case "strong":
		return &boxes.Augment{Mosaic: 0.5, Mixup: 0.15, ZoomOut: 0.3, MaxZoom: 2, Crop: 0.7, Flip: 0.5, MinVisible: 0.25,
			Jitter: &vision.ColorJitter{Brightness: 0.4, Contrast: 0.4, Saturation: 0.5, Hue: 0.05}}
	}
	return nil
}

// side returns the side of the squares that a detector takes, or else the length of the shorter side of its images, 0 where it takes
// any.
func side(m *detect.Model) (n int, square bool) {
	var p vision.Preprocess
	switch d := m.Network.(type) {
	case *detect.DETR:
		p = d.Preprocess
	case *detect.YOLOS:
		p = d.Preprocess
	case *detect.RTDETR:
		p = d.Preprocess
	default:
		return cmp.Or(m.Config.ImageSize, m.Config.MinSize), m.Config.ImageSize != 0
	}
	if p.Mode == vision.ShortSide || p.Height == 0 {
		return p.Width, false
	}
	return min(p.Width, p.Height), p.Width == p.Height
}

// sizes returns the sizes of images of -scales: multiples of 32 from three quarters to five quarters of the model's.
func (s *settings) sizes(m *detect.Model) (all []int) {
	if !s.Scales {
		return nil
	}
	base, _ := side(m)
	for eighth := 6; eighth <= 10; eighth++ {
		if size := max(32, (base*eighth/8+16)/32*32); len(all) == 0 || size != all[len(all)-1] {
			all = append(all, size)
		}
	}
	return all
}

// epochs returns the recipe's number of epochs.
func (s *settings) epochs() int {
	if s.Init == "" {
		return cmp.Or(s.Epochs, 60)
	}
	return cmp.Or(s.Epochs, 20)
}

// training returns the configuration of a run of a model on images.
func (r *run) training(m *detect.Model, images *boxes.Dataset, epochs int) (train.Config, error) {
	s := &r.settings
	stages, err := s.frozen()
	if err != nil {
		return train.Config{}, err
	}
	o := detect.TrainOptions{
		Epochs: epochs, BatchSize: min(s.Batch, images.Len()), Rate: new(1e-3), Freeze: stages,
		Sizes: s.sizes(m), Augment: s.augment(), Seed: s.Seed, OnLosses: r.observe,
	}
	if s.Skip {
		o.OnError = data.SkipErrors
	}
	if s.Init != "" {
		o.Rate = new(2e-4)
		// As torchvision, and the paper's code of DETR, train detectors on a backbone that was trained before. A DETR and an RT-DETR
		// freeze the norms of the backbone by themselves.
		b := m.Config.Backbone
		o.FreezeNorms = b != nil && b.ModelType == "resnet"
		if s.Freeze == "" && (o.FreezeNorms || m.Config.DETR != nil || m.Config.RTDETR != nil) {
			o.Freeze = 1
		}
	}
	if s.Rate > 0 {
		o.Rate = &s.Rate
	}
	c, err := m.Training(images, o)
	if err == nil && s.EMA {
		c.EMA = train.NewEMA(trained(m), nn.Buffers(m), train.EMAOptions{Decay: new(0.998), Warmup: true})
	}
	return c, err
}

// trained yields the parameters that are not frozen.
func trained(m *detect.Model) iter.Seq2[string, *autograd.Parameter] {
	return func(yield func(string, *autograd.Parameter) bool) {
		for path, p := range nn.Parameters(m) {
			if !p.Frozen && !yield(path, p) {
				return
			}
		}
	}
}
