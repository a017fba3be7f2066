package split

import (
	"github.com/fovea-ml/fovea/text/internal/normalize"
)

// A Piece is a part of the text that a model tokenizes as a whole.
type Piece = normalize.String

// A Splitter cuts a text into pieces. It is immutable, and goroutines may use it at once.
type Splitter interface {
	// Split appends the pieces of s, none of them empty, to dst. The scratch holds changed texts; it may be nil.
	Split(sc *normalize.Scratch, dst []Piece, s Piece) []Piece
}

// behavior is the treatment of the parts that match a pattern.
type behavior uint8

const (
	removed behavior = iota
	isolated
	mergedWithPrevious
	mergedWithNext
	contiguous // neighboring matches are one piece
)

var behaviors = map[string]behavior{
	"Removed": removed, "Isolated": isolated, "MergedWithPrevious": mergedWithPrevious, "MergedWithNext": mergedWithNext,
	"Contiguous": contiguous,
}

// cutter makes pieces of s. It is told the matches and the parts between them from left to right.
type cutter struct {
	behavior   behavior
	dst        []Piece
	s          Piece
	start, end int  // a piece that may grow
	open       bool // there is such a piece
	matched    bool // the last part was a match
}

// add takes the next part. It may be empty, which matters for merging alone.
func (c *cutter) add(start, end int, match bool) {
	switch c.behavior {
	case removed:
		if !match {
			c.piece(start, end)
		}
		return
	case isolated:
		c.piece(start, end)
		return
	}
	var grow bool
	switch c.behavior {
	case contiguous:
		grow = match == c.matched
	case mergedWithPrevious:
		grow = match && !c.matched
	case mergedWithNext:
		grow = !match && c.matched
	}
	if grow && c.open {
		c.end = end
	} else {
		c.flush()
		c.start, c.end, c.open = start, end, true
	}
	c.matched = match
}

// flush ends the piece that may grow.
func (c *cutter) flush() {
	if c.open {
		c.piece(c.start, c.end)
	}
	c.open = false
}

// piece appends a piece, unless it is empty.
func (c *cutter) piece(start, end int) {
	if start < end {
		c.dst = append(c.dst, c.s.Slice(start, end))
	}
}

// sequence applies splitters one after the other, each to the pieces of the one before.
type sequence []Splitter

func (q sequence) Split(sc *normalize.Scratch, dst []Piece, s Piece) []Piece {
	switch len(q) {
	case 0:
		if s.Len() > 0 {
			dst = append(dst, s)
		}
		return dst
	case 1:
		return q[0].Split(sc, dst, s)
	}
	// The pieces of the last step but one are appended first, then overwritten by those of the last.
	base := len(dst)
	dst = q[:len(q)-1].Split(sc, dst, s)
	middle := len(dst)
	last := q[len(q)-1]
	for i := base; i < middle; i++ {
		dst = last.Split(sc, dst, dst[i])
	}
	n := copy(dst[base:], dst[middle:])
	clear(dst[base+n:])
	return dst[:base+n]
}
