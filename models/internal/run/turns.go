package run

import (
	"context"
	"runtime"
	"sync"
)

// turns lets as many passes run at once as there are cores, and the others wait in the order of their arrival. More at
// once would be no faster. Each would take memory, and longer from its start to its end.
type turns struct {
	mu      sync.Mutex
	running int
	waiting []chan struct{} // closed when it is their turn
}

// take waits for a turn. It returns early, and reports false, when ctx ends.
func (q *turns) take(ctx context.Context) bool {
	q.mu.Lock()
	if q.running < runtime.GOMAXPROCS(0) && len(q.waiting) == 0 {
		q.running++
		q.mu.Unlock()
		return true
	}
	turn := make(chan struct{})
	q.waiting = append(q.waiting, turn)
	q.mu.Unlock()
	var done <-chan struct{}
	if ctx != nil {
		done = ctx.Done()
	}
	select {
	case <-turn:
		return true
	case <-done:
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, w := range q.waiting {
		if w == turn {
			q.waiting = append(q.waiting[:i], q.waiting[i+1:]...)
			return false
		}
	}
	q.next() // the turn came at the same time
	return false
}

// leave ends a turn.
func (q *turns) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.next()
}

// next hands the turns of one that ends to those that wait. Called with mu held.
func (q *turns) next() {
	q.running--
	for q.running < runtime.GOMAXPROCS(0) && len(q.waiting) > 0 {
		q.running++
		close(q.waiting[0])
		q.waiting[0] = nil
		q.waiting = q.waiting[1:]
	}
}
