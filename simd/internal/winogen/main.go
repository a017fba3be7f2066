// Command winogen writes the assembly of the transforms of Winograd's convolution of 3×3 filters.
//
//	go run ./internal/winogen -out .
//
// A kernel goes along a row of tiles, a register of them at a time, the same element of each tile in a lane. The
// transforms are additions and subtractions, so that each step is one instruction on every level:
//
//	tiles of 4×4 pixels   (a, b, c, d) → (a-c, b+c, c-b, b-d), down the columns and then along the rows
//	tiles of 4×4 sums     (a, b, c, d) → ((a+b)+c, (b-c)-d), down the columns and then along the rows
//
// Neighboring tiles are two pixels apart, so that rows of pixels are divided into the even and the odd ones, and rows of
// results are put together again.
package main

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

func main() { asm.Main("winogen", files) }

// generator names this program in the files it writes.
const generator = "internal/winogen"

// files returns the text of every generated file.
func files(string) (map[string][]byte, error) {
	return map[string][]byte{
		"winograd_avx2_amd64.s":   avx2(),
		"winograd_avx512_amd64.s": avx512(),
		"winograd_neon_arm64.s":   neon(),
	}, nil
}

const (
	pixelsParams = "(dst, src *float32, plane, row, n int)"
	sumsParams   = "(dst, src *float32, row, plane, n int, bias, floor float32)"
)

// docs of the two kernels.
func docs(lanes int) (pixels, sums string) {
	return fmt.Sprintf("Transforms n tiles of pixels, %d at a time.", lanes), fmt.Sprintf("Transforms n tiles of sums, %d at a time.", lanes)
}

// The four sums of a step on (a, b, c, d): which operands are combined, and how.
var pixelSteps = [4]struct {
	op   string
	x, y int // x op y
}{{"SUB", 0, 2}, {"ADD", 1, 2}, {"SUB", 2, 1}, {"SUB", 1, 3}}
