package clip

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/lora"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
)

// album is a data set of images of one color and captions that name it. It counts how often images are opened.
type album struct {
	vision.Memory
	mu     sync.Mutex
	opened int
	broken func(opened int) error
}

func newAlbum(n int) *album {
	a := &album{}
	rng := rand.New(rand.NewPCG(6, 6))
	for range n {
		pixels := make([]byte, 24*20*3)
		for i := range pixels {
			pixels[i] = byte(rng.IntN(256))
		}
		a.Images = append(a.Images, &vision.Image{Pix: pixels, Width: 24, Height: 20, Channels: 3})
	}
	return a
}

func (a *album) Open(i int) (*vision.Image, error) {
	a.mu.Lock()
	a.opened++
	var err error
	if a.broken != nil {
		err = a.broken(a.opened)
	}
	a.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return a.Memory.Open(i)
}

func (a *album) Captions(i int) ([]string, error) {
	return []string{fmt.Sprintf("a photo of %d", i), fmt.Sprintf("the %d", i)}, nil
}

// trainable returns a small model with initial weights, one tower deeper than the other.
func trainable(t *testing.T, change func(c *Config)) *Model {
	t.Helper()
	tiny, _ := load(t, "tiny")
	c := tiny.Config
	c.Vision.NumHiddenLayers = 3
	if change != nil {
		change(&c)
	}
	m := New(c, rand.New(rand.NewPCG(1, 1)))
	m.Tokenizer, m.Preprocess, m.Workers = tiny.Tokenizer, tiny.Preprocess, simd.NewWorkers(2)
	return m
}

// pairs returns a loader of pairs, augmented and in a new order each epoch.
func pairs(m *Model, d vision.Dataset, size int) *vision.Loader {
	return &vision.Loader{Data: d, Preprocess: m.Preprocess, BatchSize: size, Shuffle: true, Seed: 3, DropLast: true,
		Augment: &vision.Augment{Flip: 0.5}}
}

// fit trains for a few epochs.
func fit(ctx context.Context, m *Model, source train.Source[*vision.Batch], o TrainOptions, change func(c *train.Config)) (train.Result, error) {
	c, err := m.Training(source, o)
	if err != nil {
		return train.Result{}, err
	}
	c.Epochs, c.Schedule, c.Seed = 3, train.Curve{Peak: 3e-3}.Constant(), 4
	if change != nil {
		change(&c)
	}
	return train.Run(ctx, c)
}

func values(m *Model) map[string][]float32 {
	all := map[string][]float32{}
	for path, p := range nn.Parameters(m) {
		all[path] = slices.Clone(p.Values())
	}
	return all
}

// TestTrainingCaching ends with the weights of whole batches when four batches of a loader share a loss.
func TestTrainingCaching(t *testing.T) {
	whole, cached := trainable(t, nil), trainable(t, nil)
	a, err := fit(context.Background(), whole, pairs(whole, newAlbum(26), 12), TrainOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := newAlbum(26)
	b, err := fit(context.Background(), cached, pairs(cached, d, 3), TrainOptions{Batches: 4}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.Steps != 6 || b.Steps != 6 {
		t.Errorf("%d and %d steps, expected 6", a.Steps, b.Steps)
	}
	if d.opened < 2*3*24 {
		t.Errorf("%d images opened, expected each twice: %d", d.opened, 2*3*24)
	}
	for i := range a.Losses {
		if math.Abs(a.Losses[i]-b.Losses[i]) > 1e-4*a.Losses[i] {
			t.Errorf("epoch %d: loss %v, expected %v", i, b.Losses[i], a.Losses[i])
		}
	}
	if a.Losses[2] >= a.Losses[0] {
		t.Errorf("losses %v do not fall", a.Losses)
	}
}

// TestTrainingMemory counts what eight times the pairs add to the memory of the tape: embeddings and logits.
func TestTrainingMemory(t *testing.T) {
	const size = 8
	held := func(batches int) int {
		m := trainable(t, func(c *Config) { c.Vision.SetSize(64, 64) })
		m.Preprocess = New(m.Config, nil).Preprocess
		bytes := 0
		_, err := fit(context.Background(), m, pairs(m, newAlbum(size*batches), size), TrainOptions{Batches: batches}, func(c *train.Config) {
			loss := c.Loss
			c.Loss = func(ctx context.Context, tape *autograd.Tape, b *train.Batch) (*autograd.Tensor, error) {
				bytes = tape.MemoryBytes() // of the steps before
				return loss(ctx, tape, b)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return bytes
	}
	few, many := held(2), held(16)
	// As in package contrast: a buffer holds at least 256 values, and is up to an eighth larger than asked for.
	const n, width = 16 * size, 10
	allowed := 4 * (2*2*n/size*256 + (2*8*n*width+2*n*n)*9/8)
	if many-few > allowed {
		t.Errorf("%d pairs hold %d bytes more than %d, expected at most %d", n, many-few, 2*size, allowed)
	}
	t.Logf("%d pairs: %d bytes, %d pairs: %d bytes", 2*size, few, n, many)
}

// TestTrainingResumes stops a run with caching, patch dropout and layer decay anywhere, and continues it to the same
// bits.
func TestTrainingResumes(t *testing.T) {
	o := TrainOptions{Batches: 3, PatchDropout: 0.5, LayerDecay: 0.7}
	whole := trainable(t, nil)
	if _, err := fit(context.Background(), whole, pairs(whole, newAlbum(24), 4), o, nil); err != nil {
		t.Fatal(err)
	}
	want := values(whole)
	for _, stop := range []int{10, 40, 61} { // images opened
		file := filepath.Join(t.TempDir(), "run.safetensors")
		ctx, cancel := context.WithCancel(context.Background())
		m, d := trainable(t, nil), newAlbum(24)
		d.broken = func(opened int) error {
			if opened == stop {
				cancel()
			}
			return nil
		}
		if _, err := fit(ctx, m, pairs(m, d, 4), o, func(c *train.Config) { c.File = file }); !errors.Is(err, context.Canceled) {
			t.Fatalf("expected the context's error, found %v", err)
		}
		m = trainable(t, nil)
		if _, err := fit(context.Background(), m, pairs(m, newAlbum(24), 4), o, func(c *train.Config) { c.File, c.Start = file, train.Resume }); err != nil {
			t.Fatal(err)
		}
		for path, v := range values(m) {
			if !slices.Equal(v, want[path]) {
				t.Errorf("stopped after %d images: %s differs", stop, path)
			}
		}
		other := o
		other.Batches, other.PatchDropout = 2, 0.25
		_, err := fit(context.Background(), trainable(t, nil), pairs(m, newAlbum(24), 4), other, func(c *train.Config) { c.File, c.Start = file, train.Resume })
		if bad := (*train.ResumeError)(nil); !errors.As(err, &bad) || !strings.Contains(err.Error(), "patch dropout") {
			t.Errorf("expected an error that names the patch dropout, found %v", err)
		}
	}
}

// TestTrainingFrozen leaves frozen towers and what adapters stand beside as they are, to the bit, and trains the rest.
func TestTrainingFrozen(t *testing.T) {
	in := func(prefixes ...string) func(path string) bool {
		return func(path string) bool {
			return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
		}
	}
	adapted := func(m *Model) {
		err := lora.Attach(m, lora.Options{
			Layers: []string{"Vision.Encoder.Blocks.*.Attention.QKV", "Text.Blocks.*.Attention.QKV"}, Rank: 2,
			Train: []string{"LogitScale"},
		}, rand.New(rand.NewPCG(1, 1)))
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name    string
		prepare func(m *Model)
		options TrainOptions
		trained func(path string) bool
	}{
		{"locked images", nil, TrainOptions{FreezeImages: true, PatchDropout: 0.5}, in("Text.", "TextProjection", "LogitScale")},
		{"locked texts", nil, TrainOptions{FreezeTexts: true}, in("Vision.", "VisionProjection", "LogitScale")},
		{"both but the factor", nil, TrainOptions{FreezeImages: true, FreezeTexts: true}, in("LogitScale")},
		{"adapters", adapted, TrainOptions{}, func(path string) bool { return strings.Contains(path, ".Adapter.") || path == "LogitScale" }},
		{"adapters of texts", adapted, TrainOptions{FreezeImages: true},
			func(path string) bool {
				return strings.HasPrefix(path, "Text.") && strings.Contains(path, ".Adapter.") || path == "LogitScale"
			}},
	} {
		for _, batches := range []int{1, 2} {
			t.Run(fmt.Sprint(c.name, " ", batches), func(t *testing.T) {
				m := trainable(t, nil)
				if c.prepare != nil {
					c.prepare(m)
				}
				before := values(m)
				c.options.Batches = batches
				result, err := fit(context.Background(), m, pairs(m, newAlbum(24), 12/batches), c.options, nil)
				if err != nil {
					t.Fatal(err)
				}
				if result.Steps != 6 {
					t.Errorf("%d steps, expected 6", result.Steps)
				}
				for path, v := range values(m) {
					if moved := !slices.Equal(v, before[path]); moved != c.trained(path) {
						t.Errorf("%s changed: %v, expected %v", path, moved, c.trained(path))
					}
				}
			})
		}
	}
}

// TestTrainingOnce does not read the images of a frozen tower twice.
func TestTrainingOnce(t *testing.T) {
	m, d := trainable(t, nil), newAlbum(24)
	if _, err := fit(context.Background(), m, pairs(m, d, 4), TrainOptions{Batches: 3, FreezeImages: true}, nil); err != nil {
		t.Fatal(err)
	}
	if d.opened != 3*24 {
		t.Errorf("%d images opened, expected %d", d.opened, 3*24)
	}
}

// TestTrainingResNet updates running statistics once for each batch, and not those of a frozen tower.
func TestTrainingResNet(t *testing.T) {
	for _, frozen := range []bool{false, true} {
		m := trainable(t, func(c *Config) {
			c.Vision = VisionConfig{ImageSize: 32, NumChannels: 3, ResNet: &ResNetConfig{Layers: [4]int{1, 1, 1, 1}, Width: 2, Heads: 4}}
		})
		m.Preprocess = New(m.Config, nil).Preprocess
		var before [][]float32
		for _, b := range nn.Buffers(m) {
			before = append(before, slices.Clone(b.Values()))
		}
		if len(before) == 0 {
			t.Fatal("expected running statistics, found none")
		}
		_, err := fit(context.Background(), m, pairs(m, newAlbum(12), 4), TrainOptions{Batches: 3, FreezeImages: frozen}, nil)
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		for path, b := range nn.Buffers(m) {
			if moved := !slices.Equal(b.Values(), before[i]); moved == frozen {
				t.Errorf("frozen %v: %s changed: %v", frozen, path, moved)
			}
			i++
		}
	}
}

// TestTrainingSigmoid trains a small SigLIP with caching.
func TestTrainingSigmoid(t *testing.T) {
	m := trainable(t, func(c *Config) {
		c.Vision.Pooled, c.Text.Bidirectional = true, true
		c.ProjectionDim = c.Vision.HiddenSize
	})
	m.LogitScale, m.LogitBias = autograd.ParameterOf([]float32{2.3}), autograd.ParameterOf([]float32{-10})
	result, err := fit(context.Background(), m, pairs(m, newAlbum(24), 4), TrainOptions{Batches: 3, PatchDropout: 0.5}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if first, last := result.Losses[0], result.Losses[2]; !(last < first) {
		t.Errorf("losses %v do not fall", result.Losses)
	}
	if m.LogitBias.Values()[0] == -10 {
		t.Error("the bias was not trained")
	}
}

// TestTrainingErrors names what does not fit the model or the data.
func TestTrainingErrors(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		want    string
		options TrainOptions
		change  func(m *Model)
	}{
		{"no tokenizer", TrainOptions{}, func(m *Model) { m.Tokenizer = nil }},
		{`Loss: expected "softmax" or "sigmoid", found "triplet"`, TrainOptions{Loss: "triplet"}, nil},
		{"needs a model with a LogitBias", TrainOptions{Loss: SigmoidLoss}, nil},
		{"Batches: expected 0 or more, found -1", TrainOptions{Batches: -1}, nil},
		{"Batches: expected at most 2, those of an epoch, found 3", TrainOptions{Batches: 3}, nil},
		{"PatchDropout: expected 0 to below 1, found 1", TrainOptions{PatchDropout: 1}, nil},
		{"PatchDropout: expected 0 to below 1, found NaN", TrainOptions{PatchDropout: nan}, nil},
		{"MaxScale: expected 1 or more, found 0.5", TrainOptions{MaxScale: new(0.5)}, nil},
		{"MaxScale: expected 1 or more, found NaN", TrainOptions{MaxScale: &nan}, nil},
		{"LayerDecay: expected 0 or more, found -1", TrainOptions{LayerDecay: -1}, nil},
		{"WeightDecay: expected 0 or more, found -1", TrainOptions{WeightDecay: new(-1.0)}, nil},
		{"nothing to train", TrainOptions{FreezeImages: true, FreezeTexts: true}, func(m *Model) { m.LogitScale.Frozen = true }},
	} {
		m := trainable(t, nil)
		if c.change != nil {
			c.change(m)
		}
		_, err := fit(context.Background(), m, pairs(m, newAlbum(8), 4), c.options, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("expected %q, found %v", c.want, err)
		}
	}
	m := trainable(t, nil)
	if _, err := fit(context.Background(), m, pairs(m, &newAlbum(8).Memory, 4), TrainOptions{}, nil); err == nil || !strings.Contains(err.Error(), "no captions") {
		t.Errorf("expected an error for a data set without captions, found %v", err)
	}
}

// TestTrainingReads ends a run with an error when images cannot be read the second time, or are others.
func TestTrainingReads(t *testing.T) {
	broken := errors.New("a broken disk")
	m, d := trainable(t, nil), newAlbum(12)
	d.broken = func(opened int) error {
		if opened > 16 {
			return broken
		}
		return nil
	}
	if _, err := fit(context.Background(), m, pairs(m, d, 4), TrainOptions{Batches: 3}, nil); !errors.Is(err, broken) {
		t.Errorf("expected %v, found %v", broken, err)
	}
	m, d = trainable(t, nil), newAlbum(12)
	d.broken = func(opened int) error { // an image that can be read the first time alone
		if opened == 20 {
			return broken
		}
		return nil
	}
	loader := pairs(m, d, 4)
	loader.OnError, loader.Goroutines = data.SkipErrors, 1
	if _, err := fit(context.Background(), m, loader, TrainOptions{Batches: 3}, nil); err == nil || !strings.Contains(err.Error(), "when it is read again") {
		t.Errorf("expected an error for other images, found %v", err)
	}
	m = trainable(t, nil)
	if _, err := fit(context.Background(), m, fleeting{pairs(m, newAlbum(12), 4)}, TrainOptions{Batches: 3}, nil); err == nil || !strings.Contains(err.Error(), "no batch") {
		t.Errorf("expected an error for a batch that is gone, found %v", err)
	}
}

// fleeting is a loader that cannot be entered in the middle.
type fleeting struct{ *vision.Loader }

func (f fleeting) EpochFrom(ctx context.Context, epoch, first int) iter.Seq2[*vision.Batch, error] {
	if first > 0 {
		return func(func(*vision.Batch, error) bool) {}
	}
	return f.Loader.EpochFrom(ctx, epoch, first)
}

// TestLayer numbers the blocks of both towers from their ends.
func TestLayer(t *testing.T) {
	m := trainable(t, nil) // 3 blocks of images and 2 of texts
	if m.Layers() != 3 {
		t.Errorf("%d layers, expected 3", m.Layers())
	}
	for path, want := range map[string]int{
		"Vision.Encoder.Patch.Weight": 0, "Vision.Encoder.ClassToken": 0, "Vision.Encoder.PreNorm.Bias": 0,
		"Vision.Encoder.Blocks.0.Norm1.Weight": 1, "Vision.Encoder.Blocks.2.MLP.FC1.Weight": 3,
		"Vision.Encoder.Norm.Weight": 4, "VisionProjection.Weight": 4,
		"Text.Tokens": 1, "Text.Positions": 1, "Text.Blocks.0.Norm1.Weight": 2, "Text.Blocks.1.Norm1.Weight": 3,
		"Text.Norm.Weight": 4, "TextProjection.Weight": 4, "LogitScale": 4,
	} {
		if got := m.Layer(path); got != want {
			t.Errorf("%s: layer %d, expected %d", path, got, want)
		}
	}
	paths := map[string]int{}
	for path := range nn.Parameters(m) {
		paths[path]++
	}
	for _, path := range []string{"Vision.Encoder.ClassToken", "Text.Tokens", "Vision.Encoder.PreNorm.Bias"} {
		if paths[path] != 1 {
			t.Errorf("the model has no parameter %s", path)
		}
	}
	if !m.NoDecay("Vision.Encoder.ClassToken") || m.NoDecay("Text.Positions") {
		t.Error("expected no weight decay for the class token alone")
	}
}
