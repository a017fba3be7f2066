package simd

import "math"

// Accurate takes a number as the sum of three of bfloat16, hi + mid + lo, each the rest of the number rounded. Together
// they hold 24 bits, as float32 does. Of the nine products of two numbers, mid·lo, lo·mid and lo·lo are left out: they
// are less than 2^-24 of the largest. The method is that of Henry, Tang and Heinecke, "Leveraging the bfloat16 Artificial
// Intelligence Datatype For Higher-Precision Computations", 2019. Parts below 2^-126 count as zero.

// accuratePlanes is the number of parts.
const accuratePlanes = 3

// accurateBlock is the number of words in a K block: those of 512 numbers. Longer blocks round large sums less often as
// they are added, and more often inside. At this length the error is below that of Strict for every k.
const accurateBlock = 512 / 2 * accuratePlanes

// accurateGroup is the number of words of a plane in a group: first those of hi, then those of mid and of lo.
const accurateGroup = 16

// accurateRow makes words of a row.
func accurateRow(dst, src []float32, _ float32, _ uint32) int32 {
	const numbers = 2 * accurateGroup
	for ; len(dst) > 0; dst, src = dst[accuratePlanes*accurateGroup:], src[min(numbers, len(src)):] {
		var rest, part [numbers]float32
		var half [accuratePlanes][numbers]uint16
		n := copy(rest[:], src)
		for p := range half {
			vecF32ToBF16(half[p][:n], rest[:n])
			vecBF16ToF32(part[:n], half[p][:n])
			for i, v := range part[:n] {
				switch {
				case !isFinite(rest[i]):
					rest[i] = 0
				case !isFinite(v):
					// Rounding made an infinity of the number. Its upper half is the next one toward zero.
					bits := math.Float32bits(rest[i]) &^ (1<<16 - 1)
					half[p][i] = uint16(bits >> 16)
					rest[i] -= math.Float32frombits(bits)
				default:
					rest[i] -= v
				}
			}
		}
		for p := range half {
			for i := range accurateGroup {
				word := uint32(half[p][2*i]) | uint32(half[p][2*i+1])<<16
				dst[p*accurateGroup+i] = math.Float32frombits(word)
			}
		}
	}
	return 0
}

// isFinite reports whether v is neither infinite nor NaN.
func isFinite(v float32) bool { return math.Float32bits(v)&^signBit < 0x7f800000 }
