package text

import (
	"html"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// cleanOpenAI is basic_clean and whitespace_clean of OpenAI's CLIP (simple_tokenizer.py), without ftfy, and lower case.
func cleanOpenAI(text string) string {
	text, _ = repair(text)
	text = html.UnescapeString(html.UnescapeString(text))
	text = strings.Join(strings.FieldsFunc(text, pythonSpace), " ")
	return cases.Lower(language.Und).String(text)
}
