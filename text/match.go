package text

import (
	"slices"
	"sort"
)

// matcher finds patterns in a text in time linear in the text: at each place the longest pattern, from left to right,
// without overlaps.
//
// It is the automaton of Aho and Corasick (1975) over the reversed patterns, and reads the text from its end. At each
// place the state then tells the longest pattern that begins there, so one pass back and one pass over the hits forth
// are enough. An automaton that reads forth has to read again what lies behind a match.
//
// Nodes are numbered by levels, so that the children of a node are neighbors.
type matcher struct {
	root  [256]int32 // child of the root by byte, 0 for none
	label []byte     // byte that leads to a node
	child []int32    // first child of a node; those of node v end where those of v+1 begin
	fail  []int32    // node of the longest proper suffix
	found []int32    // longest pattern that ends at a node, -1 for none
	sizes []int32    // of the patterns
}

// match is the place of a pattern, in bytes.
type match struct{ from, to, pattern int }

// newMatcher builds the automaton. Of equal patterns the first counts. It returns nil for no patterns; none may be
// empty.
func newMatcher(patterns []string) *matcher {
	if len(patterns) == 0 {
		return nil
	}
	order := make([]int, len(patterns))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		if c := compareReversed(patterns[i], patterns[j]); c != 0 {
			return c
		}
		return i - j
	})
	m := &matcher{label: []byte{0}, found: []int32{-1}, sizes: make([]int32, len(patterns))}
	for i, p := range patterns {
		m.sizes[i] = int32(len(p))
	}
	// A node stands for the patterns order[from:to], which share their last depth bytes.
	type group struct{ from, to, depth int }
	queue := []group{{0, len(order), 0}}
	for at := 0; at < len(queue); at++ {
		g := queue[at]
		queue[at] = group{}
		m.child = append(m.child, int32(len(m.label)))
		for from := g.from; from < g.to; {
			p := patterns[order[from]]
			if len(p) == g.depth { // it ended at this node
				if m.found[at] < 0 {
					m.found[at] = int32(order[from])
				}
				from++
				continue
			}
			b := p[len(p)-1-g.depth]
			to := from + sort.Search(g.to-from, func(i int) bool {
				p := patterns[order[from+i]]
				return p[len(p)-1-g.depth] > b
			})
			if at == 0 {
				m.root[b] = int32(len(m.label))
			}
			m.label = append(m.label, b)
			m.found = append(m.found, -1)
			queue = append(queue, group{from, to, g.depth + 1})
			from = to
		}
	}
	m.child = append(m.child, int32(len(m.label)))
	m.link()
	return m
}

// link fills the suffix links, by levels.
func (m *matcher) link() {
	m.fail = make([]int32, len(m.label))
	for v := range int32(len(m.label)) {
		for c := m.child[v]; c < m.child[v+1]; c++ {
			if v == 0 {
				continue
			}
			m.fail[c] = m.step(m.fail[v], m.label[c])
			if m.found[c] < 0 {
				m.found[c] = m.found[m.fail[c]]
			}
		}
	}
}

// step returns the state after one more byte.
func (m *matcher) step(v int32, b byte) int32 {
	for v != 0 {
		labels := m.label[m.child[v]:m.child[v+1]]
		if len(labels) < 8 {
			for i, l := range labels {
				if l == b {
					return m.child[v] + int32(i)
				}
			}
		} else if i, ok := slices.BinarySearch(labels, b); ok {
			return m.child[v] + int32(i)
		}
		v = m.fail[v]
	}
	return m.root[b]
}

// find appends the matches in a text to dst.
func (m *matcher) find(dst []match, text string) []match {
	if m == nil {
		return dst
	}
	first := len(dst)
	v := int32(0)
	for i := len(text) - 1; i >= 0; i-- {
		if v == 0 {
			for i >= 0 && m.root[text[i]] == 0 {
				i--
			}
			if i < 0 {
				break
			}
		}
		v = m.step(v, text[i])
		if p := m.found[v]; p >= 0 {
			dst = append(dst, match{i, i + int(m.sizes[p]), int(p)})
		}
	}
	hits := dst[first:]
	slices.Reverse(hits)
	kept, end := 0, 0
	for _, h := range hits {
		if h.from >= end {
			hits[kept] = h
			kept, end = kept+1, h.to
		}
	}
	return dst[:first+kept]
}

// compareReversed compares texts from their ends.
func compareReversed(a, b string) int {
	for i := 1; i <= len(a) && i <= len(b); i++ {
		if x, y := a[len(a)-i], b[len(b)-i]; x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}
