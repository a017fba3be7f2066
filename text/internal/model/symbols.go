package model

import (
	"strings"
	"unicode/utf8"
)

// symbols maps characters to the ids of the tokens that BPE starts from. It is a table of pages of 256 characters.
type symbols struct {
	pages [(utf8.MaxRune + 1) >> 8]*[256]int64 // the id plus one; 0: no token
}

func (s *symbols) lookup(r rune) (uint32, bool) {
	page := s.pages[uint32(r)>>8]
	if page == nil {
		return 0, false
	}
	id := page[r&0xff]
	return uint32(id - 1), id != 0
}

// newSymbols collects the tokens that are one character between a prefix and a suffix.
func newSymbols(ids map[string]uint32, prefix, suffix string) *symbols {
	s := &symbols{}
	for token, id := range ids {
		token, ok := strings.CutPrefix(token, prefix)
		if !ok || len(token) > len(suffix)+utf8.UTFMax {
			continue
		}
		if token, ok = strings.CutSuffix(token, suffix); !ok {
			continue
		}
		r, n := utf8.DecodeRuneInString(token)
		if n == 0 || n != len(token) {
			continue
		}
		page := s.pages[r>>8]
		if page == nil {
			page = new([256]int64)
			s.pages[r>>8] = page
		}
		page[r&0xff] = int64(id) + 1
	}
	return s
}
