package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// fixedInt pushes an integer of one, two or four bytes.
func (m *pickleMachine) fixedInt(op byte) error {
	var v int64
	switch op {
	case 'K':
		b, err := m.byte()
		if err != nil {
			return err
		}
		v = int64(b)
	case 'M':
		b, err := m.take(2)
		if err != nil {
			return err
		}
		v = int64(binary.LittleEndian.Uint16(b))
	default:
		b, err := m.take(4)
		if err != nil {
			return err
		}
		v = int64(int32(binary.LittleEndian.Uint32(b)))
	}
	return m.pushSized(v, 8)
}

// long pushes an integer of any length: as int64 where it fits, else as its bytes.
func (m *pickleMachine) long(op byte) error {
	var n int
	if op == 0x8a {
		b, err := m.byte()
		if err != nil {
			return err
		}
		n = int(b)
	} else {
		b, err := m.take(4)
		if err != nil {
			return err
		}
		n = int(int32(binary.LittleEndian.Uint32(b)))
	}
	b, err := m.take(n)
	if err != nil {
		return err
	}
	if n > 8 {
		return m.pushSized(long(b), 24)
	}
	var v int64
	for i, c := range b {
		v |= int64(c) << (8 * i)
	}
	if n > 0 {
		v = v << (64 - 8*n) >> (64 - 8*n) // the sign is the last byte's
	}
	return m.pushSized(v, 8)
}

// counted returns the bytes of a string with its length in front.
func (m *pickleMachine) counted(op byte) ([]byte, error) {
	width := 4
	switch op {
	case 0x8c, 'U', 'C':
		width = 1
	case 0x8d, 0x8e, 0x96:
		width = 8
	}
	b, err := m.take(width)
	if err != nil {
		return nil, err
	}
	var n uint64
	for i, c := range b {
		n |= uint64(c) << (8 * i)
	}
	if n > uint64(len(m.b)-m.pos) {
		return nil, fmt.Errorf("string of %d bytes goes past the end of the pickle", n)
	}
	return m.take(int(n))
}

// maxDigits bounds the length of a number written as text. Every int64 or float64 that Python writes is shorter.
const maxDigits = 64

// line returns the bytes up to the next newline, without it.
func (m *pickleMachine) line() ([]byte, error) {
	n := bytes.IndexByte(m.b[m.pos:], '\n')
	if n < 0 {
		return nil, errPickleShort
	}
	b, err := m.take(n + 1)
	return bytes.TrimSuffix(b[:n], []byte("\r")), err
}

// text pushes a value of protocol 0, whose argument is a line.
func (m *pickleMachine) text(op byte) error {
	b, err := m.line()
	if err != nil {
		return err
	}
	switch op {
	case 'S', 'V':
		// The steps below copy a line up to five times before the string has its length.
		if err := m.allowed.spend(5 * len(b)); err != nil {
			return err
		}
		m.allowed.left += 5 * len(b)
		var s string
		var ok bool
		if op == 'S' {
			s, ok = unquote(string(b))
		} else {
			s, ok = unescape(latin1(b), `uU`)
		}
		if !ok {
			return errors.New("a string has another syntax than Python's")
		}
		return m.pushSized(s, 24+len(s))
	case 'P':
		return errors.New("the identity of a storage is a line of text, a form that PyTorch does not write")
	}
	if len(b) > maxDigits {
		return fmt.Errorf("number of %d digits is too long", len(b))
	}
	s := string(b)
	if op == 'F' {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return fmt.Errorf("expected a number, found %q", s)
		}
		return m.pushSized(v, 8)
	}
	if op == 'I' && (s == "00" || s == "01") { // False and True of protocol 0
		return m.push(s == "01")
	}
	v, err := strconv.ParseInt(strings.TrimSuffix(s, "L"), 10, 64)
	if err != nil {
		return fmt.Errorf("expected an integer that fits int64, found %q", s)
	}
	return m.pushSized(v, 8)
}

// latin1 returns the string whose code points are the bytes.
func latin1(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		s.WriteRune(rune(c))
	}
	return s.String()
}

// unquote reads a string as Python 2 prints it.
func unquote(s string) (string, bool) {
	if len(s) < 2 || (s[0] != '\'' && s[0] != '"') || s[len(s)-1] != s[0] {
		return "", false
	}
	return unescape(s[1:len(s)-1], `\'"abfnrtvx`)
}

// unescape replaces the escapes whose letters are in known.
func unescape(s, known string) (string, bool) {
	if !strings.Contains(s, `\`) {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) || strings.IndexByte(known, s[i+1]) < 0 {
			b.WriteByte(s[i])
			continue
		}
		i++
		digits := 0
		switch c := s[i]; c {
		case 'x':
			digits = 2
		case 'u':
			digits = 4
		case 'U':
			digits = 8
		default:
			if at := strings.IndexByte("abfnrtv", c); at >= 0 {
				c = "\a\b\f\n\r\t\v"[at]
			}
			b.WriteByte(c)
		}
		if digits > 0 {
			if len(s)-i-1 < digits {
				return "", false
			}
			v, err := strconv.ParseUint(s[i+1:i+1+digits], 16, 32)
			if err != nil {
				return "", false
			}
			i += digits
			if digits == 2 {
				b.WriteByte(byte(v))
			} else {
				b.WriteRune(rune(min(v, utf8.MaxRune+1)))
			}
		}
	}
	return b.String(), true
}

// sequence returns a new container of a copy of items.
func (m *pickleMachine) sequence(items []any) (*sequence, error) {
	if err := m.allowed.spend(32 + 16*len(items)); err != nil {
		return nil, err
	}
	return &sequence{items: append([]any(nil), items...)}, nil
}

func (m *pickleMachine) pushSequence(items []any, err error) error {
	if err != nil {
		return err
	}
	s, err := m.sequence(items)
	return m.pushOr(s, err)
}

func (m *pickleMachine) newDict(attributes bool) (*dict, error) {
	if err := m.allowed.spend(32); err != nil {
		return nil, err
	}
	return &dict{attributes: attributes}, nil
}

// extend appends items to the list on top of the stack.
func (m *pickleMachine) extend(items []any, err error) error {
	if err != nil {
		return err
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	if o, ok := v.(*opaque); ok {
		return m.absorb(o, items...)
	}
	s, ok := v.(*sequence)
	if !ok || s == emptyTuple {
		return fmt.Errorf("expected a list to append to, found %s", kindOf(v))
	}
	if s.items, err = grown(m.allowed, s.items, len(items)); err != nil {
		return err
	}
	s.items = append(s.items, items...)
	return nil
}

// set adds entries to the dictionary below them.
func (m *pickleMachine) set(op byte) error {
	var items []any
	var err error
	if op == 's' {
		items, err = m.popN(2)
	} else {
		items, err = m.toMark()
	}
	if err != nil {
		return err
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case *dict:
		return m.setItems(v, items)
	case *opaque:
		return m.absorb(v, items...)
	}
	return fmt.Errorf("expected a dictionary to set items of, found %s", kindOf(v))
}

// setItems adds entries, given as key, value, key, value.
func (m *pickleMachine) setItems(d *dict, items []any) error {
	if len(items)%2 != 0 {
		return errors.New("a key of a dictionary has no value")
	}
	var err error
	if d.entries, err = grown(m.allowed, d.entries, len(items)/2); err != nil {
		return err
	}
	for i := 0; i < len(items); i += 2 {
		d.entries = append(d.entries, dictEntry{items[i], items[i+1]})
	}
	return nil
}

// get returns the value of the last entry with the key, which overrides earlier ones.
func (d *dict) get(key string) (any, bool) {
	for i := len(d.entries) - 1; i >= 0; i-- {
		if k, ok := d.entries[i].key.(string); ok && k == key {
			return d.entries[i].value, true
		}
	}
	return nil, false
}

// index returns the number of a memo entry that an opcode names.
func (m *pickleMachine) index(op byte) (int, error) {
	switch op {
	case 'q', 'h':
		b, err := m.byte()
		return int(b), err
	case 'r', 'j':
		b, err := m.take(4)
		if err != nil {
			return 0, err
		}
		return int(min(binary.LittleEndian.Uint32(b), maxPickle)), nil
	}
	b, err := m.line()
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseUint(string(b[:min(len(b), maxDigits)]), 10, 31)
	if err != nil {
		return 0, fmt.Errorf("expected the number of a memo entry, found %q", b[:min(len(b), maxDigits)])
	}
	return int(v), nil
}

// put remembers the top of the stack.
func (m *pickleMachine) put(op byte) error {
	at := len(m.memo)
	if op != 0x94 {
		var err error
		if at, err = m.index(op); err != nil {
			return err
		}
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	// Python numbers the entries in order, so that there are no more than bytes so far.
	if at > m.pos {
		return fmt.Errorf("memo entry %d is out of order", at)
	}
	if n := at + 1 - len(m.memo); n > 0 {
		if m.memo, err = grown(m.allowed, m.memo, n); err != nil {
			return err
		}
		m.memo = m.memo[:at+1]
	}
	m.memo[at] = v
	return nil
}

// get pushes a remembered value.
func (m *pickleMachine) get(op byte) error {
	at, err := m.index(op)
	if err != nil {
		return err
	}
	if at >= len(m.memo) || m.memo[at] == nil { // None is never remembered
		return fmt.Errorf("memo entry %d does not exist", at)
	}
	return m.push(m.memo[at])
}

// kindOf names the kind of a value for errors.
func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "a bool"
	case int64, long:
		return "an integer"
	case float64:
		return "a float"
	case string:
		return "a string"
	case []byte:
		return "bytes"
	case *sequence:
		return "a list or tuple"
	case *dict:
		if v.attributes {
			return "an object"
		}
		return "a dictionary"
	case *reference:
		return v.name
	case *opaque:
		return v.what
	case *torchTensor:
		return "a tensor"
	}
	return "a value of another kind"
}
