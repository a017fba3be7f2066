package asm

import "fmt"

// An Instruction of arm64 is an encoding and the same in LLVM's notation. Go's assembler knows few of the
// instructions of Advanced SIMD. The others are written as words with the notation beside them. A generator's
// test has an assembler compare the two.
type Instruction struct {
	code uint32
	text string
}

// Encode returns an instruction by its code; format and args give its notation.
func Encode(code int, format string, args ...any) Instruction {
	return Instruction{uint32(code), fmt.Sprintf(format, args...)}
}

// Word writes an instruction by its encoding.
func (t *Text) Word(i Instruction) { t.Op("WORD $0x%08x // %s", i.code, i.text) }

// LoadQ loads vector register r from an offset from general register base, a multiple of 16.
func LoadQ(r, base, offset int) Instruction {
	return Encode(0x3dc00000|offset/16<<10|base<<5|r, "ldr q%d, [x%d, #%d]", r, base, offset)
}

// StoreQ stores vector register r at an offset from general register base, a multiple of 16.
func StoreQ(r, base, offset int) Instruction {
	return Encode(0x3d800000|offset/16<<10|base<<5|r, "str q%d, [x%d, #%d]", r, base, offset)
}

// Zero clears a vector register.
func Zero(r int) Instruction {
	return Encode(0x6e201c00|r<<16|r<<5|r, "eor v%d.16b, v%d.16b, v%d.16b", r, r, r)
}
