package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/text/internal/ftfy"
)

// cleanOpenAI is basic_clean and whitespace_clean of OpenAI's CLIP (simple_tokenizer.py), and lower case. The mark
// U+0345 becomes a space: it is ι in upper case and no letter, so the pattern that splits words, which ignores case,
// takes it neither for a letter nor for another sign, and leaves it out.
func cleanOpenAI(text string) string {
	return strings.ReplaceAll(pythonLower(cleanWhitespace(text)), "\u0345", " ")
}

// cleanBasic is basic_clean of open_clip (tokenizer.py) and of OpenAI's CLIP, apart from spaces at the ends.
func cleanBasic(text string) string {
	text, _ = repair(text)
	return ftfy.Unescape(ftfy.Unescape(ftfy.Fix(text)))
}

// cleanWhitespace is _clean_whitespace of open_clip (tokenizer.py).
func cleanWhitespace(text string) string {
	return strings.Join(strings.FieldsFunc(cleanBasic(text), pythonSpace), " ")
}

// cleanCanonical is _clean_canonicalize of open_clip (tokenizer.py): the canonical text of big_vision.
func cleanCanonical(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '_':
			return ' '
		case r < utf8.RuneSelf && !unicode.IsLetter(r) && !unicode.IsDigit(r) && r > ' ' && r != 0x7F: // string.punctuation
			return -1
		}
		return r
	}, cleanBasic(text))
	return strings.Join(strings.FieldsFunc(pythonLower(text), pythonSpace), " ")
}
