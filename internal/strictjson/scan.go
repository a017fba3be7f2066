package strictjson

import (
	"fmt"
	"unicode/utf8"
)

// maxDepth is how deep values may be nested, about as deep as Python's reader goes.
const maxDepth = 900

// scanner walks over JSON without building values. It accepts what Python's json.loads accepts.
type scanner struct {
	data []byte
	at   int
}

// fail returns an error about the text at the current place.
func (s *scanner) fail(want string) error {
	if s.at >= len(s.data) {
		return fmt.Errorf("invalid JSON: expected %s, found the end of the file", want)
	}
	r, _ := utf8.DecodeRune(s.data[s.at:])
	return fmt.Errorf("invalid JSON: expected %s at byte %d, found %q", want, s.at, r)
}

// space skips white space.
func (s *scanner) space() {
	for s.at < len(s.data) && (s.data[s.at] == ' ' || s.data[s.at] == '\t' || s.data[s.at] == '\n' || s.data[s.at] == '\r') {
		s.at++
	}
}

// is skips a byte where it comes next.
func (s *scanner) is(c byte) bool {
	if s.at < len(s.data) && s.data[s.at] == c {
		s.at++
		return true
	}
	return false
}

// word skips a text where it comes next.
func (s *scanner) word(text string) bool {
	if len(s.data)-s.at >= len(text) && string(s.data[s.at:s.at+len(text)]) == text {
		s.at += len(text)
		return true
	}
	return false
}

// value skips a value and returns its text.
func (s *scanner) value(depth int) ([]byte, error) {
	from := s.at
	if depth > maxDepth {
		return nil, fmt.Errorf("invalid JSON: expected at most %d values inside each other", maxDepth)
	}
	var err error
	switch {
	case s.at < len(s.data) && s.data[s.at] == '{':
		err = s.object(depth, func([]byte, []byte) {})
	case s.at < len(s.data) && s.data[s.at] == '[':
		err = s.list(depth, func([]byte) {})
	case s.at < len(s.data) && s.data[s.at] == '"':
		_, err = s.text()
	case s.word("null"), s.word("true"), s.word("false"), s.word("NaN"), s.word("Infinity"), s.word("-Infinity"):
	default:
		err = s.number()
	}
	return s.data[from:s.at], err
}

// object skips an object and calls each with the texts of its keys and values.
func (s *scanner) object(depth int, each func(key, value []byte)) error {
	s.at++
	s.space()
	if s.is('}') {
		return nil
	}
	for {
		key, err := s.text()
		if err != nil {
			return err
		}
		if s.space(); !s.is(':') {
			return s.fail("a colon")
		}
		s.space()
		value, err := s.value(depth + 1)
		if err != nil {
			return err
		}
		each(key, value)
		if s.space(); s.is('}') {
			return nil
		}
		if !s.is(',') {
			return s.fail("a comma or the end of the object")
		}
		s.space()
	}
}

// list skips a list and calls each with the texts of its values.
func (s *scanner) list(depth int, each func(value []byte)) error {
	s.at++
	s.space()
	if s.is(']') {
		return nil
	}
	for {
		value, err := s.value(depth + 1)
		if err != nil {
			return err
		}
		each(value)
		if s.space(); s.is(']') {
			return nil
		}
		if !s.is(',') {
			return s.fail("a comma or the end of the list")
		}
		s.space()
	}
}

// text skips a text in quotes and returns it with them.
func (s *scanner) text() ([]byte, error) {
	from := s.at
	if !s.is('"') {
		return nil, s.fail("a text in quotes")
	}
	for s.at < len(s.data) && s.data[s.at] >= ' ' {
		switch c := s.data[s.at]; c {
		case '"':
			s.at++
			return s.data[from:s.at], nil
		case '\\':
			s.at++
			if s.is('u') {
				for range 4 {
					if s.at >= len(s.data) || !hex(s.data[s.at]) {
						return nil, s.fail("four hexadecimal digits")
					}
					s.at++
				}
				continue
			}
			if s.at >= len(s.data) || !escapes[s.data[s.at]] {
				return nil, s.fail("an escaped character")
			}
			s.at++
		default:
			s.at++
		}
	}
	return nil, s.fail("the end of a text")
}

var escapes = map[byte]bool{'"': true, '\\': true, '/': true, 'b': true, 'f': true, 'n': true, 'r': true, 't': true}

func hex(c byte) bool { return digit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }

func digit(c byte) bool { return '0' <= c && c <= '9' }

// digits skips digits and reports whether there was one.
func (s *scanner) digits() bool {
	from := s.at
	for s.at < len(s.data) && digit(s.data[s.at]) {
		s.at++
	}
	return s.at > from
}

// number skips a number.
func (s *scanner) number() error {
	from := s.at
	s.is('-')
	if !s.is('0') && !s.digits() {
		s.at = from
		return s.fail("a value")
	}
	if s.is('.') && !s.digits() {
		return s.fail("a digit")
	}
	if s.is('e') || s.is('E') {
		if !s.is('+') {
			s.is('-')
		}
		if !s.digits() {
			return s.fail("a digit")
		}
	}
	return nil
}
