package regex

import (
	"strings"
	"unicode/utf8"
)

// matcher runs a program over one text.
type matcher struct {
	*program
	text  string
	stack []frame
	work  int // branches, steps back, and lengths of runs
	limit int // work after which results are recorded
	memo  memo
}

// frame is a place to go back to.
type frame struct {
	at    int32 // instruction
	list  int32 // opBranch: the list of alternatives
	pos   int   // opBranch: the place; opRun: the end of the run that was tried last
	rest  int   // opBranch: the next alternative; opRun: the shortest run's end
	trail int   // length of the trail
}

// search returns the first match that begins at from or later.
func (m *matcher) search(from int) (start, end int, ok bool) {
	text := m.text
	for start = from; ; {
		if !m.always {
			for start < len(text) && !m.first[text[start]] {
				start++
			}
			if start == len(text) {
				return 0, 0, false
			}
		}
		m.memo.floor = start
		if end, ok = m.run(m.start, start, false); ok {
			m.memo.forget(end)
			return start, end, true
		}
		if start == len(text) {
			return 0, 0, false
		}
		start += width(text, start)
	}
}

// width returns the length of the code point at pos.
func width(text string, pos int) int {
	if text[pos] < utf8.RuneSelf {
		return 1
	}
	_, size := utf8.DecodeRuneInString(text[pos:])
	return size
}

// run matches from pos until the program accepts. inner says that it is a look-around or an atomic group.
func (m *matcher) run(at int32, pos int, inner bool) (end int, ok bool) {
	text, base, trail := m.text, len(m.stack), len(m.memo.trail)
	var f *frame
	if m.work > m.limit && !m.memo.on {
		m.memo.start(m.program, len(text))
	}
	for {
		in := &m.code[at]
		if m.memo.on && in.memo >= 0 {
			if in.inner {
				if in.op != opPossess {
					switch r := m.memo.result(in.memo, pos); r {
					case unknown:
						m.memo.visit(in.memo, pos)
					case failed:
						goto back
					default:
						end, ok = pos+r-matched, true
						if in.back {
							end = pos
						}
						goto done
					}
				}
			} else if in.op != opPossess && m.memo.seen(in.memo, pos) {
				goto back
			}
		}
		switch in.op {
		case opAccept:
			end, ok = pos, true
			goto done
		case opByte:
			if pos == len(text) || text[pos] != in.lit[0] {
				goto back
			}
			pos++
			at = in.next
		case opText:
			if !strings.HasPrefix(text[pos:], in.lit) {
				goto back
			}
			pos += len(in.lit)
			at = in.next
		case opSet:
			if pos == len(text) {
				goto back
			}
			if b := text[pos]; b < utf8.RuneSelf {
				if !in.set.ascii[b] {
					goto back
				}
				pos++
			} else {
				r, size := utf8.DecodeRuneInString(text[pos:])
				if !in.set.has(r) {
					goto back
				}
				pos += size
			}
			at = in.next
		case opRun:
			if in.max != unlimited {
				stop := pos
				for n := in.max; n > 0; n-- {
					size := in.set.match(text, stop)
					if size == 0 {
						break
					}
					stop += size
				}
				m.work += (stop - pos) >> 2
				if stop > pos {
					m.stack = append(m.stack, frame{at: at, pos: stop, rest: pos, trail: len(m.memo.trail)})
				}
				pos, at = stop, in.next
				continue
			}
			if !m.memo.on {
				stop := in.set.span(text, pos)
				m.work += (stop - pos) >> 2
				if stop > pos && m.code[in.next].op != opAccept {
					m.stack = append(m.stack, frame{at: at, pos: stop, rest: pos, trail: len(m.memo.trail)})
				}
				pos, at = stop, in.next
				continue
			}
			stop, state := m.runRecorded(in, pos)
			if state >= matched {
				end, ok = stop, true
				goto done
			}
			if stop < pos {
				goto back
			}
			if stop > pos {
				m.stack = append(m.stack, frame{at: at, pos: stop, rest: pos, trail: len(m.memo.trail)})
			}
			pos, at = stop, in.next
		case opPossess:
			stop := pos
			if m.memo.on {
				stop = m.possessRecorded(in, pos)
			} else {
				stop = in.set.span(text, pos)
				m.work += (stop - pos) >> 2
			}
			if at = in.next; stop == pos {
				at = in.idle
			}
			pos = stop
		case opBranch:
			m.work++
			k := 0
			if in.choose != nil {
				if pos < len(text) {
					k = int(in.choose[text[pos]])
				} else {
					k = int(in.choose[256])
				}
			}
			list := in.choices[k]
			if len(list) == 0 {
				goto back
			}
			if len(list) > 1 {
				m.stack = append(m.stack, frame{at: at, list: int32(k), pos: pos, rest: 1, trail: len(m.memo.trail)})
			}
			at = list[0]
		case opAssert:
			if !m.assert(in, pos) {
				goto back
			}
			at = in.next
		case opLookSet:
			if (pos < len(text) && in.set.match(text, pos) > 0) == in.negative {
				goto back
			}
			at = in.next
		case opBehindSet:
			if m.before(in.set, pos) == in.negative {
				goto back
			}
			at = in.next
		case opLook:
			if _, found := m.run(in.sub, pos, true); found == in.negative {
				goto back
			}
			at = in.next
		case opAtomic:
			stop, found := m.run(in.sub, pos, true)
			if !found {
				goto back
			}
			if at = in.next; stop == pos {
				at = in.idle
			}
			pos = stop
		case opTextBack:
			if !strings.HasSuffix(text[:pos], in.lit) {
				goto back
			}
			pos -= len(in.lit)
			at = in.next
		case opSetBack:
			r, size := utf8.DecodeLastRuneInString(text[:pos])
			if size == 0 || !in.set.has(r) {
				goto back
			}
			pos -= size
			at = in.next
		default:
			goto back
		}
		continue

	back:
		if len(m.stack) == base {
			m.memo.trail = m.memo.trail[:trail]
			return 0, false
		}
		if m.work++; m.work > m.limit && !m.memo.on {
			m.memo.start(m.program, len(text))
		}
		f = &m.stack[len(m.stack)-1]
		m.memo.trail = m.memo.trail[:f.trail]
		in = &m.code[f.at]
		if in.op == opBranch {
			list := in.choices[f.list]
			pos, at = f.pos, list[f.rest]
			if f.rest++; f.rest == len(list) {
				m.stack = m.stack[:len(m.stack)-1]
			}
			continue
		}
		// A shorter run.
		pos = f.pos - 1
		for pos > f.rest && !utf8.RuneStart(text[pos]) {
			pos--
		}
		at = in.next
		if f.pos = pos; in.inner && m.memo.on && in.max == unlimited && f.trail > trail {
			f.trail-- // the longer run's record
			m.memo.trail = m.memo.trail[:f.trail]
		}
		if pos == f.rest {
			m.stack = m.stack[:len(m.stack)-1]
		}
		continue

	done:
		m.memo.succeed(trail, end)
		m.stack = m.stack[:base]
		return end, ok
	}
}

// match returns the length of the code point at pos if it is in the set, and 0 otherwise, as at the end.
func (s *set) match(text string, pos int) int {
	if pos == len(text) {
		return 0
	}
	if b := text[pos]; b < utf8.RuneSelf {
		if s.ascii[b] {
			return 1
		}
		return 0
	}
	r, size := utf8.DecodeRuneInString(text[pos:])
	if s.has(r) {
		return size
	}
	return 0
}

// span returns the end of the code points of the set from pos.
func (s *set) span(text string, pos int) int {
	for pos < len(text) {
		if b := text[pos]; b < utf8.RuneSelf {
			if !s.ascii[b] {
				return pos
			}
			pos++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[pos:])
		if !s.has(r) {
			return pos
		}
		pos += size
	}
	return pos
}

// before reports whether the code point before pos is in the set.
func (m *matcher) before(s *set, pos int) bool {
	r, size := utf8.DecodeLastRuneInString(m.text[:pos])
	return size > 0 && s.has(r)
}

// assert reports whether the place is of the kind.
func (m *matcher) assert(in *instruction, pos int) bool {
	text := m.text
	switch in.where {
	case beginText:
		return pos == 0
	case endText:
		return pos == len(text)
	case beginLine: // not behind the last line feed
		return pos == 0 || text[pos-1] == '\n' && pos < len(text)
	case endLine:
		return pos == len(text) || text[pos] == '\n'
	case endTextOrLine:
		return pos == len(text) || text[pos] == '\n' && pos == len(text)-1
	case wordBoundary:
		return m.before(in.set, pos) != (in.set.match(text, pos) > 0)
	default:
		return m.before(in.set, pos) == (in.set.match(text, pos) > 0)
	}
}
