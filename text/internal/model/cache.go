package model

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

// A cache remembers the tokens of words. Goroutines read and write it without locks: its entries are immutable, and a
// writer swaps one pointer. A lost write costs time and nothing else.
type cache struct {
	seed maphash.Seed
	sets [cacheSets]cacheSet
}

const (
	cacheSets = 1 << 13
	cacheWays = 4
	cacheWord = 64 // bytes of the longest word that is remembered; so a full cache stays below 24 MB
	cacheRate = 16 // misses in a full set for each replacement: a stream of rare words rarely allocates
)

type cacheSet struct {
	ways   [cacheWays]atomic.Pointer[cacheEntry]
	misses atomic.Uint32 // since the set is full
}

type cacheEntry struct {
	word   string
	tokens []uint64 // id, start and end, in 32, 16 and 16 bits
}

func newCache() *cache { return &cache{seed: maphash.MakeSeed()} }

// set returns the part of the cache where a word may be.
func (c *cache) set(word string) *cacheSet {
	return &c.sets[maphash.String(c.seed, word)%cacheSets]
}

// get appends the tokens of a word and reports whether they are known.
func (s *cacheSet) get(dst []Token, word string) ([]Token, bool) {
	for i := range s.ways {
		e := s.ways[i].Load()
		if e == nil {
			return dst, false
		}
		if e.word != word {
			continue
		}
		for _, t := range e.tokens {
			dst = append(dst, Token{ID: int(t >> 32), Start: int(t >> 16 & 0xffff), End: int(t & 0xffff)})
		}
		return dst, true
	}
	return dst, false
}

// put remembers the tokens of a word, or does not.
func (s *cacheSet) put(word string, tokens []Token) {
	way := -1
	for i := range s.ways {
		if s.ways[i].Load() == nil {
			way = i
			break
		}
	}
	if way < 0 {
		n := s.misses.Add(1)
		if n%cacheRate != 0 {
			return
		}
		way = int(n / cacheRate % cacheWays)
	}
	packed := make([]uint64, len(tokens))
	for i, t := range tokens {
		if t.End > 0xffff {
			return // the suffix of a word can be long
		}
		packed[i] = uint64(t.ID)<<32 | uint64(t.Start)<<16 | uint64(t.End)
	}
	s.ways[way].Store(&cacheEntry{word: strings.Clone(word), tokens: packed})
}
