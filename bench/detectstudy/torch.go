package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"log"
	"os"
	"path/filepath"

	"github.com/fovea-ml/fovea/bench/internal/study"
	"github.com/fovea-ml/fovea/metrics"
	"github.com/fovea-ml/fovea/models/detect"
)

// plan holds the settings of a run for PyTorch's side. The batches are sent apart.
type plan struct {
	Model   string         `json:"model"`
	Config  detect.Config  `json:"config"`
	Classes int            `json:"classes"`
	Weights string         `json:"weights"`     // file of the initial weights
	Others  string         `json:"predictions"` // file of Fovea's predictions in each step, or ""
	Tests   int            `json:"tests"`       // batches for testing, which come first
	Rates   []float64      `json:"rates"`       // of each step
	Measure map[int]string `json:"measure"`     // files for the detections in the test images, by the number of steps before
	Decay   float64        `json:"decay"`
	Clip    float64        `json:"clip"`
	SGD     float64        `json:"sgd"`     // momentum of SGD, or 0 for AdamW
	Score   float64        `json:"score"`   // that detections exceed
	Overlap float64        `json:"overlap"` // of non-maximum suppression
	Seed    int            `json:"seed"`
	Threads int            `json:"threads"`
	Device  string         `json:"device"`
}

// torch runs PyTorch's side, and measures its detections.
func (r run) torch(ctx context.Context) (study.Outcome, error) {
	var o study.Outcome
	m, err := r.model()
	if err != nil {
		return o, err
	}
	dir := r.file() + "-initial"
	if err := m.Save(dir, detect.SaveOptions{}); err != nil {
		return o, err
	}
	options := r.options()
	c, err := m.Training(r.cells.train, options)
	if err != nil {
		return o, err
	}
	batches := c.Data.Batches()
	c.Data.Close()
	p := plan{
		Model: r.name, Config: m.Config, Classes: m.Classes, Weights: filepath.Join(dir, "model.safetensors"),
		Tests: (r.test.Len() + batch - 1) / batch, Measure: map[int]string{}, Decay: weightDecay, Clip: c.ClipNorm,
		Score: minScore, Overlap: r.overlap, Seed: r.seed, Threads: r.threads, Device: r.device,
	}
	var files []string
	for epoch := range options.Epochs {
		for i := range batches {
			p.Rates = append(p.Rates, c.Schedule.Rate(float64(epoch*batches+i)/float64(batches)))
		}
		if r.measured(epoch) {
			files = append(files, fmt.Sprintf("%s-found-%d.json", r.file(), epoch+1))
			p.Measure[len(p.Rates)] = files[len(files)-1]
		}
	}
	if r.seed == 0 {
		p.Rates, p.Device, p.SGD = p.Rates[:steps], "cpu", momentum
		if _, ok := m.Network.(*detect.YOLOv1); ok {
			p.Others = r.predictions()
		}
	}
	o, err = study.Reference(ctx, r.python, r.script, r.file()+"-plan.json", p, func(w io.Writer) error { return r.feed(ctx, w, m, len(p.Rates)) })
	if err != nil {
		return o, err
	}
	for _, name := range files {
		figures, err := r.read(name)
		if err != nil {
			return o, err
		}
		o.Accuracies = append(o.Accuracies, figures.AP50)
	}
	if r.seed > 0 {
		log.Printf("%s, PyTorch, seed %d: AP50 %.3f", r.name, r.seed, o.Accuracies)
	}
	return o, nil
}

// feed writes the batches for testing, and those of the first steps.
func (r run) feed(ctx context.Context, w io.Writer, m *detect.Model, steps int) error {
	b := bufio.NewWriterSize(w, 1<<20)
	var images []detect.Prepared
	for i := range r.test.Len() {
		s, err := r.test.Sample(i)
		if err != nil {
			return err
		}
		p, err := m.Prepare(s.Image, nil, 0)
		if err != nil {
			return err
		}
		if images = append(images, p); len(images) == batch || i == r.test.Len()-1 {
			samples := m.Samples(detect.Samples{}, images)
			if err := write(b, &samples); err != nil {
				return err
			}
			images = nil
		}
	}
	for s, err := range r.batches(ctx, m, steps) {
		if err != nil {
			return err
		}
		if err := write(b, s); err != nil {
			return err
		}
	}
	return b.Flush()
}

// batches yields the batches of the first steps. An error is the last thing it yields.
func (r run) batches(ctx context.Context, m *detect.Model, steps int) iter.Seq2[*detect.Samples, error] {
	return func(yield func(*detect.Samples, error) bool) {
		l, err := m.Loader(r.cells.train, r.options())
		if err != nil {
			yield(nil, err)
			return
		}
		for step := 0; step < steps; {
			for s, err := range l.EpochFrom(ctx, step/l.Batches(), 0) {
				if step == steps {
					break
				}
				if step++; !yield(s, err) || err != nil {
					return
				}
			}
		}
	}
}

// write writes a batch: its shape, the size and the number of objects of each image, pixels, boxes and classes.
func write(w io.Writer, s *detect.Samples) error {
	var head, classes []int32
	var corners []float32
	for _, n := range s.Shape {
		head = append(head, int32(n))
	}
	for i, t := range s.Truth {
		head = append(head, int32(s.Sizes[i][0]), int32(s.Sizes[i][1]), int32(len(t.Boxes)))
		for k, b := range t.Boxes {
			corners, classes = append(corners, b.X0, b.Y0, b.X1, b.Y1), append(classes, int32(t.Classes[k]))
		}
	}
	return errors.Join(binary.Write(w, binary.LittleEndian, head), binary.Write(w, binary.LittleEndian, s.Pixels),
		binary.Write(w, binary.LittleEndian, corners), binary.Write(w, binary.LittleEndian, classes))
}

// read measures the detections in a file.
func (r run) read(name string) (metrics.COCOFigures, error) {
	f, err := os.Open(name)
	if err != nil {
		return metrics.COCOFigures{}, err
	}
	defer f.Close()
	found, err := metrics.ReadCOCOResults(f)
	if err != nil {
		return metrics.COCOFigures{}, fmt.Errorf("%s: %w", name, err)
	}
	return r.measure(found)
}
