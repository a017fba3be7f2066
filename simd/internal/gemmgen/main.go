// Command gemmgen writes the assembly of the matrix products, the Go declarations around it and the sizes
// of the register tiles:
//
//	go run ./internal/gemmgen -out .
//
// A register tile exists in many heights, which differ only in how often a line is repeated; a loop in Go
// says it once. The sizes stand in tiles.go. Both the assembly and the constants that package simd divides
// products by come from there.
package main

import (
	"github.com/fovea-ml/fovea/simd/internal/asm"
)

func main() { asm.Main("gemmgen", files) }

// generator names this program in the files it writes.
const generator = "internal/gemmgen"

// files returns the text of every generated file.
func files(string) (map[string][]byte, error) {
	tiles256, pack256 := tilesAVX2(), packAVX2()
	tiles512, pack512 := tilesAVX512(), packAVX512()
	words256, words512, amx := wordsAVX2(), wordsAVX512(), tilesAMX()
	tilesNEON := tilesNEON()
	m := map[string][]byte{
		"gemm_avx2_amd64.s":         tiles256.Bytes(),
		"pack_avx2_amd64.s":         pack256.Bytes(),
		"gemm_avx512_amd64.s":       tiles512.Bytes(),
		"pack_avx512_amd64.s":       pack512.Bytes(),
		"gemm_words_avx2_amd64.s":   words256.Bytes(),
		"gemm_words_avx512_amd64.s": words512.Bytes(),
		"gemm_amx_amd64.s":          amx.Bytes(),
		"gemm_neon_arm64.s":         tilesNEON.Bytes(),
	}
	var err error
	if m["gemm_tiles_amd64.go"], err = goAMD64(tiles256, pack256, tiles512, pack512, words256, words512, amx); err != nil {
		return nil, err
	}
	m["gemm_tiles_arm64.go"], err = goARM64(tilesNEON)
	return m, err
}

// The offsets of the fields of simd's gemmTile, in bytes. A test there compares the order.
const (
	tileA = 8 * iota
	tileB
	tileC
	tileK
	tileChain
	tileARS
	tileACS
	tileATile
	tileBRS
	tileLDC
	tileTiles
	tileRows
	tileCols
	tilePanels
	tileBPS
	tileAccum
	tilePart
	tileAhead
	tileAheadStride
	tileAheadTile
	tileAheadStep
	tileAt
	tileLeft
	tileEarlier
	tileTaps
	tileSpots
	tileBias
	tileRelu
	tileOut
	tileLDOut
	tileResidual
	tileLDRes
	tileEnd
	tileScale
	tileRowScales
	tileRowLess
	tileColScales
)
