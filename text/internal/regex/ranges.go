package regex

import "slices"

const maxRune = 0x10FFFF

// ranges is a set of code points: pairs of first and last, ascending, neither touching nor overlapping.
type ranges [][2]rune

func (s ranges) has(r rune) bool {
	_, found := slices.BinarySearchFunc(s, r, func(p [2]rune, r rune) int {
		switch {
		case p[1] < r:
			return -1
		case p[0] > r:
			return 1
		}
		return 0
	})
	return found
}

// union returns the code points in s or in t, in new memory.
func (s ranges) union(t ranges) ranges { return slices.Concat(s, t).sorted() }

// sorted returns pairs in any order as ranges, in the same memory.
func (s ranges) sorted() ranges {
	slices.SortFunc(s, func(a, b [2]rune) int { return int(a[0] - b[0]) })
	out := s[:0]
	for _, p := range s {
		if n := len(out); n > 0 && p[0] <= out[n-1][1]+1 {
			out[n-1][1] = max(out[n-1][1], p[1])
		} else {
			out = append(out, p)
		}
	}
	return out
}

// complement returns the code points outside s.
func (s ranges) complement() ranges {
	var out ranges
	next := rune(0)
	for _, p := range s {
		if p[0] > next {
			out = append(out, [2]rune{next, p[0] - 1})
		}
		next = p[1] + 1
	}
	if next <= maxRune {
		out = append(out, [2]rune{next, maxRune})
	}
	return out
}

// intersect returns the code points in s and in t.
func (s ranges) intersect(t ranges) ranges {
	return s.complement().union(t.complement()).complement()
}

// among returns the members that are in the list, which ascends.
func (s ranges) among(list []rune) []rune {
	var out []rune
	for _, p := range s {
		i, _ := slices.BinarySearch(list, p[0])
		for ; i < len(list) && list[i] <= p[1]; i++ {
			out = append(out, list[i])
		}
	}
	return out
}

// set is a set of code points for matching: a bit a code point, in blocks of 256 that equal blocks share.
type set struct {
	ascii  [128]bool
	index  [(maxRune + 1) >> 8]uint16
	blocks [][4]uint64
	lead   [256]bool // bytes that begin the UTF-8 of a member
}

func (s *set) has(r rune) bool {
	b := &s.blocks[s.index[uint32(r)>>8%uint32(len(s.index))]]
	return b[r>>6&3]>>(uint(r)&63)&1 != 0
}

// newSet returns the set of the ranges.
func newSet(from ranges) *set {
	s := &set{blocks: make([][4]uint64, 2)}
	s.blocks[1] = [4]uint64{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
	known := map[[4]uint64]uint16{s.blocks[0]: 0, s.blocks[1]: 1}
	var block [4]uint64
	open := rune(-1) // number of the block that is being filled
	flush := func() {
		if open < 0 {
			return
		}
		at, ok := known[block]
		if !ok {
			at = uint16(len(s.blocks))
			known[block] = at
			s.blocks = append(s.blocks, block)
		}
		s.index[open], block, open = at, [4]uint64{}, -1
	}
	for _, p := range from {
		for lo := p[0]; lo <= p[1]; {
			hi := min(p[1], lo|255)
			if lo>>8 != open {
				flush()
				open = lo >> 8
			}
			if lo&255 == 0 && hi&255 == 255 {
				block = s.blocks[1]
			} else {
				for r := lo; r <= hi; r++ {
					block[r>>6&3] |= 1 << (uint(r) & 63)
				}
			}
			lo = hi + 1
		}
		for r := p[0]; r <= min(p[1], 127); r++ {
			s.ascii[r], s.lead[r] = true, true
		}
		for lo := max(p[0], 128); lo <= p[1]; {
			lead, last := leadByte(lo)
			s.lead[lead] = true
			lo = last + 1
		}
	}
	flush()
	return s
}

// leadByte returns the first byte of the UTF-8 of r, which is above 127, and the last code point with that byte.
func leadByte(r rune) (byte, rune) {
	switch {
	case r < 0x800:
		return 0xC0 | byte(r>>6), r | 0x3F
	case r < 0x10000:
		return 0xE0 | byte(r>>12), r | 0xFFF
	}
	return 0xF0 | byte(r>>18), r | 0x3FFFF
}
