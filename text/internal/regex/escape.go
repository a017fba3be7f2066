package regex

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// escape reads an escape outside classes, whose backslash was read.
func (p *parser) escape(at int) *node {
	r := p.next("a backslash")
	if s, ok := p.classEscape(at, r, false); ok {
		return &node{kind: class, set: s}
	}
	switch r {
	case 'b':
		return &node{kind: anchor, where: wordBoundary}
	case 'B':
		return &node{kind: anchor, where: notWordBoundary}
	case 'A':
		return &node{kind: anchor, where: beginText}
	case 'Z':
		return &node{kind: anchor, where: endTextOrLine}
	case 'z':
		return &node{kind: anchor, where: endText}
	case 'R':
		crlf := &node{kind: text, runes: []rune("\r\n")}
		one := &node{kind: class, set: ranges{{'\n', '\r'}, {0x85, 0x85}, {0x2028, 0x2029}}}
		return &node{kind: atomic, subs: []*node{{kind: alternate, subs: []*node{crlf, one}}}}
	case 'N':
		return &node{kind: class, set: ranges{{'\n', '\n'}}.complement()}
	case 'O':
		return &node{kind: class, set: ranges{{0, maxRune}}}
	case 'X', 'y', 'Y':
		p.fail(at, "unsupported text segment \\%c", r)
	case 'K':
		p.fail(at, "unsupported keep \\K")
	case 'G':
		p.fail(at, "unsupported anchor \\G")
	case 'k', 'g':
		if p.peek("<") || p.peek("'") {
			p.fail(at, "unsupported reference to a group \\%c", r)
		}
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		from, n := p.pos, int(r-'0')
		for p.more() && n <= maxRepeat && p.src[p.pos] >= '0' && p.src[p.pos] <= '9' {
			n = 10*n + int(p.src[p.pos]-'0')
			p.pos++
		}
		if n <= 9 || n <= p.groups {
			p.fail(at, "unsupported reference to a group \\%d", n)
		}
		p.pos = from
		if r > '7' {
			return p.literal(r)
		}
	}
	r = p.codePoint(at, r)
	if !utf8.ValidRune(r) { // no text holds it
		return &node{kind: class}
	}
	return p.literal(r)
}

// classEscape returns the set of an escape such as \s or \p{L}, whose letter r was read. In a bracket, \w lacks the
// numbers of Latin-1 that are no digits, such as "²", as in Oniguruma.
func (p *parser) classEscape(at int, r rune, inBracket bool) (ranges, bool) {
	name := map[rune]string{'w': "word", 'd': "digit", 's': "space"}[r|0x20]
	switch r {
	case 'w', 'd', 's', 'W', 'D', 'S':
		if inBracket {
			name = ":" + name
		}
		s, _ := property(name)
		if r < 'a' {
			s = s.complement()
		}
		return s, true
	case 'h', 'H':
		s := ranges{{'0', '9'}, {'A', 'F'}, {'a', 'f'}}
		if r == 'H' {
			s = s.complement()
		}
		return s, true
	case 'p', 'P':
	default:
		return nil, false
	}
	not := r == 'P'
	if p.accept("{") {
		if p.accept("^") {
			not = !not
		}
		n := strings.IndexByte(p.src[p.pos:], '}')
		if n < 0 {
			p.fail(at, "property without }")
		}
		name = p.src[p.pos : p.pos+n]
		p.pos += n + 1
	} else {
		name = string(p.next("a property"))
	}
	s, ok := property(name)
	if word, _ := property("word"); inBracket && slices.Equal(s, word) {
		s, _ = property(":word")
	}
	if !ok || strings.HasPrefix(name, ":") {
		p.fail(at, "unknown property %q", name)
	}
	if not {
		s = s.complement()
	}
	return s, true
}

// codePoint returns the code point of an escape whose letter r was read. It need not be valid.
func (p *parser) codePoint(at int, r rune) rune {
	switch r {
	case 't':
		return '\t'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 'f':
		return '\f'
	case 'a':
		return '\a'
	case 'b':
		return '\b'
	case 'e':
		return 0x1B
	case 'v':
		return '\v'
	case 'u':
		v, n := p.digits(16, 4)
		if n < 4 {
			p.fail(at, "\\u needs four hexadecimal digits")
		}
		return v
	case 'M':
		p.fail(at, "unsupported escape \\M")
	case 'C':
		if !p.accept("-") {
			p.fail(at, "\\C needs a hyphen")
		}
		return p.control(at)
	case 'c':
		return p.control(at)
	case 'x', 'o':
		base := map[rune]rune{'x': 16, 'o': 8}[r]
		if !p.peek("{") {
			break
		}
		from := p.pos
		p.pos++
		v, n := p.digits(base, 11)
		if n == 0 {
			p.pos = from // \x{} is x{}
			return r
		}
		if p.peek(" ") || p.peek("\n") {
			p.fail(at, "unsupported sequence of code points \\%c{… …}", r)
		}
		if !p.accept("}") {
			p.fail(at, "invalid code point \\%c{…", r)
		}
		return v
	}
	b, ok := p.rawByte(r)
	if !ok {
		return r
	}
	if b < utf8.RuneSelf {
		return rune(b)
	}
	// Several such escapes are the UTF-8 of one code point.
	buf := []byte{b}
	for !utf8.FullRune(buf) && p.accept("\\") {
		next, ok := p.rawByte(p.next("a backslash"))
		if !ok {
			break
		}
		buf = append(buf, next)
	}
	c, size := utf8.DecodeRune(buf)
	if c == utf8.RuneError && size <= 1 {
		p.fail(at, "bytes that are no UTF-8")
	}
	return c
}

// rawByte reads the rest of \xHH or of an octal escape.
func (p *parser) rawByte(r rune) (byte, bool) {
	switch {
	case r == 'x':
		v, _ := p.digits(16, 2)
		return byte(v), true
	case r >= '0' && r <= '7':
		at, most := p.pos, 3
		if r == '0' {
			most = 2
		} else {
			p.pos--
		}
		v, _ := p.digits(8, most)
		if v > 255 {
			p.fail(at, "octal escape above 377")
		}
		return byte(v), true
	}
	return 0, false
}

// digits reads up to most digits. A value above the code points is returned as one above them.
func (p *parser) digits(base rune, most int) (v rune, n int) {
	for ; n < most && p.more(); n++ {
		d := rune(strings.IndexByte("0123456789abcdef", p.src[p.pos]|0x20))
		if c := p.src[p.pos]; c >= '0' && c <= '9' {
			d = rune(c - '0')
		} else if c < 'A' {
			break
		}
		if d < 0 || d >= base {
			break
		}
		v = min(v*base+d, maxRune+1)
		p.pos++
	}
	return v, n
}

func (p *parser) control(at int) rune {
	r := p.next("a control character")
	switch r {
	case '?':
		return 0x7F
	case '\\':
		r = p.codePoint(at, p.next("a backslash"))
	}
	return r & 0x9F
}
