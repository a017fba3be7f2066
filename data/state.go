package data

import (
	"maps"
	"slices"
	"sync"
)

// State carries over from one epoch of a [Loader] to the next: batches to fill again, and the items that were skipped.
// The zero value is empty. Any number of goroutines may use a State at once. It must not be copied.
type State[B any] struct {
	mu      sync.Mutex
	spare   []*pending[B]
	skipped map[int]*ItemError
}

// Skipped returns every item that was skipped so far, sorted, each once.
func (s *State[B]) Skipped() []*ItemError {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*ItemError
	for _, i := range slices.Sorted(maps.Keys(s.skipped)) {
		out = append(out, s.skipped[i])
	}
	return out
}

func (s *State[B]) record(bad []*ItemError) {
	if len(bad) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.skipped == nil {
		s.skipped = make(map[int]*ItemError)
	}
	for _, e := range bad {
		s.skipped[e.Index] = e
	}
}

// take returns a batch of an epoch that has ended, or a new one.
func (s *State[B]) take() *pending[B] {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.spare)
	if n == 0 {
		return new(pending[B])
	}
	b := s.spare[n-1]
	s.spare = s.spare[:n-1]
	return b
}

// keep keeps a batch, unless there are as many already as an epoch takes.
func (s *State[B]) keep(b *pending[B], most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.spare) < most {
		s.spare = append(s.spare, b)
	}
}
