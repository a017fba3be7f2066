package clip

import (
	"context"
	"encoding/json"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
)

// steps yields given pairs as the batches of one epoch.
type steps struct {
	pixels   []float32
	shape    []int
	captions []string
	batches  [][]int
}

func (s *steps) Batches() int { return len(s.batches) }

func (s *steps) Describe() map[string]string { return map[string]string{} }

func (s *steps) EpochFrom(_ context.Context, _, first int) iter.Seq2[*vision.Batch, error] {
	return func(yield func(*vision.Batch, error) bool) {
		each := s.shape[1] * s.shape[2] * s.shape[3]
		for i, pairs := range s.batches[first:] {
			b := &vision.Batch{Number: first + i, Channels: s.shape[1], Height: s.shape[2], Width: s.shape[3], Indices: pairs, Labels: make([]int, len(pairs))}
			for _, k := range pairs {
				b.Pixels = append(b.Pixels, s.pixels[k*each:(k+1)*each]...)
				b.Captions = append(b.Captions, s.captions[k])
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}

// TestTrainingLibrary follows the losses of open_clip for 50 steps from the same weights and batches: with each loss,
// with layer decay, with a locked image tower; all at once, and with gradient caching.
func TestTrainingLibrary(t *testing.T) {
	dir := t.TempDir()
	modeltest.Python(t, "clip_train.py", filepath.Join(dir, "runs"))
	for _, c := range []struct {
		name string
		TrainOptions
	}{
		{"softmax", TrainOptions{}},
		{"softmax", TrainOptions{Batches: 3}},
		{"sigmoid", TrainOptions{Batches: 4}},
		{"decay", TrainOptions{Batches: 2, LayerDecay: 0.6}},
		{"locked", TrainOptions{Batches: 3, FreezeImages: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := filepath.Join(dir, "runs", c.name)
			m, err := Open(folder, LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			m.Workers = simd.NewWorkers(2)
			g := golden.Load(t, filepath.Join(folder, "run.safetensors"))
			var data steps
			data.pixels, data.shape = g.Tensor("pixels")
			list, err := os.ReadFile(filepath.Join(folder, "captions.json"))
			if err == nil {
				err = json.Unmarshal(list, &data.captions)
			}
			if err != nil {
				t.Fatal(err)
			}
			order := g.Ints("order")
			size := g.Shape("order")[1] / max(1, c.Batches)
			data.batches = slices.Collect(slices.Chunk(order, size))
			if c.name == "sigmoid" {
				m.LogitBias = autograd.ParameterOf([]float32{-10})
			}
			config, err := m.Training(&data, c.TrainOptions)
			if err != nil {
				t.Fatal(err)
			}
			want, scales := g.Floats("losses"), g.Floats("scale")
			worst := 0.0
			config.Epochs, config.Schedule = 1, train.Curve{Peak: 2e-3}.Constant()
			config.OnStep = func(r train.Record) error {
				if r.Samples != g.Shape("order")[1] {
					t.Errorf("step %d: %d samples, expected %d", r.Step, r.Samples, g.Shape("order")[1])
				}
				w := float64(want[r.Step-1])
				worst = max(worst, math.Abs(r.Loss-w)/w)
				if d := math.Abs(float64(m.LogitScale.Values()[0] - scales[r.Step-1])); d > 1e-3 {
					t.Errorf("step %d: scale %v, expected %v", r.Step, m.LogitScale.Values()[0], scales[r.Step-1])
				}
				return nil
			}
			result, err := train.Run(context.Background(), config)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d steps, loss %.4f to %.4f, at most %.2g from open_clip's", result.Steps, want[0], want[len(want)-1], worst)
			if result.Steps != len(want) || worst > 1e-3 {
				t.Errorf("losses differ by %.3g of their value after %d steps, expected at most 1e-3 after %d", worst, result.Steps, len(want))
			}
		})
	}
}
