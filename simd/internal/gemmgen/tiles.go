package main

import (
	"bytes"
	"fmt"
	"go/format"

	"github.com/fovea-ml/fovea/simd/internal/asm"
)

// A tileSet holds the sizes of the register tiles of one instruction set. They are written here only.
type tileSet struct {
	name    string // of the instruction set
	suffix  string // of its functions and constants
	lanes   int    // floats in a register
	vectors int    // registers that hold a row of a tile
	rows    int    // of the highest tile
	heights []int  // of the tiles that exist; empty stands for all up to rows
	half    bool   // there are tiles of half a panel's columns, for an edge of C
	wide    []int  // by height, from 1 on: panels that a wide tile covers
	ahead   int    // rows of the next operand that a tile prefetches from
	chains  int    // multiply-adds in a round of the loop that Math.Peak times
	words   []product
}

// wideOf is the wide tiles of a product. One that needs a register for itself has fewer.
func (s *tileSet) wideOf(x product) []int {
	registers := 2 * s.lanes
	for i, panels := range s.wide {
		if h := i + 1; x.temp && h*panels*s.vectors+h+2 > registers {
			return s.wide[:i]
		}
	}
	return s.wide
}

// cols is the number of columns of a tile, and of a panel of B.
func (s *tileSet) cols() int { return s.lanes * s.vectors }

var (
	// 12 of 16 registers accumulate, 2 hold a row of B and 2 elements of A.
	avx2 = tileSet{
		name: "AVX2", suffix: "256", lanes: 8, vectors: 2, rows: 6,
		wide: []int{4, 2, 2}, ahead: 1, chains: 12, words: []product{int8Words, int16Words},
	}
	// 28 of 32 registers accumulate, 2 hold a row of B and 2 elements of A.
	avx512 = tileSet{
		name: "AVX-512", suffix: "512", lanes: 16, vectors: 2, rows: 14, half: true,
		wide: []int{4, 4, 4, 2, 2, 2}, ahead: 3, chains: 16, words: []product{bf16Words, int8Words, int16Words},
	}
	// 24 of 32 registers accumulate, 3 hold a row of B and 2 a column of A.
	neon = tileSet{
		name: "NEON", suffix: "NEON", lanes: 4, vectors: 3, rows: 8, heights: []int{1, 2, 4, 8}, chains: 24,
		wide: []int{4, 4},
	}
)

// goAMD64 returns the Go file of amd64: the sizes of the tiles, tables of them by height, and declarations of the
// functions in the texts.
func goAMD64(texts ...*asm.Text) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(asm.Header(generator) + "package simd\n")
	for _, s := range []*tileSet{&avx2, &avx512} {
		s.constants(&b)
		table := func(form, letter, doc string, high int) {
			fmt.Fprintf(&b, "\n// %s%s, by height, %s.\nvar %[1]s%[2]s = [...]func(*gemmTile){\n", form, s.suffix, doc)
			for h := 1; h <= high; h++ {
				fmt.Fprintf(&b, "%d: gemm%s%s%[1]d,\n", h, s.suffix, letter)
			}
			b.WriteString("}\n")
		}
		byFormat := func(form, letter, doc string, high int) {
			fmt.Fprintf(&b, "\n// %s%s, by the format of B and by height, %s.\nvar %[1]s%[2]s = [...][%[4]d]func(*gemmTile){\n", form, s.suffix, doc, high+1)
			for _, f := range formats {
				fmt.Fprintf(&b, "%s: {\n", f.name)
				for h := 1; h <= high; h++ {
					fmt.Fprintf(&b, "%d: gemm%s%s%s%[1]d,\n", h, s.suffix, letter, f.letter)
				}
				b.WriteString("},\n")
			}
			b.WriteString("}\n")
		}
		byFormat("tilesByRow", "r", "reads A row-major", s.rows)
		table("tilesByK", "k", "reads A k-major", s.rows)
		table("tilesByTaps", "t", "gathers A", s.rows)
		if s.half {
			table("tilesHalf", "h", fmt.Sprintf("uses the first lanes%s columns of a panel", s.suffix), s.rows)
			table("tilesHalfByTaps", "u", fmt.Sprintf("uses the first lanes%s columns of a panel and gathers A", s.suffix), s.rows)
		}
		fmt.Fprintf(&b, "\n// tilesWindow%s, by registers in a row and by height, reads pixels in place.\nvar tilesWindow%[1]s = [...][%d]func(*gemmTile){\n", s.suffix, s.rows+1)
		for v := 1; v <= s.vectors; v++ {
			fmt.Fprintf(&b, "%d: {\n", v)
			for h := 1; h <= s.rows; h++ {
				fmt.Fprintf(&b, "%d: window%sx%dx%[1]d,\n", h, s.suffix, v)
			}
			b.WriteString("},\n")
		}
		b.WriteString("}\n")
		byFormat("tilesWide", "w", "covers several panels of B", len(s.wide))
		panels := func(word string, wide []int) {
			fmt.Fprintf(&b, "\n// panels%s%s, by height, is the number of panels that a tile can cover side by side.\nvar panels%[1]s%[2]s = [...]int{\n", word, s.suffix)
			for h := 1; h <= s.rows; h++ {
				n := 1
				if h <= len(wide) {
					n = wide[h-1]
				}
				fmt.Fprintf(&b, "%d: %d,\n", h, n)
			}
			b.WriteString("}\n")
		}
		panels("", s.wide)
		for _, x := range s.words {
			table("tilesByRow"+x.word, "r"+x.letter, "multiplies "+x.about, s.rows)
			if s.half {
				table("tilesHalf"+x.word, "h"+x.letter, fmt.Sprintf("uses the first lanes%s columns of a panel, of %s", s.suffix, x.about), s.rows)
			}
			table("tilesWide"+x.word, "w"+x.letter, "covers several panels, of "+x.about, len(s.wideOf(x)))
			if wide := s.wideOf(x); len(wide) < len(s.wide) {
				panels(x.word, wide)
			}
		}
	}
	for _, t := range texts {
		b.WriteString(t.Stubs())
	}
	return format.Source(b.Bytes())
}

// goARM64 returns the Go file of arm64, with a function in place of tables.
func goARM64(text *asm.Text) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(asm.Header(generator) + "package simd\n")
	s := &neon
	s.constants(&b)
	b.WriteString("\n// Operations of a round of the peak loops.\nconst (\n")
	for _, p := range productsNEON {
		fmt.Fprintf(&b, "peak%sOps = %d\n", p.name, p.each*s.chains)
	}
	b.WriteString(")\n")
	fmt.Fprintf(&b, "\n// height%s, by rows, is the height of the lowest tile that has them.\nvar height%[1]s = [...]int{\n", s.suffix)
	rows := 1
	for _, h := range s.heights {
		for ; rows <= h; rows++ {
			fmt.Fprintf(&b, "%d: %d,\n", rows, h)
		}
	}
	fmt.Fprintf(&b, "}\n\n// tile%s runs the lowest tile that has t's rows, for t's format.\nfunc tile%[1]s(t *gemmTile) {\nswitch t.format {\n", s.suffix)
	for _, f := range formats {
		fmt.Fprintf(&b, "case %s:\nswitch height%s[t.rows] {\n", f.name, s.suffix)
		for _, h := range s.heights {
			fmt.Fprintf(&b, "case %d:\ngemm%s%s%[1]d(t)\n", h, s.suffix, f.letter)
		}
		b.WriteString("}\n")
	}
	b.WriteString("}\n}\n")
	fmt.Fprintf(&b, "\n// slide%s is tile%[1]s with an A that is gathered.\nfunc slide%[1]s(t *gemmTile) {\nswitch height%[1]s[t.rows] {\n", s.suffix)
	for _, h := range s.heights {
		fmt.Fprintf(&b, "case %d:\ngemm%st%[1]d(t)\n", h, s.suffix)
	}
	b.WriteString("}\n}\n")
	fmt.Fprintf(&b, "\n// wide%s runs a tile over several panels, for t's format.\nfunc wide%[1]s(t *gemmTile) {\nswitch t.format {\n", s.suffix)
	for _, f := range formats {
		fmt.Fprintf(&b, "case %s:\nswitch t.rows {\n", f.name)
		for h := range s.wide {
			fmt.Fprintf(&b, "case %d:\ngemm%sw%s%[1]d(t)\n", h+1, s.suffix, f.letter)
		}
		b.WriteString("}\n")
	}
	b.WriteString("}\n}\n")
	fmt.Fprintf(&b, "\n// panels%s, by rows, is the number of panels that a tile can cover side by side.\nvar panels%[1]s = [...]int{\n", s.suffix)
	for rows := 1; rows <= s.rows; rows++ {
		n := 1
		if rows <= len(s.wide) {
			n = s.wide[rows-1]
		}
		fmt.Fprintf(&b, "%d: %d,\n", rows, n)
	}
	b.WriteString("}\n")
	for _, p := range productsNEON {
		fmt.Fprintf(&b, "\n// tile%s runs the lowest tile that has t's rows, of %s.\nfunc tile%[1]s(t *gemmTile) {\nswitch height%[3]s[t.rows] {\n", p.name, p.doc, s.suffix)
		for _, h := range s.heights {
			fmt.Fprintf(&b, "case %d:\ngemm%s%[1]d(t)\n", h, p.name)
		}
		b.WriteString("}\n}\n")
	}
	b.WriteString(text.Stubs())
	return format.Source(b.Bytes())
}

// constants writes the sizes as constants of Go.
func (s *tileSet) constants(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n// The tiles of %s: up to %d×%d elements of C, in registers of %d.\nconst (\n", s.name, s.rows, s.cols(), s.lanes)
	fmt.Fprintf(b, "rows%s = %d // of the highest tile\n", s.suffix, s.rows)
	fmt.Fprintf(b, "cols%s = %d // of a tile and of a panel\n", s.suffix, s.cols())
	fmt.Fprintf(b, "lanes%s = %d // floats in a register\n", s.suffix, s.lanes)
	if s.ahead > 0 {
		fmt.Fprintf(b, "ahead%s = %d // rows of the next operand that a tile prefetches from\n", s.suffix, s.ahead)
	}
	fmt.Fprintf(b, "peak%sFlops = %d // of a round of peak%[1]s\n", s.suffix, 2*s.chains*s.lanes)
	for _, x := range s.words {
		fmt.Fprintf(b, "peak%s%sOps = %d // of a round of peak%[2]s%[4]s\n", x.word, s.suffix, x.ops*s.chains*s.lanes, x.letter)
	}
	b.WriteString(")\n")
}
