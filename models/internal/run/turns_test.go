package run

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/peak"
	"github.com/fovea-ml/fovea/simd"
)

// TestTurns runs as many passes at once as there are cores, and the others in the order in which they came.
func TestTurns(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	synctest.Test(t, func(t *testing.T) {
		var q turns
		var order []int
		var now, most int
		var mu sync.Mutex
		for i := range 64 {
			go func() {
				time.Sleep(time.Duration(i)) // one arrives after the other
				if !q.take(t.Context()) {
					t.Error("no turn")
				}
				mu.Lock()
				now++
				most, order = max(most, now), append(order, i)
				mu.Unlock()
				time.Sleep(time.Hour + time.Duration(i))
				mu.Lock()
				now--
				mu.Unlock()
				q.leave()
			}()
		}
		time.Sleep(100 * time.Hour)
		synctest.Wait()
		if most != 2 || len(order) != 64 || !slices.IsSorted(order) {
			t.Errorf("%d at once, in the order %v", most, order)
		}
		if q.running != 0 || len(q.waiting) != 0 {
			t.Errorf("%d run and %d wait at the end", q.running, len(q.waiting))
		}
	})
}

// TestTurnsCanceled leaves the queue when the context ends, and hands on a turn that came at the same time.
func TestTurnsCanceled(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	r := New()
	over := func(ctx context.Context, pass func()) error {
		return Over(ctx, r, autograd.Options{}, []int{1}, func(*autograd.Tape, []int, int) error { pass(); return nil })
	}
	for range 200 {
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		inside := make(chan struct{})
		release := make(chan struct{})
		wg.Go(func() { over(context.Background(), func() { close(inside); <-release }) })
		<-inside
		wg.Go(func() {
			if err := over(ctx, func() {}); err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
		})
		wg.Go(func() { over(context.Background(), func() {}) })
		runtime.Gosched()
		go cancel()
		close(release)
		wg.Wait()
		if r.turns.running != 0 || len(r.turns.waiting) != 0 {
			t.Fatalf("%d run and %d wait at the end", r.turns.running, len(r.turns.waiting))
		}
	}
}

// TestManyCallers computes for 64 goroutines in few threads of the system and few arenas.
func TestManyCallers(t *testing.T) {
	const cores = 3
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
	r, w := New(), simd.NewWorkers(0)
	before := peak.Threads()
	var now, most atomic.Int32
	var threads atomic.Int64
	var callers sync.WaitGroup
	for range 64 {
		callers.Go(func() {
			for range 3 {
				err := Over(context.Background(), r, autograd.Options{Workers: w}, []int{1}, func(t *autograd.Tape, _ []int, _ int) error {
					n := now.Add(1)
					defer now.Add(-1)
					for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
					}
					x := t.Full(1, 200, 200)
					for range 4 {
						x = autograd.MatMul(x, x)
					}
					threads.Store(max(threads.Load(), int64(peak.Threads())))
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	if most.Load() > cores {
		t.Errorf("%d passes ran at once on %d cores", most.Load(), cores)
	}
	// The runtime has a few threads of its own, and replaces those that wait in the kernel.
	if n := int(threads.Load()); n > before+cores+8 {
		t.Errorf("%d threads for 64 callers, %d before", n, before)
	}
	if kept := r.Bytes(); kept > 3*cores*5*4*200*200 {
		t.Errorf("%d bytes are kept", kept)
	}
}
