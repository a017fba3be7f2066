package vision

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// ErrorPolicy says what a [Loader] does with an image that cannot be read.
type ErrorPolicy uint8

const (
	// StopOnError ends the epoch with the error.
	StopOnError ErrorPolicy = iota
	// SkipErrors leaves the image out of its batch and reports it there.
	SkipErrors
)

// Loader cuts a data set into batches and prepares them in other goroutines, ahead of the caller's work on them.
//
// The order of the images and everything random about them is drawn from generators keyed by (Seed, epoch) and
// (Seed, epoch, sample): the batches are the same whatever the number of goroutines, and batch k of an epoch is
// the same whether or not the ones before it were asked for. The fields must not change while an epoch runs;
// several epochs may run at once.
type Loader struct {
	Data       Dataset
	Preprocess Preprocess
	Augment    *Augment // nil for none
	Mix        *Mix     // of the images of a batch, nil for none

	BatchSize int  // images a batch; 0 means 32
	Shuffle   bool // a new order each epoch, otherwise that of Data
	Seed      uint64
	Repeats   int  // times an image appears, one after the other; 0 and 1 mean once. See [Loader.Order].
	DropLast  bool // leave out a last batch that is not full

	Goroutines int // that prepare images; 0 follows GOMAXPROCS
	Ahead      int // batches prepared before they are asked for, which bounds memory; 0 means 2
	OnError    ErrorPolicy

	mu      sync.Mutex
	skipped map[int]*SampleError
	spare   []*loadingBatch // of epochs that have ended, for those to come
}

// Batch is what a [Loader] yields. It and its slices are valid until the next iteration and are then filled anew:
// copy what is to stay.
type Batch struct {
	Number        int       // of the batch in its epoch, counted from 0, skipped batches included
	Pixels        []float32 // [len(Labels), 3, Height, Width]
	Height, Width int
	Labels        []int
	Targets       []float32      // [len(Labels), classes] when the loader mixes, otherwise empty
	Indices       []int          // positions of the images in the data set
	Skipped       []*SampleError // images left out of this batch, and of empty ones before it
}

// SampleError reports an image of a data set that could not be read or prepared.
type SampleError struct {
	Index int    // its position in the data set
	Name  string // its name there
	Err   error
}

func (e *SampleError) Error() string {
	var d *DecodeError
	if errors.As(e.Err, &d) && d.Name != "" {
		return e.Err.Error() // names the file already
	}
	return fmt.Sprintf("vision: %s: %v", e.Name, e.Err)
}

// Unwrap returns the cause.
func (e *SampleError) Unwrap() error { return e.Err }

func (l *Loader) batchSize() int {
	if l.BatchSize == 0 {
		return 32
	}
	return l.BatchSize
}

// Batches returns the number of batches an epoch has.
func (l *Loader) Batches() int {
	n, b := l.Data.Len(), l.batchSize()
	if n%b > 0 && !l.DropLast {
		return n/b + 1
	}
	return n / b
}

// Order returns the positions of the images in the order in which an epoch goes through them. With repeated
// augmentation (Hoffer et al., arXiv 1901.09335; Repeats of 3 in DeiT) each image appears Repeats times in a row, each
// time augmented anew, and the epoch ends after as many images as the data set has: it meets a part of them.
func (l *Loader) Order(epoch int) []int {
	order := l.permutation(epoch)
	if l.Repeats > 1 && len(order) > 0 {
		once := slices.Clone(order[:(len(order)-1)/l.Repeats+1])
		for i := range order {
			order[i] = once[i/l.Repeats]
		}
	}
	return order
}

func (l *Loader) permutation(epoch int) []int {
	if l.Shuffle {
		return NewRand(l.Seed, uint64(epoch)).Perm(l.Data.Len())
	}
	order := make([]int, l.Data.Len())
	for i := range order {
		order[i] = i
	}
	return order
}

// Skipped returns every image that was skipped so far, sorted by position, each once.
func (l *Loader) Skipped() []*SampleError {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []*SampleError
	for _, i := range slices.Sorted(maps.Keys(l.skipped)) {
		out = append(out, l.skipped[i])
	}
	return out
}

// Epoch yields the batches of an epoch. An error is the last thing it yields: ctx's when that is canceled, a
// *SampleError for an image that cannot be read when OnError is StopOnError, or one that matches [ErrNoImages]
// when every image was skipped. All goroutines have ended when the iteration has.
func (l *Loader) Epoch(ctx context.Context, epoch int) iter.Seq2[*Batch, error] {
	return l.EpochFrom(ctx, epoch, 0)
}

// EpochFrom is Epoch without the first batches: it yields the same as Epoch from batch first on, without the cost
// of preparing those before.
func (l *Loader) EpochFrom(ctx context.Context, epoch, first int) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		r, err := l.start(ctx, epoch, first)
		if err != nil {
			yield(nil, err)
			return
		}
		defer r.stop()
		r.consume(yield)
	}
}

func (l *Loader) check(first int) error {
	switch {
	case l.Data == nil:
		return errors.New("vision: loader without a data set")
	case l.BatchSize < 0:
		return fmt.Errorf("vision: loader: batches of %d", l.BatchSize)
	case first < 0 || first > l.Batches():
		return fmt.Errorf("vision: loader: epoch from batch %d of %d", first, l.Batches())
	}
	if err := l.Preprocess.Validate(); err != nil {
		return err
	}
	if _, _, ok := l.Preprocess.FixedSize(); !ok {
		return fmt.Errorf("vision: loader: %w", errNoFixedSize)
	}
	if l.Repeats < 0 {
		return fmt.Errorf("vision: loader: %d repeats", l.Repeats)
	}
	if l.Mix != nil {
		if err := l.Mix.Validate(); err != nil {
			return err
		}
		if len(l.Data.Classes()) == 0 {
			return errors.New("vision: loader: mixing labels of a data set without classes")
		}
	}
	if l.Augment != nil {
		return l.Augment.Validate()
	}
	return nil
}

// sampleRand returns the generator of the random decisions about the image at a position of an epoch's order.
func (r *loading) sampleRand(position, sample int) *Rand {
	if repeat := position % max(r.l.Repeats, 1); repeat > 0 {
		return NewRand(r.l.Seed, uint64(r.epoch), uint64(sample), uint64(repeat))
	}
	return NewRand(r.l.Seed, uint64(r.epoch), uint64(sample))
}

// mixStream tells the generator that mixes a batch from those of its images.
const mixStream = 0x6d6978

// loading is one epoch under way. Batches circulate: free → (planned, filled by the goroutines) → ready, in order
// → the caller → free. There are Ahead+1 of them, one of which is the caller's.
type loading struct {
	l             *Loader
	ctx           context.Context
	cancel        context.CancelFunc
	epoch, first  int
	order         []int
	norm          *Normalizer
	width, height int

	free, ready chan *loadingBatch
	jobs        chan loadingJob
	wg          sync.WaitGroup
}

// loadingBatch is a batch in preparation.
type loadingBatch struct {
	Batch
	pixels  []float32 // all slots
	samples []int     // positions in the data set
	errs    []error   // by slot
	pending atomic.Int64
	done    chan struct{} // closed when pending reaches 0
	panics  chan any      // what a goroutine panicked with
}

type loadingJob struct {
	b    *loadingBatch
	slot int
}

func (l *Loader) start(ctx context.Context, epoch, first int) (*loading, error) {
	if err := l.check(first); err != nil {
		return nil, err
	}
	r := &loading{l: l, epoch: epoch, first: first, order: l.Order(epoch), norm: l.Preprocess.Normalizer()}
	r.width, r.height, _ = l.Preprocess.FixedSize()
	r.ctx, r.cancel = context.WithCancel(ctx)
	ahead := l.Ahead
	if ahead <= 0 {
		ahead = 2
	}
	ahead = min(ahead, max(l.Batches()-first, 1))
	r.free = make(chan *loadingBatch, ahead+1)
	r.ready = make(chan *loadingBatch, ahead+1)
	for range ahead + 1 {
		r.free <- l.spareBatch()
	}
	n := l.Goroutines
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	r.jobs = make(chan loadingJob)
	r.wg.Go(r.plan)
	for range n {
		r.wg.Go(r.work)
	}
	return r, nil
}

// stop ends the goroutines, waits for them, and keeps the batches for the next epoch, but for one that the caller has.
func (r *loading) stop() {
	r.cancel()
	r.wg.Wait()
	for b := range r.ready { // closed
		r.l.keepSpare(b, cap(r.ready))
	}
	for {
		select {
		case b := <-r.free:
			r.l.keepSpare(b, cap(r.ready))
		default:
			return
		}
	}
}

// spareBatch returns a batch of an epoch that has ended, or a new one.
func (l *Loader) spareBatch() *loadingBatch {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.spare)
	if n == 0 {
		return new(loadingBatch)
	}
	b := l.spare[n-1]
	l.spare = l.spare[:n-1]
	return b
}

// keepSpare keeps a batch, unless there are as many already as an epoch takes.
func (l *Loader) keepSpare(b *loadingBatch, most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.spare) < most {
		l.spare = append(l.spare, b)
	}
}

// plan hands out the samples of one batch after the other, while there are free batches.
func (r *loading) plan() {
	defer close(r.jobs)
	defer close(r.ready)
	size := r.l.batchSize()
	for k := r.first; k < r.l.Batches(); k++ {
		var b *loadingBatch
		select {
		case b = <-r.free:
		case <-r.ctx.Done():
			return
		}
		b.reset(k, r.order[k*size:][:min(size, len(r.order)-k*size)], 3*r.width*r.height)
		r.ready <- b // has room for all
		for slot := range b.samples {
			select {
			case r.jobs <- loadingJob{b, slot}:
			case <-r.ctx.Done():
				return
			}
		}
	}
}

func (b *loadingBatch) reset(number int, samples []int, each int) {
	n := len(samples)
	b.Number = number
	b.samples = samples
	if cap(b.pixels) < n*each {
		b.pixels = make([]float32, n*each)
	}
	b.pixels = b.pixels[:n*each]
	b.errs = slices.Grow(b.errs[:0], n)[:n]
	clear(b.errs)
	b.pending.Store(int64(n))
	b.done = make(chan struct{})
	b.panics = make(chan any, 1)
}

// work prepares samples until there are no more, or the epoch is canceled.
func (r *loading) work() {
	w := new(workspace)
	for j := range r.jobs {
		if r.ctx.Err() == nil {
			r.prepare(j, w)
			w.trim()
		}
	}
}

func (r *loading) prepare(j loadingJob, w *workspace) {
	b := j.b
	defer func() {
		if p := recover(); p != nil {
			select {
			case b.panics <- p:
			default:
			}
		}
		if b.pending.Add(-1) == 0 {
			close(b.done)
		}
	}()
	i := b.samples[j.slot]
	random := r.sampleRand(b.Number*r.l.batchSize()+j.slot, i)
	m, err := w.open(r.l.Data, i)
	if err == nil {
		if a := r.l.Augment; a != nil {
			m, err = a.Apply(random, m, &r.l.Preprocess)
		} else {
			m, err = w.geometry(&r.l.Preprocess, m)
		}
	}
	if err != nil {
		b.errs[j.slot] = err
		return
	}
	n := len(b.pixels) / len(b.samples)
	r.norm.ToCHW(b.pixels[j.slot*n:(j.slot+1)*n], m)
	if a := r.l.Augment; a != nil && a.Erase != nil {
		a.Erase.Apply(random, b.pixels[j.slot*n:(j.slot+1)*n], r.width, r.height)
	}
}

// consume hands finished batches to the caller, in order.
func (r *loading) consume(yield func(*Batch, error) bool) {
	var skipped []*SampleError
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
			r.stop()
			panic(p)
		default:
		}
		bad := r.finish(b)
		if len(bad) > 0 && r.l.OnError == StopOnError {
			yield(nil, bad[0])
			return
		}
		r.l.record(bad)
		skipped = append(skipped, bad...)
		if x := r.l.Mix; x != nil && len(b.Labels) > 0 {
			x.Apply(NewRand(r.l.Seed, uint64(r.epoch), uint64(b.Number), mixStream), &b.Batch, len(r.l.Data.Classes()))
		}
		if len(b.Labels) > 0 {
			b.Skipped, skipped = skipped, nil
			yielded = true
			if !yield(&b.Batch, nil) {
				return
			}
		}
		r.free <- b // has room for all
	}
	if err := r.ctx.Err(); err != nil {
		yield(nil, err)
	} else if !yielded && len(skipped) > 0 {
		yield(nil, fmt.Errorf("vision: loader: all %d images were skipped, the first with: %w: %w", len(skipped), skipped[0], ErrNoImages))
	}
}

// finish closes the gaps that failed samples left, and returns those.
func (r *loading) finish(b *loadingBatch) (bad []*SampleError) {
	n := len(b.pixels) / len(b.samples)
	b.Height, b.Width = r.height, r.width
	b.Labels, b.Indices = b.Labels[:0], b.Indices[:0]
	to := 0
	for slot, i := range b.samples {
		if err := b.errs[slot]; err != nil {
			bad = append(bad, &SampleError{Index: i, Name: r.l.Data.Name(i), Err: err})
			continue
		}
		if to < slot {
			copy(b.pixels[to*n:(to+1)*n], b.pixels[slot*n:(slot+1)*n])
		}
		to++
		b.Labels = append(b.Labels, r.l.Data.Label(i))
		b.Indices = append(b.Indices, i)
	}
	b.Pixels = b.pixels[:to*n]
	return bad
}

func (l *Loader) record(bad []*SampleError) {
	if len(bad) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.skipped == nil {
		l.skipped = make(map[int]*SampleError)
	}
	for _, e := range bad {
		l.skipped[e.Index] = e
	}
}
