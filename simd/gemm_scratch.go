package simd

import "sync"

func grow(s []float32, n int) []float32 {
	if cap(s) < n {
		return alignedFloats(n)
	}
	return s[:cap(s)]
}

// gemmScratch is what one task needs beside its operands.
type gemmScratch struct {
	tile     gemmTile
	operands gemmOperands
	a, b     []float32
}

// freeList keeps up to most values for reuse.
type freeList[T any] struct {
	mu   sync.Mutex
	free []*T
	make func() *T
	wipe func(*T)
	most int
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

var gemmScratches = freeList[gemmScratch]{
	most: 64,
	make: func() *gemmScratch { return new(gemmScratch) },
	wipe: func(s *gemmScratch) { s.tile, s.operands = gemmTile{}, gemmOperands{} },
}

// sharedScratches hold what the tasks of one call share: one a concurrent call.
var sharedScratches = freeList[gemmScratch]{
	most: 4,
	make: func() *gemmScratch { return new(gemmScratch) },
	wipe: func(*gemmScratch) {},
}

var gemmRuns = freeList[gemmRun]{
	most: 64,
	make: func() *gemmRun {
		g := new(gemmRun)
		g.task, g.layTask, g.packTask = g.do, g.layShared, g.packShared
		return g
	},
	wipe: func(g *gemmRun) { *g = gemmRun{task: g.task, layTask: g.layTask, packTask: g.packTask} },
}
