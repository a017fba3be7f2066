package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/bench/internal/study"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/models/detect"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision/boxes"
)

// The recipe, beside the defaults of detect.TrainOptions.
const (
	batch       = 8
	rate        = 1e-3
	weightDecay = 0.05
)

var augment = boxes.Augment{Crop: 0.5, MinCrop: 0.6, Flip: 0.5, FlipVertical: 0.5, MinVisible: 0.3}

// The run that is compared step by step has SGD in place of AdamW, whose first steps amplify rounding: PyTorch's own losses in
// float32 and float64 then differ by 1.5 % within 50 steps of FCOS.
const (
	steps    = 50
	momentum = 0.9
)

// minScore is the score that detections exceed.
const minScore = 0.02

// detector is a detector of the study.
type detector struct {
	name, title string
	config      func() detect.Config
	overlap     float64 // of non-maximum suppression
	stepRate    float64 // of the run that is compared step by step
	alone       bool    // only Fovea trains it
}

var detectors = []detector{
	{name: "fcos", title: "FCOS", config: func() detect.Config { return pyramid(detect.FCOSResNet50()) }, overlap: 0.6, stepRate: 5e-4},
	{name: "centernet", title: "CenterNet", config: centernet, overlap: 1, stepRate: 5e-4},
	{name: "yolov1", title: "YOLOv1", config: yolo, overlap: 0.5, stepRate: 2e-5},
	{name: "faster_rcnn", title: "Faster R-CNN", config: func() detect.Config { return pyramid(detect.FasterRCNNResNet50()) }, overlap: 0.5, alone: true},
}

func names() (all []string) {
	for _, d := range detectors {
		all = append(all, d.name)
	}
	return all
}

// narrow is a ResNet-18 of a quarter of the width.
func narrow() *backbone.Config {
	c := backbone.ResNet18()
	c.EmbeddingSize /= 4
	for i := range c.HiddenSizes {
		c.HiddenSizes[i] /= 4
	}
	return &c
}

// pyramid makes the configuration of a detector with a feature pyramid that of the study.
func pyramid(c detect.Config) detect.Config {
	c.Backbone, c.FPNChannels, c.MinSize, c.MaxSize = narrow(), 32, size, size
	if c.HeadSize > 0 {
		c.HeadSize = 128
	}
	return c
}

// centernet is CenterNet with plain transposed convolutions.
func centernet() detect.Config {
	c := detect.CenterNetResNet18()
	c.Backbone, c.ImageSize, c.Deformable, c.UpSizes, c.HeadSize = narrow(), size, false, []int{64, 32, 32}, 32
	return c
}

// yolo is YOLOv1 on a grid of 7×7 cells.
func yolo() detect.Config {
	c := detect.YOLOv1ResNet18()
	c.Backbone, c.ImageSize, c.HeadChannels, c.HeadSize = narrow(), size, 128, 0
	return c
}

// run is one run of a part, by both sides. Seed 0 is that of the comparison step by step.
type run struct {
	*part
	seed int
}

func (r run) file() string {
	name := fmt.Sprint("seed-", r.seed)
	if r.seed == 0 {
		name = "exact"
	}
	return filepath.Join(r.out, r.name+"-"+name)
}

// predictions is the file of what YOLOv1 predicts in each of the steps that are compared.
func (r run) predictions() string { return r.file() + "-predictions" }

// both returns the outcomes of both sides.
func (r run) both(ctx context.Context) (ours, theirs study.Outcome, err error) {
	return study.Both(r.file(), func() (study.Outcome, error) { return r.fovea(ctx) }, func() (study.Outcome, error) { return r.torch(ctx) })
}

// model returns the model before training.
func (r run) model() (*detect.Model, error) {
	rng := rand.New(rand.NewPCG(uint64(r.seed), 0))
	m := detect.New(r.config(), 1, rng)
	m.Options = detect.Options{MinScore: new(float32(minScore)), MaxOverlap: &r.overlap, MaxDetections: 100}
	m.Workers = simd.NewWorkers(r.threads)
	if err := m.NewHead(r.cells.train.Classes(), rng); err != nil {
		return nil, err
	}
	if d, ok := m.Network.(*detect.YOLOv1); ok && r.seed == 0 {
		// A small and a large box. New ones have no size and fit every object alike, so that rounding decides which one learns it.
		d.Cells.Bias.Update(func(v []float32) {
			for box, root := range []float32{0.35, 0.7} {
				v[5*box+2], v[5*box+3] = root, root
			}
		})
	}
	return m, nil
}

// options returns the recipe.
func (r run) options() detect.TrainOptions {
	o := detect.TrainOptions{
		Epochs: r.epochs, BatchSize: batch, Rate: new(rate), Warmup: new(1 / float64(r.epochs)), WeightDecay: new(weightDecay),
		Augment: &augment, Seed: uint64(r.seed),
	}
	if r.seed == 0 {
		o.Epochs, o.Rate, o.Warmup = 2, new(r.stepRate), new(0.5)
	}
	return o
}

// every is the number of epochs between two measurements.
func (p *part) every() int { return max(1, p.epochs/10) }

// measured reports whether the detections are measured after an epoch, counted from 0.
func (r run) measured(epoch int) bool {
	return r.seed > 0 && ((epoch+1)%r.every() == 0 || epoch+1 == r.epochs)
}

// fovea trains on our side, and saves the model.
func (r run) fovea(ctx context.Context) (study.Outcome, error) {
	o := study.Outcome{Versions: "Fovea, " + simd.Info()}
	m, err := r.model()
	if err != nil {
		return o, err
	}
	c, err := m.Training(r.cells.train, r.options())
	if err != nil {
		return o, err
	}
	if r.seed == 0 {
		groups := train.Groups(nn.Parameters(m), train.GroupOptions{WeightDecay: weightDecay})
		c.Optimizer = train.NewSGD(groups, train.SGDOptions{Momentum: momentum})
	}
	predict := func() error { return nil }
	if d, ok := m.Network.(*detect.YOLOv1); ok && r.seed == 0 {
		next, stop := iter.Pull2(r.batches(ctx, m, steps))
		defer stop()
		file, err := os.Create(r.predictions())
		if err != nil {
			return o, err
		}
		defer file.Close()
		predict = func() error {
			s, err, ok := next()
			if !ok || err != nil {
				return err
			}
			tape := autograd.NewTape(autograd.Options{Training: true, Workers: m.Workers})
			defer tape.Reset()
			return binary.Write(file, binary.LittleEndian, d.Forward(s.Batch(tape).Pixels).Floats(nil))
		}
	}
	if err := predict(); err != nil {
		return o, err
	}
	c.OnStep = func(s train.Record) error {
		o.Losses = append(o.Losses, s.Loss)
		if err := predict(); err != nil {
			return err
		}
		if s.Step%100 == 0 {
			log.Printf("%s, Fovea, seed %d: step %d of %d, loss %.3f", r.name, r.seed, s.Step, s.Steps, s.Loss)
		}
		if r.seed == 0 && s.Step == steps {
			return train.ErrStop
		}
		return nil
	}
	c.OnEpoch = func(ctx context.Context, e train.Epoch) error {
		if !r.measured(e.Number) {
			return nil
		}
		found, err := m.DetectDataset(ctx, r.test)
		if err != nil {
			return err
		}
		figures, err := r.measure(found)
		o.Accuracies = append(o.Accuracies, figures.AP50)
		log.Printf("%s, Fovea, seed %d: epoch %d of %d, AP50 %.3f", r.name, r.seed, e.Number+1, r.epochs, figures.AP50)
		return err
	}
	if _, err := train.Run(ctx, c); err != nil {
		return o, err
	}
	if r.seed == 0 {
		return o, nil
	}
	return o, m.Save(r.file()+"-model", detect.SaveOptions{})
}

// measure compares detections in the test images with their objects.
func (p *part) measure(found []metrics.Detection) (metrics.COCOFigures, error) {
	r, err := metrics.COCO(p.test.Truth(), found, metrics.COCOOptions{})
	if err != nil {
		return metrics.COCOFigures{}, err
	}
	return r.COCOFigures, nil
}
