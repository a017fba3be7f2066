package chars

import "unicode/utf8"

// Classes of UAX 29, sections 3.1 and 3.1.1. Regional indicators have none: tables.txt comes from graphemes of at most
// 5 bytes, and a flag has 8.
const (
	breakOther uint16 = iota
	breakControl
	breakPrepend
	breakPictographic
	breakConsonant
	breakLinker
	breakConjunctExtend // an Extend between a linker and a consonant
	breakExtend
	breakSpacingMark
	breakL
	breakV
	breakT
	breakLV
	breakLVT
	breakZWJ
)

// breakClasses are the names in tables.txt.
var breakClasses = map[string]uint16{
	"control": breakControl, "prepend": breakPrepend, "pictographic": breakPictographic, "consonant": breakConsonant,
	"linker": breakLinker, "conjunct-extend": breakConjunctExtend, "extend": breakExtend, "spacing-mark": breakSpacingMark,
	"hangul-l": breakL, "hangul-v": breakV, "hangul-t": breakT,
}

// Grapheme returns the length in bytes of the extended grapheme cluster (UAX 29) at the start of text. It is exact for
// clusters of at most 5 bytes, and more than 5 for longer ones; a flag counts as two clusters. Text is valid UTF-8, not
// empty.
func Grapheme(text string) int {
	if len(text) > 1 && text[0] < utf8.RuneSelf && text[1] < utf8.RuneSelf {
		if text[0] == '\r' && text[1] == '\n' {
			return 2
		}
		return 1
	}
	r, end := utf8.DecodeRuneInString(text)
	class := uint16(Of(r) / graphemeBit)
	pictographic := class == breakPictographic // then come Extend alone, and a ZWJ last if joiner
	consonant := class == breakConsonant       // then come ConjunctExtend and linkers alone
	joiner, linker := false, false
	for end < len(text) {
		r, size := utf8.DecodeRuneInString(text[end:])
		next := uint16(Of(r) / graphemeBit)
		switch {
		case class == breakControl || next == breakControl: // GB4, GB5; GB3 is above
			return end
		case next >= breakLinker && next <= breakSpacingMark || next == breakZWJ: // GB9, GB9a
		case class == breakPrepend: // GB9b
		case class == breakL && (next == breakL || next == breakV || next == breakLV || next == breakLVT): // GB6
		case (class == breakLV || class == breakV) && (next == breakV || next == breakT): // GB7
		case (class == breakLVT || class == breakT) && next == breakT: // GB8
		case consonant && linker && next == breakConsonant: // GB9c
		case pictographic && joiner && next == breakPictographic: // GB11
		default:
			return end
		}
		switch next {
		case breakPictographic:
			pictographic, consonant, joiner = true, false, false
		case breakConsonant:
			pictographic, consonant, linker = false, true, false
		case breakZWJ:
			pictographic = pictographic && !joiner
			joiner = true
		case breakLinker:
			linker = true
			pictographic = pictographic && !joiner
		case breakConjunctExtend:
			pictographic = pictographic && !joiner
		case breakExtend:
			consonant = false
			pictographic = pictographic && !joiner
		default:
			pictographic, consonant = false, false
		}
		class = next
		end += size
	}
	return end
}
