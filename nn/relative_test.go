package nn

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/simd"
)

// TestRelativePositionIndex compares the rows of the table with timm's.
func TestRelativePositionIndex(t *testing.T) {
	g := golden.Load(t, "testdata/relative.safetensors")
	for _, size := range [][2]int{{3, 4}, {2, 2}, {1, 5}, {1, 1}} {
		for kind, classToken := range map[string]bool{"class": true, "patches": false} {
			name := fmt.Sprintf("%s/%dx%d/index", kind, size[0], size[1])
			if d := cmp.Diff(g.Ints(name), RelativePositionIndex(size[0], size[1], classToken)); d != "" {
				t.Errorf("%s: %s", name, d)
			}
		}
	}
}

// TestRelativePositionBias compares the bias and the table's gradient with timm's.
func TestRelativePositionBias(t *testing.T) {
	g := golden.Load(t, "testdata/relative.safetensors")
	r := NewRelativePositionBias(3, 4, 2, true)
	values, shape := g.Tensor("beit/table")
	if d := cmp.Diff(shape, r.Table.Shape()); d != "" {
		t.Fatal(d)
	}
	r.Table.Update(func(w []float32) { copy(w, values) })
	want, _ := g.Tensor("beit/bias")
	seed, _ := g.Tensor("beit/seed")

	tape := autograd.NewTape(autograd.Options{Gradients: true, Debug: true})
	y := r.Forward(tape)
	if d := cmp.Diff([]int{2, 13, 13}, y.Shape()); d != "" {
		t.Fatal(d)
	}
	golden.Output(t, "bias", y.Floats(nil), want)
	grads := autograd.NewGradients()
	autograd.Backward(grads, []*autograd.Tensor{y}, [][]float32{seed})
	wantGrad, _ := g.Tensor("beit/grad")
	golden.Gradient(t, "table", grads.Of(r.Table), wantGrad, golden.Norm(wantGrad))

	// A segment that runs again records nothing the first time.
	again := autograd.NewTape(autograd.Options{Gradients: true, Recompute: true, Debug: true})
	y = again.Segment(func(*autograd.Tensor) *autograd.Tensor { return r.Forward(again) }, nil)
	grads = autograd.NewGradients()
	autograd.Backward(grads, []*autograd.Tensor{y}, [][]float32{seed})
	golden.Gradient(t, "table in a segment", grads.Of(r.Table), wantGrad, golden.Norm(wantGrad))

	inference := autograd.NewTape(autograd.Options{Debug: true})
	golden.Output(t, "bias in inference", r.Forward(inference).Floats(nil), want)
	held := r.gathered[simd.Strict].Load()
	golden.Output(t, "bias in the next pass", r.Forward(inference).Floats(nil), want)
	if held == nil || r.gathered[simd.Strict].Load() != held {
		t.Error("the second pass gathered again")
	}
	r.Table.Update(func(w []float32) {
		for i := range w {
			w[i] *= 2
		}
	})
	doubled := make([]float32, len(want))
	for i := range want {
		doubled[i] = 2 * want[i]
	}
	golden.Output(t, "bias of a changed table", r.Forward(inference).Floats(nil), doubled)
	if n := allocated(func() { r.Forward(inference) }); n > 2000 {
		t.Errorf("a pass allocates %d bytes", n)
	}
}

// TestRelativePositionMLP compares a bias that layers compute, its gradients, and that of another grid, with timm's.
func TestRelativePositionMLP(t *testing.T) {
	g := golden.Load(t, "testdata/relative.safetensors")
	for kind, classToken := range map[string]bool{"class": true, "patches": false} {
		t.Run(kind, func(t *testing.T) {
			at := "mlp/" + kind + "/3x4/"
			r := &RelativePositionBias{MLP: NewRelativePositionMLP(5, 2), Offsets: RelativeLogOffsets(3, 4), Index: RelativePositionIndex(3, 4, classToken)}
			params := map[string]*autograd.Parameter{"fc1.weight": r.MLP.FC1.Weight, "fc1.bias": r.MLP.FC1.Bias, "fc2.weight": r.MLP.FC2.Weight, "fc2.bias": r.MLP.FC2.Bias}
			for name, p := range params {
				p.Update(func(w []float32) { copy(w, g.Floats(at+name)) })
			}
			want, shape := g.Tensor(at + "bias")
			tape := autograd.NewTape(autograd.Options{Gradients: true, Debug: true})
			y := r.Forward(tape)
			if d := cmp.Diff(shape, y.Shape()); d != "" {
				t.Fatal(d)
			}
			golden.Output(t, "bias", y.Floats(nil), want)
			grads := autograd.NewGradients()
			autograd.Backward(grads, []*autograd.Tensor{y}, [][]float32{g.Floats(at + "seed")})
			norms := []float64{}
			for name := range params {
				norms = append(norms, golden.Norm(g.Floats(at+"grad."+name)))
			}
			for name, p := range params {
				golden.Gradient(t, name, grads.Of(p), g.Floats(at+"grad."+name), slices.Max(norms))
			}

			inference := autograd.NewTape(autograd.Options{Debug: true})
			golden.Output(t, "bias in inference", r.Forward(inference).Floats(nil), want)
			held := r.gathered[simd.Strict].Load()
			golden.Output(t, "bias in the next pass", r.Forward(inference).Floats(nil), want)
			if held == nil || r.gathered[simd.Strict].Load() != held {
				t.Error("the second pass gathered again")
			}
			other := r.on(inference, NewRelativeGrid(3, 4, 2, 5, classToken))
			golden.Output(t, "bias of another grid", other.Floats(nil), g.Floats("mlp/"+kind+"/2x5/bias"))
			before := r.Forward(inference).Floats(nil)
			r.MLP.FC2.Bias.Update(func(w []float32) { w[0]++ })
			if cmp.Equal(r.Forward(inference).Floats(nil), before) {
				t.Error("the kept bias is that of older layers")
			}
			training := autograd.NewTape(autograd.Options{Training: true, Seed: 1})
			if cmp.Equal(r.Forward(training).Floats(nil), r.Forward(training).Floats(nil)) {
				t.Error("a training tape drops nothing")
			}
		})
	}
}

// A bias that layers compute has the arithmetic of its tape, whichever tape came first, and follows the limits of its parameters.
func TestRelativePositionMath(t *testing.T) {
	layer := func() *RelativePositionBias {
		r := &RelativePositionBias{MLP: NewRelativePositionMLP(32, 4), Offsets: RelativeLogOffsets(5, 6), Index: RelativePositionIndex(5, 6, true)}
		random(r.MLP)
		return r
	}
	of := func(r *RelativePositionBias, m simd.Math) []float32 {
		tape := autograd.NewTape(autograd.Options{Math: m})
		defer tape.Reset()
		return r.Forward(tape).Floats(nil)
	}
	modes := []simd.Math{simd.Strict, simd.BF16, simd.Int8, simd.Strict, simd.BF16, simd.Int8}
	r := layer()
	for i, m := range modes {
		if !cmp.Equal(of(r, m), of(layer(), m)) {
			t.Errorf("pass %d, in %v: the bias is that of another arithmetic", i, m)
		}
	}
	for _, p := range Parameters(r) {
		p.LimitMath(simd.Strict)
	}
	if !cmp.Equal(of(r, simd.Int8), of(r, simd.Strict)) {
		t.Error("the bias is older than the limits of its parameters")
	}
}

// TestAttentionRelative adds the bias to the scores, beside another one.
func TestAttentionRelative(t *testing.T) {
	b := NewBlock(BlockConfig{Width: 8, Heads: 2})
	b.Attention.Relative = NewRelativePositionBias(2, 2, 2, true)
	random(b)
	paths := slices.Collect(maps.Keys(maps.Collect(Parameters(b))))
	if !slices.Contains(paths, "Attention.Relative.Table") {
		t.Errorf("parameters %v", paths)
	}
	tape := autograd.NewTape(autograd.Options{Debug: true})
	x := input(tape, 3, 5, 8)
	got := b.Attention.Forward(x, AttentionInput{})
	plain := *b.Attention
	plain.Relative = nil
	plain.Bias = func(t *autograd.Tape, _, _ int) autograd.Operand { return b.Attention.Relative.Forward(t) }
	near(t, "as a bias", got, plain.Forward(x, AttentionInput{}))
	half := func(t *autograd.Tape, _, _ int) autograd.Operand {
		return autograd.Scale(b.Attention.Relative.Forward(t), 0.5)
	}
	plain.Bias, plain.Relative = half, b.Attention.Relative
	b.Attention.Relative.Table.Update(func(w []float32) {
		for i := range w {
			w[i] /= 1.5
		}
	})
	near(t, "beside a bias", plain.Forward(x, AttentionInput{}), got)
	misuse(t, "packed", func() { b.Attention.Forward(input(tape, 5, 8), AttentionInput{Starts: []int{0, 5}}) })
}
