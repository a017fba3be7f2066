package vit

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/lora"
)

// TestNewHead replaces the classifier of a loaded model, and gives one to a model without. What is saved has the new
// classes and the old encoder.
func TestNewHead(t *testing.T) {
	labels := []string{"cat", "dog", "owl"}
	for _, headless := range []bool{false, true} {
		m, _ := load(t, "tiny")
		if headless {
			m.Head = nil
		}
		m.Config.Problem = models.MultiLabel
		for _, p := range nn.Parameters(m) {
			p.Frozen = true
		}
		m.NewHead(labels, rand.New(rand.NewPCG(1, 2)))
		if m.Head.Weight.Frozen || m.Head.Bias.Frozen || !m.Encoder.Norm.Weight.Frozen {
			t.Error("the head is frozen, or the encoder is not")
		}
		for _, layout := range []models.Layout{models.HuggingFace, models.Timm} {
			m.Config.LayerNormEps = 1e-6 // timm's
			dir := t.TempDir()
			if err := m.Save(dir, SaveOptions{Layout: layout}); err != nil {
				t.Fatal(err)
			}
			back, err := Open(dir, LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(labels, back.Config.Labels()); d != "" || back.Config.Problem != "" || len(back.Config.Label2ID) != 3 {
				t.Errorf("%v: %q of %+v: %s", layout, back.Config.Problem, back.Config.Label2ID, d)
			}
			if !slices.Equal(back.Head.Weight.Shape(), []int{3, 32}) || !slices.Equal(back.Head.Weight.Values(), m.Head.Weight.Values()) {
				t.Errorf("%v: the head was not kept", layout)
			}
		}
	}
}

// TestNewHeadValues expects the distribution of transformers' new classifiers.
func TestNewHeadValues(t *testing.T) {
	m := New(Tiny16(), 0, nil)
	m.NewHead(make([]string, 1000), rand.New(rand.NewPCG(3, 4)))
	sum, square := 0.0, 0.0
	for _, v := range m.Head.Weight.Values() {
		sum += float64(v)
		square += float64(v) * float64(v)
	}
	n := float64(m.Head.Weight.Len())
	// The mean of 192,000 values has the deviation 4.6e-5, and their deviation 3.2e-5.
	if mean, std := sum/n, math.Sqrt(square/n); math.Abs(mean) > 2e-4 || math.Abs(std-0.02) > 1.5e-4 {
		t.Errorf("mean %v, deviation %v", mean, std)
	}
	if slices.ContainsFunc(m.Head.Bias.Values(), func(v float32) bool { return v != 0 }) {
		t.Error("the bias is not zero")
	}
}

// TestNewHeadAdapter saves low-rank adapters together with a new head, and loads them into the same model with a new head of
// its own. An adapter of the old head is gone.
func TestNewHeadAdapter(t *testing.T) {
	m, g := load(t, "tiny")
	rng := rand.New(rand.NewPCG(1, 2))
	if err := lora.Attach(m, lora.Options{Layers: []string{"Encoder.Blocks.*.Attention.QKV", "Head"}, Rank: 2}, rng); err != nil {
		t.Fatal(err)
	}
	m.NewHead([]string{"a", "b"}, rng)
	if len(m.Head.Adapter) != 0 || len(m.Encoder.Blocks[0].Attention.QKV.Adapter) != 3 {
		t.Errorf("found %d adapters at the head and %d at the first block", len(m.Head.Adapter), len(m.Encoder.Blocks[0].Attention.QKV.Adapter))
	}
	for _, p := range nn.Parameters(m) {
		if !p.Frozen {
			nn.Normal(rng, p, 0.1)
		}
	}
	dir := t.TempDir()
	if err := lora.Save(dir, m, m.AdapterNames()); err != nil {
		t.Fatal(err)
	}
	other, _ := load(t, "tiny")
	other.NewHead([]string{"a", "b"}, rng)
	if err := lora.Load(os.DirFS(dir), other, other.AdapterNames()); err != nil {
		t.Fatal(err)
	}
	pixels, shape := g.Tensor("pixels")
	logits := func(m *Model) []float32 {
		return m.Forward(autograd.NewTape(autograd.Options{}).Input(pixels, shape...)).Floats(nil)
	}
	if d := cmp.Diff(logits(m), logits(other)); d != "" {
		t.Error(d)
	}
}

// TestNewHeadPanics expects a panic without labels or without a generator.
func TestNewHeadPanics(t *testing.T) {
	m, _ := load(t, "tiny")
	head := m.Head
	for _, call := range []func(){
		func() { m.NewHead(nil, rand.New(rand.NewPCG(1, 2))) },
		func() { m.NewHead([]string{"a"}, nil) },
	} {
		func() {
			defer func() {
				if recover() == nil || m.Head != head {
					t.Error("no panic, or another head")
				}
			}()
			call()
		}()
	}
}
