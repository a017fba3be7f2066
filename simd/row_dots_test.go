package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/fovea-ml/fovea/simd/internal/exact"
)

var (
	dotLengths = []int{0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 100, 127, 128, 129, 144, 256, 383, 384, 768, 2047, 2048, 2049, 4099}
	dotCounts  = []int{0, 1, 3, 4, 5, 8, 11}
)

// Every level gives the bits of Dot, for float32 and float16, and touches nothing outside its slices.
func TestRowDots(t *testing.T) {
	memory, halfMemory, xMemory, dstMemory := newGuarded(t, 4*11*4104), newGuarded(t, 2*11*4104), newGuarded(t, 4*4104), newGuarded(t, 64)
	rng := rand.New(rand.NewPCG(1, 2))
	draw := func() float32 {
		switch v := float32(rng.NormFloat64()); rng.IntN(40) {
		case 0:
			return 0
		case 1:
			return v * 1e-30
		default:
			return v
		}
	}
	for _, n := range dotLengths {
		for _, count := range dotCounts {
			for _, gap := range []int{0, 5} {
				for _, atEnd := range []bool{true, false} {
					stride := n + gap
					length := max(0, (count-1)*stride+n)
					rows, halves := memory.floats(length, atEnd), halfMemory.halves(length, atEnd)
					x, dst := xMemory.floats(n, atEnd), dstMemory.floats(count, atEnd)
					for i := range rows {
						rows[i] = draw()
					}
					for i := range x {
						x[i] = draw()
					}
					if n > 3 && count > 2 {
						rows[stride+1], rows[2*stride+2] = float32(math.Inf(1)), float32(math.NaN())
					}
					F32ToF16(halves, rows)
					wide := make([]float32, length)
					F16ToF32(wide, halves)
					onLevels(t, fusedLevels(), func(t *testing.T) {
						RowDots(dst, x, rows, stride)
						checkDots(t, dst, x, rows, stride, n, gap)
						RowDotsF16(dst, x, halves, stride)
						checkDots(t, dst, x, wide, stride, n, gap)
					})
				}
			}
		}
	}
}

func checkDots(t *testing.T, dst, x, rows []float32, stride, n, gap int) {
	t.Helper()
	for i, got := range dst {
		want := exact.Dot(rows[i*stride:][:n], x)
		if math.Float32bits(got) != math.Float32bits(want) && !(got != got && want != want) {
			t.Fatalf("n = %d, %d rows, gap %d: product %d is %g, want %g", n, len(dst), gap, i, got, want)
		}
	}
}

// Integers are exact, so every level gives the same bits, the portable one included.
func TestRowDotsInt8(t *testing.T) {
	memory, xMemory, dstMemory, scaleMemory := newGuarded(t, 11*4104), newGuarded(t, 2*4104), newGuarded(t, 64), newGuarded(t, 64)
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range dotLengths {
		limit := min(32767, (1<<24-1)/max(n, 1)) // of x, so that sums fit
		for _, count := range dotCounts {
			for _, gap := range []int{0, 5} {
				for _, atEnd := range []bool{true, false} {
					stride := n + gap
					rows := signed[int8](memory.samples(max(0, (count-1)*stride+n), atEnd))
					x := signed[int16](xMemory.halves(n, atEnd))
					dst, scales := dstMemory.floats(count, atEnd), scaleMemory.floats(count, atEnd)
					for i := range rows {
						rows[i] = [4]int8{-128, 127, int8(rng.Uint32()), int8(rng.Uint32())}[rng.IntN(4)]
					}
					for i := range x {
						x[i] = [4]int16{int16(-limit), int16(limit), int16(rng.IntN(2*limit+1) - limit), 1}[rng.IntN(4)]
					}
					for i := range scales {
						scales[i] = rng.Float32()
					}
					onLevels(t, Levels(), func(t *testing.T) {
						RowDotsInt8(dst, x, rows, stride, scales)
						for i, got := range dst {
							sum := int64(0)
							for k, v := range x {
								sum += int64(v) * int64(rows[i*stride+k])
							}
							if want := float32(int32(sum)) * scales[i]; int64(int32(sum)) != sum || got != want {
								t.Fatalf("n = %d, %d rows, gap %d: product %d is %g, want %g of %d", n, count, gap, i, got, want, sum)
							}
						}
					})
				}
			}
		}
	}
}

// signed returns unsigned numbers as signed ones, in place.
func signed[S int8 | int16, U uint8 | uint16](s []U) []S {
	return unsafe.Slice((*S)(unsafe.Pointer(unsafe.SliceData(s))), len(s))
}

// Kernels allocate nothing.
func TestRowDotsAllocs(t *testing.T) {
	x, rows, halves, dst := make([]float32, 100), make([]float32, 700), make([]uint16, 700), make([]float32, 7)
	ints, bytes := make([]int16, 100), make([]int8, 700)
	onLevels(t, Levels(), func(t *testing.T) {
		if n := testing.AllocsPerRun(10, func() {
			RowDots(dst, x, rows, 100)
			RowDotsF16(dst, x, halves, 100)
			RowDotsInt8(dst, ints, bytes, 100, dst)
		}); n != 0 {
			t.Errorf("%g allocations", n)
		}
	})
}

// The scores of three documents for a query.
func ExampleRowDots() {
	documents := []float32{
		1, 0,
		0, 1,
		0.6, 0.8,
	}
	scores := make([]float32, 3)
	RowDots(scores, []float32{0, 2}, documents, 2)
	fmt.Println(scores)
	// Output: [0 2 1.6]
}

func BenchmarkRowDots(b *testing.B) {
	const n, count = 384, 64
	x, rows, halves, dst := make([]float32, n), make([]float32, n*count), make([]uint16, n*count), make([]float32, count)
	ints, bytes, scales := make([]int16, n), make([]int8, n*count), make([]float32, count)
	for _, l := range Levels() {
		restore := SetLevel(l)
		for name, f := range map[string]func(){
			"float32": func() { RowDots(dst, x, rows, n) },
			"float16": func() { RowDotsF16(dst, x, halves, n) },
			"int8":    func() { RowDotsInt8(dst, ints, bytes, n, scales) },
		} {
			b.Run(fmt.Sprintf("%s/%s", name, l), func(b *testing.B) {
				for b.Loop() {
					f()
				}
				b.ReportMetric(float64(n*count)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "products/ns")
			})
		}
		restore()
	}
}
