package autograd

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestArenas(t *testing.T) {
	var pool Arenas
	a, b := pool.Get(), pool.Get()
	NewTape(Options{Arena: a}).Full(1, 1000).Tape().Reset()
	if a.Bytes() < 4000 {
		t.Errorf("the arena holds %d bytes after a Tensor of 4000", a.Bytes())
	}
	pool.Put(a)
	pool.Put(b)
	if pool.Bytes() != a.Bytes() {
		t.Errorf("%d bytes are idle, expected %d", pool.Bytes(), a.Bytes())
	}
	if pool.Get() != b || pool.Get() != a {
		t.Error("expected the arenas back, the last first")
	}
	if c := pool.Get(); c == a || c == b {
		t.Error("an arena was lent twice")
	}
	a.Trim()
	if a.Bytes() != 0 {
		t.Errorf("a trimmed arena holds %d bytes", a.Bytes())
	}
}

// TestArenasCollect gives up what was idle for long, and near the memory limit all arenas but the last.
func TestArenasCollect(t *testing.T) {
	fill := func(pool *Arenas) {
		var lent []*Arena
		for range 4 {
			lent = append(lent, pool.Get())
		}
		for _, a := range lent {
			pool.Put(a)
		}
	}
	var pool Arenas
	fill(&pool)
	now := time.Now()
	if pool.collect(now, false); len(pool.idle) != 4 {
		t.Errorf("%d arenas are left that were just used", len(pool.idle))
	}
	if pool.collect(now, true); len(pool.idle) != 1 {
		t.Errorf("%d arenas are left near the memory limit", len(pool.idle))
	}
	if pool.collect(now.Add(2*idleTime), false); len(pool.idle) != 0 {
		t.Errorf("%d arenas are left that nobody used", len(pool.idle))
	}
	// Garbage collections do so.
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(1))
	fill(&pool)
	for range 1000 {
		runtime.GC()
		time.Sleep(time.Millisecond)
		pool.mu.Lock()
		left := len(pool.idle)
		pool.mu.Unlock()
		if left == 1 {
			return
		}
	}
	t.Error("a thousand garbage collections at the memory limit left idle arenas")
}

// TestArenaSettles gives up the buffers of a pass that was much larger than those after it.
func TestArenaSettles(t *testing.T) {
	tape := NewTape(Options{})
	pass := func(n int) {
		tape.Full(1, n)
		tape.Reset()
	}
	pass(1 << 20)
	for i := range 10 {
		if pass(1 << 10); tape.MemoryBytes() < 4<<20 {
			t.Fatalf("the memory of a large pass is gone %d passes later", i+1)
		}
	}
	for range 400 {
		pass(1 << 10)
	}
	if held := tape.MemoryBytes(); held > 3*4<<10 {
		t.Errorf("an arena holds %d bytes after 400 passes of %d", held, 4<<10)
	}
}
