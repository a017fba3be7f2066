package simd

// F16ToF32 widens IEEE 754 half precision numbers. Every value is exact; NaN stays NaN.
// F16ToF32 panics if src is shorter than dst.
func F16ToF32(dst []float32, src []uint16) {
	atLeast("F16ToF32", "src", len(src), len(dst))
	vecF16ToF32(dst, src)
}

// F32ToF16 rounds to half precision, to nearest with ties to even. Magnitudes of 65520 or more become
// infinity, those below 2^-14 denormal numbers or zero. NaN stays NaN. F32ToF16 panics if src is shorter
// than dst, as do the functions below.
func F32ToF16(dst []uint16, src []float32) {
	atLeast("F32ToF16", "src", len(src), len(dst))
	vecF32ToF16(dst, src)
}

// BF16ToF32 widens bfloat16 numbers, the upper halves of float32. Every value is exact.
func BF16ToF32(dst []float32, src []uint16) {
	atLeast("BF16ToF32", "src", len(src), len(dst))
	vecBF16ToF32(dst, src)
}

// F32ToBF16 rounds to bfloat16, to nearest with ties to even. NaN becomes a quiet NaN.
func F32ToBF16(dst []uint16, src []float32) {
	atLeast("F32ToBF16", "src", len(src), len(dst))
	vecF32ToBF16(dst, src)
}
