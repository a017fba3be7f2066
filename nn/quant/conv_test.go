package quant_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/quant"
	"github.com/fovea-ml/fovea/simd"
)

// images has a convolution of each kind.
type images struct {
	Stem   *nn.ConvNorm
	Blocks []*nn.ConvNorm
	Spread *nn.ConvNorm // depthwise
	Rep    *nn.RepConv
	Deform *nn.DeformConv2d
	Large  *nn.ConvTranspose2d
	Head   *nn.Conv2d
}

func newImages() *images {
	same := autograd.Conv2dOptions{Padding: [2]int{1, 1}}
	depthwise := same
	depthwise.Groups = 32
	m := &images{
		Stem: nn.NewConvNorm(3, 32, 3, autograd.ActRelu, same),
		Blocks: []*nn.ConvNorm{
			nn.NewConvNorm(32, 32, 3, autograd.ActRelu, same), nn.NewConvNorm(32, 32, 1, autograd.ActRelu, autograd.Conv2dOptions{}),
			nn.NewConvNorm(32, 32, 3, autograd.ActRelu, same),
		},
		Spread: nn.NewConvNorm(32, 32, 3, autograd.ActRelu, depthwise),
		Rep:    nn.NewRepConv(32, 32, autograd.ActRelu),
		Deform: nn.NewDeformConv2d(32, 32, 3),
		Large:  nn.NewConvTranspose2d(32, 32, 2, false, autograd.ConvTranspose2dOptions{Stride: [2]int{2, 2}}),
		Head:   nn.NewConv2d(32, 20, 3, true, same),
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, v := range nn.Values(m) {
		v.Update(func(values []float32) {
			for i := range values {
				values[i] = rng.Float32()/2 - .25
			}
		})
	}
	for _, n := range nn.Layers[nn.BatchNorm](m) {
		n.Variance.Update(func(v []float32) {
			for i := range v {
				v[i] += .5
			}
		})
	}
	// One number beside which the others of its filter are small.
	m.Blocks[2].Conv.Weight.Update(func(v []float32) {
		for i := 0; i < len(v); i += 9 * 32 {
			v[i] = 2
		}
	})
	return m
}

// forward runs all layers.
func (m *images) forward(o autograd.Options, n int) []float32 {
	tape := autograd.NewTape(o)
	defer tape.Reset()
	rng := rand.New(rand.NewPCG(3, 4))
	pixels := make([]float32, n*3*10*10)
	for i := range pixels {
		pixels[i] = rng.Float32() - .5
	}
	x := m.Stem.Forward(tape.Input(pixels, n, 3, 10, 10))
	for _, b := range m.Blocks {
		x = b.Forward(x)
	}
	x = m.Large.Forward(m.Deform.Forward(m.Rep.Forward(m.Spread.Forward(x))))
	return m.Head.Forward(x).Floats(nil)
}

// TestConvolutions checks what the rule Blocks chooses, and that no other weight changes.
func TestConvolutions(t *testing.T) {
	m := newImages()
	before := quant.Bytes(m)
	weights, err := quant.Quantize(m, quant.Blocks)
	if err != nil {
		t.Fatal(err)
	}
	const wide, point = 32 * 32 * 9, 32 * 32
	want := []quant.Weight{
		{Path: "Stem.Conv.Weight", Groups: 1, Math: simd.Strict, Before: 4 * 3 * 32 * 9, After: 4 * 3 * 32 * 9},
		{Path: "Blocks.0.Conv.Weight", Groups: 1, Math: simd.Int8, Before: 4 * wide, After: wide + 4*32},
		{Path: "Blocks.1.Conv.Weight", Groups: 1, Math: simd.BF16, Before: 4 * point, After: 2 * point},
		{Path: "Blocks.2.Conv.Weight", Groups: 1, Math: simd.BF16, Before: 4 * wide, After: 2 * wide},
		{Path: "Spread.Conv.Weight", Groups: 32, Math: simd.Strict, Before: 4 * 32 * 9, After: 4 * 32 * 9},
		{Path: "Head.Weight", Groups: 1, Math: simd.BF16, Before: 4 * 20 * 32 * 9, After: 2 * 20 * 32 * 9},
	}
	saved := int64(0)
	for i, w := range weights {
		if i >= len(want) || w.Path != want[i].Path || w.Groups != want[i].Groups || w.Math != want[i].Math || w.Before != want[i].Before || w.After != want[i].After {
			t.Fatalf("found %+v, expected %+v", w, want[i:])
		}
		if len(w.Shape) != 4 || !(w.Error > 0.002 && w.Error < 0.05) {
			t.Errorf("found %+v", w)
		}
		saved += w.Before - w.After
	}
	if after := quant.Bytes(m); len(weights) != len(want) || after != before-saved {
		t.Errorf("found %d weights and %d bytes, expected %d and %d", len(weights), after, len(want), before-saved)
	}
	types := map[simd.Math]autograd.DType{simd.Int8: autograd.Int8, simd.BF16: autograd.BFloat16, simd.Strict: autograd.Float32}
	for path, p := range nn.Parameters(m) {
		math := simd.Strict
		if i := slices.IndexFunc(want, func(w quant.Weight) bool { return w.Path == path }); i >= 0 {
			math = want[i].Math
		}
		if p.DType() != types[math] || p.MathLimit() != math {
			t.Errorf("%s: %v in %v, expected %v in %v", path, p.DType(), p.MathLimit(), types[math], math)
		}
	}
	// Once more changes nothing.
	if again, err := quant.Quantize(m, quant.Blocks); err != nil || quant.Bytes(m) != before-saved || again[1].Math != simd.Int8 {
		t.Errorf("once more: %+v, %v", again, err)
	}
}

// TestConvolutionBits expects the bits of a quantized model on any number of threads and in any batch.
func TestConvolutionBits(t *testing.T) {
	m := newImages()
	strict := m.forward(autograd.Options{}, 1)
	if _, err := quant.Quantize(m, quant.All); err != nil {
		t.Fatal(err)
	}
	want := m.forward(autograd.Options{Math: simd.Int8}, 1)
	if slices.Equal(want, strict) {
		t.Error("integers compute as float32")
	}
	for _, threads := range []int{1, 2, 5} {
		for _, n := range []int{1, 3} {
			got := m.forward(autograd.Options{Math: simd.Int8, Workers: simd.NewWorkers(threads)}, n)
			if !slices.Equal(got[:len(want)], want) {
				t.Errorf("%d threads, a batch of %d: other bits", threads, n)
			}
		}
	}
}
