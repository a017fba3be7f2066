package main

import "fmt"

// gemmAVX2 writes the AVX2 kernels. A tile of 6×16 keeps 12 accumulators, two vectors of B and two
// broadcast elements of A: all 16 registers. A step of k is 2 loads, 6 broadcasts and 12 fused
// multiply-adds: 6 cycles on two ports, 4 for the loads.
func gemmAVX2() []byte {
	var a asm
	a.WriteString(header)
	a.WriteString("DATA edge256<>+0(SB)/8, $-1\n")
	for i := 1; i < 8; i++ {
		fmt.Fprintf(&a, "DATA edge256<>+%d(SB)/8, $-1\n", 8*i)
	}
	for i := 8; i < 16; i++ {
		fmt.Fprintf(&a, "DATA edge256<>+%d(SB)/8, $0\n", 8*i)
	}
	a.WriteString("GLOBL edge256<>(SB), RODATA|NOPTR, $128\n")
	for h := 1; h <= 6; h++ {
		tile256(&a, h, true)
		tile256(&a, h, false)
	}
	for h, panels := range []int{1: 4, 2: 2, 3: 2} {
		if h > 0 {
			wide256(&a, h, panels)
		}
	}
	peak256(&a)
	return a.Bytes()
}

// tile256 writes the kernel of height h. With byRow A is row-major (its k are 4 bytes apart), else
// k-major (its rows are 4 bytes apart).
func tile256(a *asm, h int, byRow bool) {
	name, order := fmt.Sprintf("gemm256k%d", h), "k-major"
	if byRow {
		name, order = fmt.Sprintf("gemm256r%d", h), "row-major"
	}
	a.text(fmt.Sprintf("func %s(t *gemmTile)\n// Tiles of %d×16, A %s.", name, h, order), name, 8)
	a.p("MOVQ t+0(FP), DI")
	a.p("MOVQ %d(DI), DX", tileC)
	a.p("MOVQ %d(DI), R11", tileBRS)
	a.p("LEAQ (R11)(R11*2), R8")
	a.p("MOVQ %d(DI), R15", tileAhead)
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
	a.p("MOVQ %d(DI), R13", tileB)
	a.p("CMPQ %d(DI), $0", tileAccum)
	a.p("JNE load")
	for i := range 2 * h {
		a.p("VXORPS Y%d, Y%d, Y%d", i, i, i)
	}
	a.c("The tile of C will be written; fetch it while the sums form.")
	a.p("MOVQ DX, CX")
	for i := range h {
		a.p("PREFETCHT0 (CX)")
		if i < h-1 {
			a.p("ADDQ %d(DI), CX", tileLDC)
		}
	}
	a.p("JMP begin")
	// masks loads the lane masks of the columns that exist.
	masks := func() {
		a.p("MOVQ $16, R12")
		a.p("SUBQ %d(DI), R12", tileCols)
		a.p("LEAQ edge256<>(SB), CX")
		a.p("VMOVUPS (CX)(R12*4), Y12")
		a.p("VMOVUPS 32(CX)(R12*4), Y13")
	}
	a.l("load")
	a.p("CMPQ %d(DI), $16", tileCols)
	a.p("JNE loadedge")
	a.p("MOVQ DX, CX")
	for i := range h {
		a.p("VMOVUPS (CX), Y%d", 2*i)
		a.p("VMOVUPS 32(CX), Y%d", 2*i+1)
		if i < h-1 {
			a.p("ADDQ %d(DI), CX", tileLDC)
		}
	}
	a.p("JMP begin")
	a.l("loadedge")
	masks()
	a.p("MOVQ DX, CX")
	for i := range h {
		a.p("VMASKMOVPS (CX), Y12, Y%d", 2*i)
		a.p("VMASKMOVPS 32(CX), Y13, Y%d", 2*i+1)
		if i < h-1 {
			a.p("ADDQ %d(DI), CX", tileLDC)
		}
	}
	a.l("begin")
	step := func(u int) {
		at := [...]string{"(R13)", "(R13)(R11*1)", "(R13)(R11*2)", "(R13)(R8*1)"}[u]
		a.p("VMOVUPS %s, Y12", at)
		a.p("VMOVUPS 32%s, Y13", at)
		for i := range h {
			at := rowAddress(i, 4*u)
			if !byRow {
				at = fmt.Sprintf("%d(AX)", 4*i)
			}
			r := 14 + i%2
			a.p("VBROADCASTSS %s, Y%d", at, r)
			a.p("VFMADD231PS Y12, Y%d, Y%d", r, 2*i)
			a.p("VFMADD231PS Y13, Y%d, Y%d", r, 2*i+1)
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
		}
	}
	a.p("MOVQ %d(DI), CX", tileK)
	a.p("SUBQ $4, CX")
	a.p("JLT rest")
	a.p("PCALIGN $32")
	a.l("four")
	for u := range 4 {
		prefetchAhead(a, u, 1)
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
	a.p("CMPQ %d(DI), $16", tileCols)
	a.p("JNE storeedge")
	for i := range h {
		a.p("VMOVUPS Y%d, (DX)", 2*i)
		a.p("VMOVUPS Y%d, 32(DX)", 2*i+1)
		a.p("ADDQ %d(DI), DX", tileLDC)
	}
	a.p("JMP next")
	a.l("storeedge")
	masks()
	for i := range h {
		a.p("VMASKMOVPS Y%d, Y12, (DX)", 2*i)
		a.p("VMASKMOVPS Y%d, Y13, 32(DX)", 2*i+1)
		a.p("ADDQ %d(DI), DX", tileLDC)
	}
	a.l("next")
	a.p("MOVQ %d(DI), AX", tileATile)
	a.p("ADDQ AX, %d(DI)", tileAt)
	a.p("ADDQ %d(DI), R15", tileAheadTile)
	a.p("DECQ %d(DI)", tileTiles)
	a.p("JNE tile")
	a.p("VZEROUPPER")
	a.p("RET")
}

// wide256 writes a kernel of few rows over several panels, for products that are bound by reading B: a
// row-major A, full panels, one tile.
func wide256(a *asm, h, panels int) {
	name := fmt.Sprintf("gemm256w%d", h)
	a.text(fmt.Sprintf("func %s(t *gemmTile)\n// One tile of %d×%d over %d panels, A row-major.", name, h, 16*panels, panels), name, 8)
	a.p("MOVQ t+0(FP), DI")
	a.p("MOVQ %d(DI), AX", tileA)
	a.p("MOVQ %d(DI), R13", tileB)
	a.p("MOVQ %d(DI), DX", tileC)
	a.p("MOVQ %d(DI), R11", tileBRS)
	a.p("MOVQ %d(DI), R8", tileBPS)
	a.p("LEAQ (R8)(R8*2), R15")
	a.p("MOVQ %d(DI), R9", tileARS)
	a.p("LEAQ (R9)(R9*2), R10")
	acc := func(i, v int) int { return i*2*panels + v }
	a.p("CMPQ %d(DI), $0", tileAccum)
	a.p("JNE load")
	for i := range 2 * h * panels {
		a.p("VXORPS Y%d, Y%d, Y%d", i, i, i)
	}
	a.p("JMP begin")
	a.l("load")
	a.p("MOVQ DX, CX")
	for i := range h {
		for v := range 2 * panels {
			a.p("VMOVUPS %d(CX), Y%d", 32*v, acc(i, v))
		}
		if i < h-1 {
			a.p("ADDQ %d(DI), CX", tileLDC)
		}
	}
	a.l("begin")
	a.p("MOVQ %d(DI), CX", tileK)
	a.p("PCALIGN $32")
	a.l("one")
	elems := 2 * h * panels
	bregs := 16 - elems - h
	for i := range h {
		a.p("VBROADCASTSS %s, Y%d", rowAddress(i, 0), elems+i)
	}
	for v := range 2 * panels {
		at := [...]string{"(R13)", "(R13)(R8*1)", "(R13)(R8*2)", "(R13)(R15*1)"}[v/2]
		if v%2 == 1 {
			at = "32" + at
		}
		b := elems + h + v%bregs
		a.p("VMOVUPS %s, Y%d", at, b)
		for i := range h {
			a.p("VFMADD231PS Y%d, Y%d, Y%d", b, elems+i, acc(i, v))
		}
	}
	a.p("ADDQ R11, R13")
	a.p("ADDQ $4, AX")
	a.p("DECQ CX")
	a.p("JNE one")
	for i := range h {
		for v := range 2 * panels {
			a.p("VMOVUPS Y%d, %d(DX)", acc(i, v), 32*v)
		}
		if i < h-1 {
			a.p("ADDQ %d(DI), DX", tileLDC)
		}
	}
	a.p("VZEROUPPER")
	a.p("RET")
}

// peak256 writes the loop that FMAPeak times: 12 independent chains, nothing but multiply-adds.
func peak256(a *asm) {
	a.text("func peak256(n int)\n// n rounds of 12 fused multiply-adds of 8 lanes.", "peak256", 8)
	a.p("MOVQ n+0(FP), CX")
	for i := range 14 {
		a.p("VXORPS Y%d, Y%d, Y%d", i, i, i)
	}
	a.p("PCALIGN $32")
	a.l("loop")
	for i := range 12 {
		a.p("VFMADD231PS Y12, Y13, Y%d", i)
	}
	a.p("DECQ CX")
	a.p("JNE loop")
	a.p("VZEROUPPER")
	a.p("RET")
}
