package regex

// memo records what was tried, once a text turns out to need much backtracking. An instruction that was run at a place
// leads to the same result there, whatever led to it: patterns have no references to groups. So each instruction is run
// at most once at each place, and the time is linear in the text.
//
// Outside look-arounds and atomic groups, results are failures: after a match the search goes on behind it. Within
// them, a result is a failure or the end of the match.
type memo struct {
	on    bool
	outer int // bits of a place
	inner int // results of a place
	pages []*page
	used  int // pages in use
	most  int // pages that may be in use
	floor int // nothing before this place is searched any more
	trail []entry
}

// pageSize is the number of places of a page.
const pageSize = 256

type page struct {
	seen    []uint64
	results []uint32
}

// entry is a result within a look-around or a group that is being matched.
type entry struct {
	index int32
	pos   int
}

// Results: from matched, the length of the match follows.
const (
	unknown = iota
	failed
	matched
)

const maxResult = 1<<32 - 1

func (m *memo) start(p *program, n int) {
	m.on, m.outer, m.inner = true, p.outer, p.inner
	m.pages = make([]*page, n/pageSize+1)
	m.used = 0
	// Memory beyond 64 MiB is in proportion to the text: then records are dropped, and the time may no longer be
	// linear. It takes a pattern of 1000 instructions, or of 30 within look-arounds and atomic groups.
	m.most = (64<<20 + 128*n) / m.pageBytes()
	if fewPages {
		m.most = 1
	}
}

// fewPages limits the records to two pages. Tests set it.
var fewPages bool

func (m *memo) pageBytes() int { return pageSize * (m.outer/8 + 4*m.inner + 1) }

// stop drops the records.
func (m *memo) stop() {
	m.on, m.pages, m.trail = false, nil, m.trail[:0]
}

func (m *memo) page(pos int) *page {
	if p := m.pages[pos/pageSize]; p != nil {
		return p
	}
	if m.used > m.most {
		m.drop()
	}
	p := &page{make([]uint64, (pageSize*m.outer+63)/64), make([]uint32, pageSize*m.inner)}
	m.pages[pos/pageSize] = p
	m.used++
	return p
}

// drop drops the pages before the place of the search, or all if there are none.
func (m *memo) drop() {
	before := m.pages[:m.floor/pageSize]
	for i, p := range before {
		if p != nil {
			before[i] = nil
			m.used--
		}
	}
	if m.used > m.most {
		clear(m.pages)
		m.used = 0
	}
}

// seen reports whether the instruction was run at the place before, and records that it was.
func (m *memo) seen(index int32, pos int) bool {
	p := m.page(pos)
	i := pos%pageSize*m.outer + int(index)
	bit := uint64(1) << (i % 64)
	if p.seen[i/64]&bit != 0 {
		return true
	}
	p.seen[i/64] |= bit
	return false
}

// forget drops the records of the place where a match ended: its own path is among them.
func (m *memo) forget(pos int) {
	if !m.on || m.pages[pos/pageSize] == nil {
		return
	}
	p := m.pages[pos/pageSize]
	for i := pos % pageSize * m.outer; i < (pos%pageSize+1)*m.outer; i++ {
		p.seen[i/64] &^= 1 << (i % 64)
	}
}

func (m *memo) result(index int32, pos int) int {
	return int(m.page(pos).results[pos%pageSize*m.inner+int(index)])
}

// visit records a failure, until succeed says that it was none.
func (m *memo) visit(index int32, pos int) {
	m.page(pos).results[pos%pageSize*m.inner+int(index)] = failed
	m.trail = append(m.trail, entry{index, pos})
}

// succeed gives the entries of the trail, from one on, the end of their match.
func (m *memo) succeed(from, end int) {
	for _, e := range m.trail[from:] {
		n := max(end-e.pos, 0) + matched
		if uint64(n) > maxResult {
			n = unknown
		}
		m.page(e.pos).results[e.pos%pageSize*m.inner+int(e.index)] = uint32(n)
	}
	m.trail = m.trail[:from]
}

// runRecorded extends a run from pos as far as the loop was not at a place before. It returns the end of the longest
// run to try, before pos if there is none; or, with state matched, the end of the whole match. The record at pos itself
// was checked.
func (m *matcher) runRecorded(in *instruction, pos int) (stop, state int) {
	stop = pos
	for {
		size := in.set.match(m.text, stop)
		if size == 0 {
			return stop, unknown
		}
		m.work++
		next := stop + size
		if in.inner {
			switch r := m.memo.result(in.memo, next); r {
			case unknown:
				m.memo.visit(in.memo, next)
			case failed:
				return stop, unknown
			default:
				return next + r - matched, matched
			}
		} else if m.memo.seen(in.memo, next) {
			return stop, unknown
		}
		stop = next
	}
}

// possessRecorded returns the end of the run from pos.
func (m *matcher) possessRecorded(in *instruction, pos int) int {
	end := pos
	for {
		if r := m.memo.result(in.memo, end); r >= matched {
			end += r - matched
			break
		}
		size := in.set.match(m.text, end)
		if size == 0 {
			break
		}
		end += size
	}
	for at := pos; at < end; {
		page := m.memo.page(at)
		r := &page.results[at%pageSize*m.memo.inner+int(in.memo)]
		if *r != unknown {
			break
		}
		if n := end - at + matched; uint64(n) <= maxResult {
			*r = uint32(n)
		}
		at += width(m.text, at)
	}
	return end
}
