package regex

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// bracket reads a class outside classes, whose bracket was read.
func (p *parser) bracket(at int) *node {
	s, not := p.class(at)
	if !p.fold {
		if not {
			s = s.complement()
		}
		return &node{kind: class, set: s}
	}
	t := unicodeTables()
	out := slices.Clone(s)
	for _, r := range s.among(t.cased) {
		for _, c := range t.same[r] {
			out = append(out, [2]rune{c, c})
		}
	}
	out = out.sorted()
	if not {
		return &node{kind: class, set: out.complement()}
	}
	// A code point that folds to several stands for them, too.
	n := &node{kind: alternate, subs: []*node{{kind: class, set: out}}}
	from := s.among(t.expanding)
	for _, r := range from {
		n.subs = append(n.subs, variantsOf(t.expansions[r]))
	}
	if len(from) == 0 {
		return n.subs[0]
	}
	return n
}

// variantsOf returns a node for the runes without case, one code point for one.
func variantsOf(runes []rune) *node {
	n := &node{kind: sequence}
	for _, r := range runes {
		n.subs = append(n.subs, &node{kind: class, set: variants(r)})
	}
	return n
}

// token is an element of a class.
type token uint8

const (
	member token = iota // a code point
	several
	hyphen
	closing
	opening
	and
)

// class reads a class whose bracket was read. not says that its members are those outside the set.
func (p *parser) class(at int) (s ranges, not bool) {
	p.enter()
	defer p.leave()
	not = p.accept("^")
	c := classReader{parser: p, at: at}
	tok, r, set := c.token()
	if tok == closing {
		if !strings.Contains(p.src[p.pos:], "]") {
			p.fail(at, "empty class")
		}
		tok, r = member, ']'
	}
	for tok != closing {
		again := false // the next token was read already
		switch tok {
		case member:
			c.member(r)
		case several:
			c.several(set)
		case opening:
			c.flush()
			c.state = complete
			inner, innerNot := p.class(p.pos - 1)
			if innerNot {
				inner = inner.complement()
			}
			c.add(inner...)
		case and:
			c.flush()
			c.state = begin
			c.left, c.set = append(ranges{}, c.members()...), nil
		case hyphen:
			switch before := c.state; before {
			case begin, complete:
				tok, r, set = c.token()
				again = true
				c.member('-')
			case value:
				tok, r, set = c.token()
				again = true
				switch {
				case tok == closing || tok == and:
					c.member('-')
				case c.isSet:
					p.fail(p.pos, "range that begins with a set")
				default:
					c.state = inRange
				}
			case inRange:
				c.member('-')
			}
		}
		if !again {
			tok, r, set = c.token()
		}
	}
	c.flush()
	return c.members(), not
}

// classState is the place in a class where the next element is read.
type classState uint8

const (
	begin    classState = iota
	value               // after a code point or a set
	inRange             // after the hyphen of a range
	complete            // after a range or a class
)

// classReader reads the elements of one class. The states are Oniguruma's, with their treatment of hyphens.
type classReader struct {
	*parser
	at    int
	set   ranges // pairs in any order
	limit int    // length of set after which it is sorted
	left  ranges // what stands before &&
	state classState
	last  rune // state value: the code point before
	isSet bool // state value: a set is before
}

// flush adds the last code point, which can begin no range any more.
func (c *classReader) flush() {
	if c.state == value && !c.isSet && c.last <= maxRune {
		c.add([2]rune{c.last, c.last})
	}
}

// add adds code points, which are sorted now and then: each does not cost a sort.
func (c *classReader) add(pairs ...[2]rune) {
	if c.set = append(c.set, pairs...); len(c.set) > c.limit {
		c.set = c.set.sorted()
		c.limit = 2*len(c.set) + 8192
	}
}

// members returns what was added, or what of it stands before && as well.
func (c *classReader) members() ranges {
	c.set = c.set.sorted()
	if c.left != nil {
		return c.left.intersect(c.set)
	}
	return c.set
}

func (c *classReader) member(r rune) {
	if c.state == inRange {
		if c.last > r {
			c.fail(c.pos, "range whose end is before its begin")
		}
		if c.last <= maxRune {
			c.add([2]rune{c.last, min(r, maxRune)})
		}
		c.state = complete
		return
	}
	c.flush()
	c.state, c.last, c.isSet = value, r, false
}

func (c *classReader) several(s ranges) {
	if c.state == inRange {
		c.fail(c.pos, "range that ends with a set")
	}
	c.flush()
	c.add(s...)
	c.state, c.isSet = value, true
}

// token reads the next element.
func (c *classReader) token() (token, rune, ranges) {
	if !c.more() {
		c.fail(c.at, "class without ]")
	}
	at := c.pos
	switch r := c.next("a class"); r {
	case ']':
		return closing, 0, nil
	case '-':
		return hyphen, 0, nil
	case '&':
		if c.accept("&") {
			return and, 0, nil
		}
		return member, '&', nil
	case '[':
		if !c.posix() {
			return opening, 0, nil
		}
		c.pos++
		not := c.accept("^")
		n := strings.Index(c.src[c.pos:], ":]")
		s, ok := property(":" + c.src[c.pos:c.pos+n])
		if !ok || strings.ToLower(c.src[c.pos:c.pos+n]) != c.src[c.pos:c.pos+n] {
			c.fail(at, "unknown POSIX class %q", c.src[c.pos:c.pos+n])
		}
		c.pos += n + 2
		if not {
			s = s.complement()
		}
		return several, 0, s
	case '\\':
		r = c.next("a backslash")
		if s, ok := c.classEscape(at, r, true); ok {
			return several, 0, s
		}
		return member, c.codePoint(at, r), nil
	default:
		return member, r, nil
	}
}

// posix reports whether a POSIX class follows the bracket: a colon, letters, a colon and a bracket.
func (c *classReader) posix() bool {
	if !c.peek(":") {
		return false
	}
	n := strings.Index(c.src[c.pos+1:], ":]")
	if n < 1 {
		return false
	}
	alphabetic, _ := property(":alpha")
	for i, r := range c.src[c.pos+1 : c.pos+1+n] {
		if !(r == '^' && i == 0) && !alphabetic.has(r) {
			return false
		}
	}
	return true
}

// folded returns a node for text without case. A sequence such as "ss" stands for "ß", and "ß" for "ss". Behind a place
// (single) each code point stands for one.
func folded(runes []rune, single bool) *node {
	t := unicodeTables()
	n := &node{kind: sequence}
	for i := 0; i < len(runes); {
		size := 1
		var others []rune
		for long := min(3, len(runes)-i); long > 1 && !single; long-- {
			key := make([]rune, long)
			for j := range key {
				key[j] = t.representative(runes[i+j])
			}
			if others = t.folded[string(key)]; others != nil {
				size = long
				break
			}
		}
		part := variantsOf(runes[i : i+size])
		if size == 1 && !single {
			if full := t.expansions[runes[i]]; full != nil {
				part = &node{kind: alternate, subs: []*node{part, variantsOf(full)}}
			}
		}
		if size > 1 {
			part = &node{kind: alternate, subs: []*node{part}}
			for _, r := range others {
				part.subs = append(part.subs, &node{kind: class, set: ranges{{r, r}}})
			}
		}
		n.subs = append(n.subs, part)
		i += size
	}
	for i, s := range n.subs { // a code point without case is plain text
		if s.kind == sequence && len(s.subs) == 1 {
			if set := s.subs[0].set; len(set) == 1 && set[0][0] == set[0][1] && utf8.ValidRune(set[0][0]) {
				n.subs[i] = &node{kind: text, runes: []rune{set[0][0]}, joins: true}
			}
		}
	}
	return join(n.subs)
}
