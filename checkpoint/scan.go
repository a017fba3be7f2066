package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// A scanner reads the JSON in checkpoints, strictly and without recursion. Text must be valid UTF-8, and sizes must be
// plain non-negative integers. Nothing is allocated beyond the values asked for.
//
// The standard decoder silently takes the last of two equal keys. Two readers of such a file could see two different
// tensors, so it is refused here.
type scanner struct {
	b   []byte
	pos int
}

// maxDepth bounds the nesting of JSON values that are skipped.
const maxDepth = 64

func (s *scanner) errorf(format string, args ...any) error {
	return fmt.Errorf("at byte %d: "+format, append([]any{s.pos}, args...)...)
}

// peek skips white space and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for s.pos < len(s.b) {
		switch c := s.b[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) expect(c byte) error {
	if got := s.peek(); got != c || s.pos >= len(s.b) {
		return s.errorf("expected %q, found %s", c, s.found())
	}
	s.pos++
	return nil
}

func (s *scanner) found() string {
	if s.pos >= len(s.b) {
		return "the end"
	}
	return strconv.QuoteRune(rune(s.b[s.pos]))
}

// end returns an error when anything but white space follows the value.
func (s *scanner) end() error {
	if s.peek(); s.pos < len(s.b) {
		return s.errorf("expected the end, found %s", s.found())
	}
	return nil
}

// literal returns the bytes of the next string, quotes included, and whether it holds an escape.
func (s *scanner) literal() (lit []byte, escaped bool, err error) {
	if err := s.expect('"'); err != nil {
		return nil, false, err
	}
	start := s.pos - 1
	for s.pos < len(s.b) {
		switch c := s.b[s.pos]; {
		case c == '"':
			s.pos++
			return s.b[start:s.pos], escaped, nil
		case c == '\\':
			escaped = true
			s.pos += 2
		case c < 0x20:
			return nil, false, s.errorf("control character %#02x in a string", c)
		default:
			s.pos++
		}
	}
	s.pos = len(s.b)
	return nil, false, s.errorf("string does not end")
}

// str returns the next string as a copy, which does not refer to the scanned bytes.
func (s *scanner) str() (string, error) {
	lit, escaped, err := s.literal()
	if err != nil {
		return "", err
	}
	if !utf8.Valid(lit) {
		return "", s.errorf("string is not valid UTF-8")
	}
	if !escaped {
		return string(lit[1 : len(lit)-1]), nil
	}
	var v string
	if err := json.Unmarshal(lit, &v); err != nil {
		return "", s.errorf("string: %w", err)
	}
	// The standard decoder replaces half of a surrogate pair without an error, so that two names could become one.
	if halfSurrogate(lit) {
		return "", s.errorf("string holds half of a surrogate pair")
	}
	return v, nil
}

// halfSurrogate reports whether the escapes of a valid literal hold a surrogate without its partner.
func halfSurrogate(lit []byte) bool {
	high := false
	for i := 0; i < len(lit); i++ {
		var unit uint64
		if lit[i] == '\\' {
			if i++; lit[i] == 'u' {
				unit, _ = strconv.ParseUint(string(lit[i+1:i+5]), 16, 16)
				i += 4
			}
		}
		if low := unit >= 0xdc00 && unit < 0xe000; low != high {
			return true
		}
		high = unit >= 0xd800 && unit < 0xdc00
	}
	return high
}

// null passes over a null, and reports whether there was one.
func (s *scanner) null() bool {
	if s.peek(); !bytes.HasPrefix(s.b[s.pos:], []byte("null")) {
		return false
	}
	s.pos += len("null")
	return true
}

var errNotSize = errors.New("not a non-negative integer that fits 63 bits")

// size returns the next number, which must be a plain non-negative integer.
func (s *scanner) size() (int64, error) {
	s.peek()
	start := s.pos
	for s.pos < len(s.b) && s.b[s.pos] >= '0' && s.b[s.pos] <= '9' {
		s.pos++
	}
	digits := s.b[start:s.pos]
	if len(digits) == 0 || len(digits) > 19 || (digits[0] == '0' && len(digits) > 1) {
		s.pos = start
		return 0, s.errorf("%w", errNotSize)
	}
	if s.pos < len(s.b) {
		switch s.b[s.pos] {
		case '.', 'e', 'E':
			s.pos = start
			return 0, s.errorf("%w", errNotSize)
		}
	}
	v, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil {
		s.pos = start
		return 0, s.errorf("%w", errNotSize)
	}
	return v, nil
}

// object calls field after each key of the next object. field must consume the value.
func (s *scanner) object(field func(key string) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	for {
		key, err := s.str()
		if err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		if err := field(key); err != nil {
			return err
		}
		if s.peek() == ',' {
			s.pos++
			continue
		}
		return s.expect('}')
	}
}

// sizes returns the next array of at most limit sizes.
func (s *scanner) sizes(limit int) ([]int64, error) {
	if err := s.expect('['); err != nil {
		return nil, err
	}
	v := []int64{}
	if s.peek() == ']' {
		s.pos++
		return v, nil
	}
	for {
		if len(v) == limit {
			return nil, s.errorf("more than %d numbers", limit)
		}
		n, err := s.size()
		if err != nil {
			return nil, err
		}
		v = append(v, n)
		if s.peek() == ',' {
			s.pos++
			continue
		}
		return v, s.expect(']')
	}
}

// skip passes over the next value of any kind.
func (s *scanner) skip() error {
	s.peek()
	start := s.pos
	for depth := 0; ; {
		switch c := s.peek(); c {
		case '{', '[':
			if depth++; depth > maxDepth {
				return s.errorf("nested more than %d deep", maxDepth)
			}
			s.pos++
		case '}', ']':
			if depth--; depth < 0 {
				return s.errorf("expected a value, found %q", c)
			}
			s.pos++
		case '"':
			if _, _, err := s.literal(); err != nil {
				return err
			}
		case ',', ':':
			if depth == 0 {
				return s.errorf("expected a value, found %q", c)
			}
			s.pos++
			continue
		default:
			if s.pos >= len(s.b) {
				return s.errorf("expected a value, found the end")
			}
			s.word()
		}
		if depth == 0 {
			break
		}
	}
	// The loop above only balances brackets. The standard library checks that the value is JSON; the bounded depth
	// keeps its recursion short.
	if !json.Valid(s.b[start:s.pos]) {
		s.pos = start
		return s.errorf("value is not valid JSON")
	}
	return nil
}

// word passes over a number or a bare word, at least one byte.
func (s *scanner) word() {
	for s.pos++; s.pos < len(s.b); s.pos++ {
		switch s.b[s.pos] {
		case ' ', '\t', '\n', '\r', ',', ':', '"', '{', '}', '[', ']':
			return
		}
	}
}
