package split

import (
	_ "embed"
	"sync"

	"github.com/fovea-ml/fovea/text/internal/chars"
	"github.com/fovea-ml/fovea/text/internal/varint"
)

// compressed is written by testdata/gen/text_split_tables.py, which describes its format.
//
//go:embed tables.zlib
var compressed []byte

// The kinds of characters for the pattern of Whitespace.
const (
	outside uint8 = iota // white space
	word
	symbol
)

// characters holds a byte for each code point, in blocks of 256 that equal blocks share: the kind and, times 4, the
// script.
type characters struct {
	ascii  [128]uint8 // kinds
	index  [0x1100]uint16
	blocks [][256]uint16
}

func (c *characters) of(r rune) uint16    { return c.blocks[c.index[uint32(r)>>8%0x1100]][r&255] }
func (c *characters) kind(r rune) uint8   { return uint8(c.of(r) & 3) }
func (c *characters) script(r rune) uint8 { return uint8(c.of(r) >> 2) }

// tables reads the file when the first splitter needs it.
var tables = sync.OnceValue(func() *characters {
	next := varint.Open(compressed).Next
	all := make([]uint16, 0x110000)
	end := 0
	for range next() {
		lo := end + next()
		end = lo + next()
		for r := lo; r <= end; r++ {
			all[r] = uint16(word)
		}
	}
	at := 0
	for range next() {
		n, script := next(), next()
		for r := at; r < at+n; r++ {
			all[r] |= uint16(script) << 2
			if all[r]&3 == 0 && !chars.Of(rune(r)).Is(chars.Space) {
				all[r] |= uint16(symbol)
			}
		}
		at += n
	}
	c := &characters{}
	known := map[[256]uint16]uint16{}
	for i := range c.index {
		block := [256]uint16(all[i<<8 : i<<8+256])
		k, ok := known[block]
		if !ok {
			k = uint16(len(c.blocks))
			known[block] = k
			c.blocks = append(c.blocks, block)
		}
		c.index[i] = k
	}
	for r := range c.ascii {
		c.ascii[r] = c.kind(rune(r))
	}
	return c
})
