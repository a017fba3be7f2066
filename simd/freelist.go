package simd

import "sync"

// A freeList keeps up to most values for reuse, so that a steady state allocates nothing.
type freeList[T any] struct {
	most int
	make func() *T
	wipe func(*T) // removes a value's references

	mu   sync.Mutex
	free []*T
}

func (l *freeList[T]) get() *T {
	l.mu.Lock()
	if n := len(l.free); n > 0 {
		v := l.free[n-1]
		l.free = l.free[:n-1]
		l.mu.Unlock()
		return v
	}
	l.mu.Unlock()
	return l.make()
}

func (l *freeList[T]) put(v *T) {
	l.wipe(v)
	l.mu.Lock()
	if len(l.free) < l.most {
		l.free = append(l.free, v)
	}
	l.mu.Unlock()
}
