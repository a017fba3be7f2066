package main

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

const gatherParams = "(dst, src *float32, taps *int, pieces *gatherPiece, stride, rows, n int)"

func (s *tileSet) gatherDoc() []string {
	return []string{
		fmt.Sprintf("Copies n pieces of %d elements for each of rows taps. Piece p of tap i goes from byte", s.lanes),
		"4·taps[i] + pieces[p].src of src to byte i·stride + pieces[p].dst of dst.",
	}
}

// gather copies scattered rows piece by piece. Pieces are whole registers, so that no mask is needed: what a
// piece writes past its run the next piece or the next row writes over.
func (s *tileSet) gather(a *asm.Text, reg string) {
	a.Func("gather"+s.suffix, gatherParams, 0, 56, s.gatherDoc()...)
	a.Op("MOVQ dst+0(FP), DI")
	a.Op("MOVQ src+8(FP), SI")
	a.Op("MOVQ taps+16(FP), R8")
	a.Op("MOVQ pieces+24(FP), R9")
	a.Op("MOVQ stride+32(FP), R10")
	a.Op("MOVQ rows+40(FP), DX")
	a.Op("MOVQ n+48(FP), R11")
	s.gatherRun(a, reg)
	a.Label("row")
	a.Op("MOVQ (R8), AX")
	a.Op("LEAQ (SI)(AX*4), AX")
	a.Op("MOVQ R9, BX")
	a.Op("MOVQ R11, CX")
	a.Label("piece")
	a.Op("MOVQ (BX), R12")
	a.Op("MOVQ 8(BX), R13")
	a.Op("VMOVUPS (AX)(R12*1), %s0", reg)
	a.Op("VMOVUPS %s0, (DI)(R13*1)", reg)
	a.Op("ADDQ $16, BX")
	a.Op("DECQ CX")
	a.Op("JNE piece")
	a.Op("ADDQ $8, R8")
	a.Op("ADDQ R10, DI")
	a.Op("DECQ DX")
	a.Op("JNE row")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// gatherRun is the case of two pieces that are neighbors, a panel of positions in one row: no list is read.
func (s *tileSet) gatherRun(a *asm.Text, reg string) {
	size := 4 * s.lanes
	a.Op("CMPQ R11, $2")
	a.Op("JNE row")
	a.Op("MOVQ (R9), AX")
	a.Op("MOVQ 16(R9), BX")
	a.Op("LEAQ %d(AX), CX", size)
	a.Op("CMPQ BX, CX")
	a.Op("JNE row")
	a.Op("CMPQ 8(R9), $0")
	a.Op("JNE row")
	a.Op("CMPQ 24(R9), $%d", size)
	a.Op("JNE row")
	a.Op("ADDQ AX, SI")
	a.Op("PCALIGN $32")
	a.Label("run")
	a.Op("MOVQ (R8), AX")
	a.Op("VMOVUPS (SI)(AX*4), %s0", reg)
	a.Op("VMOVUPS %d(SI)(AX*4), %s1", size, reg)
	a.Op("VMOVUPS %s0, (DI)", reg)
	a.Op("VMOVUPS %s1, %d(DI)", reg, size)
	a.Op("ADDQ $8, R8")
	a.Op("ADDQ R10, DI")
	a.Op("DECQ DX")
	a.Op("JNE run")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// gatherNEON is gather for arm64.
func gatherNEON(a *asm.Text) {
	a.Func("gatherNEON", gatherParams, 0, 56, neon.gatherDoc()...)
	a.Op("MOVD dst+0(FP), R0")
	a.Op("MOVD src+8(FP), R1")
	a.Op("MOVD taps+16(FP), R2")
	a.Op("MOVD pieces+24(FP), R3")
	a.Op("MOVD stride+32(FP), R4")
	a.Op("MOVD rows+40(FP), R5")
	a.Op("MOVD n+48(FP), R6")
	a.Label("row")
	a.Op("MOVD.P 8(R2), R7")
	a.Op("ADD R7<<2, R1, R7")
	a.Op("MOVD R3, R8")
	a.Op("MOVD R6, R9")
	a.Label("piece")
	a.Op("LDP.P 16(R8), (R10, R11)")
	a.Op("ADD R7, R10")
	a.Op("ADD R0, R11")
	a.Op("VLD1 (R10), [V0.S4]")
	a.Op("VST1 [V0.S4], (R11)")
	a.Op("SUBS $1, R9")
	a.Op("BNE piece")
	a.Op("ADD R4, R0")
	a.Op("SUBS $1, R5")
	a.Op("BNE row")
	a.Op("RET")
}

// copyRows256 copies rows of elements that are step apart, eight at a time.
func copyRows256(a *asm.Text, step int) {
	name, doc := "copyRows256", "dst[r][c] = src[r][c]"
	if step == 2 {
		name, doc = "copyOther256", "dst[r][c] = src[r][2·c]"
	}
	a.Func(name, "(dst, src *float32, dstStride, srcStride, rows, cols int)", 0, 48,
		doc+" for c < cols, which is 8 or more. Strides are bytes from one row to the next.",
		fmt.Sprintf("It reads %scols elements of each row of src. The last eight overlap those before.", []string{"", "", "2·"}[step]))
	a.Op("MOVQ dst+0(FP), DI")
	a.Op("MOVQ src+8(FP), SI")
	a.Op("MOVQ dstStride+16(FP), R8")
	a.Op("MOVQ srcStride+24(FP), R9")
	a.Op("MOVQ rows+32(FP), DX")
	a.Op("MOVQ cols+40(FP), R10")
	a.Op("SUBQ $8, R10")
	move := func() {
		a.Op("VMOVUPS (BX), Y0")
		if step == 2 {
			a.Op("VSHUFPS $0x88, 32(BX), Y0, Y0")
			a.Op("VPERMPD $0xd8, Y0, Y0")
		}
		a.Op("VMOVUPS Y0, (AX)")
	}
	a.Label("row")
	a.Op("MOVQ DI, AX")
	a.Op("MOVQ SI, BX")
	a.Op("MOVQ R10, CX")
	a.Op("TESTQ CX, CX")
	a.Op("JLE last")
	a.Label("block")
	move()
	a.Op("ADDQ $32, AX")
	a.Op("ADDQ $%d, BX", 32*step)
	a.Op("SUBQ $8, CX")
	a.Op("JGT block")
	a.Label("last")
	a.Comment("CX is 0 or negative.")
	a.Op("LEAQ (AX)(CX*4), AX")
	a.Op("LEAQ (BX)(CX*%d), BX", 4*step)
	move()
	a.Op("ADDQ R8, DI")
	a.Op("ADDQ R9, SI")
	a.Op("DECQ DX")
	a.Op("JNE row")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

const fetchDoc = "Fetches lines of 64 bytes to the cache, from the one that holds src."

// fetchLines asks for lines of memory.
func fetchLines(a *asm.Text) {
	a.Func("fetchLines", "(src *float32, lines int)", 0, 16, fetchDoc)
	a.Op("MOVQ src+0(FP), SI")
	a.Op("MOVQ lines+8(FP), CX")
	a.Label("line")
	a.Op("PREFETCHT0 (SI)")
	a.Op("ADDQ $64, SI")
	a.Op("DECQ CX")
	a.Op("JNE line")
	a.Op("RET")
}

// fetchLinesNEON is fetchLines for arm64.
func fetchLinesNEON(a *asm.Text) {
	a.Func("fetchLines", "(src *float32, lines int)", 0, 16, fetchDoc)
	a.Op("MOVD src+0(FP), R0")
	a.Op("MOVD lines+8(FP), R1")
	a.Label("line")
	a.Op("PRFM (R0), PLDL1KEEP")
	a.Op("ADD $64, R0")
	a.Op("SUBS $1, R1")
	a.Op("BNE line")
	a.Op("RET")
}

// spreadOther256 is the way back. The elements between keep their values.
func spreadOther256(a *asm.Text) {
	a.Func("spreadOther256", "(dst, src *float32, blocks, add int)", 0, 32,
		"dst[2·i] = src[i], or dst[2·i] += src[i] unless add is 0, for i < 8·blocks. It reads and writes",
		"16·blocks elements of dst.")
	a.Op("MOVQ dst+0(FP), DI")
	a.Op("MOVQ src+8(FP), SI")
	a.Op("MOVQ blocks+16(FP), CX")
	a.Op("MOVQ add+24(FP), DX")
	a.Label("block")
	a.Op("VMOVUPS (SI), Y0")
	a.Op("VMOVUPS (DI), Y4")
	a.Op("VMOVUPS 32(DI), Y5")
	a.Op("VUNPCKLPS Y0, Y0, Y1")
	a.Op("VUNPCKHPS Y0, Y0, Y0")
	a.Op("VPERM2F128 $0x20, Y0, Y1, Y2")
	a.Op("VPERM2F128 $0x31, Y0, Y1, Y3")
	a.Op("TESTQ DX, DX")
	a.Op("JEQ store")
	a.Op("VADDPS Y2, Y4, Y2")
	a.Op("VADDPS Y3, Y5, Y3")
	a.Label("store")
	a.Op("VBLENDPS $0x55, Y2, Y4, Y4")
	a.Op("VBLENDPS $0x55, Y3, Y5, Y5")
	a.Op("VMOVUPS Y4, (DI)")
	a.Op("VMOVUPS Y5, 32(DI)")
	a.Op("ADDQ $32, SI")
	a.Op("ADDQ $64, DI")
	a.Op("DECQ CX")
	a.Op("JNE block")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// copyRowsNEON is copyRows256 for arm64, four at a time.
func copyRowsNEON(a *asm.Text, step int) {
	name, doc := "copyRowsNEON", "dst[r][c] = src[r][c]"
	if step == 2 {
		name, doc = "copyOtherNEON", "dst[r][c] = src[r][2·c]"
	}
	a.Func(name, "(dst, src *float32, dstStride, srcStride, rows, cols int)", 0, 48,
		doc+" for c < cols, which is 4 or more. Strides are bytes from one row to the next.",
		fmt.Sprintf("It reads %scols elements of each row of src. The last four overlap those before.", []string{"", "", "2·"}[step]))
	a.Op("MOVD dst+0(FP), R0")
	a.Op("MOVD src+8(FP), R1")
	a.Op("MOVD dstStride+16(FP), R2")
	a.Op("MOVD srcStride+24(FP), R3")
	a.Op("MOVD rows+32(FP), R4")
	a.Op("MOVD cols+40(FP), R5")
	a.Op("SUB $4, R5")
	move := func() {
		if step == 2 {
			a.Op("VLD1.P 32(R7), [V0.S4, V1.S4]")
			a.Op("VUZP1 V1.S4, V0.S4, V0.S4")
		} else {
			a.Op("VLD1.P 16(R7), [V0.S4]")
		}
		a.Op("VST1.P [V0.S4], 16(R6)")
	}
	a.Label("row")
	a.Op("MOVD R0, R6")
	a.Op("MOVD R1, R7")
	a.Op("MOVD R5, R8")
	a.Op("CMP $0, R8")
	a.Op("BLE last")
	a.Label("block")
	move()
	a.Op("SUBS $4, R8")
	a.Op("BGT block")
	a.Label("last")
	a.Comment("R8 is 0 or negative.")
	a.Op("ADD R8<<2, R6, R6")
	a.Op("ADD R8<<%d, R7, R7", step+1)
	move()
	a.Op("ADD R2, R0")
	a.Op("ADD R3, R1")
	a.Op("SUBS $1, R4")
	a.Op("BNE row")
	a.Op("RET")
}

// spreadOtherNEON is spreadOther256 for arm64.
func spreadOtherNEON(a *asm.Text) {
	a.Func("spreadOtherNEON", "(dst, src *float32, blocks, add int)", 0, 32,
		"dst[2·i] = src[i], or dst[2·i] += src[i] unless add is 0, for i < 4·blocks. It reads and writes",
		"8·blocks elements of dst.")
	a.Op("MOVD dst+0(FP), R0")
	a.Op("MOVD src+8(FP), R1")
	a.Op("MOVD blocks+16(FP), R2")
	a.Op("MOVD add+24(FP), R3")
	a.Label("block")
	a.Op("VLD1.P 16(R1), [V0.S4]")
	a.Op("VLD2 (R0), [V2.S4, V3.S4]")
	a.Op("CBZ R3, store")
	a.Word(fadd(0, 2))
	a.Label("store")
	a.Op("VORR V0.B16, V0.B16, V2.B16")
	a.Op("VST2.P [V2.S4, V3.S4], 32(R0)")
	a.Op("SUBS $1, R2")
	a.Op("BNE block")
	a.Op("RET")
}
