#include "textflag.h"

// Everything below works in the two halves of a register apart: unpacking bytes to 16 bits takes the lower and the
// upper eight of each half, and packing puts them back where they were.

DATA consts<>+0(SB)/4, $0x01030103      // 3 and 1, for the nearer and the further sample
DATA consts<>+4(SB)/4, $0x00010001
DATA consts<>+8(SB)/4, $0x00020002
DATA consts<>+12(SB)/4, $0x00080008
DATA consts<>+16(SB)/4, $0x00070007
DATA consts<>+20(SB)/4, $0xff00ff00
GLOBL consts<>(SB), RODATA|NOPTR, $24

// func upsampleH2V1AVX2(dst, src *uint8, groups int)
//
// 3·this + neighbor is one VPMADDUBSW of this and neighbor, side by side. The even outputs go into the lower bytes
// of 16 bits, the odd ones into the upper.
TEXT ·upsampleH2V1AVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ groups+16(FP), CX
	VPBROADCASTD consts<>+0(SB), Y15
	VPBROADCASTD consts<>+4(SB), Y14
	VPBROADCASTD consts<>+8(SB), Y13
	VPBROADCASTD consts<>+20(SB), Y12

loop:
	VMOVDQU    (SI), Y0
	VMOVDQU    -1(SI), Y1
	VMOVDQU    1(SI), Y2
	VPUNPCKLBW Y1, Y0, Y3
	VPUNPCKHBW Y1, Y0, Y4
	VPUNPCKLBW Y2, Y0, Y5
	VPUNPCKHBW Y2, Y0, Y6
	VPMADDUBSW Y15, Y3, Y3
	VPMADDUBSW Y15, Y4, Y4
	VPMADDUBSW Y15, Y5, Y5
	VPMADDUBSW Y15, Y6, Y6
	VPADDW     Y14, Y3, Y3
	VPADDW     Y14, Y4, Y4
	VPADDW     Y13, Y5, Y5
	VPADDW     Y13, Y6, Y6
	VPSRLW     $2, Y3, Y3
	VPSRLW     $2, Y4, Y4
	VPSLLW     $6, Y5, Y5
	VPSLLW     $6, Y6, Y6
	VPAND      Y12, Y5, Y5
	VPAND      Y12, Y6, Y6
	VPOR       Y5, Y3, Y3
	VPOR       Y6, Y4, Y4
	VPERM2I128 $0x20, Y4, Y3, Y5
	VPERM2I128 $0x31, Y4, Y3, Y6
	VMOVDQU    Y5, (DI)
	VMOVDQU    Y6, 32(DI)
	ADDQ       $32, SI
	ADDQ       $64, DI
	DECQ       CX
	JNZ        loop
	VZEROUPPER
	RET

// COLUMN leaves 3·near + far of 32 columns, at an offset from the present ones, in lo and hi.
#define COLUMN(offset, lo, hi) \
	VMOVDQU    offset(SI), Y0 \
	VMOVDQU    offset(DX), Y1 \
	VPUNPCKLBW Y1, Y0, lo \
	VPUNPCKHBW Y1, Y0, hi \
	VPMADDUBSW Y15, lo, lo \
	VPMADDUBSW Y15, hi, hi

// func upsampleH2V2AVX2(dst, near, far *uint8, groups int)
TEXT ·upsampleH2V2AVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ near+8(FP), SI
	MOVQ far+16(FP), DX
	MOVQ groups+24(FP), CX
	VPBROADCASTD consts<>+0(SB), Y15
	VPBROADCASTD consts<>+12(SB), Y14
	VPBROADCASTD consts<>+16(SB), Y13
	VPBROADCASTD consts<>+20(SB), Y12

loop:
	COLUMN(0, Y2, Y3)
	COLUMN(-1, Y4, Y5)
	COLUMN(1, Y6, Y7)
	VPADDW     Y2, Y2, Y8
	VPADDW     Y3, Y3, Y9
	VPADDW     Y8, Y2, Y2
	VPADDW     Y9, Y3, Y3
	VPADDW     Y14, Y4, Y4
	VPADDW     Y14, Y5, Y5
	VPADDW     Y13, Y6, Y6
	VPADDW     Y13, Y7, Y7
	VPADDW     Y2, Y4, Y4
	VPADDW     Y3, Y5, Y5
	VPADDW     Y2, Y6, Y6
	VPADDW     Y3, Y7, Y7
	VPSRLW     $4, Y4, Y4
	VPSRLW     $4, Y5, Y5
	VPSLLW     $4, Y6, Y6
	VPSLLW     $4, Y7, Y7
	VPAND      Y12, Y6, Y6
	VPAND      Y12, Y7, Y7
	VPOR       Y6, Y4, Y4
	VPOR       Y7, Y5, Y5
	VPERM2I128 $0x20, Y5, Y4, Y6
	VPERM2I128 $0x31, Y5, Y4, Y7
	VMOVDQU    Y6, (DI)
	VMOVDQU    Y7, 32(DI)
	ADDQ       $32, SI
	ADDQ       $32, DX
	ADDQ       $64, DI
	DECQ       CX
	JNZ        loop
	VZEROUPPER
	RET

// HALF converts 16 pixels, one half of Y0 (brightness), Y1 (Cb) and Y2 (Cr), taken apart by unpack, to 16-bit red,
// green and blue; Y3 is zero. A factor above 1 (or 2) is one (or two) times the input and the rest as a fraction,
// which is (floor(2·x·fraction) + 1)/2, rounded down: libjpeg's rounding. R9 points to colorConstants.
#define HALF(unpack, red, green, blue) \
	unpack    Y3, Y1, Y4 \
	unpack    Y3, Y2, Y5 \
	VPSUBW    0(R9), Y4, Y4 \
	VPSUBW    0(R9), Y5, Y5 \
	VPUNPCKLWD Y5, Y4, Y6 \
	VPUNPCKHWD Y5, Y4, Y7 \
	VPMADDWD  32(R9), Y6, Y6 \
	VPMADDWD  32(R9), Y7, Y7 \
	VPADDD    64(R9), Y6, Y6 \
	VPADDD    64(R9), Y7, Y7 \
	VPSRAD    $16, Y6, Y6 \
	VPSRAD    $16, Y7, Y7 \
	VPACKSSDW Y7, Y6, green \
	VPSUBW    Y5, green, green \
	VPADDW    Y4, Y4, Y4 \
	VPADDW    Y5, Y5, Y6 \
	VPMULHW   96(R9), Y6, Y6 \
	VPMULHW   128(R9), Y4, Y7 \
	VPADDW    160(R9), Y6, Y6 \
	VPADDW    160(R9), Y7, Y7 \
	VPSRAW    $1, Y6, Y6 \
	VPSRAW    $1, Y7, Y7 \
	VPADDW    Y5, Y6, red \
	VPADDW    Y4, Y7, blue \
	unpack    Y3, Y0, Y4 \
	VPADDW    Y4, red, red \
	VPADDW    Y4, green, green \
	VPADDW    Y4, blue, blue

// WEAVE puts 16 of every 48 bytes of red (Y0), green (Y1) and blue (Y2) where they belong.
#define WEAVE(masks, out) \
	VPSHUFB masks+0(R9), Y0, out \
	VPSHUFB masks+32(R9), Y1, Y6 \
	VPSHUFB masks+64(R9), Y2, Y7 \
	VPOR    Y6, out, out \
	VPOR    Y7, out, out

// func ycbcrToRGBAVX2(dst, y, cb, cr *uint8, groups int, constants *[15][32]uint8)
TEXT ·ycbcrToRGBAVX2(SB), NOSPLIT, $0-48
	MOVQ  dst+0(FP), DI
	MOVQ  y+8(FP), SI
	MOVQ  cb+16(FP), DX
	MOVQ  cr+24(FP), R8
	MOVQ  groups+32(FP), CX
	MOVQ  constants+40(FP), R9
	VPXOR Y3, Y3, Y3

loop:
	VMOVDQU (SI), Y0
	VMOVDQU (DX), Y1
	VMOVDQU (R8), Y2
	HALF(VPUNPCKLBW, Y8, Y9, Y10)
	HALF(VPUNPCKHBW, Y11, Y12, Y13)
	VPACKUSWB Y11, Y8, Y0
	VPACKUSWB Y12, Y9, Y1
	VPACKUSWB Y13, Y10, Y2
	WEAVE(192, Y8)
	WEAVE(288, Y9)
	WEAVE(384, Y10)
	VMOVDQU X8, (DI)
	VMOVDQU X9, 16(DI)
	VMOVDQU X10, 32(DI)
	VEXTRACTI128 $1, Y8, 48(DI)
	VEXTRACTI128 $1, Y9, 64(DI)
	VEXTRACTI128 $1, Y10, 80(DI)
	ADDQ $32, SI
	ADDQ $32, DX
	ADDQ $32, R8
	ADDQ $96, DI
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET
