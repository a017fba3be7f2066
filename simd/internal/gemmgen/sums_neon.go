package main

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// sumsNEON writes what all NEON tiles share: the sums of a tile stay in registers for a chain, go to gemmTile.part for
// the next one, and end in C.
type sumsNEON struct {
	a     *asm.Text
	h     int // rows of the tile
	wide  int // panels side by side; 0 stands for one
	first int // register of the first sum
	sums  int // registers of sums, a multiple of 3
	free  int // the first of three registers for loads of earlier sums and of C

	add func(d, n int) asm.Instruction // adds a register of sums to another
	// rows, which may be nil, makes rows of C from the sums and returns their registers. Without it three registers
	// after the other hold the columns of a panel in a row, panel after panel, row after row.
	rows func() [][3]int
}

// begin loads the arguments: A is at R1, B at R2, C at R3 in rows R5 bytes apart.
func (t *sumsNEON) begin() {
	a := t.a
	a.Op("MOVD t+0(FP), R0")
	a.Op("MOVD %d(R0), R1", tileA)
	a.Op("MOVD %d(R0), R2", tileB)
	a.Op("MOVD %d(R0), R3", tileC)
	a.Op("MOVD %d(R0), R5", tileLDC)
	a.Op("MOVD %d(R0), R6", tileAccum)
	a.Op("MOVD %d(R0), R9", tileChain)
	a.Op("MOVD %d(R0), R10", tilePart)
	a.Op("MOVD $0, R11")
}

// chains goes along k. step adds the products of some steps of k, which divide every k and every chain.
func (t *sumsNEON) chains(steps int, step func()) {
	a := t.a
	a.Comment("R8 counts the steps of k to go, R4 those of this chain. R11 is not 0 if R10 points to the sum of earlier chains.")
	a.Op("MOVD %d(R0), R8", tileK)
	a.Label("chain")
	a.Op("CMP R9, R8")
	a.Op("CSEL LT, R8, R9, R4")
	a.Op("SUB R4, R8")
	for i := range t.sums {
		a.Op("VEOR V%[1]d.B16, V%[1]d.B16, V%[1]d.B16", t.first+i)
	}
	a.Op("SUBS $%d, R4", 4*steps)
	a.Op("BLT rest")
	a.Label("four")
	for range 4 {
		step()
	}
	a.Op("SUBS $%d, R4", 4*steps)
	a.Op("BGE four")
	a.Label("rest")
	a.Op("ADDS $%d, R4", 4*steps)
	a.Op("BEQ store")
	a.Label("one")
	step()
	a.Op("SUBS $%d, R4", steps)
	a.Op("BNE one")
}

// store adds the sums of earlier chains. Then it keeps the sums for the next chain, or adds them to C, or stores them there.
func (t *sumsNEON) store() {
	a := t.a
	three := func(r int) string { return arrangement(r, r+1, r+2) }
	a.Label("store")
	a.Op("MOVD R10, R7")
	a.Op("CBZ R11, first")
	for i := t.first; i < t.first+t.sums; i += 3 {
		a.Op("VLD1.P 48(R7), %s", three(t.free))
		for v := range 3 {
			a.Word(t.add(i+v, t.free+v))
		}
	}
	a.Label("first")
	a.Op("CBZ R8, last")
	a.Op("MOVD R10, R7")
	for i := t.first; i < t.first+t.sums; i += 3 {
		a.Op("VST1.P %s, 48(R7)", three(i))
	}
	a.Op("MOVD $1, R11")
	a.Op("B chain")
	a.Label("last")
	var rows [][3]int
	if t.rows != nil {
		rows = t.rows()
	} else {
		for i := range t.h * max(1, t.wide) {
			r := t.first + 3*i
			rows = append(rows, [3]int{r, r + 1, r + 2})
		}
	}
	a.Op("CBZ R6, write")
	a.Op("MOVD R3, R7")
	for i, row := range rows {
		if t.wide > 1 {
			if i > 0 && i%t.wide == 0 {
				a.Op("ADD R5, R3, R7")
			}
			a.Op("VLD1.P 48(R7), %s", three(t.free))
		} else {
			a.Op("VLD1 (R7), %s", three(t.free))
			a.Op("ADD R5, R7")
		}
		for v, r := range row {
			a.Word(t.add(r, t.free+v))
		}
	}
	a.Label("write")
	for i, row := range rows {
		switch {
		case t.wide > 1:
			if i%t.wide == 0 {
				a.Op("MOVD R3, R7")
				a.Op("ADD R5, R3")
			}
			a.Op("VST1.P %s, 48(R7)", three(row[0]))
			continue
		case row[1] == row[0]+1 && row[2] == row[1]+1:
			a.Op("VST1 %s, (R3)", three(row[0]))
		default:
			for v, r := range row {
				a.Word(asm.StoreQ(r, 3, 16*v))
			}
		}
		a.Op("ADD R5, R3")
	}
	a.Op("RET")
}

// arrangement is a list of registers of four lanes.
func arrangement(registers ...int) string {
	s := ""
	for _, r := range registers {
		s += fmt.Sprintf(", V%d.S4", r)
	}
	return "[" + s[2:] + "]"
}
