package main

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// neon is Advanced SIMD. Weights stay in registers, four in each, and a multiplication selects one of them. A load at
// the side of a plane takes what lies beside the row, in the row before or after, and clears the lanes outside. Where
// that would leave the source, the row is copied to scratch first.
type neon struct {
	*asm.Text
	form
	k, s int
	*plan
	labels int
}

var neonRegs = [...]int{
	args: 0, row: 1, from: 9, out: 2, filter: 3, count: 4, index: 5, step: 6, height: 7,
	zeros: 8, outStep: 10, column: 11, left: 12, tmp: 13,
}

// Registers that the machine keeps for itself: two temporaries, the column where a block begins, and the row's width.
const (
	neonTmp, neonTmp2      = 14, 15
	neonColumn, neonWidth  = 20, 21
	neonScratch, neonValue = 19, 22
)

func (r reg) neon() string { return fmt.Sprintf("R%d", neonRegs[r]) }

func (a *neon) label(s string) string { return fmt.Sprintf("%s%dn", s, a.labels) }

func (a *neon) tables() {
	a.Table("depthwiseZerosNEON", 8, zeroEntries()...)
	a.Table("depthwiseLanesNEON", 8, "0x0000000100000000", "0x0000000300000002")
}

func (a *neon) ret() { a.Op("RET") }

func (a *neon) get(r reg, arg int) {
	if r == args {
		a.Op("MOVD a+0(FP), R0")
		return
	}
	a.Op("MOVD %d(R0), %s", arg, r.neon())
}
func (a *neon) set(arg int, r reg)    { a.Op("MOVD %s, %d(R0)", r.neon(), arg) }
func (a *neon) move(d, s reg)         { a.Op("MOVD %s, %s", s.neon(), d.neon()) }
func (a *neon) add(d, s reg)          { a.Op("ADD %s, %s", s.neon(), d.neon()) }
func (a *neon) sub(d, s reg)          { a.Op("SUB %s, %s", s.neon(), d.neon()) }
func (a *neon) mul(d, s reg)          { a.Op("MUL %s, %s", s.neon(), d.neon()) }
func (a *neon) constant(d reg, c int) { a.Op("MOVD $%d, %s", c, d.neon()) }
func (a *neon) jump(label string)     { a.Op("B %s", label) }
func (a *neon) zeroTable(d reg)       { a.Op("MOVD $depthwiseZerosNEON<>(SB), %s", d.neon()) }
func (a *neon) addConst(d reg, c int) {
	if c < 0 {
		a.Op("SUB $%d, %s", -c, d.neon())
	} else {
		a.Op("ADD $%d, %s", c, d.neon())
	}
}
func (a *neon) scale(d reg, bits int) {
	switch {
	case bits > 0:
		a.Op("LSL $%d, %s", bits, d.neon())
	case bits < 0:
		a.Op("ASR $%d, %s", -bits, d.neon())
	}
}
func (a *neon) and(d reg, c int) { a.Op("AND $%d, %s", c, d.neon()) }

func (a *neon) pointer(r reg, arg, at int) {
	a.get(r, arg)
	a.Op("MOVD %d(R0), R%d", at, neonTmp)
	a.Op("ADD R%d, %s", neonTmp, r.neon())
}

func (a *neon) addTo(arg, gap int) {
	a.Op("MOVD %d(R0), R%d", gap, neonTmp)
	a.Op("MOVD %d(R0), R%d", arg, neonTmp2)
	a.Op("ADD R%d, R%d", neonTmp, neonTmp2)
	a.Op("MOVD R%d, %d(R0)", neonTmp2, arg)
}

func (a *neon) branch(r reg, c cond, b reg, label string) {
	a.Op("CMP %s, %s", b.neon(), r.neon())
	a.Op("B%s %s", c, label)
}

func (a *neon) branchConst(r reg, c cond, b int, label string) {
	a.Op("CMP $%d, %s", b, r.neon())
	a.Op("B%s %s", c, label)
}

func (a *neon) pick(span int) {
	a.Op("CMP R7, R5")
	if !a.masked {
		a.Op("CSEL LO, R1, R8, R9")
	} else {
		a.labels++
		a.Op("MOVD R8, R9")
		a.Op("BHS %s", a.label("picked"))
		a.Op("MOVD R1, R9")
		a.Op("MOVD %d(R0), R%d", argSrc, neonTmp)
		a.Op("CMP R%d, R1", neonTmp)
		a.Op("BLO %s", a.label("outside"))
		a.Op("MOVD %d(R0), R%d", argSrcSize, neonTmp2)
		a.Op("ADD R%d, R%d", neonTmp, neonTmp2)
		a.Op("ADD $%d, R1, R%d", 4*span, neonTmp)
		a.Op("CMP R%d, R%d", neonTmp2, neonTmp)
		a.Op("BLS %s", a.label("picked"))
		a.Label(a.label("outside"))
		a.Op("MOVD %d(R0), R%d", argScratch, neonScratch)
		a.Op("MOVD R%d, R9", neonScratch)
		a.Op("MOVD $0, R%d", neonTmp)
		a.Label(a.label("element"))
		a.Op("MOVD $0, R%d", neonValue)
		a.Op("ADD R%d, R%d, R%d", neonTmp, neonColumn, neonTmp2)
		a.Op("CMP R%d, R%d", neonWidth, neonTmp2)
		a.Op("BHS %s", a.label("padding"))
		a.Op("MOVWU (R1)(R%d<<2), R%d", neonTmp, neonValue)
		a.Label(a.label("padding"))
		a.Op("MOVW R%d, (R%d)(R%d<<2)", neonValue, neonScratch, neonTmp)
		a.Op("ADD $1, R%d", neonTmp)
		a.Op("CMP $%d, R%d", span, neonTmp)
		a.Op("BLT %s", a.label("element"))
		a.Label(a.label("picked"))
	}
	a.Op("ADD R6, R1")
	a.Op("ADD $1, R5")
}

func (a *neon) forms() []form {
	return []form{{name: "V", lanes: 4}, {name: "V", lanes: 4, masked: true}}
}

func (a *neon) use(f form) { a.form = f }

// weight returns the register and the lane of a weight.
func (a *neon) weight(tap int) (r, lane int) { return 31 - tap/4, tap % 4 }

// bias is the register of the bias.
func (a *neon) bias() int { return 31 - (a.k*a.k+3)/4 }

func (a *neon) begin(k, s int, p *plan) {
	a.k, a.s, a.plan = k, s, p
	if a.task == weight {
		a.get(filter, argScratch)
		return
	}
	a.pointer(filter, argWeight, argWeightAt)
	for tap := 0; tap < k*k; tap += 4 {
		r, _ := a.weight(tap)
		if tap+4 <= k*k {
			a.Word(asm.LoadQ(r, 3, 4*tap))
		} else {
			a.Op("FMOVS %d(R3), F%d", 4*tap, r)
		}
	}
	a.Op("MOVD %d(R0), R%d", argBias, neonTmp)
	a.Op("MOVD %d(R0), R%d", argBiasAt, neonTmp2)
	a.Op("ADD R%d, R%d", neonTmp2, neonTmp)
	a.Word(asm.Encode(0x4d40c800|neonTmp<<5|a.bias(), "ld1r { v%d.4s }, [x%d]", a.bias(), neonTmp))
}

func (a *neon) maskRegister(i int) int { return a.x + a.temps + i }

func (a *neon) masks(offsets []int) {
	a.Op("MOVD %s, R%d", tmp.neon(), neonColumn)
	a.Op("MOVD %d(R0), R%d", argWidth, neonWidth)
	a.Word(dup(1, neonWidth))
	a.Op("MOVD $depthwiseLanesNEON<>(SB), R%d", neonTmp)
	a.Word(asm.LoadQ(2, neonTmp, 0))
	for i, o := range offsets {
		a.Op("ADD $%d, R%d, R%d", o, neonColumn, neonTmp)
		a.Word(dup(0, neonTmp))
		a.Word(add(0, 0, 2))
		a.Word(cmhi(a.maskRegister(i), 1, 0))
	}
}

func (a *neon) zero(v int)    { a.Word(asm.Zero(v)) }
func (a *neon) copy(d, s int) { a.Word(orr(d, s)) }

func (a *neon) load(d, offset, mask int) {
	a.Word(ldur(d, 9, 4*offset))
	if a.masked {
		a.Word(and(d, d, a.maskRegister(mask)))
	}
}

func (a *neon) fmaTap(acc, x, tap int) {
	r, lane := a.weight(tap)
	a.Word(fmlaLane(acc, x, r, lane))
}

func (a *neon) fma(acc, x, y int) { a.Word(fmla(acc, x, y)) }
func (a *neon) evens(d, x, y int) { a.Word(uzp1(d, x, y)) }
func (a *neon) odds(d, x, y int)  { a.Word(uzp2(d, x, y)) }
func (a *neon) sort(int)          {}
func (a *neon) addBias(v int)     { a.Word(fadd(v, v, a.bias())) }

func (a *neon) unsort(int) {}

func (a *neon) lanesLeft() {
	a.Op("LSL $%d, R12, R%d", a.s-1, neonTmp)
	for g := range a.s {
		// Loads g, g + stride, … take elements from g·lanes on. masks left the numbers of the lanes in register 2.
		if g > 0 {
			a.Op("SUB $4, R%d", neonTmp)
		}
		a.Word(dup(0, neonTmp))
		a.Word(cmgt(0, 0, 2))
		for i := g; i < a.plan.masks; i += a.s {
			a.Word(and(a.maskRegister(i), a.maskRegister(i), 0))
		}
	}
}

func (a *neon) loadOut(v int) {
	if !a.masked {
		a.Word(asm.LoadQ(v, 2, 0))
		return
	}
	a.labels++
	a.Op("CMP $4, R12")
	a.Op("BGE %s", a.label("whole"))
	a.Op("TBZ $1, R12, %s", a.label("one"))
	a.Op("FMOVD (R2), F%d", v)
	a.Op("TBZ $0, R12, %s", a.label("loaded"))
	a.Op("ADD $8, R2, R%d", neonTmp)
	a.Word(asm.Encode(0x4d408000|neonTmp<<5|v, "ld1 { v%d.s }[2], [x%d]", v, neonTmp))
	a.Op("B %s", a.label("loaded"))
	a.Label(a.label("one"))
	a.Op("FMOVS (R2), F%d", v)
	a.Op("B %s", a.label("loaded"))
	a.Label(a.label("whole"))
	a.Word(asm.LoadQ(v, 2, 0))
	a.Label(a.label("loaded"))
}

func (a *neon) clearLanes(taps int) {
	a.Word(asm.Zero(0))
	for i := range 4 * taps {
		a.Word(asm.StoreQ(0, 3, scratchLanes+16*i))
	}
}

func (a *neon) addLanes(v, tap int) {
	if tap == 0 {
		a.Op("ADD R13, R3, R%d", neonTmp)
	}
	t := a.x
	a.Word(asm.LoadQ(t, neonTmp, scratchLanes+64*tap))
	a.Word(fadd(v, v, t))
	a.Word(asm.StoreQ(v, neonTmp, scratchLanes+64*tap))
}

func (a *neon) foldLanes(taps int) {
	a.Op("MOVD %d(R0), R%d", argFlag, neonTmp2)
	a.Op("ADD $%d, R3, R%d", scratchLanes, neonTmp)
	a.Op("MOVD $%d, R4", taps)
	a.Label("fold")
	for i := range 4 {
		a.Word(asm.LoadQ(i, neonTmp, 16*i))
	}
	a.Word(fadd(0, 0, 2))
	a.Word(fadd(1, 1, 3))
	a.Word(fadd(0, 0, 1))
	a.Word(orr(1, 0))
	a.Word(ext8(1))
	a.Word(fadd(0, 0, 1))
	a.Word(asm.Encode(0x7e30d800, "faddp s0, v0.2s"))
	a.Op("CBZ R%d, folded", neonTmp2)
	a.Op("FMOVS (R2), F1")
	a.Op("FADDS F1, F0, F0")
	a.Label("folded")
	a.Op("FMOVS F0, (R2)")
	a.Op("ADD $4, R2")
	a.Op("ADD $64, R%d", neonTmp)
	a.Op("SUBS $1, R4")
	a.Op("BNE fold")
}

func (a *neon) store(v int) {
	if !a.masked {
		a.Word(asm.StoreQ(v, 2, 0))
		return
	}
	a.Op("MOVD R2, R%d", neonTmp)
	a.Op("MOVD R12, R%d", neonTmp2)
	a.storeSome(v)
}

// storeSome stores the first R15 lanes, at most four, at R14. It changes v and R14.
func (a *neon) storeSome(v int) {
	a.labels++
	a.Op("CMP $4, R%d", neonTmp2)
	a.Op("BGE %s", a.label("whole"))
	a.Op("TBZ $1, R%d, %s", neonTmp2, a.label("one"))
	a.Op("FMOVD F%d, (R%d)", v, neonTmp)
	a.Op("ADD $8, R%d", neonTmp)
	a.Word(ext8(v))
	a.Label(a.label("one"))
	a.Op("TBZ $0, R%d, %s", neonTmp2, a.label("stored"))
	a.Op("FMOVS F%d, (R%d)", v, neonTmp)
	a.Op("B %s", a.label("stored"))
	a.Label(a.label("whole"))
	a.Word(asm.StoreQ(v, neonTmp, 0))
	a.Label(a.label("stored"))
}

func (a *neon) storePair(x, y int) {
	low, high := a.x, a.x+1
	a.Word(zip1(low, x, y))
	a.Word(zip2(high, x, y))
	if !a.masked {
		a.Word(asm.StoreQ(low, 2, 0))
		a.Word(asm.StoreQ(high, 2, 16))
		return
	}
	a.labels++
	done := a.label("done")
	a.Op("MOVD R2, R%d", neonTmp)
	a.Op("MOVD R12, R%d", neonTmp2)
	a.storeSome(low)
	a.Op("SUBS $4, R%d", neonTmp2)
	a.Op("BLE %s", done)
	a.Op("ADD $16, R2, R%d", neonTmp)
	a.storeSome(high)
	a.Label(done)
}

func three(code int, name, shape string) func(d, n, m int) asm.Instruction {
	return func(d, n, m int) asm.Instruction {
		return asm.Encode(code|m<<16|n<<5|d, "%s v%d.%s, v%d.%s, v%d.%s", name, d, shape, n, shape, m, shape)
	}
}

var (
	add  = three(0x4ea08400, "add", "4s")
	cmhi = three(0x6ea03400, "cmhi", "4s") // first operand above the second, unsigned
	cmgt = three(0x4ea03400, "cmgt", "4s")
	and  = three(0x4e201c00, "and", "16b")
	fadd = three(0x4e20d400, "fadd", "4s")
	fmla = three(0x4e20cc00, "fmla", "4s")
	uzp1 = three(0x4e801800, "uzp1", "4s")
	uzp2 = three(0x4e805800, "uzp2", "4s")
	zip1 = three(0x4e803800, "zip1", "4s")
	zip2 = three(0x4e807800, "zip2", "4s")
)

// ldur loads a register from any offset of -256 to 255 bytes.
func ldur(r, base, offset int) asm.Instruction {
	return asm.Encode(0x3cc00000|offset&0x1ff<<12|base<<5|r, "ldur q%d, [x%d, #%d]", r, base, offset)
}

func orr(d, s int) asm.Instruction {
	return asm.Encode(0x4ea01c00|s<<16|s<<5|d, "mov v%d.16b, v%d.16b", d, s)
}

func dup(d, general int) asm.Instruction {
	return asm.Encode(0x4e040c00|general<<5|d, "dup v%d.4s, w%d", d, general)
}

// fmlaLane is V<d> += V<n>·V<m>[lane].
func fmlaLane(d, n, m, lane int) asm.Instruction {
	return asm.Encode(0x4f801000|lane&1<<21|m<<16|lane>>1<<11|n<<5|d, "fmla v%d.4s, v%d.4s, v%d.s[%d]", d, n, m, lane)
}

// ext8 moves the upper half of a register to the lower half.
func ext8(r int) asm.Instruction {
	return asm.Encode(0x6e004000|r<<16|r<<5|r, "ext v%d.16b, v%d.16b, v%d.16b, #8", r, r, r)
}
