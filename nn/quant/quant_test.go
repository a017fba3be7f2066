package quant

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
)

// words has tied weights, a stack of blocks and a head.
type words struct {
	Table   *autograd.Parameter
	Blocks  nn.Stack
	Head    *nn.Linear
	Decoder *nn.Linear
}

func newWords() *words {
	m := &words{Table: autograd.NewParameter(5, 8), Blocks: nn.NewStack(2, nn.BlockConfig{Width: 8, Heads: 2}), Head: nn.NewLinear(8, 3, true), Decoder: nn.NewLinear(8, 5, true)}
	m.Decoder.Weight = m.Table
	rng := rand.New(rand.NewPCG(1, 2))
	for _, p := range nn.Parameters(m) {
		nn.Normal(rng, p, 1)
	}
	return m
}

// TestQuantize checks types, sizes and limits by the rule Blocks, and one of BF16.
func TestQuantize(t *testing.T) {
	m := newWords()
	before := Bytes(m)
	weights, err := Quantize(m, func(w Weight) simd.Math {
		if strings.Contains(w.Path, "Blocks.1.MLP") {
			return simd.BF16
		}
		return Blocks(w)
	})
	if err != nil {
		t.Fatal(err)
	}
	saved := int64(0)
	for _, w := range weights {
		if !(w.Error > 0.001 && w.Error < 0.02) {
			t.Errorf("%s: error %v", w.Path, w.Error)
		}
		n := int64(w.Shape[0] * w.Shape[1])
		want := map[simd.Math]int64{simd.Int8: n + 4*int64(w.Shape[0]), simd.BF16: 2 * n, simd.Strict: 4 * n}[w.Math]
		if w.Before != 4*n || w.After != want {
			t.Errorf("%s: %d bytes, then %d, expected %d and %d", w.Path, w.Before, w.After, 4*n, want)
		}
		saved += w.Before - w.After
	}
	if after := Bytes(m); after != before-saved {
		t.Errorf("%d bytes, expected %d", after, before-saved)
	}
	for path, p := range nn.Parameters(m) {
		want, math := autograd.Float32, simd.Strict
		switch linear := strings.HasSuffix(path, "QKV.Weight") || strings.HasSuffix(path, "Proj.Weight") || strings.Contains(path, "FC") && strings.HasSuffix(path, ".Weight"); {
		case linear && strings.Contains(path, "Blocks.1.MLP"):
			want, math = autograd.BFloat16, simd.BF16
		case linear:
			want, math = autograd.Int8, simd.Int8
		}
		if p.DType() != want || p.MathLimit() != math {
			t.Errorf("%s: %v in %v, expected %v in %v", path, p.DType(), p.MathLimit(), want, math)
		}
	}
	// Once more changes nothing.
	old := m.Blocks[0].MLP.FC1.Weight.Values()
	again, err := Quantize(m, func(w Weight) simd.Math {
		return weights[slices.IndexFunc(weights, func(o Weight) bool { return o.Path == w.Path })].Math
	})
	if err != nil || !slices.Equal(m.Blocks[0].MLP.FC1.Weight.Values(), old) || len(again) != len(weights) {
		t.Errorf("once more: %v", err)
	}
}

// TestQuantizeToStrict expects float32 from the rule Strict for weights that were quantized before, or read as bfloat16: a saved
// model tells the arithmetic of a weight by its type.
func TestQuantizeToStrict(t *testing.T) {
	m := newWords()
	if _, err := Quantize(m, All); err != nil {
		t.Fatal(err)
	}
	old := m.Blocks[0].MLP.FC1.Weight.Values()
	half := m.Blocks[1].MLP.FC2.Weight
	half.MapHalf(autograd.BFloat16, [][]uint16{make([]uint16, half.Len())}, nil, nil)
	weights, err := Quantize(m, func(w Weight) simd.Math {
		if strings.Contains(w.Path, "MLP") {
			return simd.Strict
		}
		return simd.Int8
	})
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, p := range nn.Parameters(m) {
		sum += stored(p)
	}
	for _, w := range weights {
		sum -= w.After
	}
	for path, p := range nn.Parameters(m) {
		linear := slices.ContainsFunc(weights, func(w Weight) bool { return w.Path == path && w.Math == simd.Int8 })
		if want := map[bool]autograd.DType{true: autograd.Int8, false: autograd.Float32}[linear]; p.DType() != want || (p.MathLimit() == simd.Int8) != linear {
			t.Errorf("%s: %v in %v, expected %v", path, p.DType(), p.MathLimit(), want)
		}
		if !slices.ContainsFunc(weights, func(w Weight) bool { return w.Path == path }) {
			sum -= 4 * int64(p.Len())
		}
	}
	if sum != 0 {
		t.Errorf("sizes differ from what is stored by %d bytes", sum)
	}
	if !slices.Equal(m.Blocks[0].MLP.FC1.Weight.Values(), old) {
		t.Error("values changed")
	}
}

// TestErrors expects the name of the weight, and an unchanged model.
func TestErrors(t *testing.T) {
	adapted := newWords()
	adapted.Head.Adapter = []*nn.LowRank{{A: autograd.NewParameter(1, 8), B: autograd.NewParameter(3, 1), Alpha: 1}}
	nan := newWords()
	nan.Head.Weight.Update(func(v []float32) { v[3] = float32(math.NaN()) })
	large := newWords()
	large.Head.Weight.Update(func(v []float32) { v[3] = math.MaxFloat32 })
	for name, c := range map[string]struct {
		model any
		rule  Rule
		want  string
	}{
		"adapter":      {adapted, All, "quant: Head has an adapter that is not merged"},
		"not a number": {nan, All, "quant: Head.Weight: expected finite numbers"},
		"beyond bf16":  {large, func(Weight) simd.Math { return simd.BF16 }, "quant: Head.Weight: element 3: expected a finite number in the range of bfloat16"},
		"accurate":     {newWords(), func(Weight) simd.Math { return simd.Accurate }, "the rule chose accurate, expected strict, bf16 or int8"},
		"no layer":     {nn.NewLayerNorm(3, 1e-5), All, "quant: the model has no linear layer"},
	} {
		if _, err := Quantize(c.model, c.rule); err == nil || !strings.HasPrefix(err.Error(), "quant: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: found %v, expected %s", name, err, c.want)
		}
		for path, p := range nn.Parameters(c.model) {
			if p.DType() != autograd.Float32 || p.MathLimit() != simd.Int8 {
				t.Errorf("%s: %s changed", name, path)
			}
		}
	}
}
