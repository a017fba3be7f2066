package nn

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
)

// TestStackPacked encodes sequences of unequal length in one pass and expects the rows of each alone, to the bit.
func TestStackPacked(t *testing.T) {
	s := NewStack(2, BlockConfig{Width: 12, Heads: 3, Act: autograd.ActGelu, Eps: 1e-6, QKVBias: true})
	random(s)
	tape := autograd.NewTape(autograd.Options{})
	starts := []int{0, 5, 5, 6, 13}
	x := input(tape, 13, 12)
	for _, causal := range []bool{false, true} {
		all := s.Forward(x, AttentionInput{Starts: starts, Causal: causal})
		for i := range len(starts) - 1 {
			lo, hi := starts[i], starts[i+1]
			one := autograd.Reshape(autograd.Slice(x, 0, lo, hi), 1, hi-lo, 12)
			want := s.Forward(one, AttentionInput{Causal: causal}).Floats(nil)
			if d := cmp.Diff(want, autograd.Slice(all, 0, lo, hi).Floats(nil)); d != "" {
				t.Errorf("sequence %d: %s", i, d)
			}
		}
	}
}

// TestAttentionPackedMemory lets two packed sequences attend to two others.
func TestAttentionPackedMemory(t *testing.T) {
	a := NewSplitAttention(12, 7, 3)
	random(a)
	tape := autograd.NewTape(autograd.Options{})
	x, memory := input(tape, 5, 12), input(tape, 9, 7)
	got := a.Forward(x, AttentionInput{Memory: memory, Starts: []int{0, 2, 5}, MemoryStarts: []int{0, 6, 9}, Residual: x})
	part := func(x *autograd.Tensor, lo, hi int) *autograd.Tensor {
		return autograd.Reshape(autograd.Slice(x, 0, lo, hi), 1, hi-lo, x.Dim(1))
	}
	first, second := part(x, 0, 2), part(x, 2, 5)
	near(t, "first", part(got, 0, 2), a.Forward(first, AttentionInput{Memory: part(memory, 0, 6), Residual: first}))
	near(t, "second", part(got, 2, 5), a.Forward(second, AttentionInput{Memory: part(memory, 6, 9), Residual: second}))
}

func TestPackedMisuse(t *testing.T) {
	b := NewBlock(BlockConfig{Width: 8, DropPath: 0.5})
	starts := []int{0, 3}
	misuse(t, "drop path", func() {
		x := input(autograd.NewTape(autograd.Options{Training: true}), 3, 8)
		b.Forward(x, AttentionInput{Starts: starts})
	})
	x := input(autograd.NewTape(autograd.Options{}), 3, 8)
	b.Attention.Rotary = RotarySequence(2, 8, RotarySequenceOptions{})
	for _, bad := range [][]int{{}, {0, 2}, {0, 2, 1, 3}, {0, 1 << 40}} {
		func() {
			defer func() {
				if e, ok := recover().(*autograd.ShapeError); !ok || e.Op != "packed attention" {
					t.Errorf("starts %v: %v, expected a ShapeError of packed attention", bad, e)
				}
			}()
			b.Forward(x, AttentionInput{Starts: bad})
		}()
	}
	b.Attention.Rotary = nil
	misuse(t, "key mask", func() { b.Forward(x, AttentionInput{Starts: starts, KeyMask: make([]bool, 3)}) })
	misuse(t, "cache", func() {
		b.Forward(x, AttentionInput{Starts: starts, Cache: autograd.NewState(1, 9, 16, autograd.StateOptions{})})
	})
	misuse(t, "bias", func() {
		b.Attention.Bias = func(t *autograd.Tape, q, k int) autograd.Operand { return t.Full(0, q, k) }
		b.Forward(x, AttentionInput{Starts: starts})
	})
}

// Every block of a stack needs a cache of its own, and adds its own residual.
func TestStackMisuse(t *testing.T) {
	s := NewStack(2, BlockConfig{Width: 8})
	x := input(autograd.NewTape(autograd.Options{}), 1, 3, 8)
	misuse(t, "cache", func() {
		s.Forward(x, AttentionInput{Cache: autograd.NewState(1, 9, 16, autograd.StateOptions{})})
	})
	misuse(t, "residual", func() { s.Forward(x, AttentionInput{Residual: x}) })
	misuse(t, "scale alone", func() { s[0].Attention.Forward(x, AttentionInput{Scale: autograd.NewParameter(8)}) })
	misuse(t, "scale", func() { s.Forward(x, AttentionInput{Scale: autograd.NewParameter(x.Dim(1))}) })
}
