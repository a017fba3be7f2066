package autograd

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/simd"
)

// TestSelfAttention expects the bits of a projection and then attention, of sequences of equal length and packed ones, in
// every arithmetic, and that inference keeps what the projection gives for some sequences alone.
func TestSelfAttention(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	parameter := func(shape ...int) *Parameter { return normalParameter(rng, shape...) }
	const in, heads, d = 20, 3, 8
	const width = heads * d
	w, b, limited := parameter(3*width, in), parameter(3*width), parameter(3*width, in)
	limited.LimitMath(simd.Strict)
	parts := func(qkv *Tensor) (q, k, v Columns) {
		return Columns{qkv, 0}, Columns{qkv, width}, Columns{qkv, 2 * width}
	}
	for _, o := range []Options{{}, {Workers: simd.NewWorkers(2)}, {Math: simd.BF16}, {Math: simd.Int8, Workers: simd.NewWorkers(3)}, {Training: true}, {Gradients: true}} {
		o.Debug = true
		for _, s := range [][2]int{{17, 130}, {40, 61}, {2, 50}, {0, 5}, {5, 0}} {
			x := parameter(s[0], s[1], in)
			for _, w := range []*Parameter{w, limited} {
				tape := NewTape(o)
				v := tape.Use(x)
				for _, causal := range []bool{false, true} {
					a := AttentionOptions{Heads: heads, Causal: causal, Scale: .3}
					qq, kk, vv := parts(Linear(v, w, b))
					sameValues(t, SelfAttention(v, w, b, nil, a), Attention(qq, kk, vv, a))
				}
			}
		}
		starts := []int{0}
		for i := range 60 {
			starts = append(starts, starts[i]+i*i%97)
		}
		tape := NewTape(o)
		v := tape.Use(parameter(starts[60], in))
		for _, starts := range [][]int{starts, {0, 0, starts[60]}} {
			a := AttentionOptions{Heads: heads}
			qq, kk, vv := parts(Linear(v, w, nil))
			sameValues(t, SelfAttention(v, w, nil, starts, a), PackedAttention(qq, kk, vv, starts, nil, a))
		}
		if tape.Lent() != 0 {
			t.Errorf("%d buffers are lent", tape.Lent())
		}
	}

	x := parameter(30, 64, in)
	held := func(f func(x *Tensor) *Tensor) int {
		tape := NewTape(Options{})
		f(tape.Use(x))
		return tape.MemoryBytes()
	}
	one := held(func(x *Tensor) *Tensor { return SelfAttention(x, w, b, nil, AttentionOptions{Heads: heads}) })
	two := held(func(x *Tensor) *Tensor {
		q, k, v := parts(Linear(x, w, b))
		return Attention(q, k, v, AttentionOptions{Heads: heads})
	})
	if least := 4 * 30 * 64 * 3 * width * 3 / 4; two-one < least {
		t.Errorf("holds %d bytes, and operations one by one %d: expected %d fewer", one, two, least)
	}

	tape := NewTape(Options{})
	v := tape.Full(1, 40, 50, in)
	none := AttentionOptions{}
	expectShapePanic(t, "linear", func() { SelfAttention(v, parameter(3*width, in+1), nil, nil, none) })
	expectShapePanic(t, "attention", func() { SelfAttention(v, w, parameter(width), nil, none) })
	expectShapePanic(t, "attention", func() { SelfAttention(tape.Full(1, 40, in), w, nil, nil, none) })
	expectShapePanic(t, "packed attention", func() { SelfAttention(tape.Full(1, 40, in), w, nil, []int{0, 41}, none) })
	expectShapePanic(t, "packed attention", func() { SelfAttention(v, w, nil, []int{0, 2000}, none) })
	expectUsePanic(t, "attention", func() { SelfAttention(v, w, nil, nil, AttentionOptions{Scale: -1}) })
	expectUsePanic(t, "attention", func() { SelfAttention(v, w, nil, nil, AttentionOptions{Dropout: 2}) })
}

func sameValues(t *testing.T, got, want *Tensor) {
	t.Helper()
	if !equalShape(got.Shape(), want.Shape()) || !slices.Equal(got.Floats(nil), want.Floats(nil)) {
		t.Errorf("%v, expected %v with the same bits", got.Shape(), want.Shape())
	}
}
