package lora_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/lora"
	"github.com/fovea-ml/fovea/simd"
)

// adapted reports whether a model has an adapter that is not merged.
func adapted(m *model) bool {
	_, found := nn.Unmerged(m)
	return found
}

func rng() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// everywhere adapts layers of each kind: parts of a fused projection, with and without activation or residual.
var everywhere = lora.Options{
	Layers: []string{"Blocks.[12].Attention.QKV.[QV]*", "Blocks.0.Attention.QKV", "Blocks.*.MLP.*", "*.Proj", "Head"},
	Rank:   2,
	Alpha:  3,
}

// TestAttach checks where adapters are added, how they begin, and what stays trainable.
func TestAttach(t *testing.T) {
	m := newModel(t)
	g := golden.Load(t, "testdata/attention/golden.safetensors")
	before := m.logits(g.Floats("pixels"))
	err := lora.Attach(m, lora.Options{
		Layers: []string{"Blocks.*.Attention.QKV.Query", "Blocks.*.Attention.QKV.Value", "Blocks.1.MLP.FC1"},
		Rank:   4, Alpha: 6, Stabilized: true, Dropout: 0.25,
		Train: []string{"Head.*"},
	}, rng())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, m.logits(g.Floats("pixels"))); d != "" {
		t.Errorf("a new adapter changes outputs: %s", d)
	}
	var trained []string
	for path, p := range nn.Parameters(m) {
		if !p.Frozen {
			trained = append(trained, path)
		}
	}
	var want []string
	for _, layer := range []string{"Blocks.0.Attention.QKV", "Blocks.1.Attention.QKV", "Blocks.1.MLP.FC1", "Blocks.2.Attention.QKV"} {
		want = append(want, layer+".Adapter.0.A", layer+".Adapter.0.B")
		if strings.HasSuffix(layer, "QKV") {
			want = append(want, layer+".Adapter.1.A", layer+".Adapter.1.B")
		}
	}
	if d := cmp.Diff(append(want, "Head.Weight", "Head.Bias"), trained); d != "" {
		t.Error(d)
	}
	a := m.Blocks[1].Attention.QKV.Adapter
	if a[0].From != 0 || a[1].From != 24 {
		t.Errorf("queries and values are rows from %d and %d, expected 0 and 24", a[0].From, a[1].From)
	}
	if a[0].Scale() != 3 || a[0].Dropout != 0.25 {
		t.Errorf("scale %v, dropout %v", a[0].Scale(), a[0].Dropout)
	}
	if d := cmp.Diff([]int{4, 12}, a[0].A.Shape()); d != "" {
		t.Error(d)
	}
	largest := float32(0)
	for _, v := range append(slices.Clone(a[0].A.Values()), a[1].A.Values()...) {
		largest = max(largest, v, -v)
	}
	if bound := float32(1 / math.Sqrt(12)); largest > bound || largest < 0.9*bound {
		t.Errorf("the largest value of A is %v, expected almost %v", largest, bound)
	}
	if slices.ContainsFunc(a[0].B.Values(), func(v float32) bool { return v != 0 }) {
		t.Error("B is not zero")
	}
	if layer, _ := nn.Unmerged(m); layer != "Blocks.0.Attention.QKV" {
		t.Errorf("the first adapted layer is %q", layer)
	}
}

// TestAttachQuantized expects adapters of a quantized model to compute in float32, as its other float32 layers do.
func TestAttachQuantized(t *testing.T) {
	m := newModel(t)
	w := m.Head.Weight
	w.MapInt8([][]int8{make([]int8, w.Len())}, make([]float32, w.Shape()[0]), nil, nil)
	w.LimitMath(simd.Int8)
	if err := lora.Attach(m, everywhere, rng()); err != nil {
		t.Fatal(err)
	}
	for path, a := range nn.Layers[nn.LowRank](m) {
		if a.A.MathLimit() != simd.Strict || a.B.MathLimit() != simd.Strict {
			t.Errorf("%s computes in %v and %v", path, a.A.MathLimit(), a.B.MathLimit())
		}
	}
	if m.Head.Weight.MathLimit() != simd.Int8 {
		t.Errorf("the integers compute in %v", m.Head.Weight.MathLimit())
	}
}

// TestAttachMistakes expects errors that say what is wrong, and an unchanged model.
func TestAttachMistakes(t *testing.T) {
	ok := lora.Options{Layers: []string{"Head"}, Rank: 1}
	for want, change := range map[string]func(o *lora.Options){
		"rank: expected 1 to 1048576, found 0":                   func(o *lora.Options) { o.Rank = 0 },
		"rank: expected 1 to 1048576, found 1152921504606846976": func(o *lora.Options) { o.Rank = 1 << 60 },
		"rank: expected 1 to 1048576, found -2":                  func(o *lora.Options) { o.Rank = -2 },
		"alpha: expected a finite number, found NaN":             func(o *lora.Options) { o.Alpha = math.NaN() },
		"dropout: expected at least 0 and below 1, found 1":      func(o *lora.Options) { o.Dropout = 1 },
		"dropout: expected at least 0 and below 1, found -1":     func(o *lora.Options) { o.Dropout = -1 },
		"no layers are named":                                    func(o *lora.Options) { o.Layers = nil },
		`"Blocks.*.FC3" matches no linear layer of the model`:    func(o *lora.Options) { o.Layers = []string{"Head", "Blocks.*.FC3"} },
		`"Norm" matches no linear layer`:                         func(o *lora.Options) { o.Layers = []string{"Norm"} },
		`pattern "[": syntax error`:                              func(o *lora.Options) { o.Layers = []string{"["} },
		"Head: Layers and Train both name the layer":             func(o *lora.Options) { o.Train = []string{"Head.*"} },
		`pattern "Tail.*" matches no parameter`:                  func(o *lora.Options) { o.Train = []string{"Tail.*"} },
	} {
		m := newModel(t)
		values, frozen := m.values()
		o := ok
		change(&o)
		if err := lora.Attach(m, o, rng()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected an error with %q, found %v", want, err)
		}
		gotValues, gotFrozen := m.values()
		if cmp.Diff(values, gotValues) != "" || cmp.Diff(frozen, gotFrozen) != "" {
			t.Errorf("%s: the model was changed", want)
		}
	}
	m := newModel(t)
	if err := lora.Attach(m, ok, nil); err == nil {
		t.Error("expected an error without a generator")
	}
	if err := lora.Attach(m, ok, rng()); err != nil {
		t.Fatal(err)
	}
	for _, state := range []string{"beside the weight", "merged"} {
		if err := lora.Attach(m, ok, rng()); err == nil || !strings.Contains(err.Error(), "Head: the layer has an adapter already") {
			t.Errorf("a second adapter, the first %s: %v", state, err)
		}
		m.Head.Merge()
	}
}

// TestMerge compares merged with unmerged outputs, and expects the base model's paths while merged, the bits of the
// weights afterwards, and the same outputs again.
func TestMerge(t *testing.T) {
	m := newModel(t)
	base, _ := m.values()
	if err := lora.Attach(m, everywhere, rng()); err != nil {
		t.Fatal(err)
	}
	m.shake()
	pixels := golden.Load(t, "testdata/attention/golden.safetensors").Floats("pixels")
	values, frozen := m.values()
	want := m.logits(pixels)
	if err := lora.Merge(m); err != nil {
		t.Fatal(err)
	}
	golden.Output(t, "merged logits", m.logits(pixels), want)
	merged, _ := m.values()
	for path, v := range base {
		changed := cmp.Diff(v, merged[path]) != ""
		adapted := strings.HasSuffix(path, ".Weight") && (strings.Contains(path, "QKV") || strings.Contains(path, "Proj") || strings.Contains(path, "FC") || path == "Head.Weight")
		if changed != adapted {
			t.Errorf("%s: changed by merging: %v", path, changed)
		}
	}
	if len(merged) != len(base) || adapted(m) || !m.Head.Merged() {
		t.Error("a merged model has other parameters than the base model")
	}
	if err := lora.Merge(m); err == nil {
		t.Error("expected an error from merging twice")
	}
	if err := lora.Unmerge(m); err != nil {
		t.Fatal(err)
	}
	back, backFrozen := m.values()
	if d := cmp.Diff(values, back); d != "" {
		t.Errorf("unmerging does not restore the bits: %s", d)
	}
	if d := cmp.Diff(frozen, backFrozen); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(want, m.logits(pixels)); d != "" {
		t.Error(d)
	}
	if err := lora.Unmerge(m); err == nil {
		t.Error("expected an error from unmerging twice")
	}
}

// TestMergeMistakes expects errors instead of a model whose other layers change, or of values that are lost.
func TestMergeMistakes(t *testing.T) {
	m := newModel(t)
	if err := lora.Merge(m); err == nil || !strings.Contains(err.Error(), "no adapter") {
		t.Errorf("without adapters: %v", err)
	}
	if err := lora.Attach(m, everywhere, rng()); err != nil {
		t.Fatal(err)
	}
	if err := lora.Merge(m); err != nil {
		t.Fatal(err)
	}
	m.Head.Weight.Update(func(w []float32) { w[0]++ })
	if err := lora.Unmerge(m); err == nil || !strings.Contains(err.Error(), "Head: nn: unmerge: the weight was changed") {
		t.Errorf("a weight that was trained after merging: %v", err)
	}
	if m.Blocks[0].MLP.FC1.Merged() || !m.Head.Merged() {
		t.Error("expected all layers but the changed one to be restored")
	}

	type tied struct {
		Table *nn.Embedding
		Head  *nn.Linear
	}
	w := &tied{nn.NewEmbedding(7, 4), nn.NewLinear(4, 7, false)}
	w.Head.Weight = w.Table.Weight
	if err := lora.Attach(w, lora.Options{Layers: []string{"Head"}, Rank: 1}, rng()); err != nil {
		t.Fatal(err)
	}
	if err := lora.Merge(w); err == nil || !strings.Contains(err.Error(), "Table.Weight is also Head.Weight") || w.Head.Merged() {
		t.Errorf("a tied weight: %v", err)
	}
}

// TestTraining compares bits of the loss and of all gradients: with recompute and on several threads they are the same.
func TestTraining(t *testing.T) {
	m := newModel(t)
	o := everywhere
	o.Dropout = 0.3
	if err := lora.Attach(m, o, rng()); err != nil {
		t.Fatal(err)
	}
	m.shake()
	g := golden.Load(t, "testdata/attention/golden.safetensors")
	options := autograd.Options{Training: true, Seed: 5}
	loss, grads := m.gradients(g, options)
	for _, change := range []func(o *autograd.Options){
		func(o *autograd.Options) { o.Recompute = true },
		func(o *autograd.Options) { o.Workers = simd.NewWorkers(2) },
		func(o *autograd.Options) { o.Recompute, o.Workers = true, simd.NewWorkers(2) },
	} {
		o := options
		change(&o)
		again, other := m.gradients(g, o)
		if again != loss {
			t.Errorf("loss %v, expected %v", again, loss)
		}
		for path, p := range nn.Parameters(m) {
			if d := cmp.Diff(grads.Of(p), other.Of(p)); d != "" {
				t.Errorf("%s: %s", path, d)
			}
		}
	}
	for path, p := range nn.Parameters(m) {
		if (grads.Of(p) != nil) != strings.Contains(path, "Adapter") {
			t.Errorf("%s: gradient %v", path, grads.Of(p))
		}
	}
	options.Seed = 6
	if other, _ := m.gradients(g, options); other == loss {
		t.Error("dropout of the adapters does nothing")
	}
}

// TestGradientDifferences compares the gradient along a random direction with finite differences of the loss.
func TestGradientDifferences(t *testing.T) {
	m := newModel(t)
	if err := lora.Attach(m, everywhere, rng()); err != nil {
		t.Fatal(err)
	}
	m.shake()
	g := golden.Load(t, "testdata/attention/golden.safetensors")
	_, grads := m.gradients(g, autograd.Options{})
	random := rng()
	for path, p := range nn.Parameters(m) {
		if p.Frozen {
			continue
		}
		values := slices.Clone(p.Values())
		direction := make([]float32, len(values))
		want := 0.0
		for i := range direction {
			direction[i] = float32(random.NormFloat64())
			want += float64(direction[i]) * float64(grads.Of(p)[i])
		}
		const step = 2e-3
		at := func(s float32) float64 {
			p.Update(func(w []float32) {
				for i := range w {
					w[i] = values[i] + s*direction[i]
				}
			})
			loss, _ := m.gradients(g, autograd.Options{})
			return float64(loss)
		}
		got := (at(step) - at(-step)) / (2 * step)
		p.Update(func(w []float32) { copy(w, values) })
		if math.Abs(got-want) > 2e-2*math.Abs(want)+2e-3 {
			t.Errorf("%s: the loss grows by %v, its gradient says %v", path, got, want)
		}
	}
}
