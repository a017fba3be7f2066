package autograd

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"sync"
	"time"
	"weak"
)

// Arenas lends arenas to the calls of models that serve many goroutines. The zero value is ready. It keeps as many
// as were lent at once, so that a steady load allocates nothing large.
//
// Idle arenas are given up at a garbage collection: those that nobody has used for ten seconds. Where the process
// comes close to its memory limit (GOMEMLIMIT, or debug.SetMemoryLimit), all of them are but the one used last.
type Arenas struct {
	mu      sync.Mutex
	idle    []idleArena // in the order of use
	watched bool        // the next garbage collection calls collect
}

type idleArena struct {
	*Arena
	since time.Time
}

// idleTime is how long an idle arena is kept.
const idleTime = 10 * time.Second

// Get returns an idle arena, the one used last, or a new one.
func (l *Arenas) Get() *Arena {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k := len(l.idle); k > 0 {
		a := l.idle[k-1]
		l.idle[k-1] = idleArena{}
		l.idle = l.idle[:k-1]
		return a.Arena
	}
	return NewArena()
}

// Put takes an arena back.
func (l *Arenas) Put(a *Arena) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.idle = append(l.idle, idleArena{a, time.Now()})
	l.watch()
}

// Bytes returns how much memory the idle arenas hold.
func (l *Arenas) Bytes() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, a := range l.idle {
		n += a.Bytes()
	}
	return n
}

// watch has the next garbage collection call collect, as long as arenas are idle. Called with mu held.
func (l *Arenas) watch() {
	if l.watched || len(l.idle) == 0 {
		return
	}
	l.watched = true
	// The next collection finds a value that nothing refers to. It must not keep l. A value with a pointer has memory of
	// its own.
	runtime.AddCleanup(new(*Arena), func(w weak.Pointer[Arenas]) {
		if l := w.Value(); l != nil {
			l.collect(time.Now(), pressed())
		}
	}, weak.Make(l))
}

// collect gives idle arenas up.
func (l *Arenas) collect(now time.Time, pressed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := len(l.idle) - 1
	at := 0
	l.idle = slices.DeleteFunc(l.idle, func(a idleArena) bool {
		at++
		return now.Sub(a.since) > idleTime || pressed && at <= last
	})
	l.watched = false
	l.watch()
}

// pressed reports whether what the last garbage collection found in use comes close to the memory limit: to three
// quarters of it.
func pressed() bool {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Kind() == metrics.KindUint64 && sample[0].Value.Uint64() > uint64(debug.SetMemoryLimit(-1))/4*3
}
