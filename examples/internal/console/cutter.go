package console

import (
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// A cutter cuts lines at the edge of a terminal. A longer line would wrap, and then the next drawing of a bar would
// leave a part of it behind.
type cutter struct {
	to     io.Writer
	width  func() int // in columns; 0 or nil: lines stay as they are
	column int
}

// Write writes whole characters. A carriage return or a new line starts at the first column again.
func (c *cutter) Write(b []byte) (int, error) {
	limit := 0
	if c.width != nil {
		limit = c.width()
	}
	if limit <= 0 {
		return c.to.Write(b)
	}
	var kept strings.Builder
	for rest := b; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		switch {
		case r == '\r' || r == '\n':
			c.column = 0
			kept.Write(rest[:n])
		case c.column+columns(r) < limit: // the last column stays free: some terminals wrap as soon as it is filled
			c.column += columns(r)
			kept.Write(rest[:n])
		default:
			c.column = limit // what follows is cut too, even if it is narrower
		}
		rest = rest[n:]
	}
	if _, err := io.WriteString(c.to, kept.String()); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Width returns the number of columns that a text takes on a terminal.
func Width(s string) int {
	n := 0
	for _, r := range s {
		n += columns(r)
	}
	return n
}

// columns returns the number of columns of a character.
func columns(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}
