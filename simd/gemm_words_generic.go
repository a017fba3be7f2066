package simd

import (
	"math"
	"unsafe"
)

// int8Generic has four integers in a word, as the dot products of AVX-512 have, but with a sign in B as well.
var int8Generic = &wordKernel{
	name: "generic", kern: gemmGeneric.asWords(multiplyInt8Generic, nil, peakGeneric, gemmGeneric.peakFlops), numbers: 4, words: 1,
	block: wordBlock, chain: wordBlock,
	row:      int8RowGeneric,
	pixels:   int8PixelsGeneric(0),
	integers: true,
	most:     mostGeneric,
	scale:    scaleGeneric,
}

func multiplyInt8Generic(t *gemmTile) {
	for i := range t.tiles {
		for r := range t.rows {
			a := unsafe.Add(t.a, i*t.atile+4*r)
			var sum [genericTile]int32
			for k := range t.k {
				x := (*[4]int8)(unsafe.Add(a, 4*k*genericTile))
				y := (*[genericTile][4]int8)(unsafe.Add(t.b, 4*k*genericTile))
				for j := range sum {
					for q, v := range x {
						sum[j] += int32(v) * int32(y[j][q])
					}
				}
			}
			row := unsafe.Slice((*int32)(unsafe.Add(t.c, (i*t.rows+r)*t.ldc)), t.cols)
			for j := range row {
				if t.accum == 0 {
					row[j] = 0
				}
				row[j] += sum[j]
			}
		}
	}
}

// int8RowGeneric makes words of four integers.
func int8RowGeneric(dst, src []float32, inverse float32, flip uint32) (sum int32) {
	for i := range dst {
		var word uint32
		for q, v := range src[4*i : min(4*i+4, len(src))] {
			x := integer(v, inverse)
			sum += x
			word |= uint32(uint8(x)) << (8 * q)
		}
		dst[i] = math.Float32frombits(word ^ flip)
	}
	return sum
}

// int16RowGeneric makes words of two integers.
func int16RowGeneric(dst, src []float32, inverse float32, flip uint32) (sum int32) {
	for i := range dst {
		var word uint32
		for q, v := range src[2*i : min(2*i+2, len(src))] {
			x := integer(v, inverse)
			sum += x
			word |= uint32(uint16(x)) << (16 * q)
		}
		dst[i] = math.Float32frombits(word ^ flip)
	}
	return sum
}

// integer rounds v·inverse to nearest, with ties to even. That is from -128 to 127, or NaN where the scale is NaN too.
func integer(v, inverse float32) int32 {
	x := v * inverse
	if !(x >= -128 && x <= 127.5) {
		return 0
	}
	return int32(math.RoundToEven(float64(x)))
}

func mostGeneric(src []float32) (most uint32) {
	for _, v := range src {
		most = max(most, math.Float32bits(v)&^signBit)
	}
	return most
}

func scaleGeneric(c []float32, less int32, row float32, cols []float32) {
	for j, v := range c {
		c[j] = float32(int32(math.Float32bits(v))-less) * row * cols[j]
	}
}
