package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// newSlide draws a Gather whose rows are rather long, for products with packed filters.
func newSlide(rng *rand.Rand, n, k int) *Gather {
	for {
		if b, _ := newGather(rng, n, k); !b.Trans {
			return b
		}
	}
}

// A product with packed filters has the bits of GemmGather, whatever the steps that follow.
func TestGemmGatherPacked(t *testing.T) {
	count, workers := 300, []*Workers{nil, NewWorkers(2), NewWorkers(3)}
	if testing.Short() {
		count, workers = 48, []*Workers{nil, NewWorkers(3)}
	}
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		rng := rand.New(rand.NewPCG(12, 12))
		for i := range count {
			m, n, k := 1+rng.IntN(40), 1+rng.IntN(200), 1+rng.IntN(120)
			switch i % 16 {
			case 0: // several blocks and strips
				n, k = 1000+rng.IntN(1500), 300+rng.IntN(500)
			case 1:
				n = 1
			case 2:
				m, k = 100, 500
			case 3:
				k = 0
			}
			b, block := newSlide(rng, n, k), 1+rng.IntN(kBlock)
			switch rng.IntN(4) {
			case 0:
				b.Width = min(b.Width, 3)
			case 1:
				b.Width = b.Pitch // no padding between rows
			}
			size := k/len(b.Window)*b.Plane + slices.Max(b.Window) + 1 + GatherSlack
			for j := range n {
				size = max(size, k/len(b.Window)*b.Plane+slices.Max(b.Window)+b.position(b.From+j)+1+GatherSlack)
			}
			b.Data = randomFloats(size, uint64(i))
			w := Matrix{randomFloats(m*k, uint64(i)), max(1, k), false}
			ldc := n + rng.IntN(4)
			before := randomFloats(m*ldc, uint64(i)+1)
			ep := &Epilogue{RowBias: randomFloats(m, 2), Residual: randomFloats(m*n, 3), ResidualStride: n, PreStride: n}
			ep.ResidualFirst = rng.IntN(2) == 0
			ep.Act = [...]Activation{ActNone, ActRelu, ActSilu}[rng.IntN(3)]
			pre, wantPre := make([]float32, m*n), make([]float32, m*n)
			if rng.IntN(2) == 0 {
				ep.Pre = wantPre
			}
			if rng.IntN(2) == 0 {
				ep.Residual = nil
			}
			if rng.IntN(3) == 0 {
				ep = nil
			}
			beta := [...]float32{0, 0, 1, -.3}[rng.IntN(4)]
			want := append([]float32(nil), before...)
			GemmGather(nil, m, n, k, w, b, block, beta, want, ldc, ep)
			if ep != nil && ep.Pre != nil {
				ep.Pre = pre
			}
			filters := Pack(nil, k, m, Matrix{w.Data, w.Stride, true}, PackOptions{Filters: true})
			if rng.IntN(2) == 0 { // what is fetched changes nothing
				b.Next = Ahead{Data: w.Data, Stride: max(1, k), Rows: m, Cols: k}
			}
			for _, workers := range workers {
				clear(pre)
				got := append([]float32(nil), before...)
				GemmGatherPacked(workers, n, filters, b, block, beta, got, ldc, ep)
				for name, pair := range map[string][2][]float32{"C": {got, want}, "Pre": {pre, wantPre}} {
					for j, v := range pair[0] {
						if u := pair[1][j]; math.Float32bits(v) != math.Float32bits(u) && (v == v || u == u) {
							t.Fatalf("m=%d n=%d k=%d block=%d beta=%g ldc=%d width=%d pitch=%d height=%d from=%d %+v on %d threads: %s[%d] = %x, want %x",
								m, n, k, block, beta, ldc, b.Width, b.Pitch, b.Height, b.From, ep != nil, workers.Limit(), name, j, v, u)
						}
					}
				}
			}
		}
	})
}

// A product with packed filters has the bits of Gemm. Its B ends with the last element.
func TestGemmFilters(t *testing.T) {
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		rng := rand.New(rand.NewPCG(21, 3))
		for i := range 80 {
			m, n, k := 1+rng.IntN(70), 1+rng.IntN(50), 1+rng.IntN(60)
			if i%8 == 0 {
				n, k = 1+rng.IntN(300), 380+rng.IntN(500) // several blocks and strips
			}
			a, stride, ldc := randomFloats(m*k, uint64(i)), n+rng.IntN(3), n+rng.IntN(3)
			b := Matrix{Data: randomFloats((k-1)*stride+n, uint64(i)+1), Stride: stride}
			before, beta := randomFloats((m-1)*ldc+n, uint64(i)+2), [...]float32{0, 1, .5}[rng.IntN(3)]
			ep := &Epilogue{RowBias: randomFloats(m, 4), Act: ActRelu}
			want := slices.Clone(before)
			Gemm(nil, m, n, k, Matrix{Data: a, Stride: k}, b, beta, want, ldc, ep)
			filters := Pack(nil, k, m, Matrix{Data: a, Stride: k, Trans: true}, PackOptions{Filters: true})
			for _, w := range []*Workers{nil, NewWorkers(3)} {
				got := slices.Clone(before)
				GemmFilters(w, n, filters, b, beta, got, ldc, ep)
				for j, v := range got {
					if math.Float32bits(v) != math.Float32bits(want[j]) {
						t.Fatalf("m=%d n=%d k=%d stride=%d beta=%g on %d threads: C[%d] = %x, want %x", m, n, k, stride, beta, w.Limit(), j, v, want[j])
					}
				}
			}
		}
	})
}

// Filters in half precision give the bits of the widened numbers.
func TestFiltersInHalf(t *testing.T) {
	const m, k, n = 45, 300, 77
	rng := rand.New(rand.NewPCG(3, 3))
	b := newSlide(rng, n, k)
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		for _, format := range []Format{FormatF32, FormatF16, FormatBF16} {
			x := Matrix{Data: randomFloats(m*k, 5), Stride: k, Trans: true}
			ofFormat(format, x.Data)
			got, want := make([]float32, m*n), make([]float32, m*n)
			GemmGatherPacked(nil, n, Pack(nil, k, m, x, PackOptions{Filters: true}), b, 50, 0, want, n, nil)
			p := PackRows(nil, k, m, true, rowsOf(x), PackOptions{Filters: true, Format: format})
			GemmGatherPacked(NewWorkers(2), n, p, b, 50, 0, got, n, nil)
			for i, v := range got {
				if math.Float32bits(v) != math.Float32bits(want[i]) {
					t.Fatalf("%v: [%d] = %x, want %x", format, i, v, want[i])
				}
			}
		}
	})
}

// Filters can be packed into memory of the caller, and are an operand of GemmPacked too.
func TestPackFilters(t *testing.T) {
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		const m, k, n = 5, 900, 45
		a, b := Matrix{Data: randomFloats(m*k, 1), Stride: k}, Matrix{Data: randomFloats(n*k, 2), Stride: k, Trans: true}
		want := make([]float32, m*n)
		Gemm(nil, m, n, k, a, b, 0, want, n, nil)
		for _, p := range []*Packed{Pack(nil, k, n, b, PackOptions{Filters: true}), Pack(nil, k, n, b, PackOptions{Filters: true, Memory: make([]float32, PackedLen(k, n))})} {
			got := make([]float32, m*n)
			GemmPacked(nil, m, a, p, 0, got, n, nil)
			for i, v := range got {
				if v != want[i] {
					t.Fatalf("[%d] = %v, want %v", i, v, want[i])
				}
			}
		}
	})
}

func TestGemmGatherPackedPanics(t *testing.T) {
	data := make([]float32, 1000)
	b := &Gather{Data: data, Window: []int{0}, Plane: 1, Width: 10, Pitch: 10}
	for want, f := range map[string]func(){
		"expected an A packed with PackOptions.Filters": func() {
			GemmGatherPacked(nil, 4, Pack(nil, 900, 2, Matrix{make([]float32, 1800), 2, false}, PackOptions{}), b, 9, 0, data, 4, nil)
		},
		"B that is not transposed": func() {
			GemmFilters(nil, 4, Pack(nil, 9, 2, Matrix{data, 2, false}, PackOptions{Filters: true}), Matrix{data, 9, true}, 0, data, 4, nil)
		},
		"expected a block": func() {
			GemmGatherPacked(nil, 4, Pack(nil, 9, 2, Matrix{data, 2, false}, PackOptions{Filters: true}), b, 0, 0, data, 4, nil)
		},
		"do not fit": func() {
			GemmGatherPacked(nil, 990, Pack(nil, 9, 1, Matrix{data, 1, false}, PackOptions{Filters: true}), b, 9, 0, data, 990, nil)
		},
		"Next has": func() {
			x := *b
			x.Next = Ahead{Data: data, Stride: 100, Rows: 11, Cols: 3}
			GemmGatherPacked(nil, 4, Pack(nil, 9, 2, Matrix{data, 2, false}, PackOptions{Filters: true}), &x, 9, 0, data, 4, nil)
		},
		"expected float32 for a packed form in memory of the caller, found float16": func() {
			Pack(nil, 9, 2, Matrix{data, 2, false}, PackOptions{Format: FormatF16, Memory: data})
		},
		"memory has": func() { Pack(nil, 9, 2, Matrix{data, 2, false}, PackOptions{Filters: true, Memory: data[:5]}) },
	} {
		func() {
			defer func() {
				if v := fmt.Sprint(recover()); !strings.Contains(v, want) {
					t.Errorf("expected a panic with %q, found %q", want, v)
				}
			}()
			f()
		}()
	}
}

// A steady state allocates nothing.
func TestGemmGatherPackedAllocs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	b := newSlide(rng, 300, 90)
	p := Pack(nil, 90, 40, Matrix{randomFloats(90*40, 1), 90, true}, PackOptions{Filters: true})
	c := make([]float32, 40*300)
	w := NewWorkers(2)
	if n := testing.AllocsPerRun(20, func() { GemmGatherPacked(w, 300, p, b, 45, 0, c, 300, nil) }); n > 1 {
		t.Errorf("%g allocations", n)
	}
}

// BenchmarkSlide times the product of a convolution with filters in lanes and with positions in lanes.
func BenchmarkSlide(b *testing.B) {
	for _, s := range []struct{ co, ci, width, rows int }{
		{64, 64, 120, 12}, {128, 128, 60, 12}, {512, 512, 15, 15}, {512, 512, 7, 7}, {32, 32, 56, 14}, {48, 48, 56, 14}, {16, 16, 112, 8},
	} {
		k, n, pitch := s.ci*9, s.width*s.rows, s.width+2
		x := &Gather{Plane: pitch * (s.rows + 2), Width: s.width, Pitch: pitch}
		for y := range 3 {
			x.Window = append(x.Window, y*pitch, y*pitch+1, y*pitch+2)
		}
		x.Data = randomFloats(s.ci*x.Plane+GatherSlack, 1)
		weights, c := randomFloats(s.co*k, 2), make([]float32, s.co*n)
		filters := Pack(nil, k, s.co, Matrix{weights, k, true}, PackOptions{Filters: true})
		for name, f := range map[string]func(){
			"positions": func() { GemmGather(nil, s.co, n, k, Matrix{weights, k, false}, x, 252, 0, c, n, nil) },
			"filters":   func() { GemmGatherPacked(nil, n, filters, x, 252, 0, c, n, nil) },
		} {
			b.Run(fmt.Sprintf("%d-%d/%dx%d/%s/%v", s.ci, s.co, s.width, s.rows, name, Current()), func(b *testing.B) {
				for b.Loop() {
					f()
				}
				b.ReportMetric(2*float64(s.co)*float64(n)*float64(k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
