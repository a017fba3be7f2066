package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// eachWords runs f on every kernel of words that this machine has.
func eachWords(t *testing.T, f func(t *testing.T, x Math, k *wordKernel)) {
	gemmLevels(t, func(t *testing.T, _ *gemmKernel) {
		for x := range mathNames {
			for _, k := range wordKernelsOf(level, Math(x)) {
				t.Run(fmt.Sprint(Math(x), "/", k.name), func(t *testing.T) {
					defer setWords(Math(x), k)()
					f(t, Math(x), k)
				})
			}
		}
	})
}

// A wordProblem is a product with its result in one of the arithmetics: exact for Int8; for BF16, up to slack.
type wordProblem struct {
	*problem
	math  Math
	slack []float64
}

// quantize returns what Int8 makes of numbers: integers and a scale.
func quantize(x []float32) (q []int64, scale float32) {
	most := float32(0)
	for _, v := range x {
		switch {
		case v != v || math.IsInf(float64(v), 0):
			return make([]int64, len(x)), float32(math.NaN())
		case v < 0:
			v = -v
		}
		most = max(most, v)
	}
	q = make([]int64, len(x))
	if most < 0x1p-120 {
		return q, 0
	}
	inverse := 127 / most
	for i, v := range x {
		q[i] = int64(math.RoundToEven(float64(v * inverse)))
	}
	return q, most / 127
}

// solve computes what C must be before the epilogue.
func (p *wordProblem) solve() {
	p.want = slices.Clone(p.c)
	p.slack = make([]float64, len(p.c))
	row, col := make([]float32, p.k), make([]float32, p.k)
	for i := range p.m {
		for q := range row {
			row[q] = p.a.at(i, q)[0]
		}
		for j := range p.n {
			for q := range col {
				col[q] = p.b.at(q, j)[0]
			}
			c := &p.want[i*p.ldc+j]
			start := float32(p.beta * *c) // each product rounds by itself
			if p.beta == 0 {
				start = 0
			}
			if p.math == BF16 {
				sum, size := float64(start), math.Abs(float64(start))
				for q := range row {
					product := float64(toBF16(row[q])) * float64(toBF16(col[q]))
					sum += product
					size += math.Abs(product)
				}
				*c = float32(sum)
				p.slack[i*p.ldc+j] = float64(p.k+2)*0x1p-23*size + float64(p.k)*0x1p-126
				continue
			}
			a, sa := quantize(row)
			b, sb := quantize(col)
			*c = start
			for k := 0; k < p.k; k += intSegment {
				var sum int64
				for q := k; q < min(k+intSegment, p.k); q++ {
					sum += a[q] * b[q]
				}
				x := float32(float32(sum) * sa * sb)
				if k == 0 && p.beta == 0 {
					*c = x
				} else {
					*c += x
				}
			}
		}
	}
}

func toBF16(v float32) float32 {
	var h [1]uint16
	F32ToBF16(h[:], []float32{v})
	var f [1]float32
	BF16ToF32(f[:], h[:])
	return f[0]
}

func (p *wordProblem) check(t *testing.T, how string, c []float32) {
	t.Helper()
	for i, v := range c {
		w := p.want[i]
		if math.Float32bits(v) == math.Float32bits(w) || v != v && w != w {
			continue
		}
		if math.Abs(float64(v)-float64(w)) <= p.slack[i] {
			continue
		}
		t.Fatalf("%v %v %s: %v: C[%d, %d] = %v, want %v", level, p.math, how, p.problem, i/p.ldc, i%p.ldc, v, w)
	}
}

// run computes the problem in every way there is, and checks that all have the same bits.
func (p *wordProblem) run(t *testing.T, w *Workers) {
	t.Helper()
	c := slices.Clone(p.c)
	p.math.Gemm(w, p.m, p.n, p.k, p.a, p.b, p.beta, c, p.ldc, nil)
	p.check(t, "Gemm", c)
	equal := func(how string, other []float32) {
		t.Helper()
		for i, v := range other {
			if math.Float32bits(v) != math.Float32bits(c[i]) && (v == v || c[i] == c[i]) {
				t.Fatalf("%v %v: %v: C[%d, %d] of %s = %x, of Gemm %x", level, p.math, p.problem, i/p.ldc, i%p.ldc, how, v, c[i])
			}
		}
	}
	for _, packed := range []*Packed{
		Pack(w, p.k, p.n, p.b, PackOptions{Math: p.math}),
		PackRows(w, p.k, p.n, p.b.Trans, func(dst []float32, i, j int) { copy(dst, p.b.Data[i*p.b.Stride+j:]) }, PackOptions{Math: p.math}),
	} {
		other := slices.Clone(p.c)
		GemmPacked(w, p.m, p.a, packed, p.beta, other, p.ldc, nil)
		equal("GemmPacked", other)
	}
	var cs [3][]float32
	for i := range cs {
		cs[i] = slices.Clone(p.c)
	}
	p.math.GemmBatch(w, len(cs), p.m, p.n, p.k, p.beta, func(i int) (a, b Matrix, c []float32, ldc int) {
		return p.a, p.b, cs[i], p.ldc
	})
	for _, other := range cs {
		equal("GemmBatch", other)
	}
	if p.m > 1 && p.k > 0 { // rows do not know their neighbors
		i := p.m / 2
		row := slices.Clone(p.c[i*p.ldc:][:p.n])
		p.math.Gemm(nil, 1, p.n, p.k, Matrix{p.a.at(i, 0), p.a.Stride, p.a.Trans}, p.b, p.beta, row, p.n, nil)
		for j, v := range row {
			if w := c[i*p.ldc+j]; math.Float32bits(v) != math.Float32bits(w) && (v == v || w == w) {
				t.Fatalf("%v %v: %v: C[%d, %d] alone = %x, with its neighbors %x", level, p.math, p.problem, i, j, v, w)
			}
		}
	}
}

func newWordProblem(rng *rand.Rand, x Math, m, n, k int, value func() float32) *wordProblem {
	p := &wordProblem{problem: newProblem(rng, m, n, k, value), math: x}
	p.solve()
	return p
}

func TestWords(t *testing.T) {
	rounds := 200
	if testing.Short() {
		rounds = 15
	}
	eachWords(t, func(t *testing.T, x Math, k *wordKernel) {
		rng := rand.New(rand.NewPCG(1, 2))
		for range rounds {
			m, n, depth := sizes(rng, k.kern)
			if rng.IntN(4) == 0 {
				depth = 1 + rng.IntN(40*k.numbers)
			}
			p := newWordProblem(rng, x, m, n, depth, func() float32 { return float32(rng.NormFloat64()) })
			p.run(t, nil)
			p.run(t, NewWorkers(3))
		}
	})
}

// Rows and columns with a NaN, with an infinity, of zeros and of tiny numbers.
func TestWordsOfStrangeNumbers(t *testing.T) {
	numbers := []float32{0, 1, -1, float32(math.Copysign(0, -1)), 0x1p-119, 0x1p50, float32(math.Inf(1)), float32(math.NaN()), 0x1p-130, 0x1p-149}
	eachWords(t, func(t *testing.T, x Math, k *wordKernel) {
		values := numbers
		if x == BF16 && k.numbers > 1 {
			values = numbers[:len(numbers)-2] // the instruction takes them for zero
		}
		rng := rand.New(rand.NewPCG(3, 4))
		for range 25 {
			m, n, depth := 1+rng.IntN(20), 1+rng.IntN(70), 1+rng.IntN(40)
			few := 1 + rng.IntN(len(values))
			p := newWordProblem(rng, x, m, n, depth, func() float32 {
				if rng.IntN(10) > 0 {
					return float32(rng.NormFloat64())
				}
				return values[rng.IntN(few)]
			})
			p.run(t, nil)
		}
	})
}

// The sums of more than a segment are added in float32.
func TestWordsOfLongSums(t *testing.T) {
	eachWords(t, func(t *testing.T, x Math, k *wordKernel) {
		if !k.integers {
			t.Skip("sums are float32")
		}
		rng := rand.New(rand.NewPCG(5, 6))
		depths := []int{intSegment + 1, intSegment - 1, intSegment, 2*intSegment + 5}
		if testing.Short() {
			depths = depths[:1]
		}
		for _, depth := range depths {
			// The largest sums there can be.
			p := newWordProblem(rng, x, 2, 3, depth, func() float32 { return 1 })
			p.run(t, nil)
		}
	})
}

// Epilogues follow the finished sums, whether tiles do their steps or a pass after them does.
func TestWordsEpilogue(t *testing.T) {
	eachWords(t, func(t *testing.T, x Math, k *wordKernel) {
		rng := rand.New(rand.NewPCG(7, 8))
		const m, n = 37, 133
		bias, scale, residual := randomFloats(n, 1), randomFloats(n, 2), randomFloats(m*n, 3)
		depths := []int{500, wordBlock*k.numbers/k.words + 40}
		if testing.Short() {
			depths = []int{50}
		}
		for _, depth := range depths {
			p := newWordProblem(rng, x, m, n, depth, func() float32 { return float32(rng.NormFloat64()) })
			for _, beta := range []float32{0, p.beta} {
				plain := slices.Clone(p.c)
				x.Gemm(nil, m, n, depth, p.a, p.b, beta, plain, p.ldc, nil)
				for _, ep := range []Epilogue{
					{Bias: bias, Act: ActGelu, Residual: residual, ResidualStride: n},
					{Bias: bias, Scale: scale, Residual: residual, ResidualStride: n},
					{Bias: bias, Act: ActRelu, Residual: residual, ResidualStride: n, ResidualFirst: true},
					{Residual: residual, ResidualStride: n},
				} {
					want, fused := slices.Clone(plain), slices.Clone(p.c)
					x.Gemm(NewWorkers(2), m, n, depth, p.a, p.b, beta, fused, p.ldc, &ep)
					ep.finish(&gemmOperands{c: want, ldc: p.ldc}, 0, m, 0, n)
					if !slices.Equal(want, fused) {
						t.Errorf("sums of %d products, beta %g: the epilogue differs from its steps after the product", depth, beta)
					}
				}
			}
		}
	})
}

func TestWordsDoNotAllocate(t *testing.T) {
	eachWords(t, func(t *testing.T, x Math, k *wordKernel) {
		m, n, depth := 20, 64, 200
		a, b, c := make([]float32, m*depth), make([]float32, n*depth), make([]float32, m*n)
		packed := Pack(nil, depth, n, Matrix{b, depth, true}, PackOptions{Math: x})
		operands := func(int) (Matrix, Matrix, []float32, int) {
			return Matrix{a, depth, false}, Matrix{b, n, false}, c, n
		}
		if most := testing.AllocsPerRun(20, func() {
			GemmPacked(nil, m, Matrix{a, depth, false}, packed, 0, c, n, nil)
			x.Gemm(nil, m, n, depth, Matrix{a, m, true}, Matrix{b, depth, true}, 0, c, n, nil)
			x.GemmBatch(nil, 2, m, n, depth, 0, operands)
		}); most > 0 {
			t.Errorf("%g allocations", most)
		}
	})
}

// A product of very many rows makes words of some at a time. Each row has its bits and its part of the epilogue.
func TestWordsOfManyRows(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	const n, k = 3, 5
	m := sharedMost/48 + 100
	a, b, rowBias, pre, residual := randomFloats(m*k, 1), randomFloats(n*k, 2), randomFloats(m, 3), make([]float32, m*n), randomFloats(m*n, 4)
	for _, x := range []Math{BF16, Int8} {
		for _, trans := range []bool{false, true} {
			view := func(i, rows int) Matrix {
				if trans {
					return Matrix{a[i:], m, true}
				}
				return Matrix{a[i*k:][:rows*k], k, false}
			}
			ep := Epilogue{RowBias: rowBias, Pre: pre, PreStride: n, Act: ActRelu, Residual: residual, ResidualStride: n}
			c := make([]float32, m*n)
			x.Gemm(NewWorkers(2), m, n, k, view(0, m), Matrix{b, k, true}, 0, c, n, &ep)
			for _, i := range []int{0, m / 2, m - 200, m - 1} {
				out, outPre := make([]float32, n), make([]float32, n)
				one := Epilogue{RowBias: rowBias[i:], Pre: outPre, PreStride: n, Act: ActRelu, Residual: residual[i*n:], ResidualStride: n}
				x.Gemm(nil, 1, n, k, view(i, 1), Matrix{b, k, true}, 0, out, n, &one)
				if !slices.Equal(out, c[i*n:][:n]) || !slices.Equal(outPre, pre[i*n:][:n]) {
					t.Errorf("%v, transposed %t: row %d of %d is %v, alone %v", x, trans, i, m, c[i*n:][:n], out)
				}
			}
		}
	}
}

// A batch of tall products makes words of some rows at a time, in each task. Each C has the bits of a product of its own.
func TestWordsOfTallBatches(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	const count, m, n, k = 2, 9000, 3, 3000
	a, b := randomFloats(count*m*k, 1), randomFloats(n*k, 2)
	for _, x := range []Math{BF16, Int8} {
		for _, trans := range []bool{false, true} {
			view := func(i int) Matrix {
				if trans {
					return Matrix{a[i*m*k:][:m*k], m, true}
				}
				return Matrix{a[i*m*k:][:m*k], k, false}
			}
			cs := randomFloats(count*m*n, 3)
			want := slices.Clone(cs)
			free := gemmScratches.free
			gemmScratches.free = nil
			x.GemmBatch(NewWorkers(2), count, m, n, k, .5, func(i int) (Matrix, Matrix, []float32, int) {
				return view(i), Matrix{b, k, true}, cs[i*m*n:], n
			})
			for _, s := range gemmScratches.free {
				if size := cap(s.words); size > batchWords {
					t.Errorf("%v: scratch of %d words in one task, of at most %d", x, size, batchWords)
				}
			}
			gemmScratches.free = free
			for i := range count {
				x.Gemm(nil, m, n, k, view(i), Matrix{b, k, true}, .5, want[i*m*n:], n, nil)
			}
			if !slices.Equal(cs, want) {
				t.Errorf("%v, transposed %t: a batch differs from products one by one", x, trans)
			}
		}
	}
}
