// Command resizegen writes the assembly of the kernels that resize rows of 8-bit samples.
//
//	go run ./internal/resizegen -out .
//
// The kernels for three and four channels differ in the bytes of a step and in a shuffle; a function in Go says the
// rest once. Sums are 32 bits wide and exact, so any order of additions gives the same bytes.
package main

import (
	"encoding/binary"
	"fmt"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

func main() { asm.Main("resizegen", files) }

// files returns the text of every generated file.
func files(string) (map[string][]byte, error) {
	return map[string][]byte{
		"resize_avx2_amd64.s":   avx2(),
		"resize_avx512_amd64.s": avx512(),
		"resize_neon_arm64.s":   neon(),
	}, nil
}

// Offsets of simd's resizeRowsArgs and resizeColumnsArgs.
const (
	rowsSrc, rowsDst      = 0, 32 // pointers by row
	rowsAt, rowsPacked    = 64, 72
	rowsSteps, rowsOutput = 80, 88

	columnsSrc, columnsDst, columnsStride      = 0, 8, 16
	columnsPacked, columnsSteps, columnsBlocks = 24, 32, 40
)

// fraction is the number of fractional bits of a weight.
const fraction = 22

// generator names this program in the files it writes.
const generator = "internal/resizegen"

// table writes bytes as a table of words of eight.
func table(a *asm.Text, name string, b []byte) {
	var entries []string
	for ; len(b) > 0; b = b[8:] {
		entries = append(entries, fmt.Sprintf("0x%016x", binary.LittleEndian.Uint64(b)))
	}
	a.Table(name, 8, entries...)
}

// spread returns a shuffle of one 16-byte register. It brings sample taps[i] of each channel to the channel's lane of
// four bytes. There the sample takes size bytes, of which all but the first are zero. Lanes without a channel are zero.
func spread(channels, size int, taps ...int) []byte {
	var b []byte
	for lane := range 4 {
		for _, k := range taps {
			at := byte(channels*k + lane)
			if lane >= channels {
				at = 0x80
			}
			b = append(b, at)
			for range size - 1 {
				b = append(b, 0x80)
			}
		}
	}
	return b
}
