package main

import "github.com/fovea-ml/fovea/simd/internal/asm"

// neon writes the kernels of arm64. Loads and stores of pairs divide rows of pixels and put rows of results together.
//
//	R0  the result     R2  bytes from one plane of transformed tiles to the next
//	R1  the tiles      R3  bytes from one row to the next
//	R4  tiles to go
func neon() []byte {
	a := asm.New(generator)
	pixels, sums := docs(4)
	a.Func("winogradPixelsNEON", pixelsParams, 0, 40, pixels)
	a.Op("MOVD dst+0(FP), R0")
	a.Op("MOVD src+8(FP), R1")
	a.Op("MOVD plane+16(FP), R2")
	a.Op("MOVD row+24(FP), R3")
	a.Op("MOVD n+32(FP), R4")
	a.Label("loop")
	a.Op("MOVD R1, R5")
	for i := range 4 { // V0 to V15: the pixels
		a.Op("ADD $8, R5, R6")
		a.Word(ld2(4*i, 5))
		a.Word(ld2(4*i+2, 6))
		if i < 3 {
			a.Op("ADD R3, R5, R5")
		}
	}
	a.Op("MOVD R0, R7")
	for i, s := range pixelSteps {
		for j := range 4 {
			a.Word(arith(s.op, 16+j, 4*s.x+j, 4*s.y+j))
		}
		for j, s := range pixelSteps {
			a.Word(arith(s.op, 20+j, 16+s.x, 16+s.y))
			a.Word(asm.StoreQ(20+j, 7, 0))
			if 4*i+j < 15 {
				a.Op("ADD R2, R7, R7")
			}
		}
	}
	a.Op("ADD $16, R0, R0")
	a.Op("ADD $32, R1, R1")
	a.Op("SUBS $4, R4, R4")
	a.Op("BGT loop")
	a.Op("RET")

	a.Func("winogradSumsNEON", sumsParams, 0, 48, sums)
	a.Op("MOVD dst+0(FP), R0")
	a.Op("MOVD src+8(FP), R1")
	a.Op("MOVD row+16(FP), R3")
	a.Op("MOVD plane+24(FP), R2")
	a.Op("MOVD n+32(FP), R4")
	a.Op("FMOVS bias+40(FP), F30")
	a.Op("VDUP V30.S[0], V30.S4")
	a.Op("FMOVS floor+44(FP), F31")
	a.Op("VDUP V31.S[0], V31.S4")
	a.Label("loop")
	a.Op("MOVD R1, R5")
	for p := range 16 {
		a.Word(asm.LoadQ(p, 5, 0))
		if p < 15 {
			a.Op("ADD R2, R5, R5")
		}
	}
	sums4 := func(a0, b, c, d, x, y int) {
		a.Word(arith("ADD", x, a0, b))
		a.Word(arith("ADD", x, x, c))
		a.Word(arith("SUB", y, b, c))
		a.Word(arith("SUB", y, y, d))
	}
	for j := range 4 {
		sums4(j, 4+j, 8+j, 12+j, 16+j, 20+j)
	}
	a.Op("ADD R3, R0, R6")
	for r := range 2 {
		c, y := 16+4*r, 24+2*r
		sums4(c, c+1, c+2, c+3, y, y+1)
		for v := y; v < y+2; v++ {
			a.Word(arith("ADD", v, v, 30))
			a.Word(greater(0, 31, v))
			a.Word(choose(0, 31, v))
			a.Word(or(v, 0, 0))
		}
		a.Word(st2(y, []int{0, 6}[r]))
	}
	a.Op("ADD $32, R0, R0")
	a.Op("ADD $16, R1, R1")
	a.Op("SUBS $4, R4, R4")
	a.Op("BGT loop")
	a.Op("RET")
	return a.Bytes()
}

func ld2(r, base int) asm.Instruction {
	return asm.Encode(0x4c408800|base<<5|r, "ld2 { v%d.4s, v%d.4s }, [x%d]", r, r+1, base)
}

func st2(r, base int) asm.Instruction {
	return asm.Encode(0x4c008800|base<<5|r, "st2 { v%d.4s, v%d.4s }, [x%d]", r, r+1, base)
}

// arith is d = x + y or x - y.
func arith(op string, d, x, y int) asm.Instruction {
	code, name := 0x4e20d400, "fadd"
	if op == "SUB" {
		code, name = 0x4ea0d400, "fsub"
	}
	return asm.Encode(code|y<<16|x<<5|d, "%s v%d.4s, v%d.4s, v%d.4s", name, d, x, y)
}

// greater sets d to ones where x > y.
func greater(d, x, y int) asm.Instruction {
	return asm.Encode(0x6ea0e400|y<<16|x<<5|d, "fcmgt v%d.4s, v%d.4s, v%d.4s", d, x, y)
}

// choose sets d to x where it has ones, and to y elsewhere.
func choose(d, x, y int) asm.Instruction {
	return asm.Encode(0x6e601c00|y<<16|x<<5|d, "bsl v%d.16b, v%d.16b, v%d.16b", d, x, y)
}

func or(d, x, y int) asm.Instruction {
	return asm.Encode(0x4ea01c00|y<<16|x<<5|d, "mov v%d.16b, v%d.16b", d, x)
}
