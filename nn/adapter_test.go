package nn

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// part returns a random low-rank addition to rows of a weight.
func part(in, from, rows, rank int) *LowRank {
	a := &LowRank{A: autograd.NewParameter(rank, in), B: autograd.NewParameter(rows, rank), From: from, Alpha: 3}
	random(a)
	return a
}

// TestAdapter compares the outputs of adapted layers, in every form of Forward, with those of a weight to which the
// product is added by hand, and with the merged layer.
func TestAdapter(t *testing.T) {
	const in, out = 7, 12
	for name, adapter := range map[string][]*LowRank{
		"all rows":           {part(in, 0, out, 2)},
		"the first rows":     {part(in, 0, 4, 2)},
		"rows in the middle": {part(in, 3, 5, 1)},
		"two parts":          {part(in, 0, 4, 2), part(in, 8, 4, 3)},
		"neighbors":          {part(in, 1, 4, 2), part(in, 5, 7, 2)},
	} {
		l := NewLinear(in, out, true)
		random(l)
		plain := &Linear{Weight: autograd.ParameterOf(append([]float32(nil), l.Weight.Values()...), out, in), Bias: l.Bias}
		for _, a := range adapter {
			rank := a.A.Shape()[0]
			plain.Weight.Update(func(w []float32) {
				for i := range a.B.Shape()[0] {
					for j := range in {
						for k := range rank {
							w[(a.From+i)*in+j] += 3 / float32(rank) * a.B.Values()[i*rank+k] * a.A.Values()[k*in+j]
						}
					}
				}
			})
		}
		l.Adapter = adapter
		tape := autograd.NewTape(autograd.Options{Debug: true})
		x, residual := input(tape, 2, 3, in), input(tape, 2, 3, out)
		original := append([]float32(nil), l.Weight.Values()...)
		compare := func() {
			near(t, name+": forward", l.Forward(x), plain.Forward(x))
			near(t, name+": add", l.ForwardAdd(x, residual), plain.ForwardAdd(x, residual))
			for _, act := range simd.Activations() {
				near(t, name+": act", l.ForwardAct(x, act), plain.ForwardAct(x, act))
			}
		}
		compare()
		l.Merge()
		if l.Adapter != nil || !l.Merged() {
			t.Errorf("%s: the adapter is still there", name)
		}
		compare()
		if err := l.Unmerge(); err != nil {
			t.Error(err)
		}
		if d := cmp.Diff(original, l.Weight.Values()); d != "" || len(l.Adapter) != len(adapter) {
			t.Errorf("%s: unmerging does not restore the layer: %s", name, d)
		}
	}
}

// TestAdapterScale checks both scales against their definitions.
func TestAdapterScale(t *testing.T) {
	a := part(3, 0, 3, 4)
	if s := a.Scale(); s != 3.0/4 {
		t.Errorf("scale %v, expected alpha/rank", s)
	}
	a.Stabilized = true
	if s := a.Scale(); s != 3.0/2 {
		t.Errorf("scale %v, expected alpha/√rank", s)
	}
}

// TestAdapterMistakes expects typed panics from adapters that do not fit, and errors where nothing can be unmerged.
func TestAdapterMistakes(t *testing.T) {
	tape := autograd.NewTape(autograd.Options{})
	for name, adapter := range map[string][]*LowRank{
		"another width":       {part(6, 0, 12, 2)},
		"beyond the last row": {part(7, 9, 4, 2)},
		"an overlap":          {part(7, 0, 5, 2), part(7, 4, 5, 2)},
		"the wrong order":     {part(7, 6, 5, 2), part(7, 0, 5, 2)},
		"ranks that differ":   {{A: autograd.NewParameter(2, 7), B: autograd.NewParameter(12, 3)}},
	} {
		l := NewLinear(7, 12, false)
		l.Adapter = adapter
		misuse(t, name, func() { l.Forward(input(tape, 2, 7)) })
		misuse(t, name, l.Merge)
	}

	l := NewLinear(7, 12, false)
	fails := func(want string) {
		t.Helper()
		if err := l.Unmerge(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected an error with %q, found %v", want, err)
		}
	}
	l.Merge() // without an adapter
	fails("no merged adapter")
	l.Adapter = []*LowRank{part(7, 0, 12, 2)}
	l.Merge()
	l.Adapter = []*LowRank{part(7, 0, 12, 2)}
	fails("another adapter")
	misuse(t, "a second merge", l.Merge)
	l.Adapter = nil
	l.Weight.Update(func(w []float32) { w[0] = 1 })
	fails("the weight was changed")
}

// TestUnmerged follows a layer through a model.
func TestUnmerged(t *testing.T) {
	m := &tower{Blocks: NewStack(2, BlockConfig{Width: 8, Heads: 2}), Tied: NewLinear(8, 4, true)}
	l := m.Blocks[1].MLP.FC2
	check := func(want string) {
		t.Helper()
		if got, found := Unmerged(m); got != want || found != (want != "") {
			t.Errorf("unmerged: %q, %v, expected %q", got, found, want)
		}
	}
	check("")
	plain := Count(m)
	l.Adapter = []*LowRank{part(32, 0, 8, 2)}
	check("Blocks.1.MLP.FC2")
	if n := Count(m) - plain; n != 2*32+8*2 {
		t.Errorf("the adapter adds %d parameters", n)
	}
	l.Merge()
	check("")
	if Count(m) != plain {
		t.Error("a merged adapter is among the parameters")
	}
}

// TestUnmergedPlaces finds an adapter wherever a model holds its layer, and Copy refuses the model.
func TestUnmergedPlaces(t *testing.T) {
	type owner struct{ Head Linear }
	type apart struct{ Adapter LowRank }
	l := NewLinear(3, 4, true)
	l.Adapter = []*LowRank{part(3, 0, 4, 2)}
	for _, c := range []struct {
		model any
		want  string
	}{
		{l, ""},
		{*l, ""},
		{&owner{*l}, "Head"},
		{owner{*l}, "Head"},
		{[]Linear{*NewLinear(2, 2, false), *l}, "1"},
		{&struct{ MyAdapter []owner }{[]owner{{*l}}}, "MyAdapter.0.Head"},
		{&apart{*l.Adapter[0]}, "Adapter"},
	} {
		if got, found := Unmerged(c.model); !found || got != c.want {
			t.Errorf("%T: found %q, %v, expected %q", c.model, got, found, c.want)
		}
		misuse(t, fmt.Sprintf("a copy to %T", c.model), func() { Copy(c.model, NewLinear(3, 4, true)) })
		misuse(t, fmt.Sprintf("a copy from %T", c.model), func() { Copy(NewLinear(3, 4, true), c.model) })
	}
	if path, found := Unmerged(NewLinear(3, 4, true)); found {
		t.Errorf("no adapter: found %q", path)
	}
}

// TestLayersByValue finds layers that are held by value, each once, and no less of their surroundings.
func TestLayersByValue(t *testing.T) {
	type head struct {
		First Linear // has the address of the struct
		More  []Linear
		Norm  *LayerNorm
	}
	type model struct {
		Alias *Linear
		Head  *head
	}
	h := &head{First: *NewLinear(2, 2, false), More: []Linear{*NewLinear(2, 2, false)}, Norm: NewLayerNorm(2, 0)}
	m := &model{&h.First, h}
	found := map[string]*Linear{}
	for path, l := range Layers[Linear](m) {
		found[path] = l
	}
	if len(found) != 2 || found["Alias"] != &h.First || found["Head.More.0"] != &h.More[0] {
		t.Errorf("found %v", found)
	}
	var paths []string
	for path := range Parameters(m) {
		paths = append(paths, path)
	}
	if d := cmp.Diff([]string{"Alias.Weight", "Head.More.0.Weight", "Head.Norm.Weight", "Head.Norm.Bias"}, paths); d != "" {
		t.Error(d)
	}
}

// TestLayers finds layers by their type, and the paths of tied weights.
func TestLayers(t *testing.T) {
	m := &tower{Table: NewEmbedding(4, 8), Blocks: NewStack(1, BlockConfig{Width: 8, Heads: 2}), Any: NewLinear(8, 2, false)}
	m.Tied = &Linear{Weight: m.Table.Weight}
	m.Next = &tower{Tied: m.Tied}
	var paths []string
	for path := range Layers[Linear](m) {
		paths = append(paths, path)
	}
	want := []string{"Blocks.0.Attention.QKV", "Blocks.0.Attention.Proj", "Blocks.0.MLP.FC1", "Blocks.0.MLP.FC2", "Tied", "Any"}
	if d := cmp.Diff(want, paths); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"Table.Weight", "Tied.Weight"}, PathsOf(m, m.Table.Weight)); d != "" {
		t.Error(d)
	}
	if paths := PathsOf(m, autograd.NewParameter(1)); paths != nil {
		t.Errorf("a stranger's paths are %q", paths)
	}
}
