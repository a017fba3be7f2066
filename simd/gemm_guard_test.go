//go:build linux

package simd

import (
	"math/rand/v2"
	"runtime/debug"
	"testing"
	"unsafe"
)

// No kernel reads or writes outside its operands, on either side.
func TestGemmStaysInside(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	count := 250
	if testing.Short() {
		count = 60
	}
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		rng := rand.New(rand.NewPCG(5, 5))
		for range count {
			m, n, k := sizes(rng, kern)
			p := newProblem(rng, m, n, min(k, 50), func() float32 { return float32(rng.NormFloat64()) })
			for _, left := range []bool{true, false} {
				move := func(s []float32) []float32 {
					g := newGuarded(t, max(4*len(s), 1)).floats(len(s), !left)
					copy(g, s)
					return g
				}
				q := *p
				q.a.Data, q.b.Data = move(p.a.Data), move(p.b.Data)
				func() {
					defer func() {
						if v := recover(); v != nil {
							t.Fatalf("%v, left %t: %v", &q, left, v)
						}
					}()
					bias := move(randomFloats(n, 9))
					c := move(p.c)
					Gemm(nil, m, n, q.k, q.a, q.b, q.beta, c, q.ldc, nil)
					q.check(t, "Gemm", c)
					copy(c, p.c)
					GemmPacked(nil, m, q.a, Pack(nil, q.k, n, q.b, PackOptions{}), q.beta, c, q.ldc, nil)
					q.check(t, "GemmPacked", c)
					copy(c, p.c)
					Gemm(nil, m, n, q.k, q.a, q.b, q.beta, c, q.ldc, &Epilogue{Bias: bias, Act: ActRelu, Residual: move(p.c), ResidualStride: q.ldc})
				}()
			}
		}
	})
}

// A product with packed filters reads nothing past its B, which needs no slack.
func TestGemmFiltersStayInside(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		rng := rand.New(rand.NewPCG(7, 7))
		for range 30 {
			m, n, k := sizes(rng, kern)
			k = max(1, min(k, 50))
			b := newGuarded(t, max(4*k*n, 1)).floats(k*n, true)
			copy(b, randomFloats(k*n, 1))
			filters := Pack(nil, k, m, Matrix{Data: randomFloats(m*k, 2), Stride: k, Trans: true}, PackOptions{Filters: true})
			c := newGuarded(t, max(4*m*n, 1)).floats(m*n, true)
			GemmFilters(nil, n, filters, Matrix{Data: b, Stride: n}, 0, c, n, nil)
			GemmFilters(nil, n, filters, Matrix{Data: b, Stride: n}, 1, c, n, nil)
		}
	})
}

// Gathering reads no further than its slack, and writes nothing outside C.
func TestGemmGatherStaysInside(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		rng := rand.New(rand.NewPCG(6, 6))
		for range 60 {
			m, n, k := sizes(rng, kern)
			b, _ := newGather(rng, n, min(k, 50))
			k = min(k, 50)
			for _, left := range []bool{true, false} {
				data := newGuarded(t, max(4*len(b.Data), 1)).floats(len(b.Data), !left)
				copy(data, b.Data)
				moved := *b
				moved.Data = data
				c := newGuarded(t, 4*m*n).floats(m*n, !left)
				func() {
					defer func() {
						if v := recover(); v != nil {
							t.Fatalf("m=%d n=%d k=%d, left %t: %+v: %v", m, n, k, left, moved, v)
						}
					}()
					GemmGather(nil, m, n, k, Matrix{randomFloats(m*k, 1), max(1, k), false}, &moved, 20, 0, c, n, nil)
				}()
			}
		}
	})
}

// A product of rows that lie apart reads nothing beyond any of them.
func TestGemmRowsStaysInside(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		rng := rand.New(rand.NewPCG(11, 11))
		for range 20 {
			m, n, k := sizes(rng, kern)
			k = max(1, min(k, 20))
			for _, left := range []bool{true, false} {
				rows, _ := drawRows(rng, n, k, func(n int) []float32 { return newGuarded(t, 4*n).floats(n, !left) })
				c := newGuarded(t, 4*m*n).floats(m*n, !left)
				bias := newGuarded(t, 4*m).floats(m, !left)
				a := newGuarded(t, 4*m*k).floats(m*k, !left)
				ep := &Epilogue{RowBias: bias, Act: ActRelu}
				if rng.IntN(2) == 0 {
					ep.Residual, ep.ResidualStride, ep.ResidualFirst = newGuarded(t, 4*m*n).floats(m*n, !left), n, true
				}
				func() {
					defer func() {
						if v := recover(); v != nil {
							t.Fatalf("m=%d n=%d k=%d, left %t: %v", m, n, k, left, v)
						}
					}()
					GemmRows(nil, m, n, k, Matrix{a, k, false}, func(i int) []float32 { return rows[i] }, 0, c, n, ep)
				}()
			}
		}
	})
}

// CopyRows reads no pair whose second element does not exist.
func TestCopyRowsStaysInside(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	gemmLevels(t, func(t *testing.T, _ *gemmKernel) {
		for n := 1; n < 40; n++ {
			for step := 1; step <= 3; step++ {
				for _, end := range []bool{true, false} {
					size := (n-1)*step + 1
					src := newGuarded(t, 4*(2*(size+1)+size)).floats(2*(size+1)+size, end)
					dst := newGuarded(t, 4*3*n).floats(3*n, end)
					CopyRows(dst, n, src, size+1, 3, n, step)
				}
			}
		}
	})
}

// Fetch touches nothing: an address beyond memory is no fault.
func TestFetchStaysInside(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	gemmLevels(t, func(t *testing.T, _ *gemmKernel) {
		for n := range 40 {
			x := newGuarded(t, 4*40).floats(n, true)
			Fetch(x)
		}
	})
}

// A product with packed filters reads no further than the slack, and writes nothing outside C.
func TestGemmGatherPackedStaysInside(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		rng := rand.New(rand.NewPCG(7, 7))
		for range 60 {
			m, n, k := 1+rng.IntN(50), 1+rng.IntN(100), 1+rng.IntN(50)
			b := newSlide(rng, n, k)
			weights := randomFloats(m*k, 1)
			for _, left := range []bool{true, false} {
				guarded := func(s []float32) []float32 {
					g := newGuarded(t, max(4*len(s), 1)).floats(len(s), !left)
					copy(g, s)
					return g
				}
				moved := *b
				moved.Data = guarded(b.Data)
				moved.Next = Ahead{Data: guarded(make([]float32, 7)), Stride: 1, Rows: 7, Cols: 1}
				memory := guarded(make([]float32, PackedLen(k, m)))
				c := guarded(make([]float32, m*n))
				func() {
					defer func() {
						if v := recover(); v != nil {
							t.Fatalf("m=%d n=%d k=%d, left %t: %+v: %v", m, n, k, left, moved, v)
						}
					}()
					p := Pack(nil, k, m, Matrix{guarded(weights), k, true}, PackOptions{Filters: true, Memory: memory})
					ep := &Epilogue{RowBias: guarded(make([]float32, m)), Act: ActRelu}
					GemmGatherPacked(nil, n, p, &moved, 20, float32(rng.IntN(2)), c, n, ep)
				}()
			}
		}
	})
}

// The guard itself works: a touch beyond it is noticed.
func TestGuardedNotices(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	for _, left := range []bool{true, false} {
		s := newGuarded(t, 4096).floats(5, !left)
		at := unsafe.Pointer(&s[0])
		if left {
			at = unsafe.Add(at, -4)
		} else {
			at = unsafe.Add(at, 20)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("left %t: reading past the guard went unnoticed", left)
				}
			}()
			sink = *(*float32)(at)
		}()
	}
}

var sink float32

// The routines that make words, and the tiles of words, stay inside too.
func TestWordsStayInside(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	count := 60
	if testing.Short() {
		count = 15
	}
	eachWords(t, func(t *testing.T, x Math, kern *wordKernel) {
		rng := rand.New(rand.NewPCG(13, 13))
		for range count {
			m, n, k := sizes(rng, kern.kern)
			p := newWordProblem(rng, x, m, n, min(k, 70), func() float32 { return float32(rng.NormFloat64()) })
			for _, left := range []bool{true, false} {
				move := func(s []float32) []float32 {
					g := newGuarded(t, max(4*len(s), 1)).floats(len(s), !left)
					copy(g, s)
					return g
				}
				q := *p.problem
				q.a.Data, q.b.Data = move(p.a.Data), move(p.b.Data)
				moved := *p
				moved.problem = &q
				func() {
					defer func() {
						if v := recover(); v != nil {
							t.Fatalf("%v, left %t: %v", &q, left, v)
						}
					}()
					c := move(p.c)
					x.Gemm(nil, m, n, q.k, q.a, q.b, q.beta, c, q.ldc, nil)
					moved.check(t, "Gemm", c)
					copy(c, p.c)
					packed := Pack(nil, q.k, n, q.b, PackOptions{Math: x})
					if len(packed.data) > 0 {
						packed.data = move(packed.data)
					}
					GemmPacked(nil, m, q.a, packed, q.beta, c, q.ldc, nil)
					moved.check(t, "GemmPacked", c)
				}()
			}
		}
	})
}
