package asm

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// A Code of amd64 is the bytes of an instruction and the same in Intel's notation. Go's assembler lacks some extensions.
// Their instructions are written as bytes with the notation beside them. A generator's test has an assembler compare
// the two.
type Code struct {
	bytes []byte
	text  string
}

// EVEX returns an instruction on three 512-bit registers, of opcode map 0F38 and without a mask. prefix is 1 for 66, 2 for
// F3 and 3 for F2. The registers stand in Intel's order: the destination, which may be an operand too, and two sources.
func EVEX(name string, prefix, opcode, d, n, m int) Code {
	return Code{
		bytes: []byte{
			0x62,
			byte((^d>>3&1)<<7 | (^m>>4&1)<<6 | (^m>>3&1)<<5 | (^d>>4&1)<<4 | 2),
			byte((^n&15)<<3 | 1<<2 | prefix),
			byte(2<<5 | (^n>>4&1)<<3),
			byte(opcode),
			byte(3<<6 | d&7<<3 | m&7),
		},
		text: fmt.Sprintf("%s zmm%d, zmm%d, zmm%d", name, d, n, m),
	}
}

// Raw writes an instruction by its bytes.
func (t *Text) Raw(c Code) {
	text := ""
	for _, b := range c.bytes {
		text += fmt.Sprintf("BYTE $0x%02x; ", b)
	}
	t.Op("%s// %s", text, c.text)
}

// The numbers of registers in instructions.
var registers = []string{"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"}

// VEX is EVEX for three 256-bit registers without EVEX's extensions.
func VEX(name string, prefix, opcode, d, n, m int) Code {
	code := vex(prefix, opcode, n, d, 0, m)
	code[2] |= 1 << 2
	return Code{append(code, byte(3<<6|d&7<<3|m&7)), fmt.Sprintf("{vex} %s ymm%d, ymm%d, ymm%d", name, d, n, m)}
}

// vex returns the bytes of an instruction of opcode map 0F38 up to its operands. The registers are those that extend the
// operand bytes: reg, index and base.
func vex(prefix, opcode, n, reg, index, base int) []byte {
	return []byte{
		0xc4,
		byte((^reg>>3&1)<<7 | (^index>>3&1)<<6 | (^base>>3&1)<<5 | 2),
		byte((^n&15)<<3 | prefix),
		byte(opcode),
	}
}

// TileOp returns an instruction on three tile registers, in Intel's order.
func TileOp(name string, prefix, opcode, d, m, n int) Code {
	return Code{append(vex(prefix, opcode, n, d, 0, m), byte(3<<6|d<<3|m)), fmt.Sprintf("%s tmm%d, tmm%d, tmm%d", name, d, m, n)}
}

// TileZero clears a tile register.
func TileZero(d int) Code {
	return Code{append(vex(3, 0x49, 0, d, 0, 0), byte(3<<6|d<<3)), fmt.Sprintf("tilezero tmm%d", d)}
}

// TileLoad loads a tile register whose rows begin at base and are stride bytes apart; both are names of registers.
func TileLoad(d int, base, stride string, offset int) Code {
	code, at := tileAt(3, d, base, stride, offset)
	return Code{code, fmt.Sprintf("tileloadd tmm%d, %s", d, at)}
}

// TileStore is the reverse of TileLoad.
func TileStore(d int, base, stride string, offset int) Code {
	code, at := tileAt(2, d, base, stride, offset)
	return Code{code, fmt.Sprintf("tilestored %s, tmm%d", at, d)}
}

func tileAt(prefix, d int, base, stride string, offset int) (code []byte, at string) {
	b, i := slices.Index(registers, base), slices.Index(registers, stride)
	code = vex(prefix, 0x4b, 0, d, i, b)
	sib := byte(i&7<<3 | b&7)
	at = fmt.Sprintf("[%s + %s]", base, stride)
	if offset != 0 {
		at = fmt.Sprintf("[%s + %s + %d]", base, stride, offset)
	}
	switch {
	case offset == 0 && b&7 != 5:
		return append(code, byte(d<<3|4), sib), at
	case -128 <= offset && offset < 128:
		return append(code, byte(1<<6|d<<3|4), sib, byte(offset)), at
	}
	return binary.LittleEndian.AppendUint32(append(code, byte(2<<6|d<<3|4), sib), uint32(offset)), at
}

// TileConfig loads the shapes of all tile registers from the top of the stack. TileRelease makes them unused.
var (
	TileConfig  = Code{append(vex(0, 0x49, 0, 0, 0, 0), 4, 0x24), "ldtilecfg [rsp]"}
	TileRelease = Code{append(vex(0, 0x49, 0, 0, 0, 0), 0xc0), "tilerelease"}
)
