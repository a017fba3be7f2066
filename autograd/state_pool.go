package autograd

import "sync"

// StatePool is a bounded free list of the memory of states, for models that decode in a loop or serve many goroutines.
// The zero value is ready and keeps none.
type StatePool struct {
	// Keep bounds how many bytes of idle memory are kept. More is left to the garbage collector.
	Keep int

	mu    sync.Mutex
	idle  []stateRows
	bytes int
}

func (r stateRows) bytes() int { return 4*cap(r.floats) + 2*cap(r.halves) }

// take returns idle memory of n values, from a buffer of at most twice the size.
func (p *StatePool) take(dtype DType, n int) (stateRows, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, r := range p.idle {
		size := cap(r.floats)
		if dtype != Float32 {
			size = cap(r.halves)
		}
		if size < n || size > 2*n {
			continue
		}
		last := len(p.idle) - 1
		p.idle[i], p.idle[last] = p.idle[last], stateRows{}
		p.idle = p.idle[:last]
		p.bytes -= r.bytes()
		if dtype == Float32 {
			return stateRows{floats: r.floats[:n]}, true
		}
		return stateRows{halves: r.halves[:n]}, true
	}
	return stateRows{}, false
}

func (p *StatePool) put(rows []stateRows) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range rows {
		if n := r.bytes(); n > 0 && p.bytes+n <= p.Keep {
			p.idle = append(p.idle, r)
			p.bytes += n
		}
	}
}
