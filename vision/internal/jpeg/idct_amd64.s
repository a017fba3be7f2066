#include "textflag.h"

// Two passes over eight registers of eight int32 each. Inputs come as pairs of 16 bits, so that VPMADDWD makes two
// products and their sum: 12 multiplications a pass. About 150 instructions a block, 16 registers.

// Within 16 bytes: bytes of the first and second half alternate, two at a time.
DATA pairs<>+0(SB)/8, $0x0b0a030209080100
DATA pairs<>+8(SB)/8, $0x0f0e07060d0c0504
DATA pairs<>+16(SB)/8, $0x0b0a030209080100
DATA pairs<>+24(SB)/8, $0x0f0e07060d0c0504
GLOBL pairs<>(SB), RODATA|NOPTR, $32

// Within 16 bytes: a 4×4 transpose.
DATA square<>+0(SB)/8, $0x0d0905010c080400
DATA square<>+8(SB)/8, $0x0f0b07030e0a0602
DATA square<>+16(SB)/8, $0x0d0905010c080400
DATA square<>+24(SB)/8, $0x0f0b07030e0a0602
GLOBL square<>(SB), RODATA|NOPTR, $32

DATA halves<>+0(SB)/4, $(1<<10)      // half a unit of the first pass
DATA halves<>+4(SB)/4, $(1<<17)      // and of the second
DATA halves<>+8(SB)/4, $0x80808080   // the middle of the range of samples
GLOBL halves<>(SB), RODATA|NOPTR, $12

// PASS takes the pairs (0,4), (2,6), (7,1), (5,3) in Y0 to Y3, half a unit in Y15, and leaves outputs 0 to 7 in Y0
// to Y7. R8 points to inverseConstants.
#define PASS(shift) \
	VPMADDWD 0(R8), Y0, Y4 \
	VPMADDWD 32(R8), Y0, Y5 \
	VPMADDWD 64(R8), Y1, Y6 \
	VPMADDWD 96(R8), Y1, Y7 \
	VPADDD   Y15, Y4, Y4 \
	VPADDD   Y15, Y5, Y5 \
	VPADDD   Y7, Y4, Y8 \
	VPSUBD   Y7, Y4, Y11 \
	VPADDD   Y6, Y5, Y9 \
	VPSUBD   Y6, Y5, Y10 \
	VPMADDWD 128(R8), Y2, Y4 \
	VPMADDWD 160(R8), Y3, Y12 \
	VPADDD   Y12, Y4, Y4 \
	VPMADDWD 192(R8), Y2, Y5 \
	VPMADDWD 224(R8), Y3, Y13 \
	VPADDD   Y13, Y5, Y5 \
	VPMADDWD 256(R8), Y2, Y6 \
	VPMADDWD 288(R8), Y3, Y12 \
	VPADDD   Y12, Y6, Y6 \
	VPMADDWD 320(R8), Y2, Y7 \
	VPMADDWD 352(R8), Y3, Y13 \
	VPADDD   Y13, Y7, Y7 \
	VPADDD   Y7, Y8, Y0 \
	VPSUBD   Y7, Y8, Y7 \
	VPADDD   Y6, Y9, Y1 \
	VPSUBD   Y6, Y9, Y6 \
	VPADDD   Y5, Y10, Y2 \
	VPSUBD   Y5, Y10, Y5 \
	VPADDD   Y4, Y11, Y3 \
	VPSUBD   Y4, Y11, Y4 \
	VPSRAD   $shift, Y0, Y0 \
	VPSRAD   $shift, Y1, Y1 \
	VPSRAD   $shift, Y2, Y2 \
	VPSRAD   $shift, Y3, Y3 \
	VPSRAD   $shift, Y4, Y4 \
	VPSRAD   $shift, Y5, Y5 \
	VPSRAD   $shift, Y6, Y6 \
	VPSRAD   $shift, Y7, Y7

// func inverseAVX2(dst *uint8, stride int, b *block, q *[64]int16, constants *[12][16]int16)
TEXT ·inverseAVX2(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ stride+8(FP), CX
	MOVQ b+16(FP), SI
	MOVQ q+24(FP), DX
	MOVQ constants+32(FP), R8

	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VMOVDQU 64(SI), Y2
	VMOVDQU 96(SI), Y3
	VPMULLW (DX), Y0, Y0
	VPMULLW 32(DX), Y1, Y1
	VPMULLW 64(DX), Y2, Y2
	VPMULLW 96(DX), Y3, Y3
	VPBROADCASTD halves<>+0(SB), Y15
	PASS(11)

	// Rows i and i+4 share a register, first columns 0 2 7 5 of both, then 4 6 1 3 of both; bring each row
	// into one half, its pairs of columns side by side.
	VPACKSSDW Y4, Y0, Y0
	VPACKSSDW Y5, Y1, Y1
	VPACKSSDW Y6, Y2, Y2
	VPACKSSDW Y7, Y3, Y3
	VMOVDQU   pairs<>(SB), Y14
	VPERMQ    $0xd8, Y0, Y0
	VPERMQ    $0xd8, Y1, Y1
	VPERMQ    $0xd8, Y2, Y2
	VPERMQ    $0xd8, Y3, Y3
	VPSHUFB   Y14, Y0, Y0
	VPSHUFB   Y14, Y1, Y1
	VPSHUFB   Y14, Y2, Y2
	VPSHUFB   Y14, Y3, Y3

	// Transpose the pairs: a register for each, rows 0 to 3 in its lower half and 4 to 7 in its upper.
	VPUNPCKLDQ  Y1, Y0, Y4
	VPUNPCKHDQ  Y1, Y0, Y5
	VPUNPCKLDQ  Y3, Y2, Y6
	VPUNPCKHDQ  Y3, Y2, Y7
	VPUNPCKLQDQ Y6, Y4, Y0
	VPUNPCKHQDQ Y6, Y4, Y1
	VPUNPCKLQDQ Y7, Y5, Y2
	VPUNPCKHQDQ Y7, Y5, Y3
	VPBROADCASTD halves<>+4(SB), Y15
	PASS(18)

	// Registers are columns now. Narrow to bytes, transpose, and move the middle to 128.
	VPACKSSDW Y1, Y0, Y0
	VPACKSSDW Y3, Y2, Y2
	VPACKSSDW Y5, Y4, Y4
	VPACKSSDW Y7, Y6, Y6
	VPACKSSWB Y2, Y0, Y0
	VPACKSSWB Y6, Y4, Y4
	VMOVDQU   square<>(SB), Y14
	VPBROADCASTD halves<>+8(SB), Y15
	VPSHUFB   Y14, Y0, Y0
	VPSHUFB   Y14, Y4, Y4
	VPXOR     Y15, Y0, Y0
	VPXOR     Y15, Y4, Y4
	VPUNPCKLDQ Y4, Y0, Y1 // rows 0, 1 and 4, 5
	VPUNPCKHDQ Y4, Y0, Y2 // rows 2, 3 and 6, 7
	VEXTRACTI128 $1, Y1, X3
	VEXTRACTI128 $1, Y2, X4
	LEAQ    (CX)(CX*2), R9
	LEAQ    (DI)(CX*4), R10
	VMOVQ   X1, (DI)
	VPEXTRQ $1, X1, (DI)(CX*1)
	VMOVQ   X2, (DI)(CX*2)
	VPEXTRQ $1, X2, (DI)(R9*1)
	VMOVQ   X3, (R10)
	VPEXTRQ $1, X3, (R10)(CX*1)
	VMOVQ   X4, (R10)(CX*2)
	VPEXTRQ $1, X4, (R10)(R9*1)
	VZEROUPPER
	RET
