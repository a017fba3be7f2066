package nn

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
)

// fill gives every parameter of a layer random values.
func fill(rng *rand.Rand, layer any) {
	for _, p := range Parameters(layer) {
		p.Update(func(w []float32) {
			for i := range w {
				w[i] = float32(rng.NormFloat64() * 0.5)
			}
		})
	}
}

// attend returns the result of a layer for random tokens, and the gradients of a loss.
func attend(forward func(x *autograd.Tensor) *autograd.Tensor) ([]float32, *autograd.Gradients) {
	rng := rand.New(rand.NewPCG(7, 8))
	values := make([]float32, 2*5*12)
	for i := range values {
		values[i] = float32(rng.NormFloat64())
	}
	tape := autograd.NewTape(autograd.Options{Gradients: true, Debug: true})
	y := forward(tape.Input(values, 2, 5, 12))
	out, grads := y.Floats(nil), autograd.NewGradients()
	autograd.Sum(autograd.Mul(y, y), false).Backward(grads)
	return out, grads
}

// TestKeysWithoutBias equals a bias whose part for the keys is zero, in results and gradients.
func TestKeysWithoutBias(t *testing.T) {
	b := NewBlock(BlockConfig{Width: 12, Heads: 3, Eps: 1e-5, QKVBias: true, NoKeyBias: true})
	fill(rand.New(rand.NewPCG(1, 2)), b)
	plain := NewBlock(BlockConfig{Width: 12, Heads: 3, Eps: 1e-5, QKVBias: true})
	*plain.Attention.QKV, *plain.Attention.Proj = *b.Attention.QKV, *b.Attention.Proj
	both := b.Attention.QVBias.Values()
	plain.Attention.QKV.Bias = autograd.NewParameter(36)
	plain.Attention.QKV.Bias.Update(func(v []float32) { copy(v, both[:12]); copy(v[24:], both[12:]) })
	own, grads := attend(func(x *autograd.Tensor) *autograd.Tensor { return b.Attention.Forward(x, AttentionInput{}) })
	want, reference := attend(func(x *autograd.Tensor) *autograd.Tensor { return plain.Attention.Forward(x, AttentionInput{}) })
	if !slices.Equal(own, want) {
		t.Errorf("found %v, expected %v", own, want)
	}
	parts := reference.Of(plain.Attention.QKV.Bias)
	golden.Gradient(t, "QVBias", grads.Of(b.Attention.QVBias), slices.Concat(parts[:12], parts[24:]), 1)
	golden.Gradient(t, "QKV.Weight", grads.Of(b.Attention.QKV.Weight), reference.Of(plain.Attention.QKV.Weight), 1)
}

// TestNormalizedHeads equals attention that is written with operations on each head, in results and gradients.
func TestNormalizedHeads(t *testing.T) {
	b := NewBlock(BlockConfig{Width: 12, Heads: 3, Eps: 1e-5, QKVBias: true, QKNorm: true})
	a := b.Attention
	fill(rand.New(rand.NewPCG(3, 4)), b)
	table := RotarySequence(5, 4, RotarySequenceOptions{})
	own, grads := attend(func(x *autograd.Tensor) *autograd.Tensor { return a.Forward(x, AttentionInput{Rotary: table}) })
	want, reference := attend(func(x *autograd.Tensor) *autograd.Tensor {
		qkv := a.QKV.Forward(x)
		var parts [3]autograd.Columns
		for i, norm := range []*LayerNorm{a.QueryNorm, a.KeyNorm, nil} {
			var heads []autograd.Operand
			for h := range a.Heads {
				head := autograd.Slice(qkv, 2, 12*i+4*h, 12*i+4*h+4)
				if norm != nil {
					head = autograd.Rotary(norm.Forward(head), table, autograd.RotaryOptions{})
				}
				heads = append(heads, head)
			}
			parts[i] = autograd.Columns{Of: autograd.Concat(2, heads...)}
		}
		return a.Proj.Forward(autograd.Attention(parts[0], parts[1], parts[2], autograd.AttentionOptions{Heads: 3, HeadDim: 4}))
	})
	golden.Output(t, "result", own, want)
	for path, p := range Parameters(a) {
		golden.Gradient(t, path, grads.Of(p), reference.Of(p), 1)
	}
}
