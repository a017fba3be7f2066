package asm

import "fmt"

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
