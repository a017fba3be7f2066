package model

import (
	"math/bits"
	"math/rand/v2"
)

// merges maps pairs of ids to the rank of their merge and the id of the merged token. It is a hash table with linear
// probing, at most half full. Its multiplier is random, so no file can be made to collide.
type merges struct {
	slots      []mergeSlot
	multiplier uint64
	shift      uint
}

type mergeSlot struct {
	pair  uint64 // left id, right id
	merge uint64 // rank plus one, id; 0: the slot is free
}

func pair(left, right uint32) uint64 { return uint64(left)<<32 | uint64(right) }

// newMerges makes a table for n merges.
func newMerges(n int) merges {
	size := max(4, 2*n)
	log := bits.Len(uint(size - 1))
	return merges{slots: make([]mergeSlot, 1<<log), multiplier: rand.Uint64() | 1, shift: uint(64 - log)}
}

// slot returns the place of a pair, or the free place where it would be.
func (m *merges) slot(pair uint64) *mergeSlot {
	mask := len(m.slots) - 1
	// The multiplication carries upwards only; the fold lets the left id reach every bit.
	at := int((pair ^ pair>>32*0x9e3779b97f4a7c15) * m.multiplier >> m.shift)
	for {
		s := &m.slots[at&mask]
		if s.pair == pair || s.merge == 0 {
			return s
		}
		at++
	}
}

// get returns the rank plus one and the id of a merge in one number, or 0. Numbers are in the order of the ranks.
func (m *merges) get(left, right uint32) uint64 {
	p := pair(left, right)
	s := m.slot(p)
	if s.pair != p {
		return 0
	}
	return s.merge
}

// set enters a merge. A later merge of the same pair replaces an earlier one.
func (m *merges) set(left, right, id uint32, rank int) {
	p := pair(left, right)
	*m.slot(p) = mergeSlot{pair: p, merge: uint64(rank+1)<<32 | uint64(id)}
}
