package main

import (
	"fmt"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// A printer writes assembly in this generator's layout: an empty line stands before a label.
type printer struct{ *asm.Text }

func (p printer) p(format string, args ...any) { p.Op(format, args...) }

func (p printer) label(name string) {
	p.WriteByte('\n')
	p.Label(name)
}

// w prints one instruction of arm64 by its encoding.
func (p printer) w(code int, format string, args ...any) { p.Word(asm.Encode(code, format, args...)) }

// ldr and str move a vector register of arm64; the offset is a multiple of 16.
func (p printer) ldr(r, base, offset int) { p.Word(asm.LoadQ(r, base, offset)) }
func (p printer) str(r, base, offset int) { p.Word(asm.StoreQ(r, base, offset)) }

// constants writes each constant repeat times.
func (p printer) constants(name string, repeat int, bits []uint32) {
	var entries []string
	for _, u := range bits {
		for range repeat {
			entries = append(entries, fmt.Sprintf("0x%08x", u))
		}
	}
	p.Table(name, 4, entries...)
}

// mask writes sixteen ones, then sixteen zeros: the mask of n elements starts 16 - n before the middle.
func (p printer) mask(name string) {
	var entries []string
	for i := range 32 {
		entries = append(entries, [...]string{"0xffffffff", "0x00000000"}[i/16])
	}
	p.Table(name, 4, entries...)
}
