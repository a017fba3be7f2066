package text

import (
	"html"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// cleanOpenAI is basic_clean and whitespace_clean of OpenAI's CLIP (simple_tokenizer.py), without ftfy, and lower case.
func cleanOpenAI(text string) string { return pythonLower(cleanWhitespace(text)) }

// cleanWhitespace is _clean_whitespace of open_clip (tokenizer.py), without ftfy.
func cleanWhitespace(text string) string {
	text, _ = repair(text)
	return strings.Join(strings.FieldsFunc(unescape(unescape(text)), pythonSpace), " ")
}

// cleanCanonical is _clean_canonicalize of open_clip (tokenizer.py), without ftfy: the canonical text of big_vision.
func cleanCanonical(text string) string {
	text, _ = repair(text)
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '_':
			return ' '
		case r < utf8.RuneSelf && !unicode.IsLetter(r) && !unicode.IsDigit(r) && r > ' ' && r != 0x7F: // string.punctuation
			return -1
		}
		return r
	}, unescape(unescape(text)))
	return strings.Join(strings.FieldsFunc(pythonLower(text), pythonSpace), " ")
}

// numbered are the HTML entities that give a code point by its number, and beginnings of such entities.
var numbered = regexp.MustCompile(`&#(?:[0-9]+|[xX][0-9a-fA-F]+)?;?`)

// unescape replaces HTML entities as html.unescape of Python does: unlike Go, it drops numbers of control characters
// and of noncharacters.
func unescape(text string) string {
	if !strings.Contains(text, "&") {
		return text
	}
	var b strings.Builder
	at := 0
	for _, m := range numbered.FindAllStringIndex(text, -1) {
		b.WriteString(html.UnescapeString(text[at:m[0]]))
		b.WriteString(numberedText(text[m[0]:m[1]]))
		at = m[1]
	}
	b.WriteString(html.UnescapeString(text[at:]))
	return b.String()
}

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
