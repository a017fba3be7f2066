package data

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// run is one epoch under way. One goroutine plans batches, others prepare their items, the caller's consumes them.
// Batches circulate: free → planned and prepared → ready, in order → the caller → free. There are Ahead+1 of them, one
// of which is the caller's.
type run[B any] struct {
	l            *Loader[B]
	state        *State[B]
	ctx          context.Context
	cancel       context.CancelFunc
	epoch, first int
	order        []int

	free, ready chan *pending[B] // each has room for all batches
	jobs        chan job[B]
	wg          sync.WaitGroup
}

// pending is a batch in preparation.
type pending[B any] struct {
	Batch[B]
	planned []int        // items, by slot
	errs    []error      // of their preparation, by slot
	slots   []int        // that were prepared
	left    atomic.Int64 // items that are not prepared yet
	done    chan struct{}
	panics  chan any // the first panic of a callback
}

// job is an item to prepare.
type job[B any] struct {
	b    *pending[B]
	slot int
}

func (l *Loader[B]) start(ctx context.Context, epoch, first int) *run[B] {
	r := &run[B]{l: l, state: l.state(), epoch: epoch, first: first, order: l.Order(epoch), jobs: make(chan job[B])}
	r.ctx, r.cancel = context.WithCancel(ctx)
	ahead := l.Ahead
	if ahead <= 0 {
		ahead = 2
	}
	ahead = min(ahead, max(l.Batches()-first, 1))
	r.free = make(chan *pending[B], ahead+1)
	r.ready = make(chan *pending[B], ahead+1)
	for range ahead + 1 {
		r.free <- r.state.take()
	}
	n := l.Goroutines
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	r.wg.Go(r.plan)
	for range n {
		r.wg.Go(r.work)
	}
	return r
}

// stop ends the goroutines, waits for them, and keeps the batches for the next epoch, except one that the caller has.
func (r *run[B]) stop() {
	r.cancel()
	r.wg.Wait()
	for b := range r.ready { // closed
		r.state.keep(b, cap(r.ready))
	}
	for {
		select {
		case b := <-r.free:
			r.state.keep(b, cap(r.ready))
		default:
			return
		}
	}
}

// plan hands out the items of one batch after the other, while there are free batches.
func (r *run[B]) plan() {
	defer close(r.jobs)
	defer close(r.ready)
	size := r.l.batchSize()
	for k := r.first; k < r.l.Batches(); k++ {
		var b *pending[B]
		select {
		case b = <-r.free:
		case <-r.ctx.Done():
			return
		}
		b.plan(k, r.order[k*size:][:min(size, len(r.order)-k*size)])
		usable := r.l.Reset == nil || b.try(func() { r.l.Reset(&b.Value, len(b.planned)) })
		r.ready <- b
		if !usable {
			close(b.done)
			return
		}
		for slot := range b.planned {
			select {
			case r.jobs <- job[B]{b, slot}:
			case <-r.ctx.Done():
				return
			}
		}
	}
}

func (b *pending[B]) plan(number int, items []int) {
	b.Number, b.planned = number, items
	b.errs = slices.Grow(b.errs[:0], len(items))[:len(items)]
	clear(b.errs)
	b.left.Store(int64(len(items)))
	b.done = make(chan struct{})
	b.panics = make(chan any, 1)
}

// try calls f and notes its panic for the caller. It reports whether there was none.
func (b *pending[B]) try(f func()) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			select {
			case b.panics <- p:
			default:
			}
		}
	}()
	f()
	return true
}

// work prepares items until there are no more. It skips items of a canceled epoch.
func (r *run[B]) work() {
	for j := range r.jobs {
		if r.ctx.Err() == nil {
			r.prepare(j.b, j.slot)
		}
	}
}

func (r *run[B]) prepare(b *pending[B], slot int) {
	defer func() {
		if b.left.Add(-1) == 0 {
			close(b.done)
		}
	}()
	b.try(func() {
		item := b.planned[slot]
		random := r.l.itemRand(r.epoch, b.Number*r.l.batchSize()+slot, item)
		b.errs[slot] = r.l.Prepare(&b.Value, slot, item, random)
	})
}

// consume hands finished batches to the caller, in order.
func (r *run[B]) consume(yield func(*Batch[B], error) bool) {
	var skipped []*ItemError
	yielded := false
	for b := range r.ready {
		select {
		case <-b.done:
		case <-r.ctx.Done():
			yield(nil, r.ctx.Err())
			return
		}
		select {
		case p := <-b.panics:
			panic(p)
		default:
		}
		bad := r.separate(b)
		if len(bad) > 0 && r.l.OnError == StopOnError {
			yield(nil, bad[0])
			return
		}
		r.state.record(bad)
		skipped = append(skipped, bad...)
		if len(b.Items) > 0 {
			if r.l.Finish != nil {
				r.l.Finish(&b.Batch, b.slots, r.l.batchRand(r.epoch, b.Number))
			}
			b.Skipped, skipped = skipped, nil
			yielded = true
			if !yield(&b.Batch, nil) {
				return
			}
		}
		r.free <- b
	}
	if err := r.ctx.Err(); err != nil {
		yield(nil, err)
	} else if !yielded && len(skipped) > 0 {
		yield(nil, fmt.Errorf("data: %w, the first of %d with: %w", ErrAllSkipped, len(skipped), skipped[0]))
	}
}

// separate sets the items of a batch that were prepared and their slots, and returns the errors of the others.
func (r *run[B]) separate(b *pending[B]) (bad []*ItemError) {
	b.Items, b.slots = b.Items[:0], b.slots[:0]
	for slot, item := range b.planned {
		if err := b.errs[slot]; err != nil {
			bad = append(bad, r.l.itemError(item, err))
			continue
		}
		b.Items, b.slots = append(b.Items, item), append(b.slots, slot)
	}
	return bad
}
