package autograd

import (
	"maps"
	"math"
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
				mask := make([]bool, s[0]*s[1]) // holes, and a sequence without keys
				for i := range mask {
					mask[i] = i >= s[1] && i%7 != 3
				}
				var weights []float32
				for _, a := range []AttentionOptions{
					{Scale: .3}, {Causal: true}, {KeyMask: mask}, {Bias: parameter(1, 1, s[1], s[1])}, {Weights: &weights}, {HeadDim: d}, {Dropout: .25},
				} {
					a.Heads = heads
					if a.Dropout > 0 && o.Training {
						continue // the random numbers of two calls differ
					}
					qq, kk, vv := parts(Linear(v, w, b))
					want := Attention(qq, kk, vv, a)
					wantWeights := slices.Clone(weights)
					clear(weights)
					sameValues(t, SelfAttention(v, w, b, nil, a), want)
					if a.Weights != nil && !slices.Equal(weights, wantWeights) {
						t.Errorf("%v: other attention weights", s)
					}
				}
			}
		}
		starts := []int{0}
		for i := range 90 {
			starts = append(starts, starts[i]+i*i%97)
		}
		starts = append(starts, starts[90], starts[90])
		tape := NewTape(o)
		v := tape.Use(parameter(starts[90], in))
		for _, starts := range [][]int{starts, {0, 0, starts[90]}} {
			a := AttentionOptions{Heads: heads}
			qq, kk, vv := parts(Linear(v, w, nil))
			sameValues(t, SelfAttention(v, w, nil, starts, a), PackedAttention(qq, kk, vv, starts, nil, a))
		}
		if tape.Lent() != 0 {
			t.Errorf("%d buffers are lent", tape.Lent())
		}
	}

	x := parameter(30, 64, in)
	expectOps := func(starts []int, want ...string) {
		t.Helper()
		var p Profile
		tape := NewTape(Options{Workers: simd.NewWorkers(3), Profile: &p})
		SelfAttention(tape.Use(parameter(starts[len(starts)-1], in)), w, b, starts, AttentionOptions{Heads: heads})
		if got := slices.Sorted(maps.Keys(p.entries)); !slices.Equal(got, want) {
			t.Errorf("starts %v: operations %q, want %q", starts, got, want)
		}
	}
	expectOps([]int{0, 120, 240, 360, 480, 600, 720, 840, 960, 1080, 1200, 1320, 1440}, "self attention", "use")
	// One thread would have a third of the tokens to itself.
	expectOps([]int{0, 700, 820, 940, 1060, 1180, 1300, 1420, 1540, 1660, 1780, 1900, 2020, 2140, 2260}, "linear", "packed attention", "use")

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
	expectShapePanic(t, "linear", func() { SelfAttention(v, w, parameter(width), nil, none) })
	expectShapePanic(t, "attention", func() { SelfAttention(tape.Full(1, 40, in), w, nil, nil, none) })
	expectShapePanic(t, "packed attention", func() { SelfAttention(tape.Full(1, 40, in), w, nil, []int{0, 41}, none) })
	expectShapePanic(t, "packed attention", func() { SelfAttention(v, w, nil, []int{0, 2000}, none) })
	expectUsePanic(t, "attention", func() { SelfAttention(v, w, nil, nil, AttentionOptions{Scale: -1}) })
	expectUsePanic(t, "attention", func() { SelfAttention(v, w, nil, nil, AttentionOptions{Dropout: 2}) })
}

func sameValues(t *testing.T, got, want *Tensor) {
	t.Helper()
	if !equalShape(got.Shape(), want.Shape()) || !slices.EqualFunc(got.Floats(nil), want.Floats(nil), func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) }) {
		t.Errorf("%v, expected %v with the same bits", got.Shape(), want.Shape())
	}
}
