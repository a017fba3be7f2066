package nn

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/simd"
)

// TestConvNorm compares inference, which folds, with the two layers on a tape with gradients, and expects every change of
// a value to reach it.
func TestConvNorm(t *testing.T) {
	for _, bias := range []bool{false, true} {
		c := NewConvNorm(3, 4, 3, autograd.ActRelu, autograd.Conv2dOptions{Padding: [2]int{1, 1}})
		if bias {
			c.Conv.Bias = autograd.NewParameter(4)
		}
		testFolding(t, c, &c.folded, func(x, r *autograd.Tensor) []float32 {
			return append(c.Forward(x).Floats(nil), c.ForwardAdd(x, r).Floats(nil)...)
		})
	}
}

// TestDeformConvNorm is TestConvNorm of a deformable convolution.
func TestDeformConvNorm(t *testing.T) {
	c := NewDeformConvNorm(3, 4, 3, autograd.ActSilu)
	testFolding(t, c, &c.folded, func(x, _ *autograd.Tensor) []float32 { return c.Forward(x).Floats(nil) })
	c.Conv.Act = autograd.ActRelu
	defer func() {
		if _, ok := recover().(*autograd.UseError); !ok {
			t.Error("expected a UseError for an activation before the normalization")
		}
	}()
	c.Forward(autograd.NewTape(autograd.Options{}).Input(make([]float32, 75), 1, 3, 5, 5))
}

// Folded layers follow the limit of their weight's arithmetic, which a quantizer sets after the first inference.
func TestFoldedMathLimit(t *testing.T) {
	conv := NewConvNorm(16, 16, 3, autograd.ActRelu, autograd.Conv2dOptions{Padding: [2]int{1, 1}})
	rep := NewRepConv(16, 16, autograd.ActRelu)
	deform := NewDeformConvNorm(16, 16, 3, autograd.ActRelu)
	for name, layer := range map[string]interface {
		Forward(x *autograd.Tensor) *autograd.Tensor
	}{"conv": conv, "rep": rep, "deform": deform} {
		random(layer)
		forward := func(m simd.Math) []float32 {
			tape := autograd.NewTape(autograd.Options{Math: m})
			defer tape.Reset()
			return layer.Forward(input(tape, 2, 16, 5, 5)).Floats(nil)
		}
		strict := forward(simd.Strict)
		if slices.Equal(forward(simd.Int8), strict) {
			t.Errorf("%s: Int8 computes as Strict", name)
		}
		for _, p := range Parameters(layer) {
			p.LimitMath(simd.Strict)
		}
		if !slices.Equal(forward(simd.Int8), strict) {
			t.Errorf("%s: the folded weight has an older limit", name)
		}
	}
}

// testFolding tests a layer of 3 to 4 channels.
func testFolding(t *testing.T, layer any, folded *folding, forward func(x, residual *autograd.Tensor) []float32) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	draw := func(values []float32) {
		for i := range values {
			values[i] = 0.5 + rng.Float32()
		}
	}
	pixels, residual := make([]float32, 2*3*25), make([]float32, 2*4*25)
	for _, v := range [][]float32{pixels, residual} {
		for i := range v {
			v[i] = rng.Float32() - 0.5
		}
	}
	run := func(gradients bool) []float32 {
		tape := autograd.NewTape(autograd.Options{Gradients: gradients})
		return forward(tape.Input(pixels, 2, 3, 5, 5), tape.Input(residual, 2, 4, 5, 5))
	}
	for _, v := range Values(layer) { // a weight of zeros would hide changes
		v.Update(draw)
	}
	last := run(false)
	for path, v := range Values(layer) { // each changes alone
		v.Update(draw)
		got, want := run(false), run(true)
		golden.Output(t, path, got, want)
		if slices.Equal(got, last) {
			t.Errorf("inference does not see a change of %s", path)
		}
		last = got
		before := folded.Load()
		if run(false); folded.Load() != before {
			t.Errorf("%s: folded twice", path)
		}
	}
	var wg sync.WaitGroup
	folded.Store(nil)
	for range 8 {
		wg.Go(func() {
			if !slices.Equal(run(false), last) {
				t.Error("other bits at once")
			}
		})
	}
	wg.Wait()
}

// TestFoldedIntegers expects the products of a folded convolution to be those of its integers: a normalization after the products
// gives the same but for the rounding of float32.
func TestFoldedIntegers(t *testing.T) {
	layer := NewConvNorm(16, 16, 3, autograd.ActNone, autograd.Conv2dOptions{Padding: [2]int{1, 1}})
	random(layer)
	w := layer.Conv.Weight
	codes, scales := make([]int8, w.Len()), make([]float32, 16)
	for i := range scales {
		scales[i], _ = simd.F32ToInt8(codes[i*9*16:][:9*16], w.Values()[i*9*16:])
	}
	w.MapInt8([][]int8{codes}, scales, nil, nil)
	w.LimitMath(simd.Int8)
	layer.Norm.Weight.Update(func(v []float32) { v[1] = -v[1] })
	tape := autograd.NewTape(autograd.Options{Math: simd.Int8})
	x := input(tape, 2, 16, 5, 5)
	golden.Output(t, "folded", layer.Forward(x).Floats(nil), layer.Norm.ForwardAct(layer.Conv.Forward(x), autograd.ActNone).Floats(nil))
	folded := layer.folded.Load().weight
	if got, _, ok := folded.Int8(); !ok || &got[0] != &codes[0] || folded.MathLimit() != simd.Int8 {
		t.Errorf("the folded weight is %v in %v", folded.DType(), folded.MathLimit())
	}
	if w.DType() != autograd.Int8 || !slices.Equal(w.Values(), func() []float32 {
		want := make([]float32, len(codes))
		for i, c := range codes {
			want[i] = float32(c) * scales[i/(9*16)]
		}
		return want
	}()) {
		t.Error("the weight of the layer changed")
	}
}
