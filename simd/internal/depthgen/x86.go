package main

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// x86 is AVX2, or AVX-512 when wide.
//
// AVX-512 masks every load; it costs nothing. A block of at most eight columns has registers of half the width.
// AVX2 masks blocks at the sides only. Its masks take registers of their own, or memory where there are none left.
//
// Weights stay in registers where they fit. Elsewhere AVX-512 repeats them while it loads; AVX2 reads them from
// scratch, where each is repeated eight times.
type x86 struct {
	*asm.Text
	wide bool
	form
	k, s int
	*plan
	labels int
}

var x86Regs = [...]string{
	args: "AX", row: "SI", from: "R11", out: "DI", filter: "BX", count: "CX", index: "DX", step: "R8", height: "R9",
	zeros: "R10", outStep: "R12", column: "R13", left: "R14", tmp: "R15",
}

// Elements of scratch: AVX2 repeats weights, the bias and masks; AVX-512 keeps the masks that have no register.
const (
	scratchBias  = 49
	scratchMasks = 50
	storeMask    = 9 // the number of the mask of the lanes to store

	scratchLanes = 4 * 8 * 60 // in bytes: sixteen lanes for each tap
)

func (a *x86) suffix() string {
	if a.wide {
		return "AVX512"
	}
	return "AVX2"
}

func (a *x86) tables() {
	a.Table("depthwiseZeros"+a.suffix(), 8, zeroEntries()...)
	var lanes []string
	for i := range 8 {
		lanes = append(lanes, fmt.Sprintf("0x%016x", uint64(2*i+1)<<32|uint64(2*i)))
	}
	a.Table("depthwiseLanes"+a.suffix(), 8, lanes...)
	if a.wide {
		a.Table("depthwiseSort"+a.suffix(), 8, "0", "2", "4", "6", "1", "3", "5", "7")
		a.Table("depthwiseUnsort"+a.suffix(), 8, "0", "4", "1", "5", "2", "6", "3", "7")
		lanes = nil
		for i := range 16 {
			lanes = append(lanes, fmt.Sprintf("0x%016x", uint64(16+i)<<32|uint64(i)))
		}
		a.Table("depthwiseInterleave"+a.suffix(), 8, lanes...)
	}
}

// zeroEntries are 64 elements, more than any block of a row spans.
func zeroEntries() (e []string) {
	for range 32 {
		e = append(e, "0")
	}
	return e
}

func (a *x86) ret() {
	a.Op("VZEROUPPER")
	a.Op("RET")
}

func (a *x86) get(r reg, arg int) {
	if r == args {
		a.Op("MOVQ a+0(FP), AX")
		return
	}
	a.Op("MOVQ %d(AX), %s", arg, x86Regs[r])
}
func (a *x86) set(arg int, r reg)    { a.Op("MOVQ %s, %d(AX)", x86Regs[r], arg) }
func (a *x86) move(d, s reg)         { a.Op("MOVQ %s, %s", x86Regs[s], x86Regs[d]) }
func (a *x86) add(d, s reg)          { a.Op("ADDQ %s, %s", x86Regs[s], x86Regs[d]) }
func (a *x86) sub(d, s reg)          { a.Op("SUBQ %s, %s", x86Regs[s], x86Regs[d]) }
func (a *x86) mul(d, s reg)          { a.Op("IMULQ %s, %s", x86Regs[s], x86Regs[d]) }
func (a *x86) addConst(d reg, c int) { a.Op("ADDQ $%d, %s", c, x86Regs[d]) }
func (a *x86) constant(d reg, c int) { a.Op("MOVQ $%d, %s", c, x86Regs[d]) }
func (a *x86) jump(label string)     { a.Op("JMP %s", label) }
func (a *x86) zeroTable(d reg)       { a.Op("LEAQ depthwiseZeros%s<>(SB), %s", a.suffix(), x86Regs[d]) }
func (a *x86) scale(d reg, bits int) {
	switch {
	case bits > 0:
		a.Op("SHLQ $%d, %s", bits, x86Regs[d])
	case bits < 0:
		a.Op("SARQ $%d, %s", -bits, x86Regs[d])
	}
}
func (a *x86) and(d reg, c int) { a.Op("ANDQ $%d, %s", c, x86Regs[d]) }

func (a *x86) pointer(r reg, arg, at int) {
	a.get(r, arg)
	a.Op("ADDQ %d(AX), %s", at, x86Regs[r])
}

func (a *x86) addTo(arg, gap int) {
	a.Op("MOVQ %d(AX), R15", gap)
	a.Op("ADDQ R15, %d(AX)", arg)
}

func (a *x86) branch(r reg, c cond, b reg, label string) {
	a.Op("CMPQ %s, %s", x86Regs[r], x86Regs[b])
	a.Op("J%s %s", c, label)
}

func (a *x86) branchConst(r reg, c cond, b int, label string) {
	a.Op("CMPQ %s, $%d", x86Regs[r], b)
	a.Op("J%s %s", c, label)
}

func (a *x86) pick(int) {
	a.Op("MOVQ R10, R11")
	a.Op("CMPQ DX, R9")
	a.Op("CMOVQCS SI, R11")
	a.Op("ADDQ R8, SI")
	a.Op("INCQ DX")
}

func (a *x86) forms() []form {
	if a.wide {
		return []form{{name: "Z", lanes: 16, masked: true}, {name: "Y", lanes: 8, masked: true}}
	}
	forms := []form{{name: "Y", lanes: 8}, {name: "Y", lanes: 8, masked: true}}
	if a.task == result && a.k == 5 && a.s == 1 {
		// Two registers share the load of a weight; ten sums leave room for it.
		forms = append([]form{{name: "Y", lanes: 16, pair: true}}, forms...)
	}
	return forms
}

func (a *x86) use(f form) { a.form = f }

// v is the name of a register in the form in use.
func (a *x86) v(r int) string { return fmt.Sprintf("%s%d", a.name, r) }

// weight is the register of a weight, -1 when it is in memory.
func (a *x86) weight(tap int) int {
	switch {
	case a.task == weight:
	case a.wide && a.k <= 5:
		return 31 - tap
	case !a.wide && a.k == 3:
		return 15 - tap
	}
	return -1
}

func (a *x86) begin(k, s int, p *plan) {
	a.k, a.s, a.plan = k, s, p
	if a.wide {
		tables := []string{"Sort", "Unsort"}
		if a.task == input {
			tables = []string{"Interleave", "Interleave"}
		}
		for i, t := range tables[:min(2, 2*(s-1))] {
			at := 0
			if i == 1 && a.task == input {
				at = 64
			}
			a.Op("VMOVUPS depthwise%sAVX512<>+%d(SB), Z%d", t, at, a.sorter()+i)
		}
	}
	if a.task == weight {
		a.Op("MOVQ %d(AX), BX", argScratch)
		return
	}
	a.pointer(filter, argWeight, argWeightAt)
	a.pointer(tmp, argBias, argBiasAt)
	if a.wide {
		a.Op("VMOVSS (R15), X0")
		a.Op("MOVQ %d(AX), R15", argScratch)
		a.Op("VMOVSS X0, %d(R15)", 4*scratchBias)
		if a.weight(0) >= 0 {
			for tap := range k * k {
				a.Op("VBROADCASTSS %d(BX), Z%d", 4*tap, a.weight(tap))
			}
		}
		return
	}
	a.Op("VBROADCASTSS (R15), Y0")
	a.Op("MOVQ BX, R15")
	a.Op("MOVQ %d(AX), BX", argScratch)
	a.Op("VMOVUPS Y0, %d(BX)", 32*scratchBias)
	if a.weight(0) >= 0 {
		for tap := range k * k {
			a.Op("VBROADCASTSS %d(R15), Y%d", 4*tap, a.weight(tap))
		}
	} else {
		for tap := range k * k {
			a.Op("VBROADCASTSS %d(R15), Y0", 4*tap)
			a.Op("VMOVUPS Y0, %d(BX)", 32*tap)
		}
	}
}

// sorter is the first of two registers for permutations of AVX-512.
func (a *x86) sorter() int { return a.x + a.temps }

// maskRegister is the register of a mask of AVX2, -1 when it is in memory. The first register after the temporaries
// then takes it.
func (a *x86) maskRegister(i int) int {
	free := 16
	if a.weight(0) >= 0 {
		free -= a.k * a.k
	}
	if a.task == weight || a.x+a.temps+a.plan.masks > free {
		return -1
	}
	return a.x + a.temps + i
}

// masks changes sums and temporaries only.
func (a *x86) masks(offsets []int) {
	if a.wide {
		a.Op("VPBROADCASTD %d(AX), %s", argWidth, a.v(1))
		last := 0
		for i, o := range offsets {
			a.Op("ADDQ $%d, R15", o-last)
			last = o
			a.Op("VPBROADCASTD R15, %s", a.v(0))
			a.Op("VPADDD depthwiseLanesAVX512<>(SB), %s, %s", a.v(0), a.v(0))
			if i < 6 {
				a.Op("VPCMPUD $1, %s, %s, K%d", a.v(1), a.v(0), 1+i)
			} else {
				a.Op("VPCMPUD $1, %s, %s, K7", a.v(1), a.v(0))
				a.Op("MOVQ %d(AX), R11", argScratch)
				a.Op("KMOVW K7, %d(R11)", 4*i)
			}
		}
		a.Op("VPBROADCASTD R14, %s", a.v(1))
		a.Op("VMOVDQU32 depthwiseLanesAVX512<>(SB), %s", a.v(0))
		a.Op("VPCMPUD $1, %s, %s, K7", a.v(1), a.v(0))
		if len(offsets) > 6 {
			a.Op("MOVQ %d(AX), R11", argScratch)
			a.Op("KMOVW K7, %d(R11)", 4*storeMask)
		}
		if a.task == input {
			a.Op("LEAQ -%d(R14), R15", a.lanes)
			a.Op("MOVQ $0, R11")
			a.Op("TESTQ R15, R15")
			a.Op("CMOVQLT R11, R15")
			a.Op("VPBROADCASTD R15, %s", a.v(1))
			a.Op("VPCMPUD $1, %s, %s, K6", a.v(1), a.v(0))
		}
		return
	}
	a.Op("VPBROADCASTD %d(AX), Y1", argWidth)
	last := 0
	for i, o := range offsets {
		a.Op("ADDQ $%d, R15", o-last)
		last = o
		a.Op("VMOVQ R15, X0")
		a.Op("VPBROADCASTD X0, Y0")
		a.Op("VPADDD depthwiseLanesAVX2<>(SB), Y0, Y0")
		// element < width, and not element < 0
		a.Op("VPCMPGTD Y0, Y1, Y2")
		a.Op("VPSRAD $31, Y0, Y0")
		if r := a.maskRegister(i); r >= 0 {
			a.Op("VPANDN Y2, Y0, Y%d", r)
		} else {
			a.Op("VPANDN Y2, Y0, Y2")
			a.Op("VMOVUPS Y2, %d(BX)", 32*(scratchMasks+i))
		}
	}
}

// halves calls f for the registers of vectors, and the offset in bytes of each, if they are pairs.
func (a *x86) halves(f func(half, offset int)) bool {
	if a.pair {
		f(0, 0)
		f(1, 32)
	}
	return a.pair
}

func (a *x86) zero(v int) {
	if a.halves(func(h, _ int) { a.Op("VXORPS Y%d, Y%d, Y%d", 2*v+h, 2*v+h, 2*v+h) }) {
		return
	}
	if a.wide {
		a.Op("VPXORD %s, %s, %s", a.v(v), a.v(v), a.v(v))
	} else {
		a.Op("VXORPS %s, %s, %s", a.v(v), a.v(v), a.v(v))
	}
}

func (a *x86) copy(d, s int) {
	if !a.halves(func(h, _ int) { a.Op("VMOVAPS Y%d, Y%d", 2*s+h, 2*d+h) }) {
		a.Op("VMOVAPS %s, %s", a.v(s), a.v(d))
	}
}

func (a *x86) load(d, offset, mask int) {
	switch {
	case a.halves(func(h, next int) { a.Op("VMOVUPS %d(R11), Y%d", 4*offset+next, 2*d+h) }):
	case a.wide:
		r := 1 + mask
		if mask >= 6 {
			r = 7
			a.Op("MOVQ %d(AX), R15", argScratch)
			a.Op("KMOVW %d(R15), K7", 4*mask)
		}
		a.Op("VMOVUPS.Z %d(R11), K%d, %s", 4*offset, r, a.v(d))
	case !a.masked:
		a.Op("VMOVUPS %d(R11), %s", 4*offset, a.v(d))
	default:
		r := a.maskRegister(mask)
		if r < 0 {
			r = a.x + a.temps
			a.Op("VMOVUPS %d(BX), Y%d", 32*(scratchMasks+mask), r)
		}
		a.Op("VMASKMOVPS %d(R11), Y%d, Y%d", 4*offset, r, d)
	}
}

func (a *x86) fmaTap(acc, x, tap int) {
	if a.pair {
		w := 2 * (a.x + a.temps)
		a.Op("VMOVUPS %d(BX), Y%d", 32*tap, w)
		a.halves(func(h, _ int) { a.Op("VFMADD231PS Y%d, Y%d, Y%d", w, 2*x+h, 2*acc+h) })
		return
	}
	switch w := a.weight(tap); {
	case w >= 0:
		a.Op("VFMADD231PS %s, %s, %s", a.v(w), a.v(x), a.v(acc))
	case a.wide:
		a.Op("VFMADD231PS.BCST %d(BX), %s, %s", 4*tap, a.v(x), a.v(acc))
	default:
		a.Op("VFMADD231PS %d(BX), %s, %s", 32*tap, a.v(x), a.v(acc))
	}
}

func (a *x86) fma(acc, x, y int) { a.Op("VFMADD231PS %s, %s, %s", a.v(y), a.v(x), a.v(acc)) }

func (a *x86) evens(d, x, y int) { a.Op("VSHUFPS $0x88, %s, %s, %s", a.v(y), a.v(x), a.v(d)) }
func (a *x86) odds(d, x, y int)  { a.Op("VSHUFPS $0xdd, %s, %s, %s", a.v(y), a.v(x), a.v(d)) }

func (a *x86) sort(v int) {
	if a.name == "Z" {
		a.Op("VPERMPD Z%d, Z%d, Z%d", v, a.sorter(), v)
	} else {
		a.Op("VPERMPD $0xd8, Y%d, Y%d", v, v)
	}
}

func (a *x86) unsort(v int) {
	switch {
	case a.s == 1:
	case a.name == "Z":
		a.Op("VPERMPD Z%d, Z%d, Z%d", v, a.sorter()+1, v)
	default:
		a.Op("VPERMPD $0xd8, Y%d, Y%d", v, v)
	}
}

func (a *x86) lanesLeft() {
	a.Op("MOVQ R14, R15")
	a.scale(tmp, a.s-1)
	for g := range a.s {
		// Loads g, g + stride, … take elements from g·lanes on.
		if g > 0 {
			a.Op("SUBQ $%d, R15", a.lanes)
		}
		if a.wide {
			a.Op("VPBROADCASTD R15, %s", a.v(1))
			a.Op("VMOVDQU32 depthwiseLanesAVX512<>(SB), %s", a.v(0))
			a.Op("VPCMPD $1, %s, %s, K0", a.v(1), a.v(0))
		} else {
			a.Op("VMOVQ R15, X0")
			a.Op("VPBROADCASTD X0, Y0")
			a.Op("VPCMPGTD depthwiseLanesAVX2<>(SB), Y0, Y2")
		}
		for i := g; i < a.plan.masks; i += a.s {
			switch {
			case !a.wide:
				a.Op("VPAND %d(BX), Y2, Y0", 32*(scratchMasks+i))
				a.Op("VMOVUPS Y0, %d(BX)", 32*(scratchMasks+i))
			case i < 6:
				a.Op("KANDW K0, K%d, K%d", 1+i, 1+i)
			default:
				a.Op("KMOVW %d(BX), K7", 4*i)
				a.Op("KANDW K0, K7, K7")
				a.Op("KMOVW K7, %d(BX)", 4*i)
			}
		}
	}
	if !a.wide {
		a.Op("VMOVQ R14, X0")
		a.Op("VPBROADCASTD X0, Y0")
		a.Op("VPCMPGTD depthwiseLanesAVX2<>(SB), Y0, Y2")
		a.Op("VMOVUPS Y2, %d(BX)", 32*(scratchMasks+storeMask))
	}
}

func (a *x86) loadOut(v int) {
	switch {
	case a.wide:
		a.restoreStoreMask()
		a.Op("VMOVUPS.Z (DI), K7, %s", a.v(v))
	case !a.masked:
		a.Op("VMOVUPS (DI), Y%d", v)
	default:
		r := a.x + a.temps
		a.Op("VMOVUPS %d(BX), Y%d", 32*(scratchMasks+storeMask), r)
		a.Op("VMASKMOVPS (DI), Y%d, Y%d", r, v)
	}
}

// restoreStoreMask is for kernels with more masks than registers.
func (a *x86) restoreStoreMask() {
	if a.plan.masks > 6 {
		a.Op("MOVQ %d(AX), R15", argScratch)
		a.Op("KMOVW %d(R15), K7", 4*storeMask)
	}
}

func (a *x86) clearLanes(taps int) {
	a.Op("VXORPS Y0, Y0, Y0")
	for i := range 2 * taps {
		a.Op("VMOVUPS Y0, %d(BX)", scratchLanes+32*i)
	}
}

func (a *x86) addLanes(v, tap int) {
	a.Op("VADDPS %d(BX)(R15*1), %s, %s", scratchLanes+64*tap, a.v(v), a.v(v))
	a.Op("VMOVUPS %s, %d(BX)(R15*1)", a.v(v), scratchLanes+64*tap)
}

func (a *x86) foldLanes(taps int) {
	a.Op("MOVQ %d(AX), R11", argFlag)
	a.Op("LEAQ %d(BX), R15", scratchLanes)
	a.Op("MOVQ $%d, CX", taps)
	a.Label("fold")
	a.Op("VMOVUPS (R15), Y0")
	a.Op("VADDPS 32(R15), Y0, Y0")
	a.Op("VEXTRACTF128 $1, Y0, X1")
	a.Op("VADDPS X1, X0, X0")
	a.Op("VMOVHLPS X0, X0, X1")
	a.Op("VADDPS X1, X0, X0")
	a.Op("VMOVSHDUP X0, X1")
	a.Op("VADDSS X1, X0, X0")
	a.Op("TESTQ R11, R11")
	a.Op("JEQ folded")
	a.Op("VADDSS (DI), X0, X0")
	a.Label("folded")
	a.Op("VMOVSS X0, (DI)")
	a.Op("ADDQ $4, DI")
	a.Op("ADDQ $64, R15")
	a.Op("DECQ CX")
	a.Op("JNE fold")
}

func (a *x86) addBias(v int) {
	if a.halves(func(h, _ int) { a.Op("VADDPS %d(BX), Y%d, Y%d", 32*scratchBias, 2*v+h, 2*v+h) }) {
		return
	}
	if a.wide {
		a.Op("MOVQ %d(AX), R15", argScratch)
		a.Op("VADDPS.BCST %d(R15), %s, %s", 4*scratchBias, a.v(v), a.v(v))
	} else {
		a.Op("VADDPS %d(BX), %s, %s", 32*scratchBias, a.v(v), a.v(v))
	}
}

func (a *x86) store(v int) {
	switch {
	case a.halves(func(h, next int) { a.Op("VMOVUPS Y%d, %d(DI)", 2*v+h, next) }):
	case a.wide:
		a.restoreStoreMask()
		a.Op("VMOVUPS %s, K7, (DI)", a.v(v))
	case !a.masked:
		a.Op("VMOVUPS Y%d, (DI)", v)
	default:
		a.Op("MOVQ DI, R15")
		a.Op("MOVQ R14, R11")
		a.storeSome(v)
	}
}

// storeSome stores the first R11 lanes, at most eight, at R15. It changes v and R15.
func (a *x86) storeSome(v int) {
	a.labels++
	label := func(s string) string { return fmt.Sprintf("%s%dx", s, a.labels) }
	a.Op("CMPQ R11, $8")
	a.Op("JGE %s", label("whole"))
	a.Op("TESTQ $4, R11")
	a.Op("JEQ %s", label("two"))
	a.Op("VMOVUPS X%d, (R15)", v)
	a.Op("VEXTRACTF128 $1, Y%d, X%d", v, v)
	a.Op("ADDQ $16, R15")
	a.Label(label("two"))
	a.Op("TESTQ $2, R11")
	a.Op("JEQ %s", label("one"))
	a.Op("VMOVLPS X%d, (R15)", v)
	a.Op("VMOVHLPS X%d, X%d, X%d", v, v, v)
	a.Op("ADDQ $8, R15")
	a.Label(label("one"))
	a.Op("TESTQ $1, R11")
	a.Op("JEQ %s", label("stored"))
	a.Op("VMOVSS X%d, (R15)", v)
	a.Op("JMP %s", label("stored"))
	a.Label(label("whole"))
	a.Op("VMOVUPS Y%d, (R15)", v)
	a.Label(label("stored"))
}

func (a *x86) storePair(x, y int) {
	low, high := a.x, a.x+1
	if a.name == "Z" {
		for i, t := range []int{low, high} {
			a.copy(t, a.sorter()+i)
			a.Op("VPERMI2PS Z%d, Z%d, Z%d", y, x, t)
		}
	} else {
		a.Op("VUNPCKLPS Y%d, Y%d, Y%d", y, x, low)
		a.Op("VUNPCKHPS Y%d, Y%d, Y%d", y, x, high)
		a.Op("VPERM2F128 $0x20, Y%d, Y%d, Y%d", high, low, x)
		a.Op("VPERM2F128 $0x31, Y%d, Y%d, Y%d", high, low, y)
		low, high = x, y
	}
	size := 4 * a.lanes
	switch {
	case a.wide:
		a.Op("VMOVUPS %s, K7, (DI)", a.v(low))
		a.Op("VMOVUPS %s, K6, %d(DI)", a.v(high), size)
	case !a.masked:
		a.Op("VMOVUPS Y%d, (DI)", low)
		a.Op("VMOVUPS Y%d, %d(DI)", high, size)
	default:
		a.labels++
		done := fmt.Sprintf("done%dx", a.labels)
		a.Op("MOVQ DI, R15")
		a.Op("MOVQ R14, R11")
		a.storeSome(low)
		a.Op("SUBQ $8, R11")
		a.Op("JLE %s", done)
		a.Op("LEAQ %d(DI), R15", size)
		a.storeSome(high)
		a.Label(done)
	}
}
