package ftfy

import (
	"bytes"
	"slices"
	"strings"
)

// repair undoes mojibake as long as there is some: a text may have been read wrongly several times.
func (b *budget) repair(text string) string {
	for b.spend(text) {
		before := text
		if text = b.repairOnce(text); text == before {
			break
		}
	}
	return text
}

// repairOnce undoes one wrong reading of a text.
func (b *budget) repairOnce(text string) string {
	if !isBad(text) {
		return text
	}
	// The whole text was UTF-8, and was read in one of the encodings.
	for _, e := range encodings() {
		data, ok := e.encode(text)
		if !ok {
			continue
		}
		if !e.mac {
			data = restoreSpaces(data)
		}
		if e.loose {
			data = markLost(data)
		}
		if fixed, ok := decode(data); ok {
			return fixed
		}
	}
	// Parts of the text were.
	if fixed := b.repairParts(text); fixed != text {
		return fixed
	}
	// It is Windows-1252 that was read as Latin-1. What lies between is the same in both.
	return strings.Map(func(r rune) rune {
		if isC1(r) {
			return windows1252(r)
		}
		return r
	}, text)
}

// repairParts repairs the parts of a text that look like UTF-8, each in itself.
func (b *budget) repairParts(text string) string {
	var out strings.Builder
	runes := []rune(text)
	for i := 0; i < len(runes); {
		n := 0
		if i == 0 || !has(runes[i-1], strictContinuation) {
			n = sequences(runes[i:])
		}
		part := string(runes[i : i+max(1, n)])
		if n > 0 && n < len(runes) && isBad(part) {
			part = b.repair(part)
		}
		out.WriteString(part)
		i += max(1, n)
	}
	return out.String()
}

// sequences returns the number of characters at the beginning of a text that look like characters of UTF-8.
func sequences(text []rune) int {
	n := 0
	for {
		size := 0
		for k, lead := range [...]class{leadOf2, leadOf3, leadOf4} {
			if end := n + k + 2; end <= len(text) && has(text[n], lead) &&
				!slices.ContainsFunc(text[n+1:end], func(r rune) bool { return !has(r, continuation) }) {
				size = k + 2
				break
			}
		}
		if size == 0 {
			return n
		}
		n += size
	}
}

// isTail reports whether c continues a character of UTF-8.
func isTail(c byte) bool { return c >= 0x80 && c <= 0xBF }

// restoreSpaces writes the byte A0, which looks like a space in most encodings, where a space breaks a character of
// UTF-8 that is likely.
func restoreSpaces(data []byte) []byte {
	if !bytes.Contains(data, []byte(" ")) {
		return data
	}
	var out []byte
	for i := 0; i < len(data); {
		size, at := broken(data[i:])
		if size == 0 {
			out = append(out, data[i])
			i++
			continue
		}
		from := len(out)
		out = append(out, data[i:i+size]...)
		out[from+at] = 0xA0
		i += size
		if out[from] == 0xC3 && !inPortuguese(data[i:]) {
			out = append(out, ' ') // à is a word: its second half and the space behind it became one
		}
	}
	return out
}

// inPortuguese reports whether à goes on in a Portuguese word, or has its own space.
func inPortuguese(rest []byte) bool {
	for _, s := range []string{" ", "quele", "quela", "quilo", "s "} {
		if bytes.HasPrefix(rest, []byte(s)) {
			return true
		}
	}
	return false
}

// broken returns the size of a character of UTF-8 at the beginning of data in which a space stands for the byte A0, and
// the place of the space. Characters that are unlikely do not count; without one the size is 0.
func broken(data []byte) (size, space int) {
	switch c := data[0]; {
	case strings.IndexByte("\xC2\xC3\xC5\xCE\xD0\xD9", c) >= 0: // no-break space, à, Š, Π, Р, and a digit
		size = 2
	case c >= 0xE0 && c <= 0xE3:
		size = 3
	case c == 0xF0:
		size = 4
	}
	if size == 0 || size > len(data) {
		return 0, 0
	}
	for i, c := range data[1:size] {
		switch {
		case c == ' ' && space == 0:
			space = i + 1
		case !isTail(c) || size == 3 && (c == 0x85 || c == 0xA0):
			return 0, 0
		}
	}
	if space == 0 || size == 3 && space == 1 && data[0] < 0xE2 {
		return 0, 0
	}
	return size, space
}

// markLost writes U+FFFD in the place of a character of UTF-8 with a byte that was lost, or became a question mark.
func markLost(data []byte) []byte {
	if bytes.IndexByte(data, lost) < 0 && bytes.IndexByte(data, '?') < 0 {
		return data
	}
	var out []byte
	for i := 0; i < len(data); {
		if n := incomplete(data[i:]); n > 0 {
			out = append(out, "\uFFFD"...)
			i += n
		} else {
			out = append(out, data[i])
			i++
		}
	}
	return out
}

// incomplete returns the size of such a character at the beginning of data, or 0. It has at most one question mark.
func incomplete(data []byte) int {
	c := data[0]
	if c == lost {
		return 1
	}
	switch {
	case c >= 0xC2 && c <= 0xC3 && isIncomplete(data, 2, 1), c > 0xC3 && c <= 0xDF && isIncomplete(data, 2, 0):
		return 2
	case c == 0xED && len(data) >= 6 && data[1]&0xF0 == 0xA0 && data[3] == 0xED && data[4]&0xF0 == 0xB0:
		// Two surrogates, of which the last bytes may be lost.
		if isIncomplete([]byte{c, data[2], data[5]}, 3, 2) {
			return 6
		}
	}
	switch {
	case c >= 0xE0 && c <= 0xEF && isIncomplete(data, 3, 1):
		return 3
	case c >= 0xF0 && c <= 0xF4 && isIncomplete(data, 4, 1):
		return 4
	}
	return 0
}

// isIncomplete reports whether the bytes after the first, up to size, continue a character of UTF-8 or are lost, and
// one at least is lost. At most some are question marks.
func isIncomplete(data []byte, size, questions int) bool {
	if len(data) < size {
		return false
	}
	some := false
	for _, c := range data[1:size] {
		switch {
		case c == '?' && questions > 0:
			questions--
			some = true
		case c == lost:
			some = true
		case !isTail(c):
			return false
		}
	}
	return some
}
