package main

import (
	"fmt"
	"math/bits"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// The parts that the tiles of AVX2 and AVX-512 share. Their registers:
//
//	DI  the gemmTile                      R11  bytes from one k of B to the next
//	AX  A: rows 0 to 4; BX and R12 more   R13  B; R8 is three times R11
//	R9  bytes from one row of A to the    DX   C, a tile
//	    next, or from one k; R10 thrice   R15  what to prefetch from; SI its stride
//	CX  steps of the chain to go
//
// With an A that is gathered, AX is the tile's first position, BX the table of taps and R9 the tap of a step.

// rowAddress is row i of A when rows are R9 bytes apart; R10 is three times that. The first five rows
// count from AX, the next from BX, the last from R12.
func rowAddress(i, disp int) string {
	base := [...]string{"AX", "BX", "R12"}[i/5]
	d := ""
	if disp != 0 {
		d = fmt.Sprint(disp)
	}
	return d + "(" + base + ")" + [...]string{"", "(R9*1)", "(R9*2)", "(R10*1)", "(R9*4)"}[i%5]
}

// rowBases sets the registers besides AX from which rowAddress reaches h rows.
func rowBases(a *asm.Text, h int) {
	if h > 5 {
		a.Op("LEAQ (AX)(R9*4), BX")
		a.Op("ADDQ R9, BX")
	}
	if h > 10 {
		a.Op("LEAQ (BX)(R9*4), R12")
		a.Op("ADDQ R9, R12")
	}
}

// advanceRows moves the registers of rowAddress on by n bytes.
func advanceRows(a *asm.Text, h, n int) {
	for i, base := range []string{"AX", "BX", "R12"} {
		if h > 5*i {
			a.Op("ADDQ $%d, %s", n, base)
		}
	}
}

// An order says how the elements of A lie.
type order int

const (
	byRow  order = iota // the k of a row are 4 bytes apart
	byK                 // the rows of a k are 4 bytes apart, and k a fixed distance
	byTaps              // the rows of a k are 4 bytes apart, and a table says where each k is
)

func (o order) String() string {
	return [...]string{"A row-major", "A k-major", "A gathered"}[o]
}

// openTiles sets the registers for the strides of A, and where the first tile of A is.
func (o order) openTiles(a *asm.Text) {
	from := tileA
	switch o {
	case byRow:
		a.Op("MOVQ %d(DI), R9", tileARS)
		a.Op("LEAQ (R9)(R9*2), R10")
	case byK:
		a.Op("MOVQ %d(DI), R9", tileACS)
	case byTaps:
		from = tileSpots
	}
	a.Op("MOVQ %d(DI), AX", from)
	a.Op("MOVQ AX, %d(DI)", tileAt)
}

// openTile begins a tile of height h.
func (o order) openTile(a *asm.Text, h int) {
	a.Label("tile")
	a.Op("MOVQ %d(DI), AX", tileAt)
	switch o {
	case byRow:
		rowBases(a, h)
	case byTaps:
		a.Op("MOVQ 8(AX), DX")
		a.Op("ADDQ %d(DI), DX", tileC)
		a.Op("MOVQ (AX), AX")
		a.Op("ADDQ %d(DI), AX", tileA)
		a.Op("MOVQ %d(DI), BX", tileTaps)
	}
	a.Op("MOVQ %d(DI), R13", tileB)
}

// fetchOut has a tile of sums fetch the lines of C to which it will be transposed, if the tile says where they are: two
// rows in four steps of k, from R10 on. All at once would keep pixels waiting. DX is the place of the tile among the sums.
func (s *tileSet) fetchOut(a *asm.Text) {
	a.Op("MOVQ %d(DI), R10", tileOut)
	a.Op("MOVQ R10, %d(DI)", tileEnd)
	a.Op("TESTQ R10, R10")
	a.Op("JEQ sums")
	a.Comment("A position has a row of sums, and an element in each row of C.")
	shift := bits.TrailingZeros(uint(s.cols()))
	a.Op("MOVQ DX, CX")
	a.Op("SUBQ %d(DI), CX", tileC)
	a.Op("SHRQ $%d, CX", shift)
	a.Op("ADDQ CX, R10")
	a.Op("MOVQ %d(DI), CX", tileLDOut)
	a.Op("SHLQ $%d, CX", shift)
	a.Op("ADDQ R10, CX")
	a.Op("MOVQ CX, %d(DI)", tileEnd)
	a.Label("sums")
}

// fetch fetches what a tile writes later, once in four steps of k.
func (o order) fetch(a *asm.Text) {
	if o != byTaps {
		return
	}
	a.Op("CMPQ R10, %d(DI)", tileEnd)
	a.Op("JCC fetched")
	for range 2 {
		a.Op("PREFETCHT0 (R10)")
		a.Op("ADDQ %d(DI), R10", tileLDOut)
	}
	a.Label("fetched")
}

// openStep begins step u of four. at returns the address of row i then.
func (o order) openStep(a *asm.Text, u int) (at func(i int) string) {
	switch o {
	case byRow:
		return func(i int) string { return rowAddress(i, 4*u) }
	case byK:
		return func(i int) string { return fmt.Sprintf("%d(AX)", 4*i) }
	}
	a.Op("MOVQ %d(BX), R9", 8*u)
	return func(i int) string { return fmt.Sprintf("%d(AX)(R9*4)", 4*i) }
}

// closeStep ends it.
func (o order) closeStep(a *asm.Text) {
	if o == byK {
		a.Op("ADDQ R9, AX")
	}
}

// advance ends n steps in a tile of height h.
func (o order) advance(a *asm.Text, h, n int) {
	switch o {
	case byRow:
		advanceRows(a, h, 4*n)
	case byTaps:
		a.Op("ADDQ $%d, BX", 8*n)
	}
}

// chains names where a kernel keeps two numbers: the steps of k to go, and whether there were earlier chains. Registers
// save a tile of few products some latency. In tiles of one panel, AVX-512 has no register free.
type chains struct{ left, earlier string }

var (
	chainsInRegisters = chains{"SI", "R12"}
	chainsInTile      = chains{fmt.Sprintf("%d(DI)", tileLeft), fmt.Sprintf("%d(DI)", tileEarlier)}
)

// open begins the sums of a tile and its first chain, whose length it leaves in CX. A and B of the next chains go on
// from the chain before.
func (c chains) open(a *asm.Text) {
	a.Op("MOVQ %d(DI), CX", tileK)
	a.Op("MOVQ CX, %s", c.left)
	a.Op("MOVQ $0, %s", c.earlier)
	a.Label("chain")
	a.Op("MOVQ %s, CX", c.left)
	a.Op("CMPQ CX, %d(DI)", tileChain)
	a.Op("CMOVQGT %d(DI), CX", tileChain)
	a.Op("SUBQ CX, %s", c.left)
}

// close adds the chains before to one that ends, and begins the next if there is one. The sums are kept at
// tilePart. add adds there to a sum and put stores it, each at an offset from CX; a sum has size bytes.
func (c chains) close(a *asm.Text, sums, size int, add, put func(at string, sum int)) {
	each := func(f func(at string, sum int)) {
		for i := range sums {
			f(fmt.Sprintf("%d(CX)", size*i), i)
		}
	}
	a.Op("MOVQ %d(DI), CX", tilePart)
	a.Op("CMPQ %s, $0", c.earlier)
	a.Op("JEQ first")
	each(add)
	a.Label("first")
	a.Op("CMPQ %s, $0", c.left)
	a.Op("JEQ last")
	each(put)
	a.Op("MOVQ $1, %s", c.earlier)
	a.Op("JMP chain")
	a.Label("last")
}

// addToC runs add, which adds the tile of C to the sums, if the tile says so. Otherwise it goes to label, which follows.
func addToC(a *asm.Text, add func(), label string) {
	a.Op("CMPQ %d(DI), $0", tileAccum)
	a.Op("JEQ %s", label)
	add()
	a.Label(label)
}

// nextTile goes on to the tile below, if there is one, or returns.
func (o order) nextTile(a *asm.Text) {
	if o == byTaps {
		a.Op("ADDQ $16, %d(DI)", tileAt)
	} else {
		a.Op("MOVQ %d(DI), AX", tileATile)
		a.Op("ADDQ AX, %d(DI)", tileAt)
	}
	a.Op("ADDQ %d(DI), R15", tileAheadTile)
	a.Op("DECQ %d(DI)", tileTiles)
	a.Op("JNE tile")
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// eachRow goes down the h rows of a tile of C, the rows being at register at.
func eachRow(a *asm.Text, at string, h int, row func(i int)) {
	for i := range h {
		row(i)
		if i < h-1 {
			a.Op("ADDQ %d(DI), %s", tileLDC, at)
		}
	}
}

// panelRow is where row u of the next four of B is.
func panelRow(u int) string {
	return [...]string{"(R13)", "(R13)(R11*1)", "(R13)(R11*2)", "(R13)(R8*1)"}[u]
}

// A number is a type in which packed numbers of B are stored.
type number struct {
	name   string // of the constant in Go
	letter string // in the names of kernels
	bytes  int    // that it takes
}

var formats = []number{{"FormatF32", "", 4}, {"FormatF16", "f", 2}, {"FormatBF16", "b", 2}}

// A product is what a tile does with numbers of A and B. A word is as large as a float32 and holds several numbers, of
// neighboring k. A tile multiplies the numbers of two words and adds the products to one sum.
type product struct {
	word   string // names the word and its instruction in Go; empty for float32
	letter string // in the names of kernels
	about  string // ends a kernel's comment
	add    string // adds two sums
	// multiply adds the product of registers x, of A, and b to register sum. It may use register free if temp is set.
	multiply func(a *asm.Text, reg string, b, x, sum, free int)
	temp     bool
	ops      int // a sum's operations in one product
}

var float32s = product{
	add: "VADDPS",
	multiply: func(a *asm.Text, reg string, b, x, sum, _ int) {
		a.Op("VFMADD231PS %s%d, %[1]s%[3]d, %[1]s%[4]d", reg, b, x, sum)
	},
	ops: 2,
}

// The words. Two numbers of bfloat16 are summed in float32. Four integers of 8 bits, with a sign in A and without one in
// B, are summed as integers; so are two of 16 bits, where that instruction is missing.
var (
	bf16Words = product{
		word: "BF16", letter: "d", about: "words of two bfloat16", add: "VADDPS", ops: 4,
		multiply: func(a *asm.Text, _ string, b, x, sum, _ int) { a.Raw(asm.EVEX("vdpbf16ps", 2, 0x52, sum, x, b)) },
	}
	int8Words = product{
		word: "Int8", letter: "q", about: "words of four integers of 8 bits", add: "VPADDD", ops: 8,
		multiply: func(a *asm.Text, reg string, b, x, sum, _ int) {
			if reg == "Y" { // Go's assembler encodes it for AVX-512 only
				a.Raw(asm.VEX("vpdpbusd", 1, 0x50, sum, b, x))
			} else {
				a.Op("VPDPBUSD %s%d, %[1]s%[3]d, %[1]s%[4]d", reg, x, b, sum)
			}
		},
	}
	int16Words = product{
		word: "Int16", letter: "m", about: "words of two integers of 16 bits", add: "VPADDD", ops: 4, temp: true,
		multiply: func(a *asm.Text, reg string, b, x, sum, free int) {
			a.Op("VPMADDWD %s%d, %[1]s%[3]d, %[1]s%[4]d", reg, b, x, free)
			a.Op("VPADDD %s%d, %[1]s%[3]d, %[1]s%[3]d", reg, free, sum)
		},
	}
)

// describe ends a kernel's comment.
func (p product) describe(f number) string {
	if p.word == "" {
		return f.describe()
	}
	return ", " + p.about + "."
}

// load loads a register of B: lanes numbers from the one with index from at address at.
func (f number) load(a *asm.Text, from int, at, register string) {
	if from > 0 {
		at = fmt.Sprint(f.bytes*from) + at
	}
	switch f.name {
	case "FormatF32":
		a.Op("VMOVUPS %s, %s", at, register)
	case "FormatF16":
		a.Op("VCVTPH2PS %s, %s", at, register)
	case "FormatBF16":
		a.Op("VPMOVZXWD %s, %s", at, register)
		a.Op("VPSLLD $16, %s, %[1]s", register)
	}
}

// describe ends a kernel's comment.
func (f number) describe() string {
	if f.name == "FormatF32" {
		return "."
	}
	return ", B in " + f.name + "."
}

// panelAt is where panel p of a wide tile is, when R8 is the distance of panels and R15 three times that.
func panelAt(p int) string {
	return [...]string{"(R13)", "(R13)(R8*1)", "(R13)(R8*2)", "(R13)(R15*1)"}[p]
}

// loopK goes along CX of k: four steps at a time, in which it prefetches, then one. step adds the products of
// row u of B; advance moves A on by n steps; fetch may prefetch more.
func (s *tileSet) loopK(a *asm.Text, step func(u int), advance func(n int), fetch func(a *asm.Text)) {
	a.Op("SUBQ $4, CX")
	a.Op("JLT rest")
	a.Op("PCALIGN $32")
	a.Label("four")
	for u := range 4 {
		if u < s.ahead {
			a.Op("PREFETCHT1 %s", [...]string{"(R15)", "(R15)(SI*1)", "(R15)(SI*2)"}[u])
		}
		step(u)
	}
	fetch(a)
	advance(4)
	a.Op("LEAQ (R13)(R11*4), R13")
	a.Op("ADDQ %d(DI), R15", tileAheadStep)
	a.Op("SUBQ $4, CX")
	a.Op("JGE four")
	a.Label("rest")
	a.Op("ADDQ $4, CX")
	a.Op("JLE store")
	a.Label("one")
	step(0)
	advance(1)
	a.Op("ADDQ R11, R13")
	a.Op("DECQ CX")
	a.Op("JNE one")
	a.Label("store")
}

// openWide sets the registers of a wide tile.
func (s *tileSet) openWide(a *asm.Text, f number, x product, h, panels int) {
	name := fmt.Sprintf("gemm%sw%s%s%d", s.suffix, f.letter, x.letter, h)
	a.Func(name, "(t *gemmTile)", 0, 8, fmt.Sprintf("One tile of %d×%d over %d panels, A row-major%s", h, s.cols()*panels, panels, x.describe(f)))
	a.Op("MOVQ t+0(FP), DI")
	a.Op("MOVQ %d(DI), AX", tileA)
	a.Op("MOVQ %d(DI), R13", tileB)
	a.Op("MOVQ %d(DI), DX", tileC)
	a.Op("MOVQ %d(DI), R11", tileBRS)
	a.Op("MOVQ %d(DI), R8", tileBPS)
	a.Op("LEAQ (R8)(R8*2), R15")
	a.Op("MOVQ %d(DI), R9", tileARS)
	a.Op("LEAQ (R9)(R9*2), R10")
	rowBases(a, h)
}

// wideTile writes a kernel of few rows over several panels, for products that are bound by reading B: a
// row-major A, full panels, one tile. reg names a vector register, zero an instruction that clears one.
func (s *tileSet) wideTile(a *asm.Text, f number, x product, h, panels, registers int, reg, zero string) {
	s.openWide(a, f, x, h, panels)
	size := 4 * s.lanes
	across := s.vectors * panels
	acc := func(i, v int) string { return fmt.Sprint(reg, i*across+v) }
	chainsInRegisters.open(a)
	for i := range h * across {
		a.Op("%s %s%d, %[2]s%[3]d, %[2]s%[3]d", zero, reg, i)
	}
	a.Op("PCALIGN $32")
	a.Label("one")
	elems := h * across
	free := registers - elems - h
	if x.temp {
		free--
	}
	for i := range h {
		a.Op("VBROADCASTSS %s, %s%d", rowAddress(i, 0), reg, elems+i)
	}
	for v := range across {
		b := elems + h + v%free
		f.load(a, v%s.vectors*s.lanes, panelAt(v/s.vectors), fmt.Sprint(reg, b))
		for i := range h {
			x.multiply(a, reg, b, elems+i, i*across+v, registers-1)
		}
	}
	a.Op("ADDQ R11, R13")
	advanceRows(a, h, 4)
	a.Op("DECQ CX")
	a.Op("JNE one")
	sum := func(op string) func(string, int) {
		return func(at string, i int) { a.Op(op, at, reg, i) }
	}
	chainsInRegisters.close(a, elems, size, sum(x.add+" %s, %s%d, %[2]s%[3]d"), sum("VMOVUPS %[2]s%[3]d, %[1]s"))
	addToC(a, func() {
		a.Op("MOVQ DX, CX")
		eachRow(a, "CX", h, func(i int) {
			for v := range across {
				a.Op("%s %d(CX), %s, %[3]s", x.add, size*v, acc(i, v))
			}
		})
	}, "write")
	eachRow(a, "DX", h, func(i int) {
		for v := range across {
			a.Op("VMOVUPS %s, %d(DX)", acc(i, v), size*v)
		}
	})
	a.Op("VZEROUPPER")
	a.Op("RET")
}

// peak writes the loop that Math.Peak times: independent chains, nothing but multiply-adds.
func (s *tileSet) peak(a *asm.Text, x product, reg, zero string) {
	about := "fused multiply-adds"
	if x.word != "" {
		about = "products of " + x.about
	}
	a.Func("peak"+s.suffix+x.letter, "(n int)", 0, 8, fmt.Sprintf("n rounds of %d %s, %d lanes.", s.chains, about, s.lanes))
	a.Op("MOVQ n+0(FP), CX")
	for i := range s.chains + 2 {
		a.Op("%s %s%d, %[2]s%[3]d, %[2]s%[3]d", zero, reg, i)
	}
	a.Op("PCALIGN $32")
	a.Label("loop")
	for i := range s.chains {
		x.multiply(a, reg, s.chains, s.chains+1, i, s.chains+2)
	}
	a.Op("DECQ CX")
	a.Op("JNE loop")
	a.Op("VZEROUPPER")
	a.Op("RET")
}
