package main

import "fmt"

// gemmAVX512 writes the AVX-512 kernels. A tile of 14×32 keeps 28 accumulators, two vectors of B and two
// broadcast elements of A: all 32 registers. A step of k is 2 loads, 14 broadcasts and 28 fused
// multiply-adds, which take 14 cycles on two ports; the loads take 8.
func gemmAVX512() []byte {
	var a asm
	a.WriteString(header)
	for h := 1; h <= 14; h++ {
		tile512(&a, h, "r", 2)
		tile512(&a, h, "k", 2)
		tile512(&a, h, "h", 1)
	}
	for h := 1; h <= 6; h++ {
		wide512(&a, h, widePanels512(h))
	}
	peak512(&a)
	return a.Bytes()
}

func widePanels512(h int) int {
	if h <= 3 {
		return 4
	}
	return 2
}

// rowAddress is row i of A when rows are R9 bytes apart, R10 being three times that: the first five rows
// from AX, the next from BX, the last from R12.
func rowAddress(i, disp int) string {
	base := [...]string{"AX", "BX", "R12"}[i/5]
	d := ""
	if disp != 0 {
		d = fmt.Sprint(disp)
	}
	return d + "(" + base + ")" + [...]string{"", "(R9*1)", "(R9*2)", "(R10*1)", "(R9*4)"}[i%5]
}

// tile512 writes the kernel of height h and a width of vectors times 16. The form is k for a k-major A (its
// rows are 4 bytes apart), or r or h for a row-major one (its k are 4 bytes apart).
func tile512(a *asm, h int, form string, vectors int) {
	byRow, order := form != "k", "row-major"
	if !byRow {
		order = "k-major"
	}
	name := fmt.Sprintf("gemm512%s%d", form, h)
	a.text(fmt.Sprintf("func %s(t *gemmTile)\n// Tiles of %d×%d, A %s.", name, h, 16*vectors, order), name, 8)
	a.p("MOVQ t+0(FP), DI")
	a.p("MOVQ %d(DI), CX", tileCols)
	a.p("MOVQ $1, AX")
	a.p("SHLQ CX, AX")
	a.p("DECQ AX")
	a.p("KMOVW AX, K1")
	a.p("SHRQ $16, AX")
	a.p("KMOVW AX, K2")
	a.p("MOVQ %d(DI), DX", tileC)
	a.p("MOVQ %d(DI), R11", tileBRS)
	a.p("MOVQ %d(DI), R15", tileAhead)
	a.p("MOVQ %d(DI), SI", tileAheadStride)
	a.p("LEAQ (R11)(R11*2), R8")
	if byRow {
		a.p("MOVQ %d(DI), R9", tileARS)
		a.p("LEAQ (R9)(R9*2), R10")
	} else {
		a.p("MOVQ %d(DI), R9", tileACS)
	}
	a.p("MOVQ %d(DI), AX", tileA)
	a.p("MOVQ AX, %d(DI)", tileAt)
	a.l("tile")
	a.p("MOVQ %d(DI), AX", tileAt)
	if byRow && h > 5 {
		a.p("LEAQ (AX)(R9*4), BX")
		a.p("ADDQ R9, BX")
	}
	if byRow && h > 10 {
		a.p("LEAQ (BX)(R9*4), R12")
		a.p("ADDQ R9, R12")
	}
	a.p("MOVQ %d(DI), R13", tileB)
	a.p("CMPQ %d(DI), $0", tileAccum)
	a.p("JNE load")
	for i := range h {
		for v := range vectors {
			a.p("VPXORD Z%d, Z%d, Z%d", 2*i+v, 2*i+v, 2*i+v)
		}
	}
	a.c("The tile of C will be written; fetch it while the sums form.")
	a.p("MOVQ DX, CX")
	for i := range h {
		for v := range vectors {
			a.p("PREFETCHT0 %d(CX)", 64*v)
		}
		if i < h-1 {
			a.p("ADDQ %d(DI), CX", tileLDC)
		}
	}
	a.p("JMP begin")
	a.l("load")
	a.p("MOVQ DX, CX")
	for i := range h {
		for v := range vectors {
			a.p("VMOVUPS.Z %d(CX), K%d, Z%d", 64*v, 1+v, 2*i+v)
		}
		if i < h-1 {
			a.p("ADDQ %d(DI), CX", tileLDC)
		}
	}
	a.l("begin")
	step := func(u int) {
		at := [...]string{"(R13)", "(R13)(R11*1)", "(R13)(R11*2)", "(R13)(R8*1)"}[u]
		a.p("VMOVUPS %s, Z28", at)
		if vectors == 2 {
			a.p("VMOVUPS 64%s, Z29", at)
		}
		for i := range h {
			at := rowAddress(i, 4*u)
			if !byRow {
				at = fmt.Sprintf("%d(AX)", 4*i)
			}
			r := 30 + i%2
			a.p("VBROADCASTSS %s, Z%d", at, r)
			for v := range vectors {
				a.p("VFMADD231PS Z%d, Z%d, Z%d", 28+v, r, 2*i+v)
			}
		}
		if !byRow {
			a.p("ADDQ R9, AX")
		}
	}
	advance := func(n int) {
		if byRow {
			a.p("ADDQ $%d, AX", n)
			if h > 5 {
				a.p("ADDQ $%d, BX", n)
			}
			if h > 10 {
				a.p("ADDQ $%d, R12", n)
			}
		}
	}
	a.p("MOVQ %d(DI), CX", tileK)
	a.p("SUBQ $4, CX")
	a.p("JLT rest")
	a.p("PCALIGN $32")
	a.l("four")
	for u := range 4 {
		prefetchAhead(a, u, 3)
		step(u)
	}
	advance(16)
	a.p("LEAQ (R13)(R11*4), R13")
	a.p("ADDQ $16, R15")
	a.p("SUBQ $4, CX")
	a.p("JGE four")
	a.l("rest")
	a.p("ADDQ $4, CX")
	a.p("JLE store")
	a.l("one")
	step(0)
	advance(4)
	a.p("ADDQ R11, R13")
	a.p("DECQ CX")
	a.p("JNE one")
	a.l("store")
	for i := range h {
		for v := range vectors {
			a.p("VMOVUPS Z%d, K%d, %d(DX)", 2*i+v, 1+v, 64*v)
		}
		a.p("ADDQ %d(DI), DX", tileLDC)
	}
	a.p("MOVQ %d(DI), AX", tileATile)
	a.p("ADDQ AX, %d(DI)", tileAt)
	a.p("ADDQ %d(DI), R15", tileAheadTile)
	a.p("DECQ %d(DI)", tileTiles)
	a.p("JNE tile")
	a.p("VZEROUPPER")
	a.p("RET")
}

// wide512 writes a kernel of few rows over several panels, for products that are bound by reading B: a
// row-major A, full panels, one tile.
func wide512(a *asm, h, panels int) {
	name := fmt.Sprintf("gemm512w%d", h)
	a.text(fmt.Sprintf("func %s(t *gemmTile)\n// One tile of %d×%d over %d panels, A row-major.", name, h, 32*panels, panels), name, 8)
	a.p("MOVQ t+0(FP), DI")
	a.p("MOVQ %d(DI), AX", tileA)
	a.p("MOVQ %d(DI), R13", tileB)
	a.p("MOVQ %d(DI), DX", tileC)
	a.p("MOVQ %d(DI), R11", tileBRS)
	a.p("MOVQ %d(DI), R8", tileBPS)
	a.p("LEAQ (R8)(R8*2), R15")
	a.p("MOVQ %d(DI), R9", tileARS)
	a.p("LEAQ (R9)(R9*2), R10")
	if h > 5 {
		a.p("LEAQ (AX)(R9*4), BX")
		a.p("ADDQ R9, BX")
	}
	acc := func(i, v int) int { return i*2*panels + v }
	a.p("CMPQ %d(DI), $0", tileAccum)
	a.p("JNE load")
	for i := range 2 * h * panels {
		a.p("VPXORD Z%d, Z%d, Z%d", i, i, i)
	}
	a.p("JMP begin")
	a.l("load")
	a.p("MOVQ DX, CX")
	for i := range h {
		for v := range 2 * panels {
			a.p("VMOVUPS %d(CX), Z%d", 64*v, acc(i, v))
		}
		if i < h-1 {
			a.p("ADDQ %d(DI), CX", tileLDC)
		}
	}
	a.l("begin")
	a.p("MOVQ %d(DI), CX", tileK)
	a.p("TESTQ CX, CX")
	a.p("JEQ store")
	a.p("PCALIGN $32")
	a.l("one")
	elems := 2 * h * panels
	bregs := 32 - elems - h // at least 2
	for i := range h {
		a.p("VBROADCASTSS %s, Z%d", rowAddress(i, 0), elems+i)
	}
	for v := range 2 * panels {
		at := [...]string{"(R13)", "(R13)(R8*1)", "(R13)(R8*2)", "(R13)(R15*1)"}[v/2]
		if v%2 == 1 {
			at = "64" + at
		}
		b := elems + h + v%bregs
		a.p("VMOVUPS %s, Z%d", at, b)
		for i := range h {
			a.p("VFMADD231PS Z%d, Z%d, Z%d", b, elems+i, acc(i, v))
		}
	}
	a.p("ADDQ R11, R13")
	a.p("ADDQ $4, AX")
	if h > 5 {
		a.p("ADDQ $4, BX")
	}
	a.p("DECQ CX")
	a.p("JNE one")
	a.l("store")
	for i := range h {
		for v := range 2 * panels {
			a.p("VMOVUPS Z%d, %d(DX)", acc(i, v), 64*v)
		}
		if i < h-1 {
			a.p("ADDQ %d(DI), DX", tileLDC)
		}
	}
	a.p("VZEROUPPER")
	a.p("RET")
}

// peak512 writes the loop that FMAPeak times: 16 independent chains, nothing but multiply-adds.
func peak512(a *asm) {
	a.text("func peak512(n int)\n// n rounds of 16 fused multiply-adds of 16 lanes.", "peak512", 8)
	a.p("MOVQ n+0(FP), CX")
	for i := range 18 {
		a.p("VPXORD Z%d, Z%d, Z%d", i, i, i)
	}
	a.p("PCALIGN $32")
	a.l("loop")
	for i := range 16 {
		a.p("VFMADD231PS Z16, Z17, Z%d", i)
	}
	a.p("DECQ CX")
	a.p("JNE loop")
	a.p("VZEROUPPER")
	a.p("RET")
}
