package model

import (
	"slices"
	"sync"
)

// symbol is a part of a word while BPE merges its parts.
type symbol struct {
	id   uint32
	size uint32 // bytes; 0: merged into a part on its left
}

// shortWord is the number of symbols up to which looking at every pair for every merge beats a heap.
const shortWord = 32

// mergeScan merges the pairs of a short word and returns its symbols without gaps. It needs a regular vocabulary: there
// the leftmost pair of the lowest rank is the one that the reference takes from its queue.
func mergeScan(m *merges, line []symbol) []symbol {
	if len(line) < 2 {
		return line
	}
	const none = ^uint64(0)
	var ranks [shortWord]uint64 // the merge of a symbol and the next one
	best, at := none, 0
	get := func(i int) uint64 {
		if i+1 >= len(line) {
			return none
		}
		if v := m.get(line[i].id, line[i+1].id); v != 0 {
			return v
		}
		return none
	}
	for i := range line {
		ranks[i] = get(i)
		if ranks[i] < best {
			best, at = ranks[i], i
		}
	}
	for best != none {
		line[at] = symbol{id: uint32(best), size: line[at].size + line[at+1].size}
		copy(line[at+1:], line[at+2:])
		copy(ranks[at+1:len(line)-1], ranks[at+2:len(line)])
		line = line[:len(line)-1]
		ranks[at] = get(at)
		if at > 0 {
			ranks[at-1] = get(at - 1)
		}
		best = none
		for i, r := range ranks[:len(line)] {
			if r < best {
				best, at = r, i
			}
		}
	}
	return line
}

// longWord is the number of characters up to which the memory to encode a word is kept for the next one.
const longWord = 1 << 16

// scratch is the memory to encode a long word.
type scratch struct {
	line  []symbol
	links []link
	heap  []candidate
}

// link names the neighbors of a symbol.
type link struct{ previous, next int32 }

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// release returns the scratch to the pool, without the memory of a huge word.
func (s *scratch) release() {
	if cap(s.line) <= longWord && cap(s.heap) <= longWord {
		scratches.Put(s)
	}
}

// candidate is a pair that may be merged.
type candidate struct {
	merge uint64 // as merges.get returns it
	at    int32  // the symbol on the left
}

// before is the order of the merges: by rank, then from left to right.
func (c candidate) before(d candidate) bool {
	return c.merge < d.merge || c.merge == d.merge && c.at < d.at
}

// mergeHeap merges the pairs of a word. Symbols that are merged into others keep their places, with size 0.
func (s *scratch) mergeHeap(m *merges, line []symbol) {
	s.links, s.heap = slices.Grow(s.links[:0], len(line)), s.heap[:0]
	if len(line) > longWord {
		s.heap = slices.Grow(s.heap, len(line))
	}
	for i := range line {
		s.links = append(s.links, link{int32(i) - 1, int32(i) + 1})
	}
	push := func(left, right int32) {
		if left >= 0 && int(right) < len(line) {
			if v := m.get(line[left].id, line[right].id); v != 0 {
				s.push(candidate{v, left})
			}
		}
	}
	for i := range len(line) - 1 {
		push(int32(i), int32(i)+1)
	}
	for len(s.heap) > 0 {
		c := s.pop()
		right := s.links[c.at].next
		if line[c.at].size == 0 || int(right) >= len(line) {
			continue
		}
		// The pair may have changed since. Like the reference, compare the merged tokens and not the pairs: they differ
		// for vocabularies in which two merges yield one id.
		if v := m.get(line[c.at].id, line[right].id); v == 0 || uint32(v) != uint32(c.merge) {
			continue
		}
		line[c.at].id = uint32(c.merge)
		line[c.at].size += line[right].size
		line[right].size = 0
		next := s.links[right].next
		s.links[c.at].next = next
		if int(next) < len(line) {
			s.links[next].previous = c.at
		}
		push(s.links[c.at].previous, c.at)
		push(c.at, next)
	}
}

// push adds a candidate to the heap, which has four children a node.
func (s *scratch) push(c candidate) {
	s.heap = append(s.heap, c)
	h := s.heap
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 4
		if !c.before(h[up]) {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = c
}

// pop removes the first candidate.
func (s *scratch) pop() candidate {
	h := s.heap
	top, c := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	s.heap = h
	i := 0
	for {
		child := 4*i + 1
		if child >= len(h) {
			break
		}
		least := child
		for k := child + 1; k < min(child+4, len(h)); k++ {
			if h[k].before(h[least]) {
				least = k
			}
		}
		if !h[least].before(c) {
			break
		}
		h[i] = h[least]
		i = least
	}
	if len(h) > 0 {
		h[i] = c
	}
	return top
}
