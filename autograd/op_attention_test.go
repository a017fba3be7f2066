package autograd

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/simd"
)

const attentionGoldens = "ops_attention.safetensors"

// packed attends within one projection [B, T, 3·D].
func packed(x Operand, o AttentionOptions) *Tensor {
	d := x.Shape()[2] / 3
	return Attention(Columns{x, 0}, Columns{x, d}, Columns{x, 2 * d}, o)
}

func (c *opCase) mask() []bool {
	var m []bool
	for _, v := range c.Ints("mask") {
		m = append(m, v != 0)
	}
	return m
}

func TestAttention(t *testing.T) {
	self := func(prefix string, set func(c *opCase, o *AttentionOptions)) {
		checkOp(t, attentionGoldens, prefix, func(c *opCase) []*Tensor {
			o := AttentionOptions{Heads: c.Ints("heads")[0]}
			set(c, &o)
			return []*Tensor{packed(c.Var("x"), o)}
		})
	}
	self("self/", func(c *opCase, o *AttentionOptions) {})
	self("causal/", func(c *opCase, o *AttentionOptions) { o.Causal = true })
	self("blocks/", func(c *opCase, o *AttentionOptions) { o.Causal = true })
	self("bias/", func(c *opCase, o *AttentionOptions) { o.Bias = c.Param("bias") })
	self("batchbias/", func(c *opCase, o *AttentionOptions) { o.Bias, o.Scale = c.Var("bias"), 0.3 })
	self("rowbias/", func(c *opCase, o *AttentionOptions) { o.Bias = c.Var("bias") })
	self("mask/", func(c *opCase, o *AttentionOptions) { o.KeyMask = c.mask() })
	self("maskcausal/", func(c *opCase, o *AttentionOptions) { o.KeyMask, o.Causal = c.mask(), true })
	self("maskbias/", func(c *opCase, o *AttentionOptions) { o.KeyMask, o.Bias = c.mask(), c.Var("bias") })

	cross := func(causal bool) func(c *opCase) []*Tensor {
		return func(c *opCase) []*Tensor {
			q, kv := c.Var("q"), c.Var("kv")
			return []*Tensor{Attention(Columns{q, 0}, Columns{kv, 0}, Columns{kv, q.Dim(2)},
				AttentionOptions{Heads: c.Ints("heads")[0], Causal: causal})}
		}
	}
	checkOp(t, attentionGoldens, "cross/", cross(false))
	checkOp(t, attentionGoldens, "crosscausal/", cross(true))
	checkOp(t, attentionGoldens, "apart/three", func(c *opCase) []*Tensor {
		return []*Tensor{Attention(Columns{c.Var("q"), 0}, Columns{c.Param("k"), 0}, Columns{c.Var("v"), 0}, AttentionOptions{Heads: 3})}
	})
	checkOp(t, attentionGoldens, "apart/keysarevalues", func(c *opCase) []*Tensor {
		return []*Tensor{Attention(Columns{c.Var("q"), 0}, Columns{c.Var("k"), 0}, Columns{c.Var("k"), 0}, AttentionOptions{Heads: 3})}
	})
	checkOp(t, attentionGoldens, "gaps/", func(c *opCase) []*Tensor {
		x := c.Var("x")
		return []*Tensor{Attention(Columns{x, 2}, Columns{x, 17}, Columns{x, 29}, AttentionOptions{Heads: 3, HeadDim: 4})}
	})
}

func TestAttentionWeights(t *testing.T) {
	g := golden.Load(t, "testdata/"+attentionGoldens)
	c := opCase{t: t, g: g, name: "weights/some"}
	v, shape := c.input("x")
	var w []float32
	tape := NewTape(Options{Debug: true})
	y := packed(tape.Input(v, shape...), AttentionOptions{Heads: 2, Causal: true, KeyMask: c.mask(), Weights: &w})
	want, _ := g.Tensor("weights/some/out/0")
	golden.Output(t, "result", y.Floats(nil), want)
	want, _ = g.Tensor("weights/some/out/1")
	golden.Output(t, "weights", w, want)
}

func normal(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// A sequence of a batch has the bits it has alone, whatever the number of threads and its neighbors.
func TestAttentionRowsAlone(t *testing.T) {
	const b, n, h, d = 3, 131, 2, 16
	x := normal(1, b*n*3*h*d)
	for _, causal := range []bool{false, true} {
		o := AttentionOptions{Heads: h, Causal: causal}
		tape := NewTape(Options{Workers: simd.NewWorkers(2)})
		all := packed(tape.Input(x, b, n, 3*h*d), o).Floats(nil)
		for i := range b {
			one := NewTape(Options{})
			size := n * 3 * h * d
			y := packed(one.Input(x[i*size:(i+1)*size], 1, n, 3*h*d), o).Floats(nil)
			sameBits(t, "sequence", all[i*len(y):(i+1)*len(y)], y)
		}
	}
}

// A query that follows a cache of keys has the bits of the last query of all.
func TestAttentionCache(t *testing.T) {
	const n, h, d = 77, 4, 16
	x := normal(2, n*3*h*d)
	tape := NewTape(Options{})
	all := packed(tape.Input(x, 1, n, 3*h*d), AttentionOptions{Heads: h, Causal: true}).Floats(nil)
	for _, at := range []int{0, 1, 40, n - 1} {
		row := x[at*3*h*d:]
		q := tape.Input(row[:h*d], 1, 1, h*d)
		kv := tape.Input(x[:(at+1)*3*h*d], 1, at+1, 3*h*d)
		y := Attention(Columns{q, 0}, Columns{kv, h * d}, Columns{kv, 2 * h * d}, AttentionOptions{Heads: h, Causal: true})
		sameBits(t, "query", y.Floats(nil), all[at*h*d:(at+1)*h*d])
	}
}

// A masked key is as good as absent, even when it holds NaN, and the values at it get a zero gradient.
func TestAttentionMaskIsAbsence(t *testing.T) {
	const n, h, d = 21, 2, 8
	const width = 3 * h * d
	nan := float32(math.NaN())
	for name, masked := range map[string][]int{"end": {19, 20}, "start": {0}, "holes": {3, 4, 17}} {
		x := normal(3, n*width)
		bias := normal(4, h*n*n)
		mask := make([]bool, n)
		var short []float32
		for j := range n {
			mask[j] = !slices.Contains(masked, j)
			if mask[j] {
				short = append(short, x[j*width:(j+1)*width]...)
			} else {
				for k := range 2 * h * d {
					x[j*width+h*d+k] = nan
				}
			}
		}
		m := n - len(masked)
		var shortBias []float32
		for i := range h * n {
			for j := range n {
				if mask[i%n] && mask[j] {
					shortBias = append(shortBias, bias[i*n+j])
				}
			}
		}
		run := func(x []float32, n int, bias []float32, mask []bool) (y, dx []float32) {
			tape := NewTape(Options{Gradients: true, Debug: true})
			in := tape.Input(x, 1, n, width).WantGradient()
			out := packed(in, AttentionOptions{Heads: h, KeyMask: mask, Bias: tape.Input(bias, h, n, n)})
			y = out.Floats(nil)
			g := NewGradients()
			seed := make([]float32, len(y))
			for i := range seed {
				seed[i] = 1
				if mask != nil && !mask[i/(h*d)] {
					seed[i] = 0
				}
			}
			Backward(g, []*Tensor{out}, [][]float32{seed})
			return y, g.OfTensor(in)
		}
		y, dx := run(x, n, bias, mask)
		want, wantDx := run(short, m, shortBias, nil)
		r := 0
		for j := range n {
			if !mask[j] {
				for _, v := range dx[j*width+h*d : (j+1)*width] {
					if v != 0 {
						t.Errorf("%s: gradient %v at masked key %d", name, v, j)
						break
					}
				}
				continue
			}
			sameBits(t, name, y[j*h*d:(j+1)*h*d], want[r*h*d:(r+1)*h*d])
			golden.Gradient(t, name, dx[j*width:(j+1)*width], wantDx[r*width:(r+1)*width], 1)
			r++
		}
	}
}

// A bias of -Inf masks; a row of nothing else gives zeros and no gradient.
func TestAttentionInfiniteBias(t *testing.T) {
	const n, h, d = 5, 1, 4
	inf := float32(math.Inf(-1))
	bias := make([]float32, n*n)
	for j := range n {
		bias[2*n+j] = inf // query 2 sees nothing
		bias[j*n+4] = inf // nobody sees key 4
	}
	tape := NewTape(Options{Gradients: true, Debug: true})
	x := tape.Input(normal(5, n*3*d), 1, n, 3*d).WantGradient()
	b := tape.Input(bias, 1, 1, n, n).WantGradient()
	y := packed(x, AttentionOptions{Bias: b})
	out := y.Floats(nil)
	g := NewGradients()
	Backward(g, []*Tensor{y}, [][]float32{normal(6, n*d)})
	dx, db := g.OfTensor(x), g.OfTensor(b)
	for _, v := range slices.Concat(out, dx, db) {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			t.Fatalf("not finite: %v %v %v", out, dx, db)
		}
	}
	for k := range d {
		if out[2*d+k] != 0 || dx[2*3*d+k] != 0 {
			t.Errorf("a query that sees nothing: result %v, gradient %v", out[2*d:3*d], dx[2*3*d:2*3*d+d])
		}
		if dx[4*3*d+d+k] != 0 || dx[4*3*d+2*d+k] != 0 {
			t.Errorf("a key that nobody sees has gradient %v", dx[4*3*d:])
		}
	}
	for i := range n {
		if db[i*n+4] != 0 || db[2*n+i] != 0 {
			t.Errorf("gradient of an infinite bias: %v", db)
		}
	}
}

// Large scores neither overflow nor lose their sum.
func TestAttentionLargeScores(t *testing.T) {
	tape := NewTape(Options{})
	q := tape.Input([]float32{1e15, 0}, 1, 1, 2)
	kv := tape.Input([]float32{1e15, 0, 1, 2, -1e15, 0, 3, 4}, 1, 2, 4)
	y := Attention(Columns{q, 0}, Columns{kv, 0}, Columns{kv, 2}, AttentionOptions{}).Floats(nil)
	if y[0] != 1 || y[1] != 2 {
		t.Errorf("expected the first key's values, found %v", y)
	}
}

func TestAttentionDropout(t *testing.T) {
	const b, n, h, d = 2, 40, 2, 8
	x, seed := normal(8, b*n*3*h*d), normal(9, b*n*h*d)
	bias := normal(10, h*n*n)
	const p = 0.3
	run := func(o Options, p float32) (y, dx, db, w []float32) {
		tape := NewTape(o)
		in := tape.Input(x, b, n, 3*h*d).WantGradient()
		bi := tape.Input(bias, h, n, n).WantGradient()
		mask := make([]bool, b*n)
		for i := range mask {
			mask[i] = i%7 != 3
		}
		f := func(in *Tensor) *Tensor {
			return packed(in, AttentionOptions{Heads: h, Dropout: p, Bias: bi, KeyMask: mask, Weights: &w})
		}
		out := tape.Segment(f, in)
		y = out.Floats(nil)
		if o.Gradients {
			g := NewGradients()
			Backward(g, []*Tensor{out}, [][]float32{seed})
			dx, db = g.OfTensor(in), g.OfTensor(bi)
		}
		return y, dx, db, w
	}
	train := Options{Gradients: true, Training: true, Debug: true, Seed: 3, Step: 5}
	y, dx, db, w := run(train, p)
	two := train
	two.Workers, two.Recompute = simd.NewWorkers(2), true
	y2, dx2, db2, _ := run(two, p)
	sameBits(t, "result", y2, y)
	sameBits(t, "gradient", dx2, dx)
	sameBits(t, "bias gradient", db2, db)
	off := train
	off.Training = false
	plain, _, _, w0 := run(off, p)
	sameBits(t, "weights before dropout", w, w0)
	none, _, _, _ := run(train, 0)
	sameBits(t, "no dropout", none, plain)
	other := train
	other.Step++
	if y3, _, _, _ := run(other, p); slices.Equal(y3, y) {
		t.Error("another step dropped the same weights")
	}

	// Dropout acts on weights: with values that are all ones a row's result is the sum of what is left,
	// whose mean is one.
	ones := slices.Clone(x)
	for i := range ones {
		if i%(3*h*d) >= 2*h*d {
			ones[i] = 1
		}
	}
	tape := NewTape(train)
	r := packed(tape.Input(ones, b, n, 3*h*d), AttentionOptions{Heads: h, Dropout: p, Scale: 1e-6}).Floats(nil)
	sum := 0.0
	for _, v := range r {
		sum += float64(v)
	}
	// A row keeps each of n equal weights with probability 1-p; rows repeat d times.
	rows := float64(b * n * h)
	if mean, sd := sum/float64(len(r)), math.Sqrt(p/(1-p)/n/rows); math.Abs(mean-1) > 4*sd {
		t.Errorf("mean of kept weights %v, expected 1 within %v", mean, 4*sd)
	}

	// The gradient is that of the function with this very mask: a central difference.
	const step = 1e-2
	dir := normal(11, len(x))
	want := 0.0
	for i := range dir {
		want += float64(dir[i]) * float64(dx[i])
	}
	base := slices.Clone(x)
	loss := func(s float32) float64 {
		for i := range x {
			x[i] = base[i] + s*dir[i]
		}
		y, _, _, _ := run(train, p)
		l := 0.0
		for i := range y {
			l += float64(y[i]) * float64(seed[i])
		}
		return l
	}
	got := (loss(step) - loss(-step)) / (2 * step)
	if math.Abs(got-want) > 0.02*math.Sqrt(squares(dx)) {
		t.Errorf("finite difference %v, gradient %v", got, want)
	}
}

// Gradients are computed for those who want them alone, and add to what is there.
func TestAttentionPartialGradients(t *testing.T) {
	const n, h, d = 9, 2, 4
	q, kv := normal(12, n*h*d), normal(13, n*2*h*d)
	seed := normal(14, n*h*d)
	run := func(wantQ, wantKV, twice bool) (dq, dkv []float32) {
		tape := NewTape(Options{Gradients: true, Debug: true})
		a, b := tape.Input(q, 1, n, h*d), tape.Input(kv, 1, n, 2*h*d)
		if wantQ {
			a.WantGradient()
		}
		if wantKV {
			b.WantGradient()
		}
		f := func() *Tensor {
			return Attention(Columns{a, 0}, Columns{b, 0}, Columns{b, h * d}, AttentionOptions{Heads: h})
		}
		outs, seeds := []*Tensor{f()}, [][]float32{seed}
		if twice {
			outs, seeds = append(outs, f()), append(seeds, seed)
		}
		g := NewGradients()
		Backward(g, outs, seeds)
		return g.OfTensor(a), g.OfTensor(b)
	}
	dq, dkv := run(true, true, false)
	onlyQ, none := run(true, false, false)
	if none != nil {
		t.Error("a gradient nobody wanted")
	}
	sameBits(t, "dq alone", onlyQ, dq)
	_, onlyKV := run(false, true, false)
	sameBits(t, "dkv alone", onlyKV, dkv)
	dq2, dkv2 := run(true, true, true)
	double := func(x []float32) []float32 {
		y := slices.Clone(x)
		for i := range y {
			y[i] *= 2
		}
		return y
	}
	golden.Gradient(t, "dq twice", dq2, double(dq), 0)
	golden.Gradient(t, "dkv twice", dkv2, double(dkv), 0)
}

func TestAttentionPanics(t *testing.T) {
	tape := NewTape(Options{})
	x := tape.Full(0, 2, 3, 12)
	for name, f := range map[string]func(){
		"not three dimensions": func() { y := tape.Full(0, 3, 12); packed2(y, y, AttentionOptions{}) },
		"batches":              func() { packed2(x, tape.Full(0, 1, 3, 24), AttentionOptions{}) },
		"heads":                func() { packed(x, AttentionOptions{Heads: 3}) },
		"range":                func() { Attention(Columns{x, 4}, Columns{x, 0}, Columns{x, 9}, AttentionOptions{HeadDim: 4}) },
		"width beyond int":     func() { packed(x, AttentionOptions{Heads: 4, HeadDim: math.MaxInt/2 + 1}) },
		"range beyond int":     func() { Attention(Columns{x, math.MaxInt}, Columns{x, 0}, Columns{x, 4}, AttentionOptions{HeadDim: 4}) },
		"overlap":              func() { Attention(Columns{x, 0}, Columns{x, 2}, Columns{x, 8}, AttentionOptions{HeadDim: 4}) },
		"bias":                 func() { packed(x, AttentionOptions{Bias: tape.Full(0, 2, 2, 3, 3)}) },
		"mask":                 func() { packed(x, AttentionOptions{KeyMask: make([]bool, 5)}) },
		"missing":              func() { Attention(Columns{x, 0}, Columns{}, Columns{x, 0}, AttentionOptions{}) },
	} {
		t.Run(name, func(t *testing.T) { expectShapeError(t, f) })
	}
}

func packed2(q, kv Operand, o AttentionOptions) *Tensor {
	return Attention(Columns{q, 0}, Columns{kv, 0}, Columns{kv, 12}, o)
}

// unfused is the attention written with the operations it replaces; hidden is -1e30 where a key is hidden.
func unfused(q, kv *Tensor, heads int, bias, hidden *Tensor) *Tensor {
	b, tq, tk, width := q.Dim(0), q.Dim(1), kv.Dim(1), q.Dim(2)
	d := width / heads
	split := func(x *Tensor, t int) *Tensor { return Transpose(Reshape(x, b, t, heads, d), 1, 2) }
	k, v := split(Slice(kv, 2, 0, width), tk), split(Slice(kv, 2, width, 2*width), tk)
	s := MatMulT(split(q, tq), k, false, true)
	s = Mul(s, q.Tape().Full(float32(1/math.Sqrt(float64(d))), 1))
	s = Add(Add(s, bias), hidden)
	return Reshape(Transpose(MatMul(Softmax(s), v), 1, 2), b, tq, width)
}

// Sizes that take several blocks of queries, with all options drawn at random, agree with the operations
// they replace, gradients included.
func TestAttentionUnfused(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 1))
	for i := range 12 {
		b, heads, d := 1+r.IntN(2), 1+r.IntN(3), 1+r.IntN(12)
		tq, tk := 1+r.IntN(150), 1+r.IntN(150)
		if i < 2 {
			b, heads, tq, tk = 1, 1, 300, 300 // more than a block of scores even when not causal
		}
		o := AttentionOptions{Heads: heads, Causal: i%2 == 1}
		if o.Causal {
			tq = min(tq, tk)
		}
		if i%3 != 0 {
			o.KeyMask = make([]bool, b*tk)
			for j := range o.KeyMask {
				o.KeyMask[j] = j%tk == 0 || r.IntN(4) > 0
				if i%3 == 2 {
					o.KeyMask[j] = j%tk < tk-tk/3 // side by side
				}
			}
		}
		width := heads * d
		q, kv := normal(uint64(100+i), b*tq*width), normal(uint64(200+i), b*tk*2*width)
		biasShape := []int{1 + (b-1)*r.IntN(2), 1 + (heads-1)*r.IntN(2), 1 + (tq-1)*r.IntN(2), tk}
		bias := normal(uint64(300+i), biasShape[0]*biasShape[1]*biasShape[2]*tk)
		hidden := make([]float32, b*tq*tk)
		for j := range hidden {
			seq, row, col := j/(tq*tk), j/tk%tq, j%tk
			if o.Causal && col > row+tk-tq || o.KeyMask != nil && !o.KeyMask[seq*tk+col] {
				hidden[j] = -1e30
			}
		}
		run := func(fused bool, workers *simd.Workers) (y []float32, grads [3][]float32) {
			tape := NewTape(Options{Gradients: true, Debug: true, Workers: workers})
			qt, kvt := tape.Input(q, b, tq, width).WantGradient(), tape.Input(kv, b, tk, 2*width).WantGradient()
			bt := tape.Input(bias, biasShape...).WantGradient()
			var out *Tensor
			if fused {
				o.Bias = bt
				out = Attention(Columns{qt, 0}, Columns{kvt, 0}, Columns{kvt, width}, o)
			} else {
				out = unfused(qt, kvt, heads, bt, tape.Input(hidden, b, 1, tq, tk))
			}
			y = out.Floats(nil)
			g := NewGradients()
			Backward(g, []*Tensor{out}, [][]float32{normal(uint64(400+i), len(y))})
			return y, [3][]float32{g.OfTensor(qt), g.OfTensor(kvt), g.OfTensor(bt)}
		}
		want, wantGrads := run(false, nil)
		got, grads := run(true, nil)
		two, twoGrads := run(true, simd.NewWorkers(2))
		golden.Output(t, "result", got, want)
		sameBits(t, "result on two threads", two, got)
		for j, name := range []string{"dq", "dkv", "dbias"} {
			golden.Gradient(t, name, grads[j], wantGrads[j], golden.Norm(wantGrads[:]...))
			sameBits(t, name+" on two threads", twoGrads[j], grads[j])
		}
		if t.Failed() {
			t.Fatalf("case %d: b=%d heads=%d d=%d tq=%d tk=%d causal=%v mask=%v bias=%v", i, b, heads, d, tq, tk, o.Causal, o.KeyMask != nil, biasShape)
		}
	}
}
