package simd

import (
	"errors"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func init() { processors = 64 } // the tests set GOMAXPROCS

func TestForCallsEachOnce(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for _, w := range []*Workers{nil, NewWorkers(1), NewWorkers(2), NewWorkers(3), NewWorkers(0)} {
		for _, n := range []int{-1, 0, 1, 2, 3, 1000} {
			calls := make([]atomic.Int32, max(n, 0))
			w.For(n, func(i int) { calls[i].Add(1) })
			for i := range calls {
				if c := calls[i].Load(); c != 1 {
					t.Fatalf("limit %d: f(%d) was called %d times", w.Limit(), i, c)
				}
			}
		}
	}
}

func TestLimit(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	if serialOnly {
		t.Skip("serial on this platform")
	}
	for _, c := range []struct {
		w    *Workers
		want int
	}{{nil, 1}, {NewWorkers(1), 1}, {NewWorkers(7), 7}, {NewWorkers(0), 3}, {NewWorkers(-2), 3}, {NewWorkers(math.MaxInt), 1 << 16}} {
		if got := c.w.Limit(); got != c.want {
			t.Errorf("Limit() = %d, want %d", got, c.want)
		}
	}
}

// Goroutines inside f, nested calls included, never exceed the limit.
func TestForKeepsTheLimit(t *testing.T) {
	if serialOnly {
		t.Skip("serial on this platform")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for _, limit := range []int{2, 3} {
		w := NewWorkers(limit)
		var inside, most atomic.Int32
		w.For(40, func(int) {
			w.For(4, func(int) {
				n := inside.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				time.Sleep(300 * time.Microsecond)
				inside.Add(-1)
			})
		})
		// A nested call counts as another caller, so that there may be fewer helpers.
		if m := int(most.Load()); m < 2 || m > limit {
			t.Errorf("limit %d: %d goroutines at work at once", limit, m)
		}
	}
}

// A caller does all the work itself when every helper is busy elsewhere.
func TestForDoesNotWaitForHelpers(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	release := make(chan struct{})
	var busy sync.WaitGroup
	busy.Add(2)
	done := make(chan struct{})
	go func() { // holds the only helper, and a goroutine of its own
		NewWorkers(2).For(2, func(int) { busy.Done(); <-release })
		close(done)
	}()
	if !serialOnly {
		busy.Wait()
		n := 0
		NewWorkers(2).For(50, func(int) { n++ }) // no race: nobody else is there to call it
		if n != 50 {
			t.Errorf("%d of 50 done", n)
		}
	}
	close(release)
	<-done
}

func TestForRaisesPanics(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	w := NewWorkers(4)
	boom := errors.New("boom")
	for at := range 30 {
		func() {
			defer func() {
				if v := recover(); v != boom {
					t.Fatalf("recovered %v, want the panic's own value", v)
				}
			}()
			w.For(30, func(i int) {
				if i == at {
					panic(boom)
				}
				time.Sleep(20 * time.Microsecond)
			})
		}()
		// The workers are as good as before.
		var n atomic.Int32
		w.For(100, func(int) { n.Add(1) })
		if n.Load() != 100 {
			t.Fatalf("after a panic %d of 100 done", n.Load())
		}
	}
	// Nested: the inner panic passes through both.
	defer func() {
		if v := recover(); v != boom {
			t.Fatalf("recovered %v", v)
		}
	}()
	w.For(8, func(i int) {
		w.For(8, func(j int) {
			if i == 5 && j == 5 {
				panic(boom)
			}
		})
	})
}

func TestForSurvivesGoexit(t *testing.T) {
	if serialOnly {
		t.Skip("serial on this platform")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	w := NewWorkers(4)
	for range 20 {
		ended := make(chan any)
		go func() {
			defer func() { ended <- recover() }()
			w.For(16, func(i int) {
				if i == 7 {
					runtime.Goexit()
				}
				time.Sleep(50 * time.Microsecond)
			})
		}()
		<-ended // by a panic, or by Goexit when the caller itself drew 7; but it ends
	}
	var n atomic.Int32
	w.For(100, func(int) { n.Add(1) })
	if n.Load() != 100 {
		t.Fatalf("%d of 100 done", n.Load())
	}
}

func TestForFromManyGoroutines(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	shared := NewWorkers(3)
	var all sync.WaitGroup
	for g := range 16 {
		all.Go(func() {
			w := shared
			if g%2 == 0 {
				w = NewWorkers(2)
			}
			for range 200 {
				var sum atomic.Int64
				w.For(20, func(i int) {
					if i%5 == 0 {
						w.For(3, func(j int) { sum.Add(int64(j)) })
					}
					sum.Add(int64(i))
				})
				if sum.Load() != 190+4*3 {
					t.Errorf("sum %d", sum.Load())
					return
				}
			}
		})
	}
	all.Wait()
	pool.mu.Lock()
	defer pool.mu.Unlock()
	if len(pool.jobs) != 0 {
		t.Errorf("%d jobs were left open", len(pool.jobs))
	}
}

// Helpers number one fewer than GOMAXPROCS, and follow it down.
func TestHelpersFollowGOMAXPROCS(t *testing.T) {
	if serialOnly {
		t.Skip("serial on this platform")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(5))
	w := NewWorkers(0)
	work := func() { w.For(50, func(int) { time.Sleep(50 * time.Microsecond) }) }
	started := func() int {
		pool.mu.Lock()
		defer pool.mu.Unlock()
		return pool.started
	}
	work()
	if s := started(); s > 4 {
		t.Errorf("%d helpers with GOMAXPROCS 5", s)
	}
	runtime.GOMAXPROCS(2)
	for range 50 {
		work()
		time.Sleep(time.Millisecond)
	}
	if s := started(); s > 4 {
		t.Errorf("%d helpers after GOMAXPROCS fell", s)
	}
}

func TestForAllocatesNothing(t *testing.T) {
	w := NewWorkers(2)
	var n atomic.Int64
	f := func(int) { n.Add(1) }
	w.For(8, f)
	if a := allocations(func() { w.For(8, f) }); a > 0 {
		t.Errorf("%d allocations in 20 calls", a)
	}
}

func BenchmarkFor(b *testing.B) {
	w := NewWorkers(2)
	f := func(int) {}
	b.ReportAllocs()
	for b.Loop() {
		w.For(2, f)
	}
}
