package main

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// The registers of the kernels of AVX2 and AVX-512:
//
//	DI  the result             R8   bytes from one plane of transformed tiles to the next; R9 is three times that
//	SI  the tiles              R10  bytes from one row to the next; R11 is three times that
//	CX  tiles to go
//
// An address of a row of pixels counts from SI, and one of a plane from a register for four planes.

// rowAt is the address of row i of four, disp bytes on.
func rowAt(base, one, three string, i, disp int) string {
	return fmt.Sprintf("%d(%s)%s", disp, base, [...]string{"", "(" + one + "*1)", "(" + one + "*2)", "(" + three + "*1)"}[i])
}

// open loads the arguments of a kernel.
func open(a *asm.Text, plane, row string) {
	a.Op("MOVQ dst+0(FP), DI")
	a.Op("MOVQ src+8(FP), SI")
	a.Op("MOVQ plane+%s(FP), R8", plane)
	a.Op("MOVQ row+%s(FP), R10", row)
	a.Op("MOVQ n+32(FP), CX")
	a.Op("LEAQ (R8)(R8*2), R9")
	a.Op("LEAQ (R10)(R10*2), R11")
}

// next goes on to the next lanes tiles. From each, dst and src advance by the given bytes.
func next(a *asm.Text, lanes, dst, src int) {
	a.Op("ADDQ $%d, DI", dst)
	a.Op("ADDQ $%d, SI", src)
	a.Op("SUBQ $%d, CX", lanes)
	a.Op("JGT loop")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// avx512 writes the kernels of AVX-512.
func avx512() []byte {
	a := asm.New(generator)
	pixels, sums := docs(16)
	a.Func("winogradPixels512", pixelsParams, 0, 40, pixels)
	open(a, "16", "24")
	a.Op("VMOVDQU32 winogradEven512<>(SB), Z30")
	a.Op("VMOVDQU32 winogradOdd512<>(SB), Z31")
	a.Label("loop")
	// Z0 to Z15: row i of the tiles, after the steps down the columns; pixels 0 to 31, and 2 to 33.
	offsets := [4]int{0, 64, 8, 72}
	for q, at := range offsets {
		for i := range 4 {
			a.Op("VMOVUPS %s, Z%d", rowAt("SI", "R10", "R11", i, at), 16+i)
		}
		for i, s := range pixelSteps {
			a.Op("V%sPS Z%d, Z%d, Z%d", s.op, 16+s.y, 16+s.x, 4*i+q)
		}
	}
	a.Op("MOVQ DI, AX")
	for i := range 4 {
		z := 4 * i
		a.Op("VMOVAPS Z30, Z16")
		a.Op("VPERMI2PS Z%d, Z%d, Z16", z+1, z)
		a.Op("VPERMT2PS Z%d, Z31, Z%d", z+1, z)
		a.Op("VMOVAPS Z30, Z18")
		a.Op("VPERMI2PS Z%d, Z%d, Z18", z+3, z+2)
		a.Op("VPERMT2PS Z%d, Z31, Z%d", z+3, z+2)
		c := [4]int{16, z, 18, z + 2} // the columns
		for j, s := range pixelSteps {
			a.Op("V%sPS Z%d, Z%d, Z%d", s.op, c[s.y], c[s.x], 20+j)
			a.Op("VMOVUPS Z%d, %s", 20+j, rowAt("AX", "R8", "R9", j, 0))
		}
		if i < 3 {
			a.Op("LEAQ (AX)(R8*4), AX")
		}
	}
	next(a, 16, 64, 128)

	a.Func("winogradSums512", sumsParams, 0, 48, sums)
	open(a, "24", "16")
	a.Op("VBROADCASTSS bias+40(FP), Z28")
	a.Op("VBROADCASTSS floor+44(FP), Z29")
	a.Op("VMOVDQU32 winogradLow512<>(SB), Z30")
	a.Op("VMOVDQU32 winogradHigh512<>(SB), Z31")
	a.Label("loop")
	a.Op("MOVQ SI, AX")
	for p := range 16 {
		a.Op("VMOVUPS %s, Z%d", rowAt("AX", "R8", "R9", p%4, 0), p)
		if p%4 == 3 && p < 15 {
			a.Op("LEAQ (AX)(R8*4), AX")
		}
	}
	columns := [2][4]int{}
	for j := range 4 {
		columns[0][j], columns[1][j] = 16+j, 20+j
		sumSteps(a, "Z", j, 4+j, 8+j, 12+j, 16+j, 20+j)
	}
	for r, c := range columns {
		sumSteps(a, "Z", c[0], c[1], c[2], c[3], 0, 1)
		for v := range 2 {
			a.Op("VADDPS Z28, Z%d, Z%[1]d", v)
			a.Op("VMAXPS Z%d, Z29, Z%[1]d", v)
		}
		a.Op("VMOVAPS Z30, Z2")
		a.Op("VPERMI2PS Z1, Z0, Z2")
		a.Op("VPERMT2PS Z1, Z31, Z0")
		a.Op("VMOVUPS Z2, %s", rowAt("DI", "R10", "R11", r, 0))
		a.Op("VMOVUPS Z0, %s", rowAt("DI", "R10", "R11", r, 64))
	}
	next(a, 16, 128, 64)

	index := func(name string, at func(lane int) int) {
		var entries []string
		for lane := range 16 {
			entries = append(entries, fmt.Sprint(at(lane)))
		}
		a.Table(name, 4, entries...)
	}
	index("winogradEven512", func(lane int) int { return 2 * lane })
	index("winogradOdd512", func(lane int) int { return 2*lane + 1 })
	index("winogradLow512", func(lane int) int { return lane/2 + lane%2*16 })
	index("winogradHigh512", func(lane int) int { return lane/2 + lane%2*16 + 8 })
	return a.Bytes()
}

// sumSteps sets registers x and y to (a+b)+c and (b-c)-d. They may be a and b.
func sumSteps(t *asm.Text, reg string, a, b, c, d, x, y int) {
	t.Op("VADDPS %s%d, %[1]s%[3]d, %[1]s%[4]d", reg, b, a, x)
	t.Op("VADDPS %s%d, %[1]s%[3]d, %[1]s%[3]d", reg, c, x)
	t.Op("VSUBPS %s%d, %[1]s%[3]d, %[1]s%[4]d", reg, c, b, y)
	t.Op("VSUBPS %s%d, %[1]s%[3]d, %[1]s%[3]d", reg, d, y)
}

// avx2 writes the kernels of AVX2. It has registers for a row of four: rows of pixels are loaded twice.
func avx2() []byte {
	a := asm.New(generator)
	pixels, sums := docs(8)
	a.Func("winogradPixels256", pixelsParams, 0, 40, pixels)
	open(a, "16", "24")
	a.Label("loop")
	a.Op("MOVQ DI, AX")
	for i, s := range pixelSteps {
		for q, at := range [4]int{0, 32, 8, 40} { // pixels 0 to 15, and 2 to 17
			a.Op("VMOVUPS %s, Y%d", rowAt("SI", "R10", "R11", s.x, at), q)
			a.Op("V%sPS %s, Y%d, Y%[3]d", s.op, rowAt("SI", "R10", "R11", s.y, at), q)
		}
		// Columns 0 to 3, halves of registers interleaved.
		a.Op("VSHUFPS $0x88, Y1, Y0, Y4")
		a.Op("VSHUFPS $0xdd, Y1, Y0, Y5")
		a.Op("VSHUFPS $0x88, Y3, Y2, Y6")
		a.Op("VSHUFPS $0xdd, Y3, Y2, Y7")
		for j, s := range pixelSteps {
			a.Op("V%sPS Y%d, Y%d, Y%d", s.op, 4+s.y, 4+s.x, 8+j)
			a.Op("VPERMPD $0xd8, Y%d, Y%[1]d", 8+j)
			a.Op("VMOVUPS Y%d, %s", 8+j, rowAt("AX", "R8", "R9", j, 0))
		}
		if i < 3 {
			a.Op("LEAQ (AX)(R8*4), AX")
		}
	}
	next(a, 8, 32, 64)

	a.Func("winogradSums256", sumsParams, 0, 48, sums)
	open(a, "24", "16")
	a.Op("VBROADCASTSS bias+40(FP), Y14")
	a.Op("VBROADCASTSS floor+44(FP), Y15")
	a.Comment("AX, BX, DX and R13 are rows 0 to 3 of the planes.")
	a.Label("loop")
	a.Op("MOVQ SI, AX")
	a.Op("LEAQ (AX)(R8*4), BX")
	a.Op("LEAQ (BX)(R8*4), DX")
	a.Op("LEAQ (DX)(R8*4), R13")
	for j := range 4 {
		for i, base := range []string{"AX", "BX", "DX", "R13"} {
			a.Op("VMOVUPS %s, Y%d", rowAt(base, "R8", "R9", j, 0), i)
		}
		sumSteps(a, "Y", 0, 1, 2, 3, 4+j, 8+j)
	}
	for r := range 2 {
		c := 4 + 4*r
		sumSteps(a, "Y", c, c+1, c+2, c+3, 0, 1)
		for v := range 2 {
			a.Op("VADDPS Y14, Y%d, Y%[1]d", v)
			a.Op("VMAXPS Y%d, Y15, Y%[1]d", v)
		}
		a.Op("VUNPCKLPS Y1, Y0, Y2")
		a.Op("VUNPCKHPS Y1, Y0, Y3")
		a.Op("VPERM2F128 $0x20, Y3, Y2, Y0")
		a.Op("VPERM2F128 $0x31, Y3, Y2, Y1")
		a.Op("VMOVUPS Y0, %s", rowAt("DI", "R10", "R11", r, 0))
		a.Op("VMOVUPS Y1, %s", rowAt("DI", "R10", "R11", r, 32))
	}
	next(a, 8, 64, 32)
	return a.Bytes()
}
