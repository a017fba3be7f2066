package regex

import (
	"slices"
	"unicode/utf8"
)

// operation is the kind of an instruction.
type operation uint8

const (
	opFail      operation = iota
	opAccept              // the match or the look-around ends here
	opByte                // lit[0]
	opText                // lit
	opSet                 // one code point of set
	opRun                 // as many code points of set as possible, at most max; fewer if the rest fails
	opPossess             // as many code points of set as possible
	opBranch              // the alternatives in choices, first to last
	opAssert              // where
	opLook                // sub matches here, or does not if negative
	opLookSet             // the next code point is in set, or is not if negative
	opBehindSet           // the one before is in set, or is not if negative
	opAtomic              // the first match of sub
	opTextBack            // lit, read backward from here
	opSetBack             // one code point of set, read backward
)

// instruction is a state of the matcher. It goes on at next.
type instruction struct {
	op       operation
	negative bool
	inner    bool // within a look-around or an atomic group
	back     bool // it reads backward
	where    anchorKind
	lit      string
	set      *set
	next     int32
	idle     int32 // opPossess, opAtomic: next if nothing was consumed
	sub      int32
	max      int32
	memo     int32       // index of its record of failures, or -1
	choices  [][]int32   // opBranch: lists of alternatives
	choose   *[257]uint8 // opBranch: the list for the next byte, 256 at the end of the text; nil is the first list
}

// program is a compiled pattern.
type program struct {
	code   []instruction
	start  int32
	outer  int       // records of failures outside look-arounds and atomic groups
	inner  int       // records of results within them
	first  [256]bool // bytes that begin a match; any if the match may be empty
	always bool      // a match may begin anywhere
}

const (
	maxCode  = 20_000  // instructions of a pattern; (?i:[\p{L}]) takes 226
	maxRuns  = 20_000  // repetitions in bounded runs such as \d{1,3}
	maxSets  = 512     // different sets of a pattern
	maxSteps = 100_000 // parts that are compiled, repetitions counted
)

// compiler makes instructions from the end to the begin: each part is told what follows it.
//
// An endless loop over a body that may be empty must end when an iteration consumes nothing. So each part is compiled
// for each number of enclosing loops of this kind whose iteration has consumed something: progress. The last of depth
// loops is the innermost. A part that consumes continues with progress = depth.
type compiler struct {
	pattern string
	program
	sets  map[string]*set
	inner bool
	back  bool
	words *set
	steps int
	runs  int // repetitions of bounded runs
}

// follow returns the instruction at which the match goes on with the progress.
type follow func(progress int) int32

// once returns f so that it runs once for each progress.
func once(f follow) follow {
	known := map[int]int32{}
	return func(progress int) int32 {
		at, ok := known[progress]
		if !ok {
			at = f(progress)
			known[progress] = at
		}
		return at
	}
}

func (c *compiler) add(i instruction) int32 {
	if len(c.code) >= maxCode || c.runs > maxRuns {
		panic(&Error{c.pattern, 0, "pattern is too large"})
	}
	i.inner, i.back, i.memo = c.inner, c.back, -1
	c.code = append(c.code, i)
	return int32(len(c.code) - 1)
}

// newSet returns the set of the ranges. Equal ranges share one.
func (c *compiler) newSet(r ranges) *set {
	key := make([]rune, 0, 2*len(r))
	for _, p := range r {
		key = append(key, p[0]+1<<21, p[1]+1<<21)
	}
	k := string(packed(key))
	s, ok := c.sets[k]
	if !ok {
		if len(c.sets) >= maxSets {
			panic(&Error{c.pattern, 0, "pattern has too many classes"})
		}
		s = newSet(r)
		c.sets[k] = s
	}
	return s
}

func packed(runes []rune) []byte {
	out := make([]byte, 0, 3*len(runes))
	for _, r := range runes {
		out = append(out, byte(r), byte(r>>8), byte(r>>16))
	}
	return out
}

// compile returns the first instruction of n.
func (c *compiler) compile(n *node, depth, progress int, next follow) int32 {
	if c.steps++; c.steps > maxSteps {
		panic(&Error{c.pattern, 0, "pattern is too large"})
	}
	switch n.kind {
	case empty:
		return next(progress)
	case text:
		if n.fold {
			return c.compile(folded(n.runes, c.back), depth, progress, next)
		}
		if len(n.runes) == 0 {
			return next(progress)
		}
		lit := string(n.runes)
		switch at := next(depth); {
		case c.back:
			return c.add(instruction{op: opTextBack, lit: lit, next: at})
		case len(lit) == 1:
			return c.add(instruction{op: opByte, lit: lit, next: at})
		default:
			return c.add(instruction{op: opText, lit: lit, next: at})
		}
	case class:
		if len(n.set) == 1 && n.set[0][0] == n.set[0][1] && utf8.ValidRune(n.set[0][0]) {
			return c.compile(&node{kind: text, runes: []rune{n.set[0][0]}}, depth, progress, next)
		}
		op := opSet
		if c.back {
			op = opSetBack
		}
		return c.add(instruction{op: op, set: c.newSet(n.set), next: next(depth)})
	case sequence:
		subs := n.subs
		if c.back {
			subs = slices.Clone(subs)
			slices.Reverse(subs)
		}
		for _, s := range slices.Backward(subs[1:]) {
			after := next
			next = once(func(progress int) int32 { return c.compile(s, depth, progress, after) })
		}
		return c.compile(subs[0], depth, progress, next)
	case alternate:
		next = once(next)
		list := make([]int32, len(n.subs))
		for i, s := range n.subs {
			list[i] = c.compile(s, depth, progress, next)
		}
		return c.branch(list)
	case repeat:
		return c.repeat(n, depth, progress, next)
	case atomic:
		if c.back {
			panic(&Error{c.pattern, 0, "unsupported atomic group or possessive quantifier in a look-behind"})
		}
		body, next := n.subs[0], once(next)
		if s, ok := c.single(body); ok && body.min == 0 && body.max == unlimited && !body.lazy {
			return c.add(instruction{op: opPossess, set: s, next: next(depth), idle: next(progress)})
		}
		sub := c.within(body, false)
		return c.add(instruction{op: opAtomic, sub: sub, next: next(depth), idle: next(progress)})
	case look:
		if s, ok := c.one(n.subs[0]); ok {
			op := opLookSet
			if n.behind {
				op = opBehindSet
			}
			return c.add(instruction{op: op, set: s, negative: n.negative, next: next(progress)})
		}
		if c.back && !n.behind {
			panic(&Error{c.pattern, 0, "unsupported look-ahead in a look-behind"})
		}
		sub := c.within(n.subs[0], n.behind)
		return c.add(instruction{op: opLook, sub: sub, negative: n.negative, next: next(progress)})
	default:
		return c.add(instruction{op: opAssert, where: n.where, set: c.wordSet(n.where), next: next(progress)})
	}
}

// within compiles the body of a look-around or an atomic group.
func (c *compiler) within(body *node, back bool) int32 {
	inner, was := c.inner, c.back
	c.inner, c.back = true, back
	accept := c.add(instruction{op: opAccept})
	at := c.compile(body, 0, 0, func(int) int32 { return accept })
	c.inner, c.back = inner, was
	return at
}

func (c *compiler) wordSet(where anchorKind) *set {
	if where != wordBoundary && where != notWordBoundary {
		return nil
	}
	if c.words == nil {
		words, _ := property("word")
		c.words = c.newSet(words)
	}
	return c.words
}

// branch returns an instruction for the alternatives. The next byte may rule out some: finish does that.
func (c *compiler) branch(list []int32) int32 {
	if len(list) == 1 {
		return list[0]
	}
	return c.add(instruction{op: opBranch, choices: [][]int32{list}})
}

// one returns the set if n matches exactly one code point of a set.
func (c *compiler) one(n *node) (*set, bool) {
	switch {
	case n.kind == class:
		return c.newSet(n.set), true
	case n.kind == text && len(n.runes) == 1 && !n.fold:
		return c.newSet(ranges{{n.runes[0], n.runes[0]}}), true
	case n.kind == text && len(n.runes) == 1:
		if unicodeTables().expansions[n.runes[0]] == nil {
			return c.newSet(variants(n.runes[0])), true
		}
	case n.kind == alternate && len(n.subs) == 1:
		return c.one(n.subs[0])
	}
	return nil, false
}

// single returns the set if n repeats one code point of a set.
func (c *compiler) single(n *node) (*set, bool) {
	if n.kind != repeat {
		return nil, false
	}
	return c.one(n.subs[0])
}

func (c *compiler) repeat(n *node, depth, progress int, next follow) int32 {
	next = once(next)
	body := n.subs[0]
	if s, ok := c.single(n); ok && !c.back && !n.lazy && (n.max == unlimited || n.max-n.min > 1) {
		run := once(func(int) int32 {
			limit := int32(unlimited)
			if n.max != unlimited {
				limit = int32(n.max - n.min)
				c.runs += n.max - n.min
			}
			return c.add(instruction{op: opRun, set: s, next: next(depth), max: limit})
		})
		return c.times(body, n.min, depth, progress, func(progress int) int32 {
			if progress == depth {
				return run(progress)
			}
			once := &node{kind: repeat, min: 0, max: 1, subs: []*node{body}}
			if n.max != unlimited {
				once.max = n.max - n.min
				return c.counted(once, depth, progress, next)
			}
			return c.branch([]int32{c.compile(body, depth, progress, run), next(progress)})
		})
	}
	if n.max == unlimited {
		loop := once(func(progress int) int32 { return c.loop(n, depth, progress, next) })
		return c.times(body, n.min, depth, progress, loop)
	}
	return c.times(body, n.min, depth, progress, func(progress int) int32 {
		return c.counted(&node{kind: repeat, max: n.max - n.min, lazy: n.lazy, subs: n.subs}, depth, progress, next)
	})
}

// counted compiles x{0,2} as (x(x)?)?.
func (c *compiler) counted(n *node, depth, progress int, next follow) int32 {
	if n.max > maxCode {
		panic(&Error{c.pattern, 0, "pattern is too large"})
	}
	body, rest := n.subs[0], next
	for range n.max {
		inside := rest
		rest = once(func(progress int) int32 {
			list := []int32{c.compile(body, depth, progress, inside), next(progress)}
			if n.lazy {
				slices.Reverse(list)
			}
			return c.branch(list)
		})
	}
	return rest(progress)
}

// times compiles body, n times in a row.
func (c *compiler) times(body *node, n, depth, progress int, next follow) int32 {
	if n > maxCode {
		panic(&Error{c.pattern, 0, "pattern is too large"})
	}
	for range n {
		after := next
		next = once(func(progress int) int32 { return c.compile(body, depth, progress, after) })
	}
	return next(progress)
}

// loop compiles an endless loop.
func (c *compiler) loop(n *node, depth, progress int, next follow) int32 {
	heads := map[int]int32{}
	var head follow
	head = func(progress int) int32 {
		if at, ok := heads[progress]; ok {
			return at
		}
		at := c.add(instruction{op: opBranch})
		heads[progress] = at
		var body int32
		if nullable(n.subs[0]) {
			body = c.compile(n.subs[0], depth+1, progress, once(func(progress int) int32 {
				if progress == depth+1 {
					return head(depth)
				}
				return next(progress) // an iteration that consumed nothing ends the loop
			}))
		} else {
			body = c.compile(n.subs[0], depth, progress, head)
		}
		list := []int32{body, next(progress)}
		if n.lazy {
			slices.Reverse(list)
		}
		c.code[at].choices = [][]int32{list}
		return at
	}
	return head(progress)
}

// nullable reports whether n may match nothing.
func nullable(n *node) bool {
	switch n.kind {
	case text:
		return len(n.runes) == 0
	case class:
		return false
	case sequence:
		return !slices.ContainsFunc(n.subs, func(s *node) bool { return !nullable(s) })
	case alternate:
		return slices.ContainsFunc(n.subs, nullable)
	case repeat:
		return n.min == 0 || nullable(n.subs[0])
	case atomic:
		return nullable(n.subs[0])
	}
	return true
}

// build compiles a parsed pattern.
func build(pattern string, n *node) (p *program, err error) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *Error:
			p, err = nil, e
		default:
			panic(e)
		}
	}()
	c := &compiler{pattern: pattern, sets: map[string]*set{}}
	accept := c.add(instruction{op: opAccept})
	c.start = c.compile(n, 0, 0, func(int) int32 { return accept })
	c.finish()
	return &c.program, nil
}
