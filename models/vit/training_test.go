package vit

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/lora"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
)

// student returns a small model with a new head for the classes of a data set.
func student(t *testing.T, d vision.Dataset) *Model {
	t.Helper()
	m, err := Open("testdata/tiny", LoadOptions{Unmapped: true})
	if err != nil {
		t.Fatal(err)
	}
	m.Workers = simd.NewWorkers(2)
	m.NewHead(d.Classes(), rand.New(rand.NewPCG(3, 4)))
	return m
}

// TestTrainingTransformers follows PyTorch's losses from the same weights and batches, with layer decay, label smoothing, class
// weights, frozen blocks, and mixed images.
func TestTrainingTransformers(t *testing.T) {
	images := painted(24)
	cases := []struct {
		name string
		o    TrainOptions
	}{
		{"weighted", TrainOptions{LayerDecay: 0.65, Smoothing: 0.1, ClassWeights: []float32{0.5, 2}}},
		{"mixed", TrainOptions{Smoothing: 0.1, ClassWeights: []float32{0.5, 2}, Mix: &vision.Mix{Mixup: 0.8, Cutmix: 1}}},
		{"frozen", TrainOptions{LayerDecay: 1, Freeze: 1, Weights: data.ItemWeights(images.Labels, []float32{3, 1})}},
	}
	var runs []train.Config
	var folders []string
	for _, c := range cases {
		c.o.Epochs, c.o.BatchSize, c.o.Rate, c.o.Seed = 10, 6, new(1e-3), 5
		m, dir := student(t, images), t.TempDir()
		run, err := m.Training(images, c.o)
		if err != nil {
			t.Fatal(err)
		}
		writePlan(t, dir, m, images, c.o, run.Schedule)
		runs, folders = append(runs, run), append(folders, dir)
	}
	var want [][]float64
	if err := json.Unmarshal(modeltest.Python(t, "vit_training.py", folders...), &want); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		want, worst := want[i], 0.0
		runs[i].OnStep = func(r train.Record) error {
			worst = max(worst, math.Abs(r.Loss-want[r.Step-1])/want[r.Step-1])
			return nil
		}
		result, err := train.Run(t.Context(), runs[i])
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d steps, loss %.4f to %.4f, at most %.1e of it from PyTorch's", c.name, len(want), want[0], want[len(want)-1], worst)
		if len(want) != result.Steps || worst > 1e-3 {
			t.Errorf("%s: losses differ by %.2g of the loss in %d steps, expected at most 1e-3 in %d", c.name, worst, len(want), result.Steps)
		}
	}
}

// writePlan writes a model, and all that PyTorch needs to train it: the batches that the loss will see among them.
func writePlan(t *testing.T, dir string, m *Model, images vision.Dataset, o TrainOptions, schedule train.Schedule) {
	t.Helper()
	loader := &vision.Loader{Data: images, Preprocess: m.Preprocess, Weights: o.Weights, BatchSize: o.BatchSize, Shuffle: true, Seed: o.Seed}
	if o.Mix != nil {
		loader.Mix = new(*o.Mix)
		loader.Mix.Smoothing = o.Smoothing
	}
	var tensors []checkpoint.Entry
	var rates []float64
	for epoch := range o.Epochs {
		for b, err := range loader.Epoch(t.Context(), epoch) {
			if err != nil {
				t.Fatal(err)
			}
			step := len(rates)
			rates = append(rates, schedule.Rate(float64(step)/float64(loader.Batches())))
			add := func(name string, values []float32, shape ...int) {
				tensors = append(tensors, checkpoint.Entry{Name: fmt.Sprintf("%s.%d", name, step), Shape: shape, Floats: slices.Clone(values)})
			}
			add("pixels", b.Pixels, b.Shape()...)
			if len(b.Targets) > 0 {
				add("targets", b.Targets, b.Len(), len(b.Targets)/b.Len())
				continue
			}
			labels := make([]float32, b.Len())
			for i, l := range b.Labels {
				labels[i] = float32(l)
			}
			add("labels", labels, len(labels))
		}
	}
	text, err := json.Marshal(map[string]any{
		"rates": rates, "decay": 0.05, "layer_decay": cmp.Or(o.LayerDecay, 0.75), "smoothing": o.Smoothing, "class_weights": o.ClassWeights, "freeze": o.Freeze,
	})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "plan.json"), text, 0o666)
	}
	if err == nil {
		err = checkpoint.Write(filepath.Join(dir, "batches.safetensors"), tensors, checkpoint.WriteOptions{})
	}
	if err == nil {
		err = m.Save(filepath.Join(dir, "model"), SaveOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestTraining trains everything, the head alone, and adapters on attention and MLP with gradient checkpointing. Each learns
// the images, and only what should change does.
func TestTraining(t *testing.T) {
	images := painted(16)
	for name, c := range map[string]struct {
		o       TrainOptions
		adapted bool
		changes func(path string) bool
	}{
		"full": {TrainOptions{Rate: new(3e-3), DropPath: new(float32(0.1))}, false, func(string) bool { return true }},
		"head": {TrainOptions{Freeze: -1, Rate: new(0.1)}, false, func(path string) bool { return strings.HasPrefix(path, "Head.") }},
		"blocks": {TrainOptions{Freeze: 1, Rate: new(3e-3)}, false, func(path string) bool {
			return strings.Contains(path, "Blocks.1.") || !strings.Contains(path, "Blocks.") && !strings.Contains(path, "Patch.") && !strings.Contains(path, "Token") && !strings.Contains(path, "Positions")
		}},
		"adapters": {TrainOptions{Rate: new(2e-2), LayerDecay: 1}, true, func(path string) bool { return strings.Contains(path, "Adapter") || strings.HasPrefix(path, "Head.") }},
	} {
		t.Run(name, func(t *testing.T) {
			m := student(t, images)
			if c.adapted {
				if err := lora.Attach(m, lora.Options{
					Layers: []string{"Encoder.Blocks.*.Attention.QKV", "Encoder.Blocks.*.Attention.Proj", "Encoder.Blocks.*.MLP.*"}, Rank: 4, Alpha: 8, Train: []string{"Head.*"},
				}, rand.New(rand.NewPCG(1, 2))); err != nil {
					t.Fatal(err)
				}
			}
			before := map[string][]float32{}
			for path, p := range nn.Parameters(m) {
				before[path] = append([]float32(nil), p.Values()...)
			}
			c.o.Epochs, c.o.BatchSize = 40, 8
			run, err := m.Training(images, c.o)
			if err != nil {
				t.Fatal(err)
			}
			run.Tape.Recompute = c.adapted
			result, err := train.Run(t.Context(), run)
			if err != nil {
				t.Fatal(err)
			}
			if first, last := result.Losses[0], result.Losses[len(result.Losses)-1]; last > 0.7*first {
				t.Errorf("the loss fell from %.3f to %.3f alone", first, last)
			}
			for path, p := range nn.Parameters(m) {
				same := true
				for i, v := range p.Values() {
					same = same && v == before[path][i]
				}
				if same == c.changes(path) {
					t.Errorf("%s: changed %v", path, !same)
				}
			}
		})
	}
}

// TestFreezeRotary freezes the rotary positions that all blocks share with the first of them.
func TestFreezeRotary(t *testing.T) {
	c := defaults()
	c.ImageSize, c.PatchSize, c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize = 16, 8, 16, 2, 2, 16
	c.RopeTheta, c.RopeOrder = 10, MixedRope
	for blocks, want := range map[int]bool{-1: true, 0: false, 1: true, 2: true} {
		m := New(c, 2, rand.New(rand.NewPCG(1, 2)))
		if err := m.freeze(blocks); err != nil {
			t.Fatal(err)
		}
		if m.Encoder.RopeFrequencies.Frozen != want {
			t.Errorf("Freeze %d: expected the frequencies frozen: %v", blocks, want)
		}
	}
}

func TestTrainingMistakes(t *testing.T) {
	images := painted(4)
	for _, c := range []struct {
		o    TrainOptions
		want string
	}{
		{TrainOptions{Epochs: -1}, "option Epochs"},
		{TrainOptions{BatchSize: -1}, "option BatchSize"},
		{TrainOptions{Freeze: 3}, "option Freeze: expected -1 to 2, found 3"},
		{TrainOptions{Smoothing: 1}, "option Smoothing"},
		{TrainOptions{Smoothing: 0.1, Mix: &vision.Mix{Mixup: 1, Smoothing: 0.1}}, "expected one of them"},
		{TrainOptions{DropPath: new(float32(1))}, "option DropPath"},
		{TrainOptions{ClassWeights: []float32{1}}, "option ClassWeights: expected 2, found 1"},
		{TrainOptions{ClassWeights: []float32{1, float32(math.NaN())}}, "option ClassWeights: class 1"},
		{TrainOptions{Weights: []float32{1}}, "option Weights: expected 4"},
		{TrainOptions{Distillation: &train.Distillation{}}, "option Distillation: expected a Teacher"},
		{TrainOptions{Distillation: &train.Distillation{Teacher: new(Model).Forward, Alpha: new(2.0)}}, "option Distillation: expected an Alpha"},
	} {
		if _, err := student(t, images).Training(images, c.o); err == nil || !strings.HasPrefix(err.Error(), "vit: training: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: found %v, expected %q", c.o, err, c.want)
		}
	}
	m := student(t, images)
	m.Head = nil
	if _, err := m.Training(images, TrainOptions{}); err == nil || !strings.Contains(err.Error(), "no classifier") {
		t.Errorf("a model without a head: %v", err)
	}
	if _, err := student(t, images).Training(&vision.Memory{ClassNames: []string{"a"}}, TrainOptions{}); err == nil || !strings.Contains(err.Error(), "1 classes, the head 2") {
		t.Errorf("other classes: %v", err)
	}
}

// TestTrainingStep runs a single step, which has the whole rate.
func TestTrainingStep(t *testing.T) {
	images := painted(4)
	m := student(t, images)
	run, err := m.Training(images, TrainOptions{Epochs: 1, BatchSize: 4, Rate: new(1e-3)})
	if err != nil {
		t.Fatal(err)
	}
	if rate := run.Schedule.Rate(0); rate != 1e-3 {
		t.Errorf("expected the rate 0.001, found %v", rate)
	}
	if _, err := train.Run(t.Context(), run); err != nil {
		t.Error(err)
	}
}
