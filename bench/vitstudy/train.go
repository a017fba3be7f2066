package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"image"
	"log"
	"path/filepath"
	"slices"

	"github.com/fovea-ml/fovea/bench/internal/study"
	"github.com/fovea-ml/fovea/internal/atomicfile"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
)

// saved writes a model to a folder, for timm and for Fovea, and opens the latter.
func saved(dir string, m *vit.Model) (*vit.Model, error) {
	if err := m.Save(filepath.Join(dir, "timm"), vit.SaveOptions{Layout: models.Timm}); err != nil {
		return nil, err
	}
	if err := m.Save(filepath.Join(dir, "fovea"), vit.SaveOptions{}); err != nil {
		return nil, err
	}
	return vit.Open(filepath.Join(dir, "fovea"), vit.LoadOptions{Unmapped: true})
}

// options returns the recipe of a run.
func (p *part) options(seed uint64, exact bool) vit.TrainOptions {
	o := vit.TrainOptions{
		Epochs: p.epochs, BatchSize: p.batch, Rate: &p.rate, Warmup: new(1 / float64(p.epochs)), WeightDecay: new(weightDecay), LayerDecay: p.layerDecay,
		DropPath: new(float32(dropPath)), Smoothing: smoothing, Mix: &vision.Mix{Mixup: 0.8, Cutmix: 1, Prob: &p.mixing}, Seed: seed,
	}
	if exact {
		o.DropPath = new(float32(0))
	}
	return o
}

// fovea trains on our side. The model with seed 1 is kept for the next part.
func (p *part) fovea(ctx context.Context, m *vit.Model, seed uint64, exact bool) (study.Outcome, error) {
	o := study.Outcome{Versions: "Fovea, " + simd.Info()}
	m.Workers = simd.NewWorkers(p.threads)
	c, err := m.Training(p.train, p.options(seed, exact))
	if err != nil {
		return o, err
	}
	c.EMA = train.NewEMA(nn.Parameters(m), nil, train.EMAOptions{Decay: &p.average})
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
	if exact {
		if _, err := p.accuracy(ctx, m, &o.Accuracies); err != nil {
			return o, err
		}
		c.EMA.Swap()
		_, err := p.accuracy(ctx, m, &o.Averaged)
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
	DropPath   float32    `json:"drop_path"`
	Decay      float64    `json:"decay"`
	LayerDecay float64    `json:"layer_decay"`
	Smoothing  float64    `json:"smoothing"`
	Average    float64    `json:"average"`
	Clip       float64    `json:"clip"`
	Seed       uint64     `json:"seed"`
	Threads    int        `json:"threads"`
}

// draw holds the random numbers that mix a batch.
type draw struct {
	Lambda float32 `json:"lambda"` // 1 for a batch that is not mixed
	Box    *[4]int `json:"box"`    // of CutMix: top, bottom, left and right; nil for mixup
}

// loader cuts images into the batches of the recipe.
func (p *part) loader(images vision.Dataset, m *vit.Model, seed uint64) *vision.Loader {
	o := p.options(seed, true)
	return &vision.Loader{Data: images, Preprocess: m.Preprocess, Mix: o.Mix, BatchSize: o.BatchSize, Shuffle: true, Seed: seed}
}

// draws finds the draws of an epoch. Its loader gets as many images as the recipe's, black ones in the first half of each
// batch and white ones in the second, and mixes the first with the last.
func (p *part) draws(ctx context.Context, m *vit.Model, seed uint64, epoch int) ([]draw, error) {
	black := &vision.Image{Pix: make([]uint8, size*size), Width: size, Height: size, Channels: 1}
	white := &vision.Image{Pix: bytes.Repeat([]uint8{255}, size*size), Width: size, Height: size, Channels: 1}
	n := p.train.Len()
	images := &vision.Memory{Images: make([]*vision.Image, n), Labels: make([]int, n), ClassNames: []string{"black", "white"}}
	l := p.loader(images, m, seed)
	for batch := range slices.Chunk(l.Order(epoch), p.batch) {
		for i, item := range batch {
			images.Images[item] = black
			if i >= len(batch)/2 {
				images.Images[item], images.Labels[item] = white, 1
			}
		}
	}
	var all []draw
	for b, err := range l.Epoch(ctx, epoch) {
		if err != nil {
			return nil, err
		}
		all = append(all, drawn(b.Pixels[:size*size], b.Targets[0]))
	}
	return all, nil
}

// drawn finds a draw from one channel of a black image and its target.
func drawn(pixels []float32, lambda float32) draw {
	d := draw{Lambda: lambda}
	first, last := slices.Index(pixels, 1), len(pixels)
	if first < 0 || lambda == 1 {
		return d
	}
	for pixels[last-1] != 1 {
		last--
	}
	d.Box = &[4]int{first / size, (last-1)/size + 1, first % size, (last-1)%size + 1}
	return d
}

// torch runs PyTorch's side on the model in a folder.
func (p *part) torch(ctx context.Context, m *vit.Model, dir string, seed uint64, exact bool) (study.Outcome, error) {
	options, l := p.options(seed, exact), p.loader(p.train, m, seed)
	c, err := m.Training(p.train, options)
	if err != nil {
		return study.Outcome{}, err
	}
	c.Data.Close()
	n := l.Batches()
	o := plan{
		Config: m.Config, Weights: filepath.Join(dir, "timm", "model.safetensors"), Pixels: filepath.Join(p.out, p.name+"-pixels.bin"),
		Size: size, Classes: p.train.Classes(), Train: labels(p.train), Test: labels(p.test), Epoch: n, DropPath: *options.DropPath,
		Decay: weightDecay, LayerDecay: p.layerDecay, Smoothing: smoothing, Average: p.average, Clip: c.ClipNorm, Seed: seed, Threads: p.threads,
	}
	for epoch := range p.epochs {
		draws, err := p.draws(ctx, m, seed, epoch)
		if err != nil {
			return study.Outcome{}, err
		}
		o.Draws = append(o.Draws, draws...)
		o.Batches = slices.AppendSeq(o.Batches, slices.Chunk(l.Order(epoch), p.batch))
		for i := range n {
			o.Rates = append(o.Rates, c.Schedule.Rate(float64(epoch*n+i)/float64(n)))
		}
	}
	if exact {
		o.Batches, o.Rates, o.Draws = o.Batches[:steps], o.Rates[:steps], o.Draws[:steps]
	}
	if err := p.writePixels(m, o.Pixels); err != nil {
		return study.Outcome{}, err
	}
	return study.Reference(ctx, p.python, p.script, dir+"-plan.json", o, nil)
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
