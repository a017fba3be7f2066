package serve

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// Unlimited is the [Options].Queue under which any number of requests waits.
const Unlimited = -1

// Options say how requests are gathered. The zero value suits the models of this library.
type Options struct {
	// MaxBatch is the number of requests that run at once at most: 16 for 0, the batch in which models run many inputs.
	MaxBatch int
	// MaxDelay is how long an idle Batcher waits for a batch to fill, from the arrival of its first request. With 0 it
	// starts at once. Requests that arrive during a batch form the next one either way.
	MaxDelay time.Duration
	// Queue is the number of requests that may wait for a batch. One more gets [ErrFull]. 0 means 16 full batches.
	// With [Unlimited] every caller waits, as long as its context allows.
	Queue int
}

// The errors of a request that joins no batch.
var (
	ErrFull   = errors.New("serve: too many requests wait")
	ErrClosed = errors.New("serve: closed")
)

// PanicError is the error of a request whose batch panicked.
type PanicError struct {
	Value any    // that the function panicked with
	Stack []byte // where it did, as debug.Stack formats it
}

// Error names the value.
func (e *PanicError) Error() string { return fmt.Sprintf("serve: the batch panicked: %v", e.Value) }

// Unwrap returns the value where it is an error, or nil.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Batcher gathers single requests into batches. [New] makes one, and any number of goroutines may use it.
type Batcher[In, Out any] struct {
	run     func(context.Context, []In) ([]Out, error)
	options Options
	wake    chan struct{} // tells gather that a batch is full, that none is left to wait for, or that the Batcher closes
	done    chan struct{} // closed when the Batcher is closed and has drained

	mu     sync.Mutex
	queue  list.List // of *request[In, Out], the oldest first
	busy   bool      // a goroutine gathers or runs a batch
	closed bool
}

// request is one call of Do.
type request[In, Out any] struct {
	in      In
	arrived time.Time
	waits   *list.Element // in the queue; nil afterwards
	batch   *batch[In, Out]
	dropped bool // from the callers of its batch; guarded by Batcher.mu

	answered chan struct{} // closed when out and err are set
	out      Out
	err      error
}

// batch is a set of requests that run at once.
type batch[In, Out any] struct {
	requests []*request[In, Out]
	callers  int // that still wait; guarded by Batcher.mu
	ctx      context.Context
	cancel   context.CancelFunc // called when no caller waits
}

// New returns a Batcher for a function that maps inputs to as many outputs, in the same order. Another number of
// outputs is an error for every caller of the batch. The function is called with 1 to MaxBatch inputs, never twice at
// once, and may run again for an input whose batch failed. Its context ends when no caller waits for the batch. New
// panics for a negative MaxBatch or MaxDelay, and for a Queue below [Unlimited].
func New[In, Out any](run func(ctx context.Context, batch []In) ([]Out, error), o Options) *Batcher[In, Out] {
	if o.MaxBatch < 0 || o.MaxDelay < 0 || o.Queue < Unlimited {
		panic(fmt.Sprintf("serve: negative options: %+v", o))
	}
	if o.MaxBatch == 0 {
		o.MaxBatch = 16
	}
	if o.Queue == 0 {
		o.Queue = 16 * min(o.MaxBatch, math.MaxInt/16) // a MaxBatch may stand for no limit
	}
	return &Batcher[In, Out]{run: run, options: o, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// Do returns the function's output for one input, which has run in a batch with inputs of other callers.
//
// It returns the context's error as soon as ctx ends; the batch may then still read the input. It returns [ErrFull] or
// [ErrClosed] at once where these apply, the error of the function, and a [*PanicError] where the function panicked.
func (b *Batcher[In, Out]) Do(ctx context.Context, in In) (Out, error) {
	var none Out
	if err := ctx.Err(); err != nil {
		return none, err
	}
	r := &request[In, Out]{in: in, arrived: time.Now(), answered: make(chan struct{})}
	if err := b.enter(r); err != nil {
		return none, err
	}
	select {
	case <-r.answered:
		return r.out, r.err
	case <-ctx.Done():
		b.leave(r)
		return none, ctx.Err()
	}
}

// Close refuses further requests, answers those that wait, and returns when the last batch has ended. It may be called
// more than once, but not by the Batcher's own function. A Batcher that is no longer used needs no Close.
func (b *Batcher[In, Out]) Close() {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		b.signal()
		if !b.busy {
			close(b.done)
		}
	}
	b.mu.Unlock()
	<-b.done
}

// enter puts a request into the queue.
func (b *Batcher[In, Out]) enter(r *request[In, Out]) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return ErrClosed
	case b.options.Queue != Unlimited && b.queue.Len() >= b.options.Queue:
		return ErrFull
	}
	r.waits = b.queue.PushBack(r)
	if b.queue.Len() == b.options.MaxBatch {
		b.signal()
	}
	b.start()
	return nil
}

// leave takes a request out of the queue, or tells its batch that its caller has gone.
func (b *Batcher[In, Out]) leave(r *request[In, Out]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.waits == nil {
		b.drop(r)
		return
	}
	b.queue.Remove(r.waits)
	r.waits = nil
	if b.queue.Len() == 0 {
		b.signal()
	}
}

// drop counts a caller that no longer waits for its batch, because it has left or has its answer. The caller holds the
// lock.
func (b *Batcher[In, Out]) drop(r *request[In, Out]) {
	if r.dropped {
		return
	}
	r.dropped = true
	if r.batch.callers--; r.batch.callers == 0 {
		r.batch.cancel()
	}
}

// signal wakes gather. A token that nobody waits for makes it look once more.
func (b *Batcher[In, Out]) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// start starts a batch where requests wait and none runs. The caller holds the lock.
func (b *Batcher[In, Out]) start() {
	if !b.busy && b.queue.Len() > 0 {
		b.busy = true
		go b.work()
	}
}

// work gathers and runs one batch. An idle Batcher therefore has no goroutine.
func (b *Batcher[In, Out]) work() {
	batch := &batch[In, Out]{}
	batch.ctx, batch.cancel = context.WithCancel(context.Background())
	defer func() { // also when the function ends its goroutine
		batch.cancel()
		for _, r := range batch.requests {
			b.reply(r, r.out, errors.New("serve: the function ended its goroutine"))
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.busy = false
		b.start()
		if b.closed && !b.busy {
			close(b.done)
		}
	}()
	b.gather(batch)
	if len(batch.requests) > 0 { // else all have left
		b.answer(batch.ctx, batch.requests)
	}
}

// gather moves requests from the queue to a batch, when it is full or the first one has waited for MaxDelay.
func (b *Batcher[In, Out]) gather(to *batch[In, Out]) {
	runtime.Gosched() // callers that are ready to run join the batch
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.queue.Len() > 0 && b.queue.Len() < b.options.MaxBatch && !b.closed {
		left := b.options.MaxDelay - time.Since(b.queue.Front().Value.(*request[In, Out]).arrived)
		if left <= 0 {
			break
		}
		b.mu.Unlock()
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-b.wake:
		}
		timer.Stop()
		b.mu.Lock()
	}
	for len(to.requests) < b.options.MaxBatch && b.queue.Len() > 0 {
		r := b.queue.Remove(b.queue.Front()).(*request[In, Out])
		r.waits, r.batch = nil, to
		to.requests = append(to.requests, r)
	}
	to.callers = len(to.requests)
}

// answer runs requests and answers each. Where several fail together, it halves them to find those that fail alone: an
// input that is at fault fails its own caller, not the strangers in its batch.
// Requests whose callers have left are left out.
func (b *Batcher[In, Out]) answer(ctx context.Context, some []*request[In, Out]) {
	if some = b.waiting(some); len(some) == 0 {
		return
	}
	inputs := make([]In, len(some))
	for i, r := range some {
		inputs[i] = r.in
	}
	outputs, err := b.call(ctx, inputs)
	if err != nil && len(some) > 1 && ctx.Err() == nil {
		b.answer(ctx, some[:len(some)/2])
		b.answer(ctx, some[len(some)/2:])
		return
	}
	if err == nil && len(outputs) != len(some) {
		err = fmt.Errorf("serve: the function returned %d outputs for %d inputs", len(outputs), len(some))
	}
	for i, r := range some {
		if err != nil {
			b.reply(r, r.out, err)
		} else {
			b.reply(r, outputs[i], nil)
		}
	}
}

// waiting returns the requests whose callers still wait.
func (b *Batcher[In, Out]) waiting(some []*request[In, Out]) []*request[In, Out] {
	b.mu.Lock()
	defer b.mu.Unlock()
	var waiting []*request[In, Out]
	for _, r := range some {
		if !r.dropped {
			waiting = append(waiting, r)
		}
	}
	return waiting
}

// call calls the function and returns its panic as an error.
func (b *Batcher[In, Out]) call(ctx context.Context, inputs []In) (outputs []Out, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return b.run(ctx, inputs)
}

// reply gives a request its result, unless it has one.
func (b *Batcher[In, Out]) reply(r *request[In, Out], out Out, err error) {
	select {
	case <-r.answered:
		return
	default:
	}
	r.out, r.err = out, err
	close(r.answered)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(r)
}
