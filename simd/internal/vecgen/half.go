package main

import "fmt"

// A conversion is one of the four functions between float32 and 16-bit numbers. The assembly converts a
// multiple of sixteen elements; Go converts the rest, to the same bits.
type conversion struct{ name, dst, src string }

var conversions = []conversion{
	{"F16ToF32", "float32", "uint16"},
	{"F32ToF16", "uint16", "float32"},
	{"BF16ToF32", "float32", "uint16"},
	{"F32ToBF16", "uint16", "float32"},
}

func (c conversion) params() string {
	return fmt.Sprintf("(dst *%s, src *%s, n int)", c.dst, c.src)
}

// half prints the conversions.
func (m *x86) half(p printer, t *constTable) {
	const lsb, bias, quiet = 1, 0x7fff, 0x400000
	for _, c := range conversions {
		p.Func(lower(c.name)+m.suffix(), c.params(), 0, 24)
		p.p("MOVQ dst+0(FP), DI")
		p.p("MOVQ src+8(FP), SI")
		p.p("MOVQ n+16(FP), CX")
		constant := func(bits uint32, reg string) {
			p.p("VPBROADCASTD vecConst%s<>+%d(SB), %s", m.suffix(), m.constSize()*t.index(bits), reg)
		}
		toBF16 := c.name == "F32ToBF16"
		if toBF16 {
			constant(lsb, m.reg(5))
			constant(bias, m.reg(6))
			constant(quiet, m.reg(7))
		}
		p.label("loop")
		parts := 16 / m.w
		for i := range parts {
			half := []string{"Y", "X"}[parts-1]
			at16 := fmt.Sprintf("%d(SI)", 2*m.w*i)
			at32 := fmt.Sprintf("%d(SI)", 4*m.w*i)
			r := m.reg(i)
			switch c.name {
			case "F16ToF32":
				p.p("VCVTPH2PS %s, %s", at16, r)
				p.p("VMOVUPS %s, %d(DI)", r, 4*m.w*i)
			case "F32ToF16":
				p.p("VMOVUPS %s, %s", at32, r)
				p.p("VCVTPS2PH $0, %s, %s%d", r, half, i)
				p.p("VMOVDQU %s%d, %d(DI)", half, i, 2*m.w*i)
			case "BF16ToF32":
				p.p("VPMOVZXWD %s, %s", at16, r)
				p.p("VPSLLD $16, %s, %s", r, r)
				p.p("VMOVUPS %s, %d(DI)", r, 4*m.w*i)
			case "F32ToBF16":
				and, or := "VPAND", "VPOR"
				if m.wide() {
					and, or = "VPANDD", "VPORD"
				}
				lsb, sum := m.reg(2), m.reg(3)
				p.p("VMOVUPS %s, %s", at32, r)
				p.p("VPSRLD $16, %s, %s", r, lsb)
				p.p("%s %s, %s, %s", and, m.reg(5), lsb, lsb)
				p.p("VPADDD %s, %s, %s", m.reg(6), r, sum)
				p.p("VPADDD %s, %s, %s", lsb, sum, sum)
				if m.wide() {
					p.p("VCMPPS $3, %s, %s, K2", r, r)
					p.p("%s %s, %s, K2, %s", or, m.reg(7), r, sum)
					p.p("VPSRLD $16, %s, %s", sum, sum)
					p.p("VPMOVDW %s, %d(DI)", sum, 2*m.w*i)
					break
				}
				p.p("VCMPPS $3, %s, %s, %s", r, r, lsb)
				p.p("%s %s, %s, %s", or, m.reg(7), r, m.reg(4))
				p.p("VBLENDVPS %s, %s, %s, %s", lsb, m.reg(4), sum, sum)
				p.p("VPSRLD $16, %s, %s", sum, r)
				if i == 1 {
					// Packing works within 128-bit halves; the permutation restores the order.
					p.p("VPACKUSDW Y1, Y0, Y0")
					p.p("VPERMQ $0xd8, Y0, Y0")
					p.p("VMOVDQU Y0, (DI)")
				}
			}
		}
		from, to := 64, 32
		if c.src == "uint16" {
			from, to = to, from
		}
		p.p("ADDQ $%d, SI", from)
		p.p("ADDQ $%d, DI", to)
		p.p("SUBQ $16, CX")
		p.p("JGT loop")
		p.p("VZEROUPPER")
		p.p("RET")
	}
}

func (m *neon) half(p printer, t *constTable) {
	for _, c := range conversions {
		p.Func(lower(c.name)+"NEON", c.params(), 0, 24)
		p.p("MOVD dst+0(FP), R0")
		p.p("MOVD src+8(FP), R1")
		p.p("MOVD n+16(FP), R2")
		if c.name == "F32ToBF16" {
			p.p("MOVD $vecConstNEON<>(SB), R9")
			for i, bits := range []uint32{1, 0x7fff, 0x400000} {
				p.ldr(16+i, 9, 16*t.index(bits))
			}
		}
		load := func(r, at int) { p.ldr(r, 1, at) }
		store := func(r, at int) { p.str(r, 0, at) }
		p.label("loop")
		for i := range 2 {
			switch c.name {
			case "F16ToF32":
				load(0, 16*i)
				p.w(0x0e217800|0<<5|1, "fcvtl v1.4s, v0.4h")
				p.w(0x4e217800|0<<5|2, "fcvtl2 v2.4s, v0.8h")
				store(1, 32*i)
				store(2, 32*i+16)
			case "F32ToF16":
				load(0, 32*i)
				load(1, 32*i+16)
				p.w(0x0e216800|0<<5|2, "fcvtn v2.4h, v0.4s")
				p.w(0x4e216800|1<<5|2, "fcvtn2 v2.8h, v1.4s")
				store(2, 16*i)
			case "BF16ToF32":
				load(0, 16*i)
				p.w(0x2e613800|0<<5|1, "shll v1.4s, v0.4h, #16")
				p.w(0x6e613800|0<<5|2, "shll2 v2.4s, v0.8h, #16")
				store(1, 32*i)
				store(2, 32*i+16)
			case "F32ToBF16":
				for j := range 2 {
					load(0, 32*i+16*j)
					p.w(0x6f300400|0<<5|1, "ushr v1.4s, v0.4s, #16")
					p.w(0x4e201c00|16<<16|1<<5|1, "and v1.16b, v1.16b, v16.16b")
					p.w(0x4ea08400|17<<16|0<<5|2, "add v2.4s, v0.4s, v17.4s")
					p.w(0x4ea08400|1<<16|2<<5|2, "add v2.4s, v2.4s, v1.4s")
					p.w(0x4ea01c00|18<<16|0<<5|3, "orr v3.16b, v0.16b, v18.16b")
					p.w(0x4e20e400|0<<16|0<<5|4, "fcmeq v4.4s, v0.4s, v0.4s")
					p.w(0x6e601c00|3<<16|2<<5|4, "bsl v4.16b, v2.16b, v3.16b")
					if j == 0 {
						p.w(0x0f108400|4<<5|5, "shrn v5.4h, v4.4s, #16")
					} else {
						p.w(0x4f108400|4<<5|5, "shrn2 v5.8h, v4.4s, #16")
					}
				}
				store(5, 16*i)
			}
		}
		from, to := 64, 32
		if c.src == "uint16" {
			from, to = to, from
		}
		p.p("ADD $%d, R1, R1", from)
		p.p("ADD $%d, R0, R0", to)
		p.p("SUBS $16, R2, R2")
		p.p("BGT loop")
		p.p("RET")
	}
}
