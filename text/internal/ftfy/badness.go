package ftfy

import (
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// A class is a set of kinds of characters.
type class uint32

// Kinds of characters that occur in mojibake (MOJIBAKE_CATEGORIES of ftfy/badness.py).
const (
	control       class = 1 << iota // C1 control characters
	common                          // they mean nothing by themselves
	bad                             // hardly ever meant
	legal                           // signs of lawyers
	currency                        // signs of money
	opening                         // punctuation before a word
	closing                         // punctuation behind a word
	numeric                         // signs in formulas
	faces                           // letters in faces such as ò_ó
	accentedUpper                   // accented capitals
	accentedLower                   // accented small letters
	upperCommon                     // other capitals: Greek, Cyrillic, Þ
	lowerCommon                     // other small letters
	box                             // parts of boxes

	// Characters that bytes of UTF-8 become when they are read in an encoding like Latin-1: the first byte of a
	// character of 2, 3 or 4 bytes, and further bytes. The last kind is without those that are often meant.
	leadOf2
	leadOf3
	leadOf4
	continuation
	strictContinuation

	unlikely = box<<1 - 1 // any of the kinds up to here
	accented = accentedUpper | accentedLower
	signs    = box | closing | currency | numeric
)

// kinds lists the characters of each kind, and ranges of them: "à-ñ".
var kinds = []struct {
	kind  class
	chars string
}{
	{control, "\u0080-\u009F"},
	{common, "\u00A0\u00AD·´–—―…’"},
	{bad, "¤¦¨ª¬¯¸ºƒˆˇ˘˛˜†‡‰⌐◊\uFFFD"},
	{legal, "§¶"},
	{currency, "¢£¥₧€"},
	{opening, "¡©«¿΄΅‘‚“„•‹\uF8FF"},
	{closing, "®»˝”›™"},
	{numeric, "±²³µ¹¼½¾×÷⁄№∂∆∏∑√∞∩∫≈≠≡≤≥"},
	{faces, "°Ò-ÖÙ-Üò-öø-üŌŐŪŲ"},
	{accentedUpper, "À-ÑØÜÝĀĂĄĆČĎĐĒĖĘĚĞĢĪİĶĹĻĽŁŃŅŇŒŘŚŞŠŢŤŮŰŸŹŻŽҐ"},
	{accentedLower, "ßà-ñüāăąćčďđēėęěğģīįķĺļľłœŕśşšťźżžґﬁﬂ"},
	{upperCommon, "ÞΆΈ-ΊΌΎΏΑ-ΫЁ-Я"},
	{lowerCommon, "ά-ωа-џ"},
	{box, "│┌┐┘├┤┬┼═-╬▀▄█▌▐░▒▓"},
}

// follows gives the kinds that are unlikely directly behind a character of a kind.
var follows = []struct{ first, second class }{
	{bad | accented | signs | opening | legal, bad},
	{bad, accented | signs | opening | legal},
	{accentedLower | lowerCommon | signs, accentedUpper},
	{signs, accentedLower},
	{accentedLower | box | closing, currency},
	{accentedUpper | box, numeric | legal},
	{currency | numeric | box, opening},
	{box, faces},
	{accented | currency | numeric | opening | closing | legal, box},
	{box, closing},
}

// A set is a set of characters: those of a class, those of a list, and those that a function knows.
type set struct {
	class class
	chars string
	also  func(r rune) bool
}

func (s set) has(r rune) bool {
	return has(r, s.class) || s.chars != "" && strings.ContainsRune(s.chars, r) || s.also != nil && s.also(r)
}

// phrases are further unlikely sequences. Most are beginnings of frequent characters in one wrong encoding.
var phrases = func() [][]set {
	of := func(c class) set { return set{class: c} }
	in := func(chars string) set { return set{chars: chars} }
	letter := set{also: isLetterASCII}
	small := set{also: isSmallASCII}
	marks := opening | closing
	arabic := set{class: common | currency | bad | numeric | opening, chars: "ŸŠ®°µ»"}
	greek := set{class: control | bad | marks | currency, chars: "°"}
	cyrillic := set{class: greek.class, chars: "°µ"}
	return [][]set{
		{letter, of(lowerCommon | upperCommon), of(bad)},
		{{also: isSpace}, of(accentedUpper), of(currency)},
		{of(accented | box | currency | closing), of(opening), of(numeric)},
		{of(accented | currency | numeric | box | legal), of(closing), of(opening)},
		{small, of(accentedUpper), of(opening | currency)},
		{of(accented), of(marks), {also: isWord}},
		{in("Œœ"), {also: func(r rune) bool { return !isLetterASCII(r) }}},
		{of(accentedUpper), in("°")},
		{in("ÂÃÎÐ"), {class: marks, chars: "€œŠš¢£Ÿž\u00A0\u00AD®©°·»–—´"}},
		{in("×"), in("²³")},
		{in("ØÙ"), arabic, in("ØÙ"), arabic},
		{in("à"), in("²µ¹¼½¾")},
		{in("√"), in("±∂†≠®™´≤≥¥µø")},
		{in("≈"), in("°¢")},
		{in("‚"), in("Ä"), in("ìîïòôúùû†°¢π")},
		{in("‚"), in("âó"), in("àä°ê")},
		{in("в"), in("Ђ")},
		{in("ВГРС"), cyrillic, in("ВГРС")},
		{in("Г"), in("ў"), in("В"), in("Ђ"), in("В"), {also: func(r rune) bool { return r != '\n' }}, {chars: " ", also: isLetterASCII}},
		{in("Ã"), in("\u00A0¡")},
		{small, in("ÃÂ"), in(" ")},
		{small, {also: isSpace}, in("ÃÂ"), in(" ")},
		{{class: closing, chars: ".,?!", also: isSmallASCII}, in("Â"), {class: marks, chars: " "}},
		{in("β"), in("€"), in("™\u00A0Ά\u00AD®°")},
		{in("ΒΓΞΟ"), greek, in("ΒΓΞΟ")},
		{in("ā"), in("€")},
	}
}()

// isBad reports whether a text has a sequence of characters that hardly anyone writes (BADNESS_RE of
// ftfy/badness.py).
func isBad(text string) bool {
	if !strings.ContainsFunc(text, func(r rune) bool { return has(r, unlikely) }) {
		return false
	}
	if strings.HasPrefix(text, "Ã ") || strings.HasPrefix(text, "Â ") {
		return true
	}
	runes := []rune(text)
	for i, r := range runes {
		if has(r, control) || i+1 < len(runes) && isBadPair(classOf(r), classOf(runes[i+1])) {
			return true
		}
		if slices.ContainsFunc(phrases, func(p []set) bool { return begins(runes[i:], p) }) {
			return true
		}
	}
	return false
}

// isBadPair reports whether a character is unlikely behind another.
func isBadPair(first, second class) bool {
	if first&unlikely == 0 || second&unlikely == 0 {
		return false
	}
	for _, f := range follows {
		if first&f.first != 0 && second&f.second != 0 {
			return true
		}
	}
	return false
}

// begins reports whether a text begins with a phrase.
func begins(text []rune, phrase []set) bool {
	if len(text) < len(phrase) {
		return false
	}
	for i, s := range phrase {
		if !s.has(text[i]) {
			return false
		}
	}
	return true
}

// has reports whether a character is of one of the kinds.
func has(r rune, kinds class) bool { return classOf(r)&kinds != 0 }

// classOf returns the kinds of a character.
func classOf(r rune) class {
	if r < tableSize {
		return classes()[r]
	}
	switch r {
	case 0xF8FF:
		return opening
	case 'ﬁ', 'ﬂ':
		return accentedLower
	case utf8.RuneError:
		return bad
	}
	return 0
}

// tableSize is the number of characters in the table of classes. Only those that classOf names lie beyond.
const tableSize = 0x2600

// classes returns the table of the kinds of characters.
var classes = sync.OnceValue(func() *[tableSize]class {
	var table [tableSize]class
	add := func(r rune, kind class) {
		if r < tableSize {
			table[r] |= kind
		}
	}
	for _, k := range kinds {
		list := []rune(k.chars)
		for i := 0; i < len(list); i++ {
			first := list[i]
			if i+2 < len(list) && list[i+1] == '-' {
				i += 2
			}
			for r := first; r <= list[i]; r++ {
				add(r, k.kind)
			}
		}
	}
	const meant = "–—―‘’‚“”„•…" // often, also beside mojibake
	for _, e := range encodings()[:latin] {
		for i, r := range e.runes {
			switch {
			case i >= 0xC2 && i <= 0xDF:
				add(r, leadOf2)
			case i >= 0xE0 && i <= 0xEF:
				add(r, leadOf3)
			case i == 0xF0 || i == 0xF3: // the others lead to characters that hardly anyone has
				add(r, leadOf4)
			case i >= 0x80 && i <= 0xBF:
				add(r, continuation)
				if !strings.ContainsRune(meant, r) {
					add(r, strictContinuation)
				}
			}
		}
	}
	add(' ', continuation) // in the place of a no-break space
	return &table
})

func isSmallASCII(r rune) bool  { return r >= 'a' && r <= 'z' }
func isLetterASCII(r rune) bool { return isSmallASCII(r | 0x20) }

// isWord is \w of Python.
func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) || r == '_' }

// isSpace is \s of Python.
func isSpace(r rune) bool { return r >= 0x1C && r <= 0x1F || unicode.IsSpace(r) }
