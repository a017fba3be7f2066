package simd

import (
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
)

// Many goroutines share a packed weight and the scratch buffers, while the collector runs all the time.
func TestGemmConcurrently(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	const m, n, k = 61, 150, 100
	a, b := Matrix{randomFloats(m*k, 1), k, false}, Matrix{randomFloats(n*k, 2), k, true}
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		p := Pack(nil, k, n, b, PackOptions{})
		want := make([]float32, m*n)
		Gemm(nil, m, n, k, a, b, 0, want, n, nil)
		shared := NewWorkers(2)
		var all sync.WaitGroup
		for g := range 8 {
			all.Go(func() {
				w := shared
				if g%2 == 0 {
					w = NewWorkers(3)
				}
				for i := range 20 {
					c := make([]float32, m*n)
					switch i % 3 {
					case 0:
						Gemm(w, m, n, k, a, b, 0, c, n, nil)
					case 1:
						GemmPacked(w, m, a, p, 0, c, n, nil)
					default: // the rows of one product as a batch of products
						GemmBatch(w, m, 1, n, k, 0, func(i int) (x, y Matrix, z []float32, ldz int) {
							return Matrix{a.Data[i*k:], k, false}, b, c[i*n:], n
						})
					}
					for j := range c {
						if c[j] != want[j] {
							t.Errorf("goroutine %d, call %d: C[%d] = %g, want %g", g, i, j, c[j], want[j])
							return
						}
					}
				}
			})
		}
		all.Wait()
	})
}

func TestGemmAllocatesNothing(t *testing.T) {
	const m, n, k = 30, 40, 400
	a, at := Matrix{randomFloats(m*k, 1), k, false}, Matrix{randomFloats(m*k, 1), m, true}
	b, bt := Matrix{randomFloats(n*k, 2), n, false}, Matrix{randomFloats(n*k, 2), k, true}
	c := make([]float32, 4*m*n)
	ep := &Epilogue{Bias: randomFloats(n, 3), Act: ActGelu}
	operands := func(i int) (x, y Matrix, z []float32, ldz int) { return a, bt, c[i*m*n:], n }
	gemmLevels(t, func(t *testing.T, kern *gemmKernel) {
		p := Pack(nil, k, n, b, PackOptions{})
		for _, threads := range []int{1, 2} {
			w := NewWorkers(threads)
			for name, f := range map[string]func(){
				"Gemm":            func() { Gemm(w, m, n, k, a, b, 0, c, n, ep) },
				"Gemm transposed": func() { Gemm(w, m, n, k, at, bt, 1, c, n, nil) },
				"Gemm one row":    func() { Gemm(w, 1, n, k, a, bt, 0, c, n, ep) },
				"GemmPacked":      func() { GemmPacked(w, m, a, p, 0, c, n, ep) },
				"GemmBatch":       func() { GemmBatch(w, 4, m, n, k, 0, operands) },
			} {
				if allocs := allocations(f); allocs > 0 {
					t.Errorf("%s, %d threads: %d allocations in 20 calls", name, threads, allocs)
				}
			}
		}
	})
}

// allocations counts the allocations of 20 calls of f. (testing.AllocsPerRun would hold them to one processor.)
// The runtime allocates now and then on its own, so that the least of a few rounds counts.
func allocations(f func()) uint64 {
	least := uint64(1 << 62)
	var before, after runtime.MemStats
	for range 5 {
		f()
		runtime.ReadMemStats(&before)
		for range 20 {
			f()
		}
		runtime.ReadMemStats(&after)
		if least = min(least, after.Mallocs-before.Mallocs); least == 0 {
			break
		}
	}
	return least
}

// A panic in the views of a batch reaches the caller, and the next call works.
func TestGemmBatchPanics(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	const m, n, k = 50, 60, 70
	a, b := Matrix{randomFloats(m*k, 1), k, false}, Matrix{randomFloats(n*k, 2), n, false}
	c := make([]float32, 8*m*n)
	for range 20 {
		func() {
			defer func() {
				if recover() != "views" {
					t.Error("the panic was lost")
				}
			}()
			GemmBatch(NewWorkers(3), 8, m, n, k, 0, func(i int) (x, y Matrix, z []float32, ldz int) {
				if i == 6 {
					panic("views")
				}
				return a, b, c[i*m*n:], n
			})
		}()
		Gemm(NewWorkers(3), m, n, k, a, b, 0, c, n, nil)
	}
}
