// Command dotgen writes the assembly of the kernels that multiply one vector with the rows of a matrix.
//
//	go run ./internal/dotgen -out .
//
// A kernel takes groups of four rows, whose sums are stored together. Rows are float32, float16 or int8. Kernels of float32 and float16 follow the cascade of package portable: 16
// lanes, and blocks of 128 elements. Sums of int8 are exact, in any order.
package main

import "github.com/fovea-ml/fovea/simd/internal/asm"

func main() { asm.Main("dotgen", files) }

// files returns the text of every generated file.
func files(string) (map[string][]byte, error) {
	return map[string][]byte{
		"row_dots_avx2_amd64.s":   x86(8),
		"row_dots_avx512_amd64.s": x86(16),
		"row_dots_neon_arm64.s":   neon(),
	}, nil
}

// generator names this program in the files it writes.
const generator = "internal/dotgen"

const (
	group = 4   // rows
	block = 128 // elements that are added up before the sum goes to the cascade
)

// A kind is a type of rows.
type kind struct {
	name, element string
	size          int // bytes of an element
}

var kinds = []kind{{"", "float32", 4}, {"F16", "uint16", 2}}

// The parameters of kernels. stride is in bytes, groups counts rows by four.
const (
	floatParams = "(dst, x *float32, rows *%s, stride, n, groups int)"
	intParams   = "(dst *float32, x *int16, rows *int8, scales *float32, stride, n, groups int)"
	floatArgs   = 48
	intArgs     = 56
)

const (
	floatDoc = "Sums of at most one cascade."
	intDoc   = "Sums of products, each multiplied by the scale of its row."
)
