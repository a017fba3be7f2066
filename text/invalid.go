package text

import (
	"sort"
	"strings"
	"unicode/utf8"
)

// replacement stands for bytes that are not UTF-8.
const replacement = "\uFFFD"

// fix is a place where a repaired text differs from its original.
type fix struct {
	at     int // first byte behind a replacement, in the repaired text
	origin int // the same place in the original
}

// repair replaces every maximal invalid run of bytes by U+FFFD, as Python's decode("utf-8", "replace") does, and
// returns the places. A valid text is returned as it is.
func repair(s string) (string, []fix) {
	if utf8.ValidString(s) {
		return s, nil
	}
	var b strings.Builder
	var fixes []fix
	from := 0
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			i++
			continue
		}
		if r, size := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
			i += size
			continue
		}
		b.WriteString(s[from:i])
		b.WriteString(replacement)
		i += invalid(s[i:])
		from = i
		fixes = append(fixes, fix{b.Len(), i})
	}
	b.WriteString(s[from:])
	return b.String(), fixes
}

// invalid returns the length of the invalid bytes at the beginning of s: the longest beginning of a well-formed
// character (Unicode 15, table 3-7), or one byte.
func invalid(s string) int {
	low, high, size := byte(0x80), byte(0xBF), 0
	switch c := s[0]; {
	case c >= 0xC2 && c <= 0xDF:
		size = 2
	case c >= 0xE0 && c <= 0xEF:
		size = 3
	case c >= 0xF0 && c <= 0xF4:
		size = 4
	}
	switch s[0] {
	case 0xE0:
		low = 0xA0
	case 0xED:
		high = 0x9F
	case 0xF0:
		low = 0x90
	case 0xF4:
		high = 0x8F
	}
	n := 1
	for n < size && n < len(s) && s[n] >= low && s[n] <= high {
		low, high = 0x80, 0xBF
		n++
	}
	return n
}

// original moves offsets in repaired texts to the original texts.
func (s *source) original(offsets [][2]int, words []int) {
	for i := range offsets {
		at := 0
		if s.words {
			at = words[i]
		}
		if at < 0 {
			continue
		}
		fixes := s.repaired[at]
		for j, o := range offsets[i] {
			k := sort.Search(len(fixes), func(k int) bool { return fixes[k].at > o })
			if k > 0 {
				offsets[i][j] = o - fixes[k-1].at + fixes[k-1].origin
			}
			if k < len(fixes) { // not beyond the beginning of the next replaced bytes, nor inside a replacement
				if inside := o - (fixes[k].at - len(replacement)); inside > 0 {
					offsets[i][j] -= inside
				}
			}
		}
	}
}
