package nn

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
)

type tower struct {
	Table  *Embedding
	Blocks Stack
	Norm   *BatchNorm
	Tied   *Linear
	Any    any
	hidden *Linear
	Next   *tower
}

func TestParameters(t *testing.T) {
	m := &tower{
		Table:  NewEmbedding(4, 8),
		Blocks: Stack{NewBlock(BlockConfig{Width: 8, Heads: 2, Hidden: 16}), nil},
		Norm:   NewBatchNorm(8, true),
		Any:    NewLinear(8, 2, false),
		hidden: NewLinear(8, 8, true),
	}
	m.Tied = &Linear{Weight: m.Table.Weight}
	m.Next = m // a cycle ends
	var paths []string
	for path := range Parameters(m) {
		paths = append(paths, path)
	}
	want := []string{
		"Table.Weight",
		"Blocks.0.Norm1.Weight", "Blocks.0.Norm1.Bias",
		"Blocks.0.Attention.QKV.Weight", "Blocks.0.Attention.Proj.Weight", "Blocks.0.Attention.Proj.Bias",
		"Blocks.0.Norm2.Weight", "Blocks.0.Norm2.Bias",
		"Blocks.0.MLP.FC1.Weight", "Blocks.0.MLP.FC1.Bias", "Blocks.0.MLP.FC2.Weight", "Blocks.0.MLP.FC2.Bias",
		"Norm.Weight", "Norm.Bias",
		"Any.Weight",
	}
	if d := cmp.Diff(want, paths); d != "" {
		t.Error(d)
	}
	var buffers []string
	for path := range Buffers(m) {
		buffers = append(buffers, path)
	}
	if d := cmp.Diff([]string{"Norm.Mean", "Norm.Variance"}, buffers); d != "" {
		t.Error(d)
	}
	for range Parameters(m) {
		break // stopping early is allowed
	}
	if Count(NewLinear(3, 5, true)) != 20 || Count(nil) != 0 {
		t.Error("Count is wrong")
	}
}

func TestInitializers(t *testing.T) {
	const n = 200
	moments := func(p *autograd.Parameter) (mean, std, largest float64) {
		for _, v := range p.Values() {
			mean += float64(v)
			std += float64(v) * float64(v)
			largest = max(largest, math.Abs(float64(v)))
		}
		mean /= float64(p.Len())
		return mean, math.Sqrt(std/float64(p.Len()) - mean*mean), largest
	}
	rng := func() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }
	for _, c := range []struct {
		name       string
		fill       func(p *autograd.Parameter)
		std, limit float64
	}{
		{"truncated normal", func(p *autograd.Parameter) { TruncatedNormal(rng(), p, 0.02, -2, 2) }, 0.02, 2},
		// A normal cut at one standard deviation has a standard deviation of 0.5396.
		{"cut at 1", func(p *autograd.Parameter) { TruncatedNormal(rng(), p, 1, -1, 1) }, 0.5396, 1},
		{"normal", func(p *autograd.Parameter) { Normal(rng(), p, 3) }, 3, 30},
		{"uniform", func(p *autograd.Parameter) { Uniform(rng(), p, 0.5) }, 0.5 / math.Sqrt(3), 0.5},
		{"xavier", func(p *autograd.Parameter) { XavierUniform(rng(), p) }, math.Sqrt(2 / (2.0 * n)), math.Sqrt(6 / (2.0 * n))},
		{"kaiming uniform", func(p *autograd.Parameter) { KaimingUniform(rng(), p, math.Sqrt(5)) }, 1 / math.Sqrt(3*n), 1 / math.Sqrt(n)},
		{"kaiming normal", func(p *autograd.Parameter) { KaimingNormal(rng(), p, false) }, math.Sqrt(2.0 / n), 1},
	} {
		p := autograd.NewParameter(n, n)
		c.fill(p)
		mean, std, largest := moments(p)
		if math.Abs(mean) > 0.02*c.std || math.Abs(std/c.std-1) > 0.02 || largest > c.limit {
			t.Errorf("%s: mean %v, deviation %v (expected %v), largest %v (at most %v)", c.name, mean, std, c.std, largest, c.limit)
		}
		again := autograd.NewParameter(n, n)
		c.fill(again)
		if d := cmp.Diff(p.Values(), again.Values()); d != "" {
			t.Errorf("%s: the same generator gave other values", c.name)
		}
	}
	if in, out := fans([]int{8, 3, 4, 4}); in != 48 || out != 128 {
		t.Errorf("fans of a convolution are %d and %d", in, out)
	}
}

// random fills every parameter, so that no mistake hides behind a zero.
func random(m any) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, p := range Parameters(m) {
		p.Update(func(w []float32) {
			for i := range w {
				w[i] = float32(rng.NormFloat64() * 0.3)
			}
		})
	}
}

func input(t *autograd.Tape, shape ...int) *autograd.Tensor {
	rng := rand.New(rand.NewPCG(5, uint64(len(shape))))
	n := 1
	for _, d := range shape {
		n *= d
	}
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return t.Input(x, shape...)
}

// near compares two ways to the same result.
func near(t *testing.T, what string, got, want *autograd.Tensor) {
	t.Helper()
	if d := cmp.Diff(want.Shape(), got.Shape()); d != "" {
		t.Fatalf("%s: %s", what, d)
	}
	a, b := got.Floats(nil), want.Floats(nil)
	for i := range a {
		if !(math.Abs(float64(a[i]-b[i])) <= 1e-5*max(1, math.Abs(float64(b[i])))) {
			t.Fatalf("%s: value %d is %v, expected %v", what, i, a[i], b[i])
		}
	}
}

// split returns attention with the weights of a fused one in three layers.
func split(a *MultiHeadAttention) *MultiHeadAttention {
	width := a.Proj.Weight.Shape()[0]
	s := &MultiHeadAttention{Proj: a.Proj, Heads: a.Heads}
	part := func(i int) *Linear {
		l := NewLinear(width, width, true)
		l.Weight.Update(func(w []float32) { copy(w, a.QKV.Weight.Values()[i*width*width:]) })
		l.Bias.Update(func(w []float32) { copy(w, a.QKV.Bias.Values()[i*width:]) })
		return l
	}
	s.Query, s.Key, s.Value = part(0), part(1), part(2)
	return s
}

func TestAttentionForms(t *testing.T) {
	fused := NewMultiHeadAttention(12, 3, true)
	random(fused)
	three := split(fused)
	tape := autograd.NewTape(autograd.Options{Debug: true})
	x := input(tape, 2, 5, 12)
	for _, in := range []AttentionInput{{}, {Causal: true}, {KeyMask: []bool{true, true, false, true, true, true, false, true, true, false}}, {Residual: x}} {
		near(t, "split projections", three.Forward(x, in), fused.Forward(x, in))
	}
	near(t, "memory of its own", three.Forward(x, AttentionInput{Memory: x}), fused.Forward(x, AttentionInput{}))
	near(t, "residual", fused.Forward(x, AttentionInput{Residual: x}), autograd.Add(x, fused.Forward(x, AttentionInput{})))

	var maps []float32
	fused.Forward(x, AttentionInput{Causal: true, Maps: &maps})
	if len(maps) != 2*3*5*5 {
		t.Fatalf("%d attention weights, expected %d", len(maps), 2*3*5*5)
	}
	for r := range 2 * 3 * 5 {
		sum := float32(0)
		for k, v := range maps[r*5 : r*5+5] {
			sum += v
			if k > r%5 && v != 0 {
				t.Errorf("row %d attends to the later position %d", r, k)
			}
		}
		if math.Abs(float64(sum-1)) > 1e-5 {
			t.Errorf("row %d sums to %v", r, sum)
		}
	}

	cross := NewSplitAttention(12, 7, 3)
	random(cross)
	if y := cross.Forward(x, AttentionInput{Memory: input(tape, 2, 4, 7)}); cmp.Diff([]int{2, 5, 12}, y.Shape()) != "" {
		t.Errorf("cross-attention has shape %v", y.Shape())
	}
}

// TestAttentionCache feeds a causal sequence position by position and expects the rows of the whole.
func TestAttentionCache(t *testing.T) {
	fused := NewMultiHeadAttention(12, 3, true)
	random(fused)
	for _, a := range []*MultiHeadAttention{fused, split(fused)} {
		whole := autograd.NewTape(autograd.Options{Debug: true})
		x := input(whole, 2, 6, 12)
		want := a.Forward(x, AttentionInput{Causal: true})
		cache := autograd.NewState(2, 8, 24, autograd.StateOptions{})
		for i := range 6 {
			tape := autograd.NewTape(autograd.Options{Debug: true})
			row := tape.Input(autograd.Slice(x, 1, i, i+1).Floats(nil), 2, 1, 12)
			got := a.Forward(row, AttentionInput{Causal: true, Cache: cache})
			near(t, "cached position", got, tape.Input(autograd.Slice(want, 1, i, i+1).Floats(nil), 2, 1, 12))
		}
	}
}

// TestAttentionMemory lets beams share one image, with keys and values that are computed once.
func TestAttentionMemory(t *testing.T) {
	const images, beams, length, keys = 2, 3, 2, 4
	a := NewSplitAttention(12, 7, 3)
	random(a)
	tape := autograd.NewTape(autograd.Options{Debug: true})
	memory := input(tape, images, keys, 7)
	mask := []bool{true, false, true, true, true, true, true, false}
	var each []autograd.Operand // the memory, repeated for each beam
	var eachMask []bool
	for i := range images * beams {
		each = append(each, autograd.Slice(memory, 0, i/beams, i/beams+1))
		eachMask = append(eachMask, mask[i/beams*keys:][:keys]...)
	}
	cache := autograd.NewState(images, 9, 24, autograd.StateOptions{})
	for range 3 {
		x := input(tape, images*beams, length, 12)
		want := a.Forward(x, AttentionInput{Memory: autograd.Concat(0, each...), KeyMask: eachMask, Residual: x})
		got := a.Forward(x, AttentionInput{Memory: memory, KeyMask: mask, Residual: x})
		near(t, "a shared memory", got, want)
		got = a.Forward(x, AttentionInput{Memory: memory, KeyMask: mask, Residual: x, Cache: cache})
		near(t, "a cached memory", got, want)
		if cache.Len() != keys {
			t.Fatalf("the cache holds %d rows, expected the memory's %d", cache.Len(), keys)
		}
	}
	defer func() {
		if _, ok := recover().(*autograd.UseError); !ok {
			t.Error("expected a UseError for a cache on a tape with gradients")
		}
	}()
	x := autograd.NewTape(autograd.Options{Gradients: true}).Full(1, images, length, 12)
	a.Forward(x, AttentionInput{Cache: autograd.NewState(images, 9, 24, autograd.StateOptions{})})
}

func TestAttentionBias(t *testing.T) {
	a := NewMultiHeadAttention(8, 2, false)
	random(a)
	tape := autograd.NewTape(autograd.Options{Debug: true})
	x := input(tape, 1, 3, 8)
	plain := a.Forward(x, AttentionInput{Causal: true})
	a.Bias = func(t *autograd.Tape, queries, keys int) autograd.Operand {
		mask := make([]float32, queries*keys)
		for q := range queries {
			for k := q + 1; k < keys; k++ {
				mask[q*keys+k] = float32(math.Inf(-1))
			}
		}
		return t.Input(mask, 1, 1, queries, keys)
	}
	near(t, "a causal bias", a.Forward(x, AttentionInput{}), plain)
}

func TestBlock(t *testing.T) {
	b := NewBlock(BlockConfig{Width: 8, Heads: 2, Hidden: 16, Act: autograd.ActGelu, Eps: 1e-6, QKVBias: true})
	random(b)
	tape := autograd.NewTape(autograd.Options{Debug: true})
	x := input(tape, 2, 3, 8)
	plain := b.Forward(x, AttentionInput{})
	attended := autograd.Add(x, b.Attention.Forward(b.Norm1.Forward(x), AttentionInput{}))
	near(t, "pre-norm", plain, autograd.Add(attended, b.MLP.Forward(b.Norm2.Forward(attended), nil)))

	b.DropPath, b.Dropout = 0.5, 0.5
	near(t, "drop path outside training", b.Forward(x, AttentionInput{}), plain)
	train := autograd.NewTape(autograd.Options{Training: true, Seed: 1, Debug: true})
	if cmp.Equal(b.Forward(input(train, 2, 3, 8), AttentionInput{}).Floats(nil), plain.Floats(nil)) {
		t.Error("drop path does nothing while training")
	}
	b.DropPath, b.Dropout = 0, 0

	b.LayerScale1, b.LayerScale2 = filled(8, 1), filled(8, 1)
	near(t, "layer scale of one", b.Forward(x, AttentionInput{}), plain)
	Constant(b.LayerScale1, 0)
	Constant(b.LayerScale2, 0)
	near(t, "layer scale of zero", b.Forward(x, AttentionInput{}), x)

	b.LayerScale1, b.LayerScale2, b.PostNorm = nil, nil, true
	attended = b.Norm1.Forward(autograd.Add(x, b.Attention.Forward(x, AttentionInput{})))
	near(t, "post-norm", b.Forward(x, AttentionInput{}), b.Norm2.Forward(autograd.Add(attended, b.MLP.Forward(attended, nil))))
}

// TestBlockConfig checks that each field reaches the block, and the defaults.
func TestBlockConfig(t *testing.T) {
	b := NewBlock(BlockConfig{
		Width: 6, Heads: 2, Hidden: 10, Act: autograd.ActRelu, Eps: 1e-3, QKVBias: true, PostNorm: true,
		LayerScale: 0.5, Dropout: 0.1, AttentionDropout: 0.2, DropPath: 0.3,
	})
	rates := []float32{b.Norm1.Eps, b.Norm2.Eps, b.Dropout, b.Attention.Dropout, b.DropPath}
	if d := cmp.Diff([]float32{1e-3, 1e-3, 0.1, 0.2, 0.3}, rates); d != "" {
		t.Error(d)
	}
	for _, p := range []*autograd.Parameter{b.LayerScale1, b.LayerScale2} {
		if d := cmp.Diff([]float32{0.5, 0.5, 0.5, 0.5, 0.5, 0.5}, p.Values()); d != "" {
			t.Error(d)
		}
	}
	if b.LayerScale1 == b.LayerScale2 {
		t.Error("both branches share their factors")
	}
	if b.Attention.Heads != 2 || b.Attention.QKV.Bias == nil || b.MLP.Act != autograd.ActRelu || !b.PostNorm || b.MLP.FC1.Bias.Len() != 10 {
		t.Error("a field of the configuration is lost")
	}
	b = NewBlock(BlockConfig{Width: 6})
	if b.Attention.Heads != 1 || b.MLP.FC1.Bias.Len() != 24 || b.Attention.QKV.Bias != nil || b.LayerScale1 != nil {
		t.Error("a default is wrong")
	}
}

// TestStack compares a stack with its blocks run by hand, whatever the tape, and checks the rates of drop path.
func TestStack(t *testing.T) {
	s := NewStack(3, BlockConfig{Width: 8, Heads: 2, Hidden: 16, Act: autograd.ActGelu, Eps: 1e-6, DropPath: 0.5})
	random(s)
	if d := cmp.Diff([]float32{0, 0.25, 0.5}, []float32{s[0].DropPath, s[1].DropPath, s[2].DropPath}); d != "" {
		t.Error(d)
	}
	if s := NewStack(1, BlockConfig{Width: 8, DropPath: 0.5}); s[0].DropPath != 0 {
		t.Errorf("a single block drops its path with probability %v", s[0].DropPath)
	}
	for path := range Parameters(s) {
		if path != "0.Norm1.Weight" {
			t.Errorf("the first path is %q", path)
		}
		break
	}
	run := func(o autograd.Options, forward func(x *autograd.Tensor) *autograd.Tensor) (y []float32, g *autograd.Gradients) {
		o.Debug, o.Training, o.Seed = true, true, 7
		tape := autograd.NewTape(o)
		out := forward(input(tape, 6, 3, 8))
		y = out.Floats(nil)
		g = autograd.NewGradients()
		if o.Gradients {
			autograd.MSE(out, tape.Full(0, 6, 3, 8)).Backward(g)
		}
		return y, g
	}
	in := AttentionInput{Causal: true}
	byHand := func(x *autograd.Tensor) *autograd.Tensor {
		for _, b := range s {
			x = b.Forward(x, in)
		}
		return x
	}
	stack := func(x *autograd.Tensor) *autograd.Tensor { return s.Forward(x, in) }
	want, wantGradients := run(autograd.Options{Gradients: true}, byHand)
	for _, o := range []autograd.Options{{}, {Gradients: true}, {Gradients: true, Recompute: true}} {
		got, gradients := run(o, stack)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%+v: %s", o, d)
		}
		for path, p := range Parameters(s) {
			if d := cmp.Diff(wantGradients.Of(p), gradients.Of(p)); o.Gradients && d != "" {
				t.Errorf("%+v: gradient of %s: %s", o, path, d)
			}
		}
	}
}

// TestPatchEmbed compares the projection of patches with the convolution it stands for.
func TestPatchEmbed(t *testing.T) {
	p := NewPatchEmbed(3, 4, 10)
	random(p)
	tape := autograd.NewTape(autograd.Options{Debug: true})
	x := input(tape, 2, 3, 8, 12)
	conv := autograd.Conv2d(x, p.Weight, p.Bias, autograd.Conv2dOptions{Stride: [2]int{4, 4}})
	near(t, "patches", p.Forward(x), autograd.Permute(autograd.Reshape(conv, 2, 10, 6), 0, 2, 1))
}

// TestFPN checks the sums of the pyramid against the layers it is made of.
func TestFPN(t *testing.T) {
	f := NewFPN([]int{3, 5}, 4)
	random(f)
	tape := autograd.NewTape(autograd.Options{Debug: true})
	fine, coarse := input(tape, 1, 3, 7, 6), input(tape, 1, 5, 4, 3)
	out := f.Forward([]*autograd.Tensor{fine, coarse})
	top := f.Inner[1].Forward(coarse)
	near(t, "coarse level", out[1], f.Layer[1].Forward(top))
	up := autograd.Resize2d(top, 7, 6, autograd.ResizeOptions{Mode: autograd.Nearest})
	near(t, "fine level", out[0], f.Layer[0].Forward(autograd.Add(f.Inner[0].Forward(fine), up)))
	f.Pool = true
	near(t, "pooled level", f.Forward([]*autograd.Tensor{fine, coarse})[2], autograd.AvgPool2d(out[1], autograd.PoolOptions{Kernel: [2]int{1, 1}, Stride: [2]int{2, 2}}))
	f.Pool = false
	for in, from := range map[int]*autograd.Tensor{4: out[1], 5: coarse} {
		f.AddP6P7(in)
		random(f.P6)
		random(f.P7)
		more := f.Forward([]*autograd.Tensor{fine, coarse})
		near(t, "P6", more[2], f.P6.Forward(from))
		near(t, "P7", more[3], f.P7.Forward(autograd.Relu(more[2])))
	}
	f.P6, f.P7 = nil, nil
	f.AddNorms()
	random(f)
	near(t, "normalized level", f.Forward([]*autograd.Tensor{fine, coarse})[1], f.LayerNorm[1].Forward(f.Layer[1].Forward(f.InnerNorm[1].Forward(f.Inner[1].Forward(coarse)))))
	defer func() {
		if _, ok := recover().(*autograd.ShapeError); !ok {
			t.Error("a missing level is no ShapeError")
		}
	}()
	f.Forward([]*autograd.Tensor{fine})
}

// TestSinCos2D pins a few values that the formula gives.
func TestSinCos2D(t *testing.T) {
	e := SinCos2D(8, 2, 3, true)
	if len(e) != 7*8 {
		t.Fatalf("%d values", len(e))
	}
	row := func(i int) []float32 { return e[i*8 : i*8+8] }
	sin, cos := func(x float64) float32 { return float32(math.Sin(x)) }, func(x float64) float32 { return float32(math.Cos(x)) }
	for i, want := range map[int][]float32{
		0: {0, 0, 0, 0, 0, 0, 0, 0},
		1: {0, 0, 1, 1, 0, 0, 1, 1},
		6: {sin(2), sin(0.02), cos(2), cos(0.02), sin(1), sin(0.01), cos(1), cos(0.01)}, // column 2 of row 1
	} {
		if d := cmp.Diff(want, row(i)); d != "" {
			t.Errorf("row %d: %s", i, d)
		}
	}
}

// TestGroupNorm compares one group over single values a channel with the layer norm it then is.
func TestGroupNorm(t *testing.T) {
	g, l := NewGroupNorm(1, 8), NewLayerNorm(8, 1e-5)
	random(g)
	l.Weight, l.Bias = g.Weight, g.Bias
	tape := autograd.NewTape(autograd.Options{Debug: true})
	x := input(tape, 3, 8)
	near(t, "one group", g.Forward(x), l.Forward(x))
}

// TestMisuse expects typed panics from arguments that would otherwise loop for ever or give rows of another length.
func TestMisuse(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	p := autograd.NewParameter(3)
	tape := autograd.NewTape(autograd.Options{})
	for name, f := range map[string]func(){
		"bounds beyond reach": func() { TruncatedNormal(rng, p, 0.02, 1, 2) },
		"a huge deviation":    func() { TruncatedNormal(rng, p, 1e300, -2, 2) },
		"odd positions":       func() { SinCos2D(6, 2, 2, false) },
		"memory when fused": func() {
			NewMultiHeadAttention(8, 2, true).Forward(tape.Full(0, 1, 2, 8), AttentionInput{Memory: tape.Full(0, 1, 3, 8)})
		},
	} {
		misuse(t, name, f)
	}
}

// misuse expects f to panic with a typed error.
func misuse(t *testing.T, name string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		switch r := recover().(type) {
		case *autograd.ShapeError, *autograd.UseError:
		default:
			t.Errorf("%s: %v", name, r)
		}
	}()
	f()
}

// TestSinCos2DRows compares with SinCos2D, whose halves are the other way around.
func TestSinCos2DRows(t *testing.T) {
	const dim = 12
	rows, columns := SinCos2DRows(dim, 2, 3, 10000), SinCos2D(dim, 2, 3, false)
	for i := 0; i < len(rows); i += dim {
		if want := slices.Concat(columns[i+dim/2:i+dim], columns[i:i+dim/2]); !slices.Equal(rows[i:i+dim], want) {
			t.Errorf("position %d: %v, expected %v", i/dim, rows[i:i+dim], want)
		}
	}
	if got := SinCos2DRows(8, 3, 1, 100)[2*8+1]; got != float32(math.Sin(2/10.)) {
		t.Errorf("temperature 100: %v", got)
	}
}
