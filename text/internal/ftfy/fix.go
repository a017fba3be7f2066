package ftfy

import (
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/text/internal/normalize"
)

// longest is the number of characters after which a line is cut (max_decode_length).
const longest = 1_000_000

// Fix returns the repaired text. The text is valid UTF-8.
func Fix(text string) string {
	if isPlain(text) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	entities := true
	for len(text) > 0 {
		line := text[:firstLine(text)]
		text = text[len(line):]
		entities = entities && !strings.Contains(line, "<") // from here on the text is HTML
		b.WriteString(fixLine(line, entities))
	}
	return b.String()
}

// isPlain reports whether no step can change a text: ASCII without entities and control characters.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c >= 0x7F || c == '&' || c < ' ' && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

// firstLine returns the length of the first line with its line feed, or of the characters that are repaired at once.
func firstLine(text string) int {
	end := strings.IndexByte(text, '\n') + 1
	if end == 0 {
		end = len(text)
	}
	if end <= longest {
		return end
	}
	n := 0
	for i := range text[:end] {
		if n == longest {
			return i
		}
		n++
	}
	return end
}

// A budget is the number of bytes that the rounds of one line may still read.
type budget int

// spend takes a reading of the text from the budget, and reports whether there was enough.
func (b *budget) spend(text string) bool {
	*b -= budget(len(text))
	return *b >= 0
}

// fixLine repairs a line in rounds until nothing changes.
func fixLine(line string, entities bool) string {
	left := budget(16*len(line) + 1<<14)
	for left.spend(line) && !isPlain(line) {
		before := line
		if entities {
			line = unescapeFull(line)
		}
		line = left.repair(line)
		line = plainForms(line)
		line = escapes.ReplaceAllLiteralString(line, "")
		line = strings.Map(visible, line)
		line = normalize.NFC(line)
		if line == before {
			break
		}
	}
	return line
}

// escapes are the sequences that color the text of a terminal, and others of their form (ANSI).
var escapes = regexp.MustCompile(`\x1b\[[\p{Nd};]*[a-zA-Z]`)

// visible drops control characters without an effect on the text.
func visible(r rune) rune {
	switch {
	case r < ' ' && (r < '\t' || r > '\r' || r == '\v'), r == 0x7F, r >= 0x206A && r <= 0x206F, r == 0xFEFF, r >= 0xFFF9 && r <= 0xFFFC:
		return -1
	}
	return r
}

// plainForms writes C1 control characters as Windows-1252 has them, and ligatures, wide characters, curly quotation
// marks and line breaks in their plain forms, one after the other.
func plainForms(line string) string {
	if !strings.ContainsFunc(line, hasPlainForm) {
		return line
	}
	var b strings.Builder
	b.Grow(len(line))
	for i, r := range line {
		if r == '\r' && strings.HasPrefix(line[i+1:], "\n") {
			continue
		}
		if isC1(r) {
			r = windows1252(r)
		}
		form, ok := ligatures[r]
		if !ok && isWide(r) {
			form, ok = narrow()[r], true
		}
		if !ok {
			b.WriteRune(plainMark(r))
			continue
		}
		for _, r := range form {
			b.WriteRune(plainMark(r))
		}
	}
	return b.String()
}

// hasPlainForm reports whether plainForms can change a character.
func hasPlainForm(r rune) bool {
	if r < utf8.RuneSelf {
		return r == '\r'
	}
	return isC1(r) || isWide(r) || ligatures[r] != "" || plainMark(r) != r
}

// isC1 reports whether r is a control character of Latin-1 beyond ASCII.
func isC1(r rune) bool { return r >= 0x80 && r <= 0x9F }

// windows1252 returns the character that Windows-1252 has in the place of a C1 control character, or r.
func windows1252(r rune) rune { return encodings()[1].runes[r] }

// plainMark returns the plain form of a quotation mark or a line break.
func plainMark(r rune) rune {
	switch r {
	case 0x2BC, 0x2018, 0x2019, 0x201A, 0x201B:
		return '\''
	case 0x201C, 0x201D, 0x201E, 0x201F:
		return '"'
	case '\r', 0x2028, 0x2029:
		return '\n'
	}
	return r
}

// ligatures are the characters of two or three Latin letters that are taken apart. Others, such as æ, are letters of
// their own.
var ligatures = map[rune]string{
	'Ĳ': "IJ", 'ĳ': "ij", 'ŉ': "ʼn",
	'Ǆ': "DŽ", 'ǅ': "Dž", 'ǆ': "dž", 'Ǉ': "LJ", 'ǈ': "Lj", 'ǉ': "lj", 'Ǌ': "NJ", 'ǋ': "Nj", 'ǌ': "nj", 'Ǳ': "DZ", 'ǲ': "Dz", 'ǳ': "dz",
	'ﬀ': "ff", 'ﬁ': "fi", 'ﬂ': "fl", 'ﬃ': "ffi", 'ﬄ': "ffl", 'ﬅ': "ſt", 'ﬆ': "st",
}

// isWide reports whether r is in Unicode's block of half-width and full-width forms, or the wide space.
func isWide(r rune) bool { return r == 0x3000 || r > 0xFF00 && r < 0xFFF0 }

// narrow returns the usual forms of those characters.
var narrow = sync.OnceValue(func() map[rune]string {
	forms := map[rune]string{0x3000: " "}
	for r := rune(0xFF01); r < 0xFFF0; r++ {
		forms[r] = normalize.NFKC(string(r))
	}
	return forms
})
