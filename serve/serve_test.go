package serve_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fovea-ml/fovea/internal/test/goroutines"
	"github.com/fovea-ml/fovea/serve"
)

// double returns twice each input after a second, and records the batches.
type double struct {
	mu      sync.Mutex
	batches [][]int
	fail    func(ctx context.Context, batch []int) error
}

func (d *double) run(ctx context.Context, batch []int) ([]int, error) {
	d.mu.Lock()
	d.batches = append(d.batches, slices.Clone(batch))
	d.mu.Unlock()
	time.Sleep(time.Second)
	if d.fail != nil {
		if err := d.fail(ctx, batch); err != nil {
			return nil, err
		}
	}
	out := make([]int, len(batch))
	for i, x := range batch {
		out[i] = 2 * x
	}
	return out, nil
}

// answer is the result of one Do.
type answer struct {
	out int
	err error
	at  time.Duration // when it came, after the start of the test
}

// ask calls Do for each input, one millisecond after the other, and returns the answers.
func ask(b *serve.Batcher[int, int], inputs ...int) []answer {
	start := time.Now()
	answers := make([]answer, len(inputs))
	var wg sync.WaitGroup
	for i, in := range inputs {
		wg.Go(func() {
			time.Sleep(time.Duration(i) * time.Millisecond)
			out, err := b.Do(context.Background(), in)
			answers[i] = answer{out, err, time.Since(start)}
		})
	}
	wg.Wait()
	return answers
}

func numbers(from, to int) []int {
	var all []int
	for i := from; i < to; i++ {
		all = append(all, i)
	}
	return all
}

// TestBatches pins which requests run together: the first alone, and those that come meanwhile in batches, in their
// order.
func TestBatches(t *testing.T) {
	for _, test := range []struct {
		name    string
		options serve.Options
		inputs  int
		want    string
		last    time.Duration
	}{
		{"defaults", serve.Options{}, 40, "1 16 16 7", 4 * time.Second},
		{"small batches", serve.Options{MaxBatch: 2}, 6, "1 2 2 1", 4 * time.Second},
		{"single", serve.Options{MaxBatch: 1}, 3, "1 1 1", 3 * time.Second},
		{"delay passes", serve.Options{MaxDelay: 2500 * time.Microsecond}, 6, "3 3", 2*time.Second + 2500*time.Microsecond},
		{"batch is full first", serve.Options{MaxBatch: 4, MaxDelay: time.Hour}, 4, "4", time.Second + 3*time.Millisecond},
		{"delay counts from the arrival", serve.Options{MaxDelay: time.Second / 2, MaxBatch: 4}, 5, "4 1", 2*time.Second + 3*time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &double{}
				answers := ask(serve.New(d.run, test.options), numbers(0, test.inputs)...)
				var sizes []string
				for _, batch := range d.batches {
					sizes = append(sizes, fmt.Sprint(len(batch)))
				}
				if got := strings.Join(sizes, " "); got != test.want {
					t.Errorf("batches of %s, expected %s", got, test.want)
				}
				if got := slices.Concat(d.batches...); !slices.Equal(got, numbers(0, test.inputs)) {
					t.Errorf("order %v", got)
				}
				for i, a := range answers {
					if a.err != nil || a.out != 2*i {
						t.Errorf("answer %d: %d, %v", i, a.out, a.err)
					}
				}
				if got := answers[test.inputs-1].at; got != test.last {
					t.Errorf("the last answer came after %v, expected %v", got, test.last)
				}
			})
		})
	}
}

// TestCancel checks that a caller returns with its context, leaves the queue, and ends a batch that nobody waits for.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Int32
		d := &double{fail: func(ctx context.Context, _ []int) error {
			if ctx.Err() != nil {
				ended.Add(1)
			}
			return ctx.Err()
		}}
		b := serve.New(d.run, serve.Options{MaxBatch: 2})
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(context.Background())
		var wg sync.WaitGroup
		do := func(ctx context.Context, in int, want error) {
			wg.Go(func() {
				start := time.Now()
				out, err := b.Do(ctx, in)
				if !errors.Is(err, want) || want == nil && out != 2*in {
					t.Errorf("%d: %d, %v, expected %v", in, out, err, want)
				}
				if waited := time.Since(start); want != nil && waited > 500*time.Millisecond {
					t.Errorf("%d: returned %v after its context", in, waited)
				}
			})
			synctest.Wait()
		}
		do(ctx, 1, context.Canceled)     // runs, and its batch ends with it
		do(context.Background(), 2, nil) // the first of the next batch
		do(ctx, 3, context.Canceled)     // leaves the queue
		do(context.Background(), 4, nil) // takes the place of 3
		time.Sleep(500 * time.Millisecond)
		cancel(gone)
		do(ctx, 5, context.Canceled) // before it enters
		wg.Wait()
		if got, want := fmt.Sprint(d.batches), "[[1] [2 4]]"; got != want {
			t.Errorf("batches %s, expected %s", got, want)
		}
		if ended.Load() != 1 {
			t.Errorf("%d batches saw their context end, expected 1", ended.Load())
		}

		// One of two callers leaves a running batch, which goes on for the other.
		d.batches = nil
		short, stop := context.WithTimeout(context.Background(), 1500*time.Millisecond)
		defer stop()
		do(context.Background(), 0, nil)
		do(context.Background(), 6, nil)
		wg.Go(func() {
			if _, err := b.Do(short, 7); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("7: %v", err)
			}
		})
		wg.Wait()
		if got, want := fmt.Sprint(d.batches), "[[0] [6 7]]"; got != want || ended.Load() != 1 {
			t.Errorf("batches %s, expected %s; %d ended", got, want, ended.Load())
		}

		// When all who wait for a batch to fill leave, nothing runs.
		lonely := serve.New(d.run, serve.Options{MaxDelay: time.Hour})
		short, stop = context.WithTimeout(context.Background(), time.Second)
		defer stop()
		d.batches = nil
		if _, err := lonely.Do(short, 8); !errors.Is(err, context.DeadlineExceeded) || len(d.batches) != 0 {
			t.Errorf("%v, batches %v", err, d.batches)
		}
		lonely.Close()
	})
}

// TestCancelHalves checks that the callers of a half, when they leave, end the context of a batch whose other half has
// its answers.
func TestCancelHalves(t *testing.T) {
	for _, left := range []int{1, 2} { // the input whose caller leaves
		synctest.Test(t, func(t *testing.T) {
			ended := false
			b := serve.New(func(ctx context.Context, batch []int) ([]int, error) {
				if batch[0] == left && len(batch) == 1 {
					select {
					case <-ctx.Done():
						ended = true
					case <-time.After(time.Hour):
					}
				}
				time.Sleep(time.Millisecond)
				if len(batch) > 1 {
					return nil, errors.New("bad")
				}
				return batch, nil
			}, serve.Options{MaxBatch: 2, MaxDelay: time.Minute})
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			var wg sync.WaitGroup
			for _, in := range []int{1, 2} {
				wg.Go(func() {
					own := context.Background()
					if in == left {
						own = ctx
					}
					if _, err := b.Do(own, in); (err != nil) != (in == left) {
						t.Errorf("%d of which %d leaves: %v", in, left, err)
					}
				})
				synctest.Wait()
			}
			wg.Wait()
			b.Close()
			if want := left == 2; ended != want {
				t.Errorf("%d leaves: its context ended: %v, expected %v", left, ended, want)
			}
		})
	}
}

// TestCancelRerun checks that an input whose caller has left during a failed batch does not run again.
func TestCancelRerun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &double{fail: func(_ context.Context, batch []int) error {
			if slices.Contains(batch, 3) {
				return errors.New("bad")
			}
			return nil
		}}
		b := serve.New(d.run, serve.Options{MaxBatch: 4, MaxDelay: time.Minute})
		ctx, cancel := context.WithTimeout(context.Background(), time.Second/2)
		defer cancel()
		var wg sync.WaitGroup
		for in := range 4 {
			wg.Go(func() {
				own := context.Background()
				if in == 1 || in == 2 {
					own = ctx
				}
				if _, err := b.Do(own, in); (err != nil) != (in > 0) {
					t.Errorf("%d: %v", in, err)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		b.Close()
		if got, want := fmt.Sprint(d.batches), "[[0 1 2 3] [0] [3]]"; got != want {
			t.Errorf("batches %s, expected %s", got, want)
		}
	})
}

// TestQueue checks that a full queue refuses, and that an unlimited one does not.
func TestQueue(t *testing.T) {
	for _, test := range []struct {
		options serve.Options
		inputs  int
		refused int
	}{
		{serve.Options{MaxBatch: 2, Queue: 3}, 10, 6}, // one runs, three wait
		{serve.Options{MaxBatch: 2}, 40, 7},           // 16 batches wait
		{serve.Options{MaxBatch: 2, Queue: serve.Unlimited}, 40, 0},
		{serve.Options{MaxBatch: math.MaxInt}, 40, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			refused := 0
			for i, a := range ask(serve.New((&double{}).run, test.options), numbers(0, test.inputs)...) {
				switch {
				case errors.Is(a.err, serve.ErrFull):
					refused++
					if want := time.Duration(i) * time.Millisecond; a.at != want {
						t.Errorf("%+v: refused after %v, expected %v", test.options, a.at, want)
					}
				case a.err != nil || a.out != 2*i:
					t.Errorf("%+v: answer %d: %d, %v", test.options, i, a.out, a.err)
				}
			}
			if refused != test.refused {
				t.Errorf("%+v: %d refused, expected %d", test.options, refused, test.refused)
			}
		})
	}
}

// TestFailures checks that an error, a panic or the end of the goroutine reaches the callers at fault, and that the
// Batcher works afterwards.
func TestFailures(t *testing.T) {
	bad := errors.New("bad")
	fails := func(batch []int) bool { return slices.Contains(batch, 5) }
	for _, test := range []struct {
		name string
		fail func(batch []int) error
		want func(err error) bool
		lost []int // the inputs whose callers get the error
	}{
		{"error", func([]int) error { return bad }, func(err error) bool { return errors.Is(err, bad) }, []int{5}},
		{"panic", func([]int) error { panic(bad) }, func(err error) bool {
			p, ok := errors.AsType[*serve.PanicError](err)
			return ok && errors.Is(err, bad) && strings.Contains(string(p.Stack), "TestFailures") && strings.Contains(err.Error(), "bad")
		}, []int{5}},
		{"Goexit", func([]int) error { runtime.Goexit(); return nil }, func(err error) bool {
			return err != nil && strings.Contains(err.Error(), "ended its goroutine")
		}, []int{1, 2, 3, 4, 5, 6}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &double{fail: func(_ context.Context, batch []int) error {
					if fails(batch) {
						return test.fail(batch)
					}
					return nil
				}}
				b := serve.New(d.run, serve.Options{})
				for i, a := range ask(b, 0, 1, 2, 3, 4, 5, 6) {
					switch {
					case slices.Contains(test.lost, i):
						if !test.want(a.err) {
							t.Errorf("answer %d: %d, %v", i, a.out, a.err)
						}
					case a.err != nil || a.out != 2*i:
						t.Errorf("answer %d: %d, %v", i, a.out, a.err)
					}
				}
				if out, err := b.Do(context.Background(), 9); err != nil || out != 18 {
					t.Errorf("afterwards: %d, %v", out, err)
				}
				b.Close()
			})
		})
	}
}

// TestOutputs checks that a function of the wrong number of outputs is an error for all its callers, without a panic.
func TestOutputs(t *testing.T) {
	b := serve.New(func(_ context.Context, batch []int) ([]int, error) { return make([]int, len(batch)+1), nil }, serve.Options{})
	_, err := b.Do(context.Background(), 1)
	if want := "serve: the function returned 2 outputs for 1 inputs"; err == nil || err.Error() != want {
		t.Errorf("%v, expected %s", err, want)
	}
}

// TestClose checks that Close answers those who wait, without their delay, refuses others, and may be called again.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &double{}
		b := serve.New(d.run, serve.Options{MaxBatch: 4, MaxDelay: time.Hour})
		var wg sync.WaitGroup
		for i := range 6 { // four run, two wait
			wg.Go(func() {
				if out, err := b.Do(context.Background(), i); err != nil || out != 2*i {
					t.Errorf("%d: %d, %v", i, out, err)
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		for range 2 {
			wg.Go(b.Close)
		}
		synctest.Wait()
		if _, err := b.Do(context.Background(), 7); !errors.Is(err, serve.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		b.Close()
		if got := time.Since(start); got != 2*time.Second || len(d.batches) != 2 {
			t.Errorf("closed after %v and %d batches, expected 2s and 2", got, len(d.batches))
		}
		wg.Wait()
	})
	idle := serve.New((&double{}).run, serve.Options{})
	idle.Close()
	idle.Close()
}

// TestOptions checks that options without a meaning panic.
func TestOptions(t *testing.T) {
	for _, o := range []serve.Options{{MaxBatch: -1}, {MaxDelay: -1}, {Queue: -2}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v: no panic", o)
				}
			}()
			serve.New((&double{}).run, o)
		}()
	}
}

// TestStress runs many callers, of which some leave and some fail, and checks every answer and that no goroutine stays.
func TestStress(t *testing.T) {
	before := runtime.NumGoroutine()
	bad := errors.New("bad")
	var running atomic.Int32
	for _, o := range []serve.Options{{Queue: serve.Unlimited}, {MaxBatch: 3, Queue: serve.Unlimited, MaxDelay: 50 * time.Microsecond}, {MaxBatch: 1, Queue: 20}} {
		b := serve.New(func(_ context.Context, batch []int) ([]int, error) {
			if running.Add(1) > 1 {
				t.Error("two batches at once")
			}
			defer running.Add(-1)
			runtime.Gosched()
			out := make([]int, len(batch))
			for i, x := range batch {
				switch {
				case x%97 == 0:
					return nil, bad
				case x%89 == 0:
					panic(bad)
				}
				out[i] = -x
			}
			return out, nil
		}, o)
		var wg sync.WaitGroup
		for g := range 64 {
			wg.Go(func() {
				for i := range 50 {
					x := 1 + 50*g + i
					ctx, cancel := context.WithCancel(context.Background())
					if x%7 == 0 {
						go cancel()
					}
					out, err := b.Do(ctx, x)
					cancel()
					switch {
					case x%7 == 0 && errors.Is(err, context.Canceled), o.Queue > 0 && errors.Is(err, serve.ErrFull):
					case x%97 == 0 || x%89 == 0:
						if !errors.Is(err, bad) {
							t.Errorf("%d: %d, %v, expected %v", x, out, err, bad)
						}
					case err != nil || out != -x:
						t.Errorf("%d: %d, %v", x, out, err)
					}
				}
			})
		}
		wg.Wait()
		if o.MaxBatch != 3 { // the others need no Close
			b.Close()
		}
	}
	goroutines.Expect(t, before)
}
