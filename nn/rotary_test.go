package nn

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
)

// TestRotaryTables compares tables with those of transformers and timm, whose float32 sines and cosines may be an ulp off.
func TestRotaryTables(t *testing.T) {
	g := golden.Load(t, "testdata/rotary.safetensors")
	rows := func(t *autograd.RotaryTable, positions ...int) *autograd.RotaryTable {
		s := &autograd.RotaryTable{Dim: t.Dim}
		for _, p := range positions {
			s.Cos = append(s.Cos, t.Cos[p*t.Dim:(p+1)*t.Dim]...)
			s.Sin = append(s.Sin, t.Sin[p*t.Dim:(p+1)*t.Dim]...)
		}
		return s
	}
	const limit = 1e-7
	for name, table := range map[string]*autograd.RotaryTable{
		"llama":   RotarySequence(12, 8, RotarySequenceOptions{}),
		"neox":    RotarySequence(6, 4, RotarySequenceOptions{}),
		"gptj":    RotarySequence(7, 6, RotarySequenceOptions{Interleaved: true}),
		"eva":     RotaryGrid(3, 4, 8, RotaryGridOptions{Prefix: 1}),
		"evaref":  RotaryGrid(3, 4, 8, RotaryGridOptions{Prefix: 1, RefHeight: 2, RefWidth: 2, Offset: 0.5}),
		"evahalf": RotaryGrid(3, 4, 8, RotaryGridOptions{Prefix: 1, Halves: true, Base: 100}),
		"grid":    RotaryGrid(9, 7, 64, RotaryGridOptions{RefHeight: 16, RefWidth: 16}),
		"far":     rows(RotarySequence(8192, 64, RotarySequenceOptions{}), 0, 1, 511, 2047, 8191),
		"theta":   rows(RotarySequence(8192, 128, RotarySequenceOptions{Base: 500000}), 0, 1, 511, 2047, 8191),
	} {
		for part, got := range map[string][]float32{"cos": table.Cos, "sin": table.Sin} {
			want, shape := g.Tensor(name + "/" + part)
			if shape[1] != table.Dim || len(got) != len(want) {
				t.Fatalf("%s %s: %d values in rows of %d, expected %v", name, part, len(got), table.Dim, shape)
			}
			worst := 0.0
			for i := range got {
				worst = max(worst, math.Abs(float64(got[i]-want[i])))
			}
			if !(worst <= limit) {
				t.Errorf("%s %s: error %v, expected at most %v", name, part, worst, limit)
			}
		}
	}
	misuse(t, "odd", func() { RotarySequence(3, 5, RotarySequenceOptions{}) })
	misuse(t, "grid", func() { RotaryGrid(3, 3, 6, RotaryGridOptions{}) })
}

// TestAttentionRotary feeds a sequence position by position, and packed with another, and expects the rows of the whole.
// The scores of a rotary attention depend on differences of positions alone.
func TestAttentionRotary(t *testing.T) {
	fused := NewMultiHeadAttention(12, 3, true)
	random(fused)
	fused.Rotary = RotarySequence(9, 4, RotarySequenceOptions{})
	apart := split(fused)
	apart.Rotary = fused.Rotary
	tape := autograd.NewTape(autograd.Options{})
	x := input(tape, 2, 5, 12)
	want := fused.Forward(x, AttentionInput{Causal: true})
	near(t, "three projections", apart.Forward(x, AttentionInput{Causal: true}), want)
	for _, a := range []*MultiHeadAttention{fused, apart} {
		cache := autograd.NewState(2, 6, 24, autograd.StateOptions{})
		for i := range 5 {
			got := a.Forward(autograd.Slice(x, 1, i, i+1), AttentionInput{Causal: true, Cache: cache})
			near(t, "cached", got, autograd.Slice(want, 1, i, i+1))
		}
		tokens := autograd.Reshape(x, 10, 12)
		got := a.Forward(tokens, AttentionInput{Causal: true, Starts: []int{0, 5, 10}})
		near(t, "packed", got, autograd.Reshape(want, 10, 12))
	}
	plain := *fused
	plain.Rotary = nil
	if cmp.Equal(plain.Forward(x, AttentionInput{Causal: true}).Floats(nil), want.Floats(nil)) {
		t.Error("the table has no effect")
	}
}

func TestRotaryTableMistakes(t *testing.T) {
	misuse(t, "too many positions", func() { RotarySequence(1<<50, 1<<20, RotarySequenceOptions{}) })
	misuse(t, "too many patches", func() { RotaryGrid(1<<32, 1<<32, 8, RotaryGridOptions{}) })
	misuse(t, "negative position", func() { RotarySequence(-1, 4, RotarySequenceOptions{}) })
	misuse(t, "negative sizes", func() { RotaryGrid(-2, -2, 8, RotaryGridOptions{}) })
	misuse(t, "negative prefix", func() { RotaryGrid(2, 2, 8, RotaryGridOptions{Prefix: -1}) })
	misuse(t, "odd channels", func() { RotaryGrid(2, 2, 6, RotaryGridOptions{}) })
}
