package normalize

import (
	"iter"
	"strings"

	"github.com/fovea-ml/fovea/text/internal/component"
	"github.com/fovea-ml/fovea/text/internal/regex"
)

// Replace returns s with content in the place of each match, such as those of regex.Regexp.All: bytes start to end, in
// ascending order. The content has the source of the last rune of the match, or of the rune before an empty match. An
// empty s stays empty.
func (s String) Replace(sc *Scratch, content string, matches iter.Seq2[int, int]) String {
	r := replacer{sc: sc, s: s, content: content}
	for start, end := range matches {
		r.match(start, end)
	}
	return r.String()
}

// ReplaceString returns s with content in the place of every old, found from left to right. An empty old is before
// every rune and at the end.
func (s String) ReplaceString(sc *Scratch, old, content string) String {
	r := replacer{sc: sc, s: s, content: content}
	if old == "" {
		for i := range s.text {
			r.match(i, i)
		}
		r.match(len(s.text), len(s.text))
		return r.String()
	}
	for from := 0; ; {
		i := strings.Index(s.text[from:], old)
		if i < 0 {
			return r.String()
		}
		r.match(from+i, from+i+len(old))
		from += i + len(old)
	}
}

// A replacer puts content in the place of matches.
type replacer struct {
	sc      *Scratch
	s       String
	content string
	e       *Editor // nil before the first match
	kept    int     // up to here the text was written
}

func (r *replacer) match(start, end int) {
	if r.s.text == "" {
		return
	}
	if r.e == nil {
		r.e = r.s.edit(r.sc, len(r.content))
	}
	r.e.Keep(r.kept, start)
	r.e.pos = end
	r.e.insert(r.content)
	r.kept = end
}

func (r *replacer) String() String {
	if r.e == nil {
		return r.s
	}
	r.e.Keep(r.kept, len(r.s.text))
	return r.e.String()
}

// A replace puts content in the place of a text or of what a regular expression matches.
type replace struct {
	text    string
	regex   *regex.Regexp // nil: text is replaced
	content string
}

func (n replace) Normalize(sc *Scratch, s String) String {
	if n.regex != nil {
		return s.Replace(sc, n.content, n.regex.All(s.text))
	}
	return s.ReplaceString(sc, n.text, n.content)
}

func parseReplace(f *fields, _ int) Normalizer {
	n := replace{content: component.Required[string](f, "content")}
	pattern, isRegex := component.Pattern(f)
	if !isRegex || f.Err != nil {
		n.text = pattern
		return n
	}
	var err error
	if n.regex, err = regex.Compile(pattern); err != nil {
		f.Fail("pattern: %w", err)
	}
	return n
}
