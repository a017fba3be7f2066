// Package ftfy repairs texts as fix_text of the Python library ftfy 6.3.1 does with its default options:
//
//	ftfy.Fix("&ldquo;sÃ³ ﬁne&rdquo;\r\n") // "\"só fine\"\n"
//
// OpenAI's CLIP and open_clip clean every text with it before they cut the text into tokens.
//
// A text is repaired line by line, until nothing changes:
//
//  1. HTML entities become characters, up to the first line with a "<".
//  2. Mojibake is repaired: UTF-8 that was read in another encoding. This is a heuristic. See badness.go for what
//     counts as mojibake, and mojibake.go for the repair.
//  3. Ligatures, full-width and half-width characters, quotation marks and line breaks get their plain forms.
//  4. Escape sequences of terminals and control characters are removed.
//  5. The line is brought to the normalization form NFC.
//
// Results are those of the library on every text, with two exceptions. A hostile text can need as many rounds as it has
// characters, such as an entity that is escaped a thousand times. The rounds here have a budget in proportion to the
// length of the line; where it is spent, the line stays as it is. And Python's tables are those of another version of
// Unicode, which can matter for characters that are younger than Python 3.11.
//
// Strings in Go hold no surrogates, so there is no step for these.
package ftfy
