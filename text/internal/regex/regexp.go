package regex

import (
	"iter"
	"sync"
)

// Regexp is a compiled pattern. Any number of goroutines may use it.
type Regexp struct {
	pattern  string
	program  *program
	searches sync.Pool
}

// Compile reads a pattern in Oniguruma's own syntax. The error is an *Error: it names what is wrong or unsupported.
func Compile(pattern string) (*Regexp, error) {
	n, err := parse(pattern)
	if err != nil {
		return nil, err
	}
	p, err := build(pattern, n)
	if err != nil {
		return nil, err
	}
	r := &Regexp{pattern: pattern, program: p}
	r.searches.New = func() any { return &Search{matcher: matcher{program: p}, regexp: r} }
	return r, nil
}

// MustCompile is Compile for patterns of the program. It panics for a wrong one.
func MustCompile(pattern string) *Regexp {
	r, err := Compile(pattern)
	if err != nil {
		panic(err)
	}
	return r
}

// String returns the pattern.
func (r *Regexp) String() string { return r.pattern }

// Next returns the first match in text that begins at byte from or later, on a boundary of code points. What is before
// from counts for anchors and look-behinds. For many matches of one text use All or Search, whose time is linear in the
// text.
func (r *Regexp) Next(text string, from int) (start, end int, ok bool) {
	s := r.Search(text)
	defer s.Close()
	return s.Next(from)
}

// All returns the matches in text, one behind the other, as pairs of bytes. An empty match directly behind the last
// match does not count, as for find_iter of the crate onig. The text is valid UTF-8.
func (r *Regexp) All(text string) iter.Seq2[int, int] {
	return func(yield func(start, end int) bool) {
		s := r.Search(text)
		defer s.Close()
		last := -1 // end of the last match
		for from := 0; from <= len(text); {
			start, end, ok := s.Next(from)
			if !ok {
				return
			}
			if start == end && end == last {
				if end == len(text) {
					return
				}
				from = end + width(text, end)
				continue
			}
			if !yield(start, end) {
				return
			}
			from, last = end, end
		}
	}
}

// Search finds matches in one text. It remembers what it learned about the text.
type Search struct {
	matcher
	regexp *Regexp
}

// Search begins a search. Close returns its memory.
func (r *Regexp) Search(text string) *Search {
	s := r.searches.Get().(*Search)
	s.text, s.work, s.limit = text, 0, 4096+64*len(text)
	if recorded {
		s.memo.start(s.program, len(text))
	}
	return s
}

// recorded makes searches record results from the begin. Tests set it.
var recorded bool

// Next returns the first match that begins at byte from or later, as Regexp.Next.
func (s *Search) Next(from int) (start, end int, ok bool) { return s.search(from) }

// Close ends the search. Its memory is used again, unless it is large.
func (s *Search) Close() {
	s.text = ""
	s.memo.stop()
	if s.stack = s.stack[:0]; cap(s.stack) > 1<<12 {
		s.stack = nil
	}
	s.regexp.searches.Put(s)
}
