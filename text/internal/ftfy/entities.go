package ftfy

import (
	"html"
	"regexp"
	"strconv"
	"strings"
)

// Unescape replaces HTML entities as html.unescape of Python does: unlike Go, it drops numbers of control characters
// and of noncharacters.
func Unescape(text string) string {
	if !strings.Contains(text, "&") {
		return text
	}
	var b strings.Builder
	at := 0
	for _, m := range numbered.FindAllStringIndex(text, -1) {
		b.WriteString(unescapeNames(text[at:m[0]]))
		b.WriteString(numberedText(text[m[0]:m[1]]))
		at = m[1]
	}
	b.WriteString(unescapeNames(text[at:]))
	return b.String()
}

// unescapeNames replaces the entities with a name. Package html lacks two.
func unescapeNames(text string) string { return html.UnescapeString(missing.Replace(text)) }

var missing = strings.NewReplacer("&nGt;", "\u226B\u20D2", "&nLt;", "\u226A\u20D2")

// numbered are the HTML entities that give a code point by its number, and beginnings of such entities.
var numbered = regexp.MustCompile(`&#(?:[0-9]+|[xX][0-9a-fA-F]+)?;?`)

// numberedText returns the text of an entity such as &#65; or &#x41;.
func numberedText(entity string) string {
	digits, base := strings.TrimSuffix(entity[2:], ";"), 10
	if digits == "" {
		return entity
	}
	if digits[0]|0x20 == 'x' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	switch {
	case err != nil || n > 0x10FFFF:
		return "\uFFFD"
	case n < 0x20 && n != 0 && n != '\t' && n != '\n' && n != '\f' && n != '\r', n == 0x7F, n >= 0xFDD0 && n <= 0xFDEF, n&0xFFFE == 0xFFFE:
		return ""
	}
	return html.UnescapeString("&#" + strconv.FormatUint(n, 10) + ";")
}

// fullEntity is an entity that ends in a semicolon. Two names of HTML are longer.
var fullEntity = regexp.MustCompile(`&#?[0-9A-Za-z]{1,24};`)

// unescapeFull replaces the entities that end in a semicolon. Those of letters may be in capitals, such as &EACUTE;.
func unescapeFull(text string) string {
	if !strings.Contains(text, "&") {
		return text
	}
	return fullEntity.ReplaceAllStringFunc(text, func(entity string) string {
		if entity[1] == '#' {
			// Without its semicolon it was not read to the end. &#59; is a semicolon, and stays.
			if s := Unescape(entity); !strings.Contains(s, ";") {
				return s
			}
			return entity
		}
		if s, ok := named(entity); ok {
			return s
		}
		lower := strings.ToLower(entity)
		if lower != entity && strings.ToUpper(entity) == entity && html.UnescapeString(entity) == entity {
			if s, ok := named(lower); ok {
				return upper.Replace(strings.ToUpper(s))
			}
		}
		return entity
	})
}

// named returns the text of an entity with a name, if HTML has it with this semicolon.
func named(entity string) (string, bool) {
	s := unescapeNames(entity)
	return s, s != entity && (!strings.HasSuffix(s, ";") || entity == "&semi;")
}

// upper writes in capitals what package strings leaves, because the capitals are several letters.
var upper = strings.NewReplacer("ß", "SS", "ŉ", "ʼN", "ﬀ", "FF", "ﬁ", "FI", "ﬂ", "FL", "ﬃ", "FFI", "ﬄ", "FFL")
