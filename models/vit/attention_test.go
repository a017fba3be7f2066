package vit

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
)

// TestAttention compares attention weights and roll-outs with those of transformers.
func TestAttention(t *testing.T) {
	compareAttention(t, "testdata", "deit", "registers", "dinov3")
}

// TestLibrariesAttention does the same with other forms of the family, which transformers makes.
func TestLibrariesAttention(t *testing.T) {
	dir := t.TempDir()
	modeltest.Python(t, "vit_attention.py", dir)
	compareAttention(t, dir, "deit_base", "dinov2_class", "registers_base", "dinov3_plain", "dinov3_key")
}

func compareAttention(t *testing.T, dir string, forms ...string) {
	t.Helper()
	want := golden.Load(t, filepath.Join(dir, "attention.safetensors"))
	near := func(name string, got []float32) {
		t.Helper()
		expected := want.Floats(name)
		if len(got) != len(expected) {
			t.Errorf("%s: found %d weights, expected %d", name, len(got), len(expected))
			return
		}
		for i, v := range got {
			if !(math.Abs(float64(v-expected[i])) <= 1e-5) {
				t.Errorf("%s: weight %d: found %v, expected %v", name, i, v, expected[i])
				return
			}
		}
	}
	for _, name := range forms {
		m, err := Open(filepath.Join(dir, name), LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		pixels, shape := golden.Load(t, filepath.Join(dir, name, "golden.safetensors")).Tensor("8x16/pixels")
		tape := autograd.NewTape(autograd.Options{Debug: true})
		x := tape.Input(pixels, shape...)
		for _, a := range m.Encoder.attentions(x, []int{1, 0}) {
			if a.Heads != 2 || a.Rows != 2 || a.Columns != 4 || a.Tokens != a.Prefix+8 || a.Prefix != m.Encoder.Prefix() {
				t.Errorf("%s: found %d heads, %d×%d patches, %d of %d tokens before", name, a.Heads, a.Rows, a.Columns, a.Prefix, a.Tokens)
			}
			near(fmt.Sprintf("%s/weights.%d", name, a.Layer), a.Weights)
		}
		for kind, o := range map[string]RolloutOptions{"mean.0.0": {}, "max.0.9": {Heads: MaxHeads, Discard: 0.9}, "min.0.35": {Heads: MinHeads, Discard: 0.35}} {
			a, _, _ := m.Encoder.rollout(x, o, nil, nil)
			near(name+"/"+kind, a.Weights)
			if a.Heads != 1 || len(a.Map(0)) != 8 || !slices.Equal(a.Map(0), a.Row(0, 0)[a.Prefix:]) || !slices.Equal(a.Map(-1), a.Map(0)) {
				t.Errorf("%s: the map is not the row of the class token", name)
			}
		}
		if tape.Lent() != 0 {
			t.Errorf("%s: scratch buffers leaked", name)
		}
	}
}

// TestAttentionOfImages gives each image of two batches its own weights, and only those of the layers that are asked for.
func TestAttentionOfImages(t *testing.T) {
	m, _ := load(t, "registers")
	images := dots(18)
	all, err := m.Attention(context.Background(), AttentionOptions{Layers: []int{-1, 0}}, images...)
	if err != nil {
		t.Fatal(err)
	}
	rolled, err := m.Rollout(context.Background(), RolloutOptions{}, images...)
	if err != nil {
		t.Fatal(err)
	}
	for i, img := range images {
		pixels, h, w, err := m.Preprocess.Pixels(nil, nil, img)
		if err != nil {
			t.Fatal(err)
		}
		x := autograd.NewTape(autograd.Options{}).Input(pixels, 1, 3, h, w)
		if d := cmp.Diff(m.Encoder.attentions(x, []int{1, 0}), all[i]); d != "" {
			t.Fatalf("image %d: %s", i, d)
		}
		if want, _, _ := m.Encoder.rollout(x, RolloutOptions{}, nil, nil); !cmp.Equal(want, rolled[i]) {
			t.Fatalf("image %d: %s", i, cmp.Diff(want, rolled[i]))
		}
	}
	a := all[0][0]
	for h := range a.Heads {
		for q := range a.Tokens {
			sum := 0.0
			for _, v := range a.Row(h, q) {
				sum += float64(v)
			}
			if math.Abs(sum-1) > 1e-6 {
				t.Errorf("head %d, query %d: the weights add up to %v", h, q, sum)
			}
		}
	}
	mean := a.Map(-1)
	for i := range mean {
		if want := (a.Map(0)[i] + a.Map(1)[i]) / 2; math.Abs(float64(mean[i]-want)) > 1e-7 {
			t.Errorf("patch %d: found %v, expected the mean %v", i, mean[i], want)
		}
	}
}

// TestAttentionMapWithoutClass averages over the patches where there is no class token.
func TestAttentionMapWithoutClass(t *testing.T) {
	a := Attention{Heads: 1, Tokens: 3, Prefix: 1, Rows: 1, Columns: 2, Weights: []float32{1, 0, 0, 0, 0.25, 0.75, 0.5, 0.25, 0.25}}
	if d := cmp.Diff([]float32{0.25, 0.5}, a.Map(0)); d != "" {
		t.Error(d)
	}
	a.ClassToken = true
	if d := cmp.Diff([]float32{0, 0}, a.Map(0)); d != "" {
		t.Error(d)
	}
}

// TestDiscard drops the smallest weights, of equals the first, and never the class token's for itself.
func TestDiscard(t *testing.T) {
	for _, c := range []struct {
		count       int
		given, want []float32
	}{
		{0, []float32{1, 2, 3}, []float32{1, 2, 3}},
		{1, []float32{2, 1, 3, 1}, []float32{2, 0, 3, 1}},
		{2, []float32{0.5, 4, 3, 1}, []float32{0.5, 4, 3, 0}},
		{3, []float32{9, 1, 1, 1, 1, 0.5}, []float32{9, 0, 0, 1, 1, 0}},
	} {
		got := slices.Clone(c.given)
		discard(got, c.count)
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%d of %v: %s", c.count, c.given, d)
		}
	}
}

// TestAttentionMemory keeps the weights of the layers that are asked for alone, of twelve.
func TestAttentionMemory(t *testing.T) {
	c := Tiny16()
	c.HiddenSize, c.NumAttentionHeads, c.IntermediateSize, c.PatchSize, c.ImageSize = 16, 8, 16, 4, 64
	m := New(c, 0, rand.New(rand.NewPCG(1, 2)))
	m.Workers = nil
	const layer = 8 * 257 * 257 * 4 // bytes
	for name, call := range map[string]func() error{
		"attention": func() error {
			_, err := m.Attention(context.Background(), AttentionOptions{}, dots(1)...)
			return err
		},
		"roll-out": func() error {
			_, err := m.Rollout(context.Background(), RolloutOptions{}, dots(1)...)
			return err
		},
	} {
		var before, after runtime.MemStats
		for range 2 { // the second call has the memory of the first one's tape
			runtime.ReadMemStats(&before)
			if err := call(); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 2*layer {
			t.Errorf("%s: allocated %d bytes, expected about those of one layer, %d", name, n, layer)
		}
	}
}

// TestParallelAttention returns the weights of every branch of a block, and rolls out their mean. A feed-forward layer beside
// attention changes nothing about them.
func TestParallelAttention(t *testing.T) {
	for _, parallel := range []bool{false, true} {
		c := small()
		c.ParallelMLP, c.NumHiddenLayers, c.InitializerRange = parallel, 2, 0.5
		if !parallel {
			c.ParallelBranches = 3
		}
		m := New(c, 0, rand.New(rand.NewPCG(1, 2)))
		found, err := m.Attention(context.Background(), AttentionOptions{Layers: []int{0}}, dots(2)...)
		if err != nil {
			t.Fatal(err)
		}
		for i, img := range dots(2) {
			pixels, _, _, err := m.Preprocess.Pixels(nil, nil, img)
			if err != nil {
				t.Fatal(err)
			}
			tape := autograd.NewTape(autograd.Options{})
			x, b := m.Encoder.Embed(tape.Input(pixels, 1, 3, 16, 16)), m.Encoder.Blocks[0]
			var want []float32
			for _, o := range append([]*nn.Block{b}, b.Beside...) {
				a := *o.Attention
				if parallel { // the projection without the rows of the feed-forward layer
					w, bias := b.In.Weight.Values(), b.In.Bias.Values()
					a.QKV = nn.NewLinear(c.HiddenSize, 3*c.HiddenSize, true)
					a.QKV.Weight.Update(func(v []float32) { copy(v, w[c.IntermediateSize*c.HiddenSize:]) })
					a.QKV.Bias.Update(func(v []float32) { copy(v, bias[c.IntermediateSize:]) })
				}
				var maps []float32
				a.Forward(o.Norm1.Forward(x), nn.AttentionInput{Maps: &maps})
				want = append(want, maps...)
			}
			golden.Within(t, "weights", found[i][0].Weights, want, 1e-6)
			if heads := c.NumAttentionHeads * max(1, c.ParallelBranches); found[i][0].Heads != heads {
				t.Errorf("found %d heads, expected %d", found[i][0].Heads, heads)
			}
		}
		rolled, err := m.Rollout(context.Background(), RolloutOptions{}, dots(1)...)
		if err != nil {
			t.Fatal(err)
		}
		for q := range rolled[0].Tokens {
			sum := 0.0
			for _, w := range rolled[0].Row(0, q) {
				sum += float64(w)
			}
			if math.Abs(sum-1) > 1e-4 {
				t.Errorf("token %d: the weights add up to %v", q, sum)
			}
		}
	}
}

// TestAttentionErrors refuses options, names an image without pixels, and ends with the context.
func TestAttentionErrors(t *testing.T) {
	m, _ := load(t, "tiny")
	ctx, cancel := context.WithCancel(context.Background())
	if _, err := m.Attention(ctx, AttentionOptions{Layers: []int{2}}, dots(1)...); err == nil || err.Error() != "vit: attention: layer 2: expected -2 to 1" {
		t.Errorf("found %v", err)
	}
	for _, o := range []RolloutOptions{{Discard: 1}, {Discard: -0.1}, {Discard: math.NaN()}, {Heads: 3}} {
		if _, err := m.Rollout(ctx, o, dots(1)...); err == nil || !strings.HasPrefix(err.Error(), "vit: rollout: expected Heads") {
			t.Errorf("%+v: found %v", o, err)
		}
	}
	one := (*vision.BatchError)(nil)
	if _, err := m.Rollout(ctx, RolloutOptions{}, append(dots(17), image.NewGray(image.Rectangle{}))...); !errors.As(err, &one) || one.Index != 17 {
		t.Errorf("no pixels: found %v", err)
	}
	cancel()
	if _, err := m.Attention(ctx, AttentionOptions{}, dots(1)...); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: found %v", err)
	}
}
