package main

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// The tiles of AMX: 32×32 elements of C in four tile registers of 16×16. A step is 16 words of k: two registers have 16
// rows of A each, two have 16 columns of B. So four loads feed four products.
const (
	amxRows = 32
	amxStep = 16
	amxRow  = 4 * amxRows // bytes of a row of B, and of a row of sums
)

// An amxProduct is what AMX does with words.
type amxProduct struct {
	name   string // of the kernel
	about  string
	op     func(c, a, b int) asm.Code
	add    string // adds two sums
	planes int    // parts of a number, each with words of its own
	// passes over a K block list the parts of A and B that are multiplied. The smallest come first: the largest, alone in the
	// last pass, round a large sum only once in a step.
	passes [][][2]int
}

func tdpbf16(c, a, b int) asm.Code { return asm.TileOp("tdpbf16ps", 2, 0x5c, c, a, b) }

var amxProducts = []amxProduct{
	{"BF16", bf16Words.about, tdpbf16, "VADDPS", 1, [][][2]int{{{0, 0}}}},
	{"Accurate", "words of two bfloat16 in three planes, the largest parts first", tdpbf16, "VADDPS", 3,
		[][][2]int{{{2, 0}, {0, 2}, {1, 1}, {1, 0}, {0, 1}}, {{0, 0}}}},
	{"Int8", "words of four integers of 8 bits",
		func(c, a, b int) asm.Code { return asm.TileOp("tdpbssd", 3, 0x5e, c, a, b) }, "VPADDD", 1, [][][2]int{{{0, 0}}}},
}

// tilesAMX writes the AMX kernels.
func tilesAMX() *asm.Text {
	a := asm.New(generator)
	for _, x := range amxProducts {
		tileAMX(a, x, 1)
		tileAMX(a, x, 2)
	}
	peakAMX(a, amxProducts[0])
	peakAMX(a, amxProducts[2])
	return a
}

// tileAMX writes the kernel of up to 16 rows, or of up to 32: halves is the number of tile registers that a column of A
// takes. Tile registers 0 to 3 accumulate, 4 and 5 hold A, 6 and 7 hold B. The sums of a K block go through memory, where
// AVX-512 adds them to C.
func tileAMX(a *asm.Text, x amxProduct, halves int) {
	a.Func(fmt.Sprintf("amx%d%s", 16*halves, x.name), "(t *gemmTile)", 64, 8,
		fmt.Sprintf("Tiles of up to %d×%d, A row-major, %s.", 16*halves, amxRows, x.about))
	a.Op("MOVQ t+0(FP), DI")
	a.Comment("The last of A and its sums may have fewer rows.")
	shapes(a)
	a.Op("MOVQ %d(DI), AX", tileRows)
	if halves == 2 {
		a.Op("SUBQ $16, AX")
	}
	last := halves - 1
	for _, r := range []int{2 * last, 2*last + 1, 4 + last} {
		a.Op("MOVB AX, %d(SP)", 48+r)
	}
	a.Raw(asm.TileConfig)
	a.Op("MOVQ %d(DI), CX", tileCols)
	columnMasks(a, "K1", "K2")
	a.Op("MOVQ %d(DI), R9", tileARS)
	a.Op("MOVQ $%d, R11", amxRow)
	a.Op("MOVQ %d(DI), DX", tileC)
	a.Op("MOVQ %d(DI), AX", tileA)
	a.Op("MOVQ AX, %d(DI)", tileAt)
	a.Label("tile")
	for c := range 2 * halves {
		a.Raw(asm.TileZero(c))
	}
	for i, pairs := range x.passes {
		a.Op("MOVQ %d(DI), AX", tileAt)
		if halves == 2 {
			a.Op("MOVQ R9, BX")
			a.Op("SHLQ $4, BX")
			a.Op("ADDQ AX, BX")
		}
		a.Op("MOVQ %d(DI), R13", tileB)
		a.Op("MOVQ %d(DI), CX", tileK)
		step := fmt.Sprint("step", i+1)
		a.Label(step)
		planeA, planeB := -1, -1
		for _, p := range pairs {
			if p[0] != planeA {
				for h := range halves {
					a.Raw(asm.TileLoad(4+h, [...]string{"rax", "rbx"}[h], "r9", 64*p[0]))
				}
			}
			if p[1] != planeB {
				for v := range 2 {
					a.Raw(asm.TileLoad(6+v, "r13", "r11", amxStep*amxRow*p[1]+64*v))
				}
			}
			planeA, planeB = p[0], p[1]
			for h := range halves {
				for v := range 2 {
					a.Raw(x.op(2*h+v, 4+h, 6+v))
				}
			}
		}
		a.Op("ADDQ $%d, AX", 64*x.planes)
		if halves == 2 {
			a.Op("ADDQ $%d, BX", 64*x.planes)
		}
		a.Op("ADDQ $%d, R13", amxStep*amxRow*x.planes)
		a.Op("SUBQ $%d, CX", amxStep*x.planes)
		a.Op("JNE %s", step)
	}
	a.Op("MOVQ %d(DI), R12", tilePart)
	for h := range halves {
		for v := range 2 {
			a.Raw(asm.TileStore(2*h+v, "r12", "r11", 16*amxRow*h+64*v))
		}
	}
	a.Op("MOVQ %d(DI), CX", tileRows)
	a.Op("CMPQ %d(DI), $0", tileAccum)
	a.Op("JEQ write")
	for _, label := range []string{"add", "write"} {
		a.Label(label)
		for v := range 2 {
			a.Op("VMOVUPS %d(R12), Z%d", 64*v, v)
			if label == "add" {
				a.Op("%s %d(DX), Z%d, K%d, Z%[3]d", x.add, 64*v, v, 1+v)
			}
			a.Op("VMOVUPS Z%d, K%d, %d(DX)", v, 1+v, 64*v)
		}
		a.Op("ADDQ $%d, R12", amxRow)
		a.Op("ADDQ %d(DI), DX", tileLDC)
		a.Op("DECQ CX")
		a.Op("JNE %s", label)
		if label == "add" {
			a.Op("JMP next")
		}
	}
	a.Label("next")
	a.Op("MOVQ %d(DI), AX", tileATile)
	a.Op("ADDQ AX, %d(DI)", tileAt)
	a.Op("DECQ %d(DI)", tileTiles)
	a.Op("JNE tile")
	a.Raw(asm.TileRelease)
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// peakAMX writes the loop that Math.Peak times: products of full registers.
func peakAMX(a *asm.Text, x amxProduct) {
	a.Func("peakAMX"+x.name, "(n int)", 64, 8, "n rounds of four products of tile registers of 16×16 words.")
	a.Op("MOVQ n+0(FP), CX")
	shapes(a)
	a.Raw(asm.TileConfig)
	for i := range 8 {
		a.Raw(asm.TileZero(i))
	}
	a.Op("PCALIGN $32")
	a.Label("loop")
	for i := range 4 {
		a.Raw(x.op(i, 4+i/2, 6+i%2))
	}
	a.Op("DECQ CX")
	a.Op("JNE loop")
	a.Raw(asm.TileRelease)
	a.Op("RET")
}

// shapes writes the shapes of the registers to the top of the stack: 16 rows of 64 bytes.
func shapes(a *asm.Text) {
	for i := range 8 {
		a.Op("MOVQ $0, %d(SP)", 8*i)
	}
	a.Op("MOVB $1, 0(SP)")
	a.Op("MOVQ $0x0040004000400040, AX")
	a.Op("MOVQ AX, 16(SP)")
	a.Op("MOVQ AX, 24(SP)")
	a.Op("MOVQ $0x1010101010101010, AX")
	a.Op("MOVQ AX, 48(SP)")
}
