package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/fovea-ml/fovea/simd/internal/exact"
)

// A problem is one product with its operands, and the C that the contract demands.
type problem struct {
	m, n, k int
	a, b    Matrix
	beta    float32
	c       []float32 // before
	ldc     int
	want    []float32
	slack   []float64 // by element: the most that the order of rounding may change, k·eps·Σ|a·b|
}

func (p *problem) String() string {
	return fmt.Sprintf("m=%d n=%d k=%d a=%d,%t b=%d,%t beta=%g ldc=%d",
		p.m, p.n, p.k, p.a.Stride, p.a.Trans, p.b.Stride, p.b.Trans, p.beta, p.ldc)
}

// solve computes each element of C as the sum of blocks that the contract demands.
func (p *problem) solve() {
	p.want = append([]float32(nil), p.c...)
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
			at := i*p.ldc + j
			var start *float32
			var sum float64
			if p.beta != 0 {
				start = new(p.beta * p.c[at])
				sum = math.Abs(float64(*start))
			}
			for q, x := range row {
				sum += math.Abs(float64(x) * float64(col[q]))
			}
			p.want[at] = exact.Product(row, col, kBlock, kChain, start)
			p.slack[at] = float64(p.k+1) * 0x1p-23 * sum
		}
	}
}

// check compares all of c, the gaps between rows included, with what was demanded: bit for bit, except
// that the portable level may round each product.
func (p *problem) check(t *testing.T, how string, c []float32) {
	t.Helper()
	for i, v := range c {
		w := p.want[i]
		if math.Float32bits(v) == math.Float32bits(w) || v != v && w != w {
			continue
		}
		if level == Generic && math.Abs(float64(v)-float64(w)) <= p.slack[i] {
			continue
		}
		t.Fatalf("%v %s: %v: C[%d, %d] = %x, want %x", level, how, p, i/p.ldc, i%p.ldc, v, w)
	}
}

// run computes the problem in every way there is and checks each.
func (p *problem) run(t *testing.T, w *Workers) {
	t.Helper()
	c := append([]float32(nil), p.c...)
	Gemm(w, p.m, p.n, p.k, p.a, p.b, p.beta, c, p.ldc, nil)
	p.check(t, "Gemm", c)

	copy(c, p.c)
	GemmPacked(w, p.m, p.a, Pack(w, p.k, p.n, p.b, PackOptions{}), p.beta, c, p.ldc, nil)
	p.check(t, "GemmPacked", c)

	var cs [3][]float32
	for i := range cs {
		cs[i] = append([]float32(nil), p.c...)
	}
	GemmBatch(w, len(cs), p.m, p.n, p.k, p.beta, func(i int) (a, b Matrix, c []float32, ldc int) {
		return p.a, p.b, cs[i], p.ldc
	})
	for i := range cs {
		p.check(t, "GemmBatch", cs[i])
	}
}

// newProblem draws a problem; value draws its numbers.
func newProblem(rng *rand.Rand, m, n, k int, value func() float32) *problem {
	fill := func(n int) []float32 {
		s := make([]float32, n)
		for i := range s {
			s[i] = value()
		}
		return s
	}
	view := func(rows, cols int) Matrix {
		x := Matrix{Trans: rng.IntN(2) == 0}
		if x.Trans {
			rows, cols = cols, rows
		}
		x.Stride = max(1, cols+rng.IntN(3)*rng.IntN(20))
		x.Data = fill(max(0, (rows-1)*x.Stride+cols))
		return x
	}
	p := &problem{m: m, n: n, k: k, a: view(m, k), b: view(k, n)}
	p.beta = [...]float32{0, 0, 1, 1, -1, .3}[rng.IntN(6)]
	p.ldc = n + rng.IntN(3)*rng.IntN(5)
	p.c = fill((m-1)*p.ldc + n)
	p.solve()
	return p
}

// gemmLevels runs f at every level of this machine.
func gemmLevels(t *testing.T, f func(t *testing.T, kern *gemmKernel)) {
	for _, l := range Levels() {
		t.Run(l.String(), func(t *testing.T) {
			defer SetLevel(l)()
			f(t, gemmKernels[l])
		})
	}
}

// depths are values of k around the ends of chains and of K blocks.
var depths = []int{1, 95, 96, 97, 191, 193, 255, 256, 257, 383, 384, 385, 511, 512, 513, 768, 1000}

// sizes draws problem sizes around the tiles and K blocks of kern.
func sizes(rng *rand.Rand, kern *gemmKernel) (m, n, k int) {
	m, n = 1+rng.IntN(2*kern.mr+1), 1+rng.IntN(2*kern.nr+1)
	switch rng.IntN(12) {
	case 0: // several panels, few rows: the wide tiles
		m, n = 1+rng.IntN(6), 1+rng.IntN(9*kern.nr)
	case 1: // many tiles
		m, n = 1+rng.IntN(6*kern.mr), 1+rng.IntN(5*kern.nr)
	}
	k = [...]int{0, 1, 2, 3, 4, 5, 7, 17, 31, 64, depths[rng.IntN(len(depths))], depths[rng.IntN(len(depths))]}[rng.IntN(12)]
	if k > 100 && m*n > 500 {
		m = 1 + m%7
	}
	return m, n, k
}

func TestGemmBits(t *testing.T) {
	count := 300
	if testing.Short() {
		count = 80
	}
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		rng := rand.New(rand.NewPCG(1, uint64(kern.level)))
		for i := range count {
			m, n, k := sizes(rng, kern)
			p := newProblem(rng, m, n, k, func() float32 { return float32(rng.NormFloat64()) })
			p.run(t, NewWorkers(1+i%3))
		}
	})
}

// Every height of tile, against full and partial panels.
func TestGemmEveryTile(t *testing.T) {
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		rng := rand.New(rand.NewPCG(2, 2))
		for m := 1; m <= 2*kern.mr+1; m++ {
			for _, n := range []int{1, kern.nr - 1, kern.nr, 2*kern.nr + 1} {
				p := newProblem(rng, m, n, 9, func() float32 { return float32(rng.NormFloat64()) })
				p.run(t, nil)
			}
		}
	})
}

// Every depth, at every height of tile and at edges of a panel, packed and not, on one to three threads.
func TestGemmBlocks(t *testing.T) {
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		rng := rand.New(rand.NewPCG(6, 6))
		for _, k := range depths {
			for m := 1; m <= 2*kern.mr+1; m++ {
				n := [...]int{1, kern.nr - 1, kern.nr, kern.nr + 1, 4*kern.nr + 3}[rng.IntN(5)]
				if testing.Short() && m%3 != 1 && m > 3 {
					continue
				}
				p := newProblem(rng, m, n, k, func() float32 { return float32(rng.NormFloat64()) })
				p.run(t, NewWorkers(1+m%3))
			}
		}
	})
}

// A convolution's K block is shorter than a product's, or longer where its window is large.
func TestGemmBlockLength(t *testing.T) {
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		if kern.level == Generic {
			return
		}
		rng := rand.New(rand.NewPCG(7, 7))
		for _, block := range [][2]int{{1, 1}, {9, 9}, {252, 252}, {289, 289}, {90, 40}, {513, 100}} {
			for _, m := range []int{1, kern.mr, 3*kern.mr + 1} {
				n, k := 2*kern.nr+3, 1+rng.IntN(900)
				a, b := Matrix{Data: randomFloats(m*k, 1), Stride: k}, Matrix{Data: randomFloats(k*n, 2), Stride: n}
				c := make([]float32, m*n)
				g := gemmRuns.get()
				g.kern, g.m, g.n, g.k, g.block, g.chain = kern, m, n, k, block[0], block[1]
				g.one = gemmOperands{a: a, b: b, c: c, ldc: n}
				g.run(NewWorkers(2), 1)
				col := make([]float32, k)
				for j := range n {
					for q := range col {
						col[q] = b.Data[q*n+j]
					}
					for i := range m {
						if want := exact.Product(a.Data[i*k:][:k], col, block[0], block[1], nil); c[i*n+j] != want {
							t.Fatalf("block %v, %d×%d×%d: C[%d, %d] = %x, want %x", block, m, n, k, i, j, c[i*n+j], want)
						}
					}
				}
			}
		}
	})
}

func TestGemmSpecialValues(t *testing.T) {
	specials := []float32{0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.Inf(-1)),
		float32(math.NaN()), 1e-45, -1e-39, math.MaxFloat32}
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		rng := rand.New(rand.NewPCG(3, 3))
		for i := range 120 {
			m, n, k := sizes(rng, kern)
			p := newProblem(rng, m, n, min(k, 40), func() float32 {
				if rng.IntN(40+i*8) == 0 {
					return specials[rng.IntN(len(specials))]
				}
				return float32(rng.NormFloat64())
			})
			if kern.level == Generic {
				// Overflow is where rounding a product of its own shows beyond any tolerance.
				for j, w := range p.want {
					if w != w || math.IsInf(float64(w), 0) {
						p.slack[j] = math.NaN()
					}
				}
				c := append([]float32(nil), p.c...)
				Gemm(nil, p.m, p.n, p.k, p.a, p.b, p.beta, c, p.ldc, nil)
				for j, v := range c {
					if w := p.want[j]; w != w && v == v && !math.IsInf(float64(v), 0) {
						t.Fatalf("%v: %g where a NaN should be", p, v)
					}
				}
				continue
			}
			p.run(t, nil)
		}
	})
}

// One NaN or infinity at any place of A or B reaches its row or column of C, and no other element.
func TestGemmNaNReachesItsRow(t *testing.T) {
	const m, n, k = 15, 33, 6
	nan := float32(math.NaN())
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		a, b := Matrix{randomFloats(m*k, 1), k, false}, Matrix{randomFloats(n*k, 2), k, true}
		c := make([]float32, m*n)
		for _, bad := range []float32{nan, float32(math.Inf(1))} {
			for at := range m * k {
				old := a.Data[at]
				a.Data[at] = bad
				Gemm(nil, m, n, k, a, b, 0, c, n, nil)
				a.Data[at] = old
				for i, v := range c {
					if finite := v-v == 0; finite == (i/n == at/k) {
						t.Fatalf("A[%d] = %g: C[%d, %d] = %g", at, bad, i/n, i%n, v)
					}
				}
			}
			for at := range n * k {
				old := b.Data[at]
				b.Data[at] = bad
				Gemm(nil, m, n, k, a, b, 0, c, n, nil)
				b.Data[at] = old
				for i, v := range c {
					if finite := v-v == 0; finite == (i%n == at/k) {
						t.Fatalf("B[%d] = %g: C[%d, %d] = %g", at, bad, i/n, i%n, v)
					}
				}
			}
		}
	})
}

func TestGemmBetaZeroDoesNotRead(t *testing.T) {
	nan := float32(math.NaN())
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		for _, k := range []int{0, 1, 40, kern.kc + 1} {
			m, n := kern.mr+1, kern.nr+1
			c := make([]float32, m*n)
			for i := range c {
				c[i] = nan
			}
			a, b := Matrix{randomFloats(m*k, 1), max(k, 1), false}, Matrix{randomFloats(k*n, 2), n, false}
			Gemm(nil, m, n, k, a, b, 0, c, n, nil)
			for i, v := range c {
				if v != v || k == 0 && v != 0 {
					t.Fatalf("k=%d: C[%d] = %g", k, i, v)
				}
			}
		}
	})
}

// Small integers have one right answer, whatever rounds when.
func TestGemmIntegersAtEveryLevel(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for range 40 {
		m, n, k := 1+rng.IntN(80), 1+rng.IntN(100), rng.IntN(500)
		a, b := make([]float32, m*k+1), make([]float32, k*n+1)
		for i := range a {
			a[i] = float32(rng.IntN(17) - 8)
		}
		for i := range b {
			b[i] = float32(rng.IntN(17) - 8)
		}
		var first []float32
		gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
			c := make([]float32, m*n)
			Gemm(NewWorkers(2), m, n, k, Matrix{a, max(k, 1), false}, Matrix{b, n, false}, 0, c, n, nil)
			if first == nil {
				first = c
			}
			for i := range c {
				if c[i] != first[i] {
					t.Fatalf("%d×%d×%d: C[%d] = %g, the first level has %g", m, n, k, i, c[i], first[i])
				}
			}
		})
	}
}

// The shapes of a transformer, with 1 to 4 threads, alone and as rows of a batch.
func TestGemmThreadsAndBatch(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	shapes := [][3]int{{60, 1024, 300}, {197, 768, 192}, {197, 96, 1000}, {1, 512, 768}, {40, 1024, 640}, {520, 200, 64}, {1100, 40, 100}, {600, 1024, 40}}
	if testing.Short() {
		shapes = shapes[2:4]
	}
	fused := []Level{}
	for _, l := range Levels() {
		if l != Generic {
			fused = append(fused, l)
		}
	}
	for _, s := range shapes {
		m, k, n := s[0], s[1], s[2]
		a, b := Matrix{randomFloats(m*k, 1), k, false}, Matrix{randomFloats(n*k, 2), k, true}
		// The same numbers, stored the other way round.
		at, bt := Matrix{make([]float32, m*k), m, true}, Matrix{make([]float32, k*n), n, false}
		for i := range m {
			for q := range k {
				at.Data[q*m+i] = a.Data[i*k+q]
			}
		}
		for j := range n {
			for q := range k {
				bt.Data[q*n+j] = b.Data[j*k+q]
			}
		}
		var first []float32
		for _, l := range fused {
			restore := SetLevel(l)
			p := Pack(NewWorkers(3), k, n, b, PackOptions{})
			for threads := 1; threads <= 4; threads++ {
				w := NewWorkers(threads)
				c, d, e := make([]float32, m*n), make([]float32, m*n), make([]float32, m*n)
				Gemm(w, m, n, k, a, b, 0, c, n, nil)
				GemmPacked(w, m, a, p, 0, d, n, nil)
				Gemm(w, m, n, k, at, bt, 1, e, n, nil)
				if first == nil {
					first = c
				}
				for i := range c {
					if c[i] != first[i] || d[i] != first[i] || e[i] != first[i] {
						t.Fatalf("%v %v with %d threads: C[%d] = %x, packed %x, transposed %x, first %x", s, l, threads, i, c[i], d[i], e[i], first[i])
					}
				}
				// A row alone has the bits it has among others.
				row := make([]float32, n)
				for _, i := range []int{0, m / 2, m - 1} {
					GemmPacked(w, 1, Matrix{a.Data[i*k:], k, false}, p, 0, row, n, nil)
					for j, v := range row {
						if v != first[i*n+j] {
							t.Fatalf("%v %v: row %d alone: [%d] = %x, want %x", s, l, i, j, v, first[i*n+j])
						}
					}
				}
			}
			restore()
		}
	}
}

func TestGemmEmpty(t *testing.T) {
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		c := []float32{7}
		Gemm(nil, 0, 5, 5, Matrix{}, Matrix{make([]float32, 25), 5, false}, 0, nil, 5, nil)
		Gemm(nil, 5, 0, 5, Matrix{make([]float32, 25), 5, false}, Matrix{}, 0, c, 0, nil)
		GemmPacked(nil, 3, Matrix{}, Pack(nil, 0, 0, Matrix{}, PackOptions{}), 0, c, 0, nil)
		GemmBatch(nil, 0, 1, 1, 1, 0, nil)
		if c[0] != 7 {
			t.Error("an empty product wrote to C")
		}
		// k = 0 leaves beta·C and the epilogue.
		Gemm(nil, 1, 1, 0, Matrix{}, Matrix{}, 2, c, 1, &Epilogue{Bias: []float32{3}})
		if c[0] != 17 {
			t.Errorf("2·7 + 3 = %g", c[0])
		}
		GemmPacked(nil, 1, Matrix{}, Pack(nil, 0, 1, Matrix{}, PackOptions{}), 0, c, 1, &Epilogue{Bias: []float32{3}})
		if c[0] != 3 {
			t.Errorf("0 + 3 = %g", c[0])
		}
	})
}

func TestPacked(t *testing.T) {
	const k, n = 70, 50
	b := Matrix{randomFloats(k*n, 1), n, false}
	p := Pack(nil, k, n, b, PackOptions{})
	if gk, gn := p.Dims(); gk != k || gn != n {
		t.Errorf("Dims() = %d, %d", gk, gn)
	}
	if p.Bytes() < 4*k*n || p.Bytes() > 8*k*n {
		t.Errorf("Bytes() = %d for %d numbers", p.Bytes(), k*n)
	}
	// A packed operand keeps the level it was packed for.
	a := Matrix{randomFloats(3*k, 2), k, false}
	want, got := make([]float32, 3*n), make([]float32, 3*n)
	GemmPacked(nil, 3, a, p, 0, want, n, nil)
	defer SetLevel(Generic)()
	GemmPacked(nil, 3, a, p, 0, got, n, nil)
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("[%d] = %g, want %g", i, got[i], want[i])
		}
	}
}

func TestGemmArguments(t *testing.T) {
	f := func(n int) []float32 { return make([]float32, n) }
	ok := Matrix{f(12), 4, false}
	for _, c := range []struct {
		want string
		call func()
	}{
		{"Gemm: A has 11 elements, too few for 3 rows of 4 with stride 4", func() { Gemm(nil, 3, 3, 4, Matrix{f(11), 4, false}, ok, 0, f(9), 3, nil) }},
		{"Gemm: A has stride 3, less than its 4 columns", func() { Gemm(nil, 3, 3, 4, Matrix{f(12), 3, false}, ok, 0, f(9), 3, nil) }},
		{"Gemm: B has 11 elements", func() { Gemm(nil, 3, 3, 4, ok, Matrix{f(11), 4, true}, 0, f(9), 3, nil) }},
		{"Gemm: C has 8 elements", func() { Gemm(nil, 3, 3, 4, ok, Matrix{f(12), 4, true}, 0, f(8), 3, nil) }},
		{"Gemm: C has stride 2", func() { Gemm(nil, 3, 3, 4, ok, Matrix{f(12), 4, true}, 0, f(9), 2, nil) }},
		{"Gemm: negative size: m=-1", func() { Gemm(nil, -1, 3, 4, ok, ok, 0, f(9), 3, nil) }},
		{"Gemm: C has 9 elements", func() { Gemm(nil, 3, 3, 4, ok, Matrix{f(12), 4, true}, 0, f(9), math.MaxInt/2, nil) }},
		{"Gemm: Bias has 2 elements", func() { Gemm(nil, 3, 3, 4, ok, Matrix{f(12), 4, true}, 0, f(9), 3, &Epilogue{Bias: f(2)}) }},
		{"Gemm: RowBias has 2 elements", func() { Gemm(nil, 3, 3, 4, ok, Matrix{f(12), 4, true}, 0, f(9), 3, &Epilogue{RowBias: f(2)}) }},
		{"Gemm: Pre has stride 0", func() { Gemm(nil, 3, 3, 4, ok, Matrix{f(12), 4, true}, 0, f(9), 3, &Epilogue{Pre: f(9)}) }},
		{"Gemm: Residual has 8 elements", func() {
			Gemm(nil, 3, 3, 4, ok, Matrix{f(12), 4, true}, 0, f(9), 3, &Epilogue{Residual: f(8), ResidualStride: 3})
		}},
		{"Gemm: unknown activation 99", func() { Gemm(nil, 3, 3, 4, ok, Matrix{f(12), 4, true}, 0, f(9), 3, &Epilogue{Act: 99}) }},
		{"Pack: B has 11", func() { Pack(nil, 4, 3, Matrix{f(11), 4, true}, PackOptions{}) }},
		{"Pack: negative size", func() { Pack(nil, -4, 3, ok, PackOptions{}) }},
		{"GemmPacked: A has 11", func() {
			GemmPacked(nil, 3, Matrix{f(11), 4, false}, Pack(nil, 4, 3, Matrix{f(12), 4, true}, PackOptions{}), 0, f(9), 3, nil)
		}},
		{"GemmBatch: C has 8", func() {
			GemmBatch(NewWorkers(2), 9, 3, 3, 4, 0, func(i int) (a, b Matrix, c []float32, ldc int) {
				return ok, Matrix{f(12), 4, true}, f(9 - i/8), 3
			})
		}},
		{"GemmBatch: count -1", func() { GemmBatch(nil, -1, 3, 3, 4, 0, nil) }},
	} {
		func() {
			defer func() {
				if s, _ := recover().(string); !strings.Contains(s, c.want) {
					t.Errorf("panic %q, want %q", s, c.want)
				}
			}()
			c.call()
		}()
	}
}

// The assembly finds the fields of a gemmTile by these offsets.
func TestTileLayout(t *testing.T) {
	var x gemmTile
	for i, at := range []uintptr{
		unsafe.Offsetof(x.a), unsafe.Offsetof(x.b), unsafe.Offsetof(x.c), unsafe.Offsetof(x.k), unsafe.Offsetof(x.chain),
		unsafe.Offsetof(x.ars), unsafe.Offsetof(x.acs), unsafe.Offsetof(x.atile), unsafe.Offsetof(x.brs),
		unsafe.Offsetof(x.ldc), unsafe.Offsetof(x.tiles), unsafe.Offsetof(x.rows), unsafe.Offsetof(x.cols),
		unsafe.Offsetof(x.panels), unsafe.Offsetof(x.bps), unsafe.Offsetof(x.accum), unsafe.Offsetof(x.part),
		unsafe.Offsetof(x.ahead), unsafe.Offsetof(x.astep), unsafe.Offsetof(x.atiles), unsafe.Offsetof(x.afour),
		21 * 8, 22 * 8, 23 * 8, // the kernel's own
		unsafe.Offsetof(x.taps), unsafe.Offsetof(x.spots), unsafe.Offsetof(x.bias), unsafe.Offsetof(x.relu),
		unsafe.Offsetof(x.out), unsafe.Offsetof(x.ldout), unsafe.Offsetof(x.residual), unsafe.Offsetof(x.ldres),
		32 * 8, // the kernel's own
		unsafe.Offsetof(x.scale), unsafe.Offsetof(x.rowScales), unsafe.Offsetof(x.rowLess), unsafe.Offsetof(x.colScales),
	} {
		if want := unsafe.Sizeof(x.a) * uintptr(i); at != want {
			t.Errorf("field %d lies at %d, want %d", i, at, want)
		}
	}
	if got, want := unsafe.Offsetof(x.format), 37*unsafe.Sizeof(x.a); got != want {
		t.Errorf("what assembly does not use begins at %d, want %d", got, want)
	}
}
