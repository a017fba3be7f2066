package simd

import "github.com/fovea-ml/fovea/simd/internal/portable"

//go:generate go run ./internal/vecgen -out .

// maxCall is the number of elements that one call of an assembly function takes at most: assembly cannot
// be preempted, and this many take well under 50 µs. It is a multiple of lanes.
const maxCall = 16384

func vecColumnSumsAdd(dst, x []float32, rows, stride int) {
	portable.ColumnSumsAdd(dst, x, rows, stride)
}

func vecF16ToF32(dst []float32, src []uint16)  { portable.F16ToF32(dst, src) }
func vecF32ToF16(dst []uint16, src []float32)  { portable.F32ToF16(dst, src) }
func vecBF16ToF32(dst []float32, src []uint16) { portable.BF16ToF32(dst, src) }
func vecF32ToBF16(dst []uint16, src []float32) { portable.F32ToBF16(dst, src) }
