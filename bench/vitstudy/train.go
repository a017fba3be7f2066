package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"image"
	"log"
	"path/filepath"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/bench/internal/study"
	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/internal/atomicfile"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
)

// saved writes a model to a folder for timm, and opens another one from the folder for transformers, which keeps drop path.
func saved(dir string, m *vit.Model) (*vit.Model, error) {
	if err := m.Save(filepath.Join(dir, "timm"), vit.SaveOptions{Layout: models.Timm}); err != nil {
		return nil, err
	}
	if err := m.Save(filepath.Join(dir, "fovea"), vit.SaveOptions{}); err != nil {
		return nil, err
	}
	return vit.Open(filepath.Join(dir, "fovea"), vit.LoadOptions{Unmapped: true})
}

// loader cuts the training images into batches of equal size.
func (p *part) loader(m *vit.Model, seed uint64) *vision.Loader {
	return &vision.Loader{
		Data: p.train, Preprocess: m.Preprocess, BatchSize: p.batch, Shuffle: true, DropLast: true, Seed: seed, Goroutines: p.threads,
	}
}

func (p *part) schedule() train.Schedule {
	return train.Curve{Peak: p.rate, Warmup: warmup, Length: float64(p.epochs)}.Cosine()
}

// mix mixes a batch. Its draws depend on the seed and the numbers of epoch and batch alone.
func (p *part) mix(b *vision.Batch, seed uint64, epoch, number, classes int, smoothing float32) {
	const mixing = 0x313
	m := vision.Mix{Mixup: 0.8, Cutmix: 1, Prob: &p.mixing, Smoothing: smoothing}
	m.Apply(data.NewRand(seed, mixing, uint64(epoch), uint64(number)), b, classes)
}

// fovea trains on our side. The model with seed 1 is kept for the next part.
func (p *part) fovea(ctx context.Context, m *vit.Model, seed uint64, exact bool) (study.Outcome, error) {
	o := study.Outcome{Versions: "Fovea, " + simd.Info()}
	m.Workers = simd.NewWorkers(p.threads)
	feed, classes := train.NewFeed(p.loader(m, seed)), len(p.train.Classes())
	c := train.Config{
		Model: m, Data: feed, Epochs: p.epochs, Schedule: p.schedule(), ClipNorm: clip, Seed: seed,
		Tape: autograd.Options{Workers: m.Workers},
		EMA:  train.NewEMA(nn.Parameters(m), nil, train.EMAOptions{Decay: &p.average}),
		Optimizer: train.NewAdamW(train.Groups(nn.Parameters(m), train.GroupOptions{
			WeightDecay: weightDecay, NoDecay: m.NoDecay, LayerDecay: p.layerDecay, Layers: len(m.Encoder.Blocks), Layer: m.Layer,
		}), train.AdamOptions{}),
	}
	c.Loss = func(ctx context.Context, t *autograd.Tape, b *train.Batch) (*autograd.Tensor, error) {
		images, err := feed.Next(ctx, b)
		if err != nil {
			return nil, err
		}
		p.mix(images, seed, b.Epoch, b.Index, classes, smoothing)
		logits := m.Forward(t.Input(images.Pixels, images.Shape()...))
		return autograd.SoftCrossEntropy(logits, t.Input(images.Targets, images.Len(), classes), 0), nil
	}
	c.OnStep = func(r train.Record) error {
		o.Losses = append(o.Losses, r.Loss)
		if r.Step%100 == 0 {
			log.Printf("%s, Fovea, seed %d: step %d of %d, loss %.3f", p.name, seed, r.Step, r.Steps, r.Loss)
		}
		if exact && r.Step == steps {
			return train.ErrStop
		}
		return nil
	}
	if !exact {
		c.Validate = func(ctx context.Context, _ int) (float64, error) { return p.accuracy(ctx, m, &o.Averaged) }
		c.OnEpoch = func(ctx context.Context, _ train.Epoch) error {
			_, err := p.accuracy(ctx, m, &o.Accuracies)
			return err
		}
	}
	if _, err := train.Run(ctx, c); err != nil {
		return o, err
	}
	if seed == 1 {
		return o, m.Save(filepath.Join(p.out, p.name+"-model"), vit.SaveOptions{})
	}
	return o, nil
}

// accuracy appends the accuracy on the test images to a list, and returns it.
func (p *part) accuracy(ctx context.Context, m *vit.Model, to *[]float64) (float64, error) {
	confusion, err := m.Evaluate(ctx, p.test)
	if err != nil {
		return 0, err
	}
	*to = append(*to, confusion.Accuracy())
	return confusion.Accuracy(), nil
}

// plan is all that PyTorch's side needs for a run.
type plan struct {
	Config     vit.Config `json:"config"`
	Weights    string     `json:"weights"` // file, with timm's names
	Pixels     string     `json:"pixels"`  // file of float32: the images for training and those for testing
	Size       int        `json:"size"`
	Classes    []string   `json:"classes"`
	Train      []int      `json:"train"` // labels
	Test       []int      `json:"test"`
	Batches    [][]int    `json:"batches"` // positions in Train
	Draws      []draw     `json:"draws"`   // of each batch
	Rates      []float64  `json:"rates"`
	Epoch      int        `json:"epoch"` // batches in an epoch
	Decay      float64    `json:"decay"`
	LayerDecay float64    `json:"layer_decay"`
	Smoothing  float64    `json:"smoothing"`
	Average    float64    `json:"average"`
	Clip       float64    `json:"clip"`
	Seed       uint64     `json:"seed"`
	Threads    int        `json:"threads"`
}

// draw is what is drawn to mix a batch.
type draw struct {
	Lambda float32 `json:"lambda"` // 1 for a batch that is not mixed
	Box    *[4]int `json:"box"`    // of CutMix: top, bottom, left and right; nil for mixup
}

// drawn finds the draws of a batch by mixing a black image with a white one.
func (p *part) drawn(seed uint64, epoch, number int) draw {
	b := &vision.Batch{Pixels: make([]float32, 2*size*size), Channels: 1, Height: size, Width: size, Labels: []int{0, 1}}
	for i := range size * size {
		b.Pixels[size*size+i] = 1
	}
	p.mix(b, seed, epoch, number, 2, 0)
	d := draw{Lambda: b.Targets[0]}
	first, last := slices.Index(b.Pixels[:size*size], 1), size*size
	if first < 0 || d.Lambda == 1 {
		return d
	}
	for b.Pixels[last-1] != 1 {
		last--
	}
	d.Box = &[4]int{first / size, (last-1)/size + 1, first % size, (last-1)%size + 1}
	return d
}

// torch runs PyTorch's side on the model in a folder.
func (p *part) torch(ctx context.Context, m *vit.Model, dir string, seed uint64, exact bool) (study.Outcome, error) {
	l := p.loader(m, seed)
	n := l.Batches()
	o := plan{
		Config: m.Config, Weights: filepath.Join(dir, "timm", "model.safetensors"), Pixels: filepath.Join(p.out, p.name+"-pixels.bin"),
		Size: size, Classes: p.train.Classes(), Train: labels(p.train), Test: labels(p.test), Epoch: n,
		Decay: weightDecay, LayerDecay: p.layerDecay, Smoothing: smoothing, Average: p.average, Clip: clip, Seed: seed, Threads: p.threads,
	}
	for epoch := range p.epochs {
		items := l.Order(epoch)
		for i := range n {
			o.Batches = append(o.Batches, items[i*p.batch:(i+1)*p.batch])
			o.Rates = append(o.Rates, p.schedule().Rate(float64(epoch*n+i)/float64(n)))
			o.Draws = append(o.Draws, p.drawn(seed, epoch, i))
		}
	}
	if exact {
		o.Batches, o.Rates, o.Draws = o.Batches[:steps], o.Rates[:steps], o.Draws[:steps]
	}
	if err := p.writePixels(m, o.Pixels); err != nil {
		return study.Outcome{}, err
	}
	return study.Reference(ctx, p.python, p.script, dir+"-plan.json", o)
}

func labels(d vision.Dataset) (out []int) {
	for i := range d.Len() {
		out = append(out, d.Label(i))
	}
	return out
}

// writePixels writes the pixels of all images, prepared for the model.
func (p *part) writePixels(m *vit.Model, file string) error {
	var images []image.Image
	for _, d := range []vision.Dataset{p.train, p.test} {
		for i := range d.Len() {
			img, err := d.Open(i)
			if err != nil {
				return err
			}
			images = append(images, img)
		}
	}
	pixels, _, _, err := m.Preprocess.Pixels(nil, m.Workers, images...)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, pixels); err != nil {
		return err
	}
	return atomicfile.WriteFile(file, b.Bytes())
}
