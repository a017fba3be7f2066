package regex

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// kind is the kind of a node of the syntax tree.
type kind uint8

const (
	empty     kind = iota
	text           // runes, one after the other; without case if fold
	class          // one code point of a set; the expansions too
	sequence       // subs, one after the other
	alternate      // the first of the subs that lets the rest match
	repeat         // subs[0], min to max times
	atomic         // the first match of subs[0] alone
	look           // whether subs[0] matches here; nothing is consumed
	anchor         // a place in the text
)

const unlimited = -1

// node is a part of a parsed pattern.
type node struct {
	kind     kind
	fold     bool
	runes    []rune
	set      ranges
	subs     []*node
	min, max int  // repeat; max may be unlimited
	lazy     bool // repeat: as few as possible
	behind   bool // look
	negative bool // look
	joins    bool // text whose neighbor in a sequence joins it
	where    anchorKind
}

type anchorKind uint8

const (
	beginLine anchorKind = iota
	endLine
	beginText
	endText
	endTextOrLine // the end of the text, or before its last line feed
	wordBoundary
	notWordBoundary
)

// The limits keep hostile patterns small. Those of models have less than 20 levels and 100 instructions.
const (
	maxLength = 1 << 16 // bytes
	maxDepth  = 250     // nested groups and classes
	maxRepeat = 100000  // Oniguruma's limit
)

// Error is a pattern that is wrong or unsupported.
type Error struct {
	Pattern string
	At      int // byte of the pattern
	Message string
}

func (e *Error) Error() string {
	p := e.Pattern
	if len(p) > 200 {
		p = strings.ToValidUTF8(p[:200], "") + "…"
	}
	return fmt.Sprintf("regular expression %q: %s at byte %d", p, e.Message, e.At)
}

type parser struct {
	src      string
	pos      int
	depth    int
	groups   int
	fold     bool // (?i)
	dotall   bool // (?m): the dot matches a line feed
	extended bool // (?x): white space and comments do not count
}

// fail ends parsing; parse returns the error.
func (p *parser) fail(at int, format string, args ...any) {
	panic(&Error{p.src, at, fmt.Sprintf(format, args...)})
}

// parse reads a pattern in Oniguruma's own syntax (doc/RE of its source).
func parse(src string) (n *node, err error) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *Error:
			err = e
		default:
			panic(e)
		}
	}()
	if len(src) > maxLength {
		return nil, &Error{src, maxLength, "pattern is too large"}
	}
	if i := invalid(src); i >= 0 {
		return nil, &Error{src, i, "invalid UTF-8"}
	}
	p := &parser{src: src}
	n = p.alternatives()
	if p.pos < len(src) {
		p.fail(p.pos, "unmatched )")
	}
	return n, nil
}

// invalid returns the place of the first invalid UTF-8, or -1.
func invalid(s string) int {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

func (p *parser) enter() {
	if p.depth++; p.depth > maxDepth {
		p.fail(p.pos, "more than %d nested groups", maxDepth)
	}
}

func (p *parser) leave() { p.depth-- }

// more reports whether the pattern goes on.
func (p *parser) more() bool { return p.pos < len(p.src) }

// peek reports whether the rest begins with s.
func (p *parser) peek(s string) bool {
	return len(p.src)-p.pos >= len(s) && p.src[p.pos:p.pos+len(s)] == s
}

// accept skips s if the rest begins with it.
func (p *parser) accept(s string) bool {
	if !p.peek(s) {
		return false
	}
	p.pos += len(s)
	return true
}

// next returns the next code point; what names the place for the error at the end of the pattern.
func (p *parser) next(what string) rune {
	if !p.more() {
		p.fail(p.pos, "the pattern ends in %s", what)
	}
	r, size := utf8.DecodeRuneInString(p.src[p.pos:])
	p.pos += size
	return r
}

// alternatives reads up to the end of the group or the pattern.
func (p *parser) alternatives() *node {
	p.enter()
	defer p.leave()
	subs := []*node{p.branch()}
	for p.accept("|") {
		subs = append(subs, p.branch())
	}
	if len(subs) == 1 {
		return subs[0]
	}
	return &node{kind: alternate, subs: subs}
}

// branch reads up to the next |, the end of the group or the pattern.
func (p *parser) branch() *node {
	var subs []*node
	for {
		p.skip()
		if !p.more() || p.peek("|") || p.peek(")") {
			return join(subs)
		}
		n, rest := p.item()
		if rest {
			return join(append(subs, n))
		}
		subs = append(subs, p.quantified(n))
	}
}

// join makes a sequence. Neighboring texts become one: a fold may be of several code points.
func join(subs []*node) *node {
	var out []*node
	var own *node // the last of out, if it was made here
	var add func(n *node)
	add = func(n *node) {
		if n.kind == empty {
			return
		}
		if n.kind == sequence {
			for _, s := range n.subs {
				add(s)
			}
			return
		}
		if last := len(out) - 1; last >= 0 && n.joins && out[last].joins && n.fold == out[last].fold {
			if own == nil {
				own = &node{kind: text, fold: n.fold, joins: true, runes: slices.Clone(out[last].runes)}
				out[last] = own
			}
			own.runes = append(own.runes, n.runes...)
			return
		}
		out, own = append(out, n), nil
	}
	for _, n := range subs {
		add(n)
	}
	switch len(out) {
	case 0:
		return &node{kind: empty}
	case 1:
		return out[0]
	}
	return &node{kind: sequence, subs: out}
}

// skip passes over comments and, in extended mode, white space.
func (p *parser) skip() {
	for p.more() {
		switch c := p.src[p.pos]; {
		case p.peek("(?#"):
			at := p.pos
			p.pos += 3
			for {
				if !p.more() {
					p.fail(at, "comment without )")
				}
				if r := p.next("a comment"); r == '\\' && p.more() {
					p.next("a comment")
				} else if r == ')' {
					break
				}
			}
		case p.extended && (c == ' ' || c >= '\t' && c <= '\r' && c != '\v'):
			p.pos++
		case p.extended && c == '#':
			for p.more() && p.src[p.pos] != '\n' {
				p.pos++
			}
		default:
			return
		}
	}
}

// item reads one element without its quantifier. rest is true after an option such as (?i): n is all up to the end of
// the group.
func (p *parser) item() (n *node, rest bool) {
	at := p.pos
	switch r := p.next("an element"); r {
	case '(':
		return p.group(at)
	case '[':
		return p.bracket(at), false
	case '.':
		if p.dotall {
			return &node{kind: class, set: ranges{{0, maxRune}}}, false
		}
		return &node{kind: class, set: ranges{{'\n', '\n'}}.complement()}, false
	case '^':
		return &node{kind: anchor, where: beginLine}, false
	case '$':
		return &node{kind: anchor, where: endLine}, false
	case '*', '+', '?':
		p.fail(at, "nothing to repeat for %c", r)
	case '{':
		if _, _, _, ok := p.interval(); ok {
			p.fail(at, "nothing to repeat for {…}")
		}
		return p.literal('{'), false
	case '\\':
		return p.escape(at), false
	default:
		return p.literal(r), false
	}
	panic("unreachable")
}

func (p *parser) literal(r ...rune) *node {
	return &node{kind: text, runes: r, fold: p.fold, joins: true}
}

// quantified reads the quantifiers after n.
func (p *parser) quantified(n *node) *node {
	for {
		p.skip()
		at := p.pos
		q := &node{kind: repeat, max: unlimited}
		possessive, fixed, braces := false, false, false
		switch {
		case p.accept("*"):
		case p.accept("+"):
			q.min = 1
		case p.accept("?"):
			q.max = 1
		case p.accept("{"):
			var ok bool
			if q.min, q.max, fixed, ok = p.interval(); !ok {
				p.pos = at
				return n
			}
			braces = true
			if q.max != unlimited && q.min > q.max { // {3,2} is {2,3} without backtracking
				q.min, q.max, possessive = q.max, q.min, true
			}
		default:
			return n
		}
		switch {
		case !possessive && !fixed && p.accept("?"): // a{2}? is (?:a{2})?
			q.lazy = true
		case !possessive && !braces && p.accept("+"): // a{2,3}+ is (?:a{2,3})+
			possessive = true
		}
		if !repeatable(n) {
			p.fail(at, "a quantifier after an anchor or a look-around")
		}
		q.subs = []*node{n}
		if p.depth += 1; p.depth > maxDepth {
			p.fail(at, "more than %d nested quantifiers", maxDepth)
		}
		defer p.leave()
		if n = q; possessive {
			n = &node{kind: atomic, subs: []*node{q}}
		}
	}
}

// interval reads {n,m} after the brace. Without ok it is no interval, the brace is a character and the place unchanged.
func (p *parser) interval() (low, high int, fixed, ok bool) {
	at := p.pos
	number := func() (int, bool) {
		from, n := p.pos, 0
		for p.more() && p.src[p.pos] >= '0' && p.src[p.pos] <= '9' {
			if n = 10*n + int(p.src[p.pos]-'0'); n > maxRepeat {
				p.fail(from, "a repetition of more than %d", maxRepeat)
			}
			p.pos++
		}
		return n, p.pos > from
	}
	low, some := number()
	if p.accept(",") {
		var given bool
		if high, given = number(); !given {
			high = unlimited
			ok = some
		} else {
			ok = true
		}
	} else {
		high, fixed, ok = low, true, some
	}
	if !ok || !p.accept("}") {
		p.pos = at
		return 0, 0, false, false
	}
	return low, high, fixed, true
}

// group reads a group whose parenthesis was read.
func (p *parser) group(at int) (n *node, rest bool) {
	fold, dotall, extended := p.fold, p.dotall, p.extended
	restore := func() { p.fold, p.dotall, p.extended = fold, dotall, extended }
	body := func() *node {
		n := p.alternatives()
		if !p.accept(")") {
			p.fail(at, "group without )")
		}
		restore()
		return n
	}
	if p.peek("*") {
		p.fail(at, "unsupported callout (*…)")
	}
	if !p.accept("?") {
		p.groups++
		return opaque(body()), false
	}
	switch {
	case p.accept(":"):
		return body(), false
	case p.accept("="):
		return &node{kind: look, subs: []*node{body()}}, false
	case p.accept("!"):
		return &node{kind: look, negative: true, subs: []*node{body()}}, false
	case p.accept("<="):
		return &node{kind: look, behind: true, subs: []*node{body()}}, false
	case p.accept("<!"):
		return &node{kind: look, behind: true, negative: true, subs: []*node{body()}}, false
	case p.accept(">"):
		return &node{kind: atomic, subs: []*node{body()}}, false
	case p.accept("<"), p.accept("'"):
		p.name(at)
		p.groups++
		return opaque(body()), false
	case p.peek("~"):
		p.fail(at, "unsupported absent group (?~…)")
	case p.peek("("):
		p.fail(at, "unsupported condition (?(…)…)")
	case p.peek("{"):
		p.fail(at, "unsupported callout (?{…})")
	}
	on := true
	for {
		switch r := p.next("a group option"); r {
		case '-':
			on = false
		case 'i':
			p.fold = on
		case 'm':
			p.dotall = on
		case 'x':
			p.extended = on
		case 'W', 'D', 'S', 'P', 'y', 'C', 'I', 'L':
			p.fail(at, "unsupported option %c", r)
		case ':':
			return opaque(body()), false
		case ')':
			n := p.alternatives()
			restore()
			return opaque(n), true
		default:
			p.fail(at, "unknown group option %q", r)
		}
	}
}

// opaque returns n so that texts inside and outside do not join.
func opaque(n *node) *node { return &node{kind: alternate, subs: []*node{n}} }

// repeatable reports whether a quantifier may follow, by Oniguruma's rules.
func repeatable(n *node) bool {
	if n.kind == alternate && len(n.subs) > 1 {
		return !slices.ContainsFunc(n.subs, func(s *node) bool { return !repeatable(s) })
	}
	return n.kind != anchor && n.kind != look
}

// name skips the name of a group and its end.
func (p *parser) name(at int) {
	end := '>'
	if p.src[p.pos-1] == '\'' {
		end = '\''
	}
	from := p.pos
	for {
		r := p.next("a group name")
		if r == end {
			break
		}
		if r == ')' || p.pos == from+1 && (r >= '0' && r <= '9' || r == '-' || r == '+') {
			p.fail(at, "invalid group name")
		}
		if words, _ := property(":word"); !words.has(r) {
			p.fail(at, "invalid group name")
		}
	}
	if p.pos == from+1 {
		p.fail(at, "empty group name")
	}
}
