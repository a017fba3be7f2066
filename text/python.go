package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// pythonSpace is str.isspace of Python.
func pythonSpace(r rune) bool { return r >= 0x1C && r <= 0x1F || unicode.IsSpace(r) }

// eachLower calls put for the runes of str.lower of Python, with the bytes of text that each came from.
func eachLower(text string, put func(r rune, from, to int)) {
	cased := false // the last character that is not ignored has case
	for i, r := range text {
		end := i + utf8.RuneLen(r)
		switch {
		case r == 'İ':
			put('i', i, end)
			put('\u0307', i, end)
		case r == 'Σ' && cased && !beginsCased(text[end:]):
			put('ς', i, end)
		default:
			put(unicode.ToLower(r), i, end)
		}
		if !caseIgnorable(r) {
			cased = isCased(r)
		}
	}
}

// beginsCased reports whether the first character that is not ignored has case.
func beginsCased(text string) bool {
	for _, r := range text {
		if !caseIgnorable(r) {
			return isCased(r)
		}
	}
	return false
}

// isCased is the Unicode property Cased.
func isCased(r rune) bool {
	return unicode.In(r, unicode.Lower, unicode.Upper, unicode.Title, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

// caseIgnorable is the Unicode property Case_Ignorable.
func caseIgnorable(r rune) bool {
	return strings.ContainsRune("'.:·\u0387\u055F\u05F4\u2018\u2019\u2024\u2027\uFE13\uFE52\uFE55\uFF07\uFF0E\uFF1A", r) ||
		unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk)
}

// pythonLower is str.lower of Python.
func pythonLower(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	eachLower(text, func(r rune, _, _ int) { b.WriteRune(r) })
	return b.String()
}
