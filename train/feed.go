package train

import (
	"context"
	"fmt"
	"iter"
)

// A Source yields the batches of an epoch, from any batch on. *data.Loader and *vision.Loader are Sources. The batches
// depend on the number of the epoch alone.
type Source[B Sized] interface {
	// Batches returns the number of batches in an epoch.
	Batches() int
	// EpochFrom yields the batches from number first on. A batch is valid until the next iteration.
	EpochFrom(ctx context.Context, epoch, first int) iter.Seq2[B, error]
	// Describe returns the settings that decide the batches, by name. A resumed run compares them.
	Describe() map[string]string
}

// Sized is a batch of a [Source].
type Sized interface {
	// Len returns the number of samples.
	Len() int
}

// numbered is a batch that knows its number in the epoch, as those of *data.Loader and *vision.Loader do.
type numbered interface{ Position() int }

// Data is the data of a run as [Run] sees it: a [Feed].
type Data interface {
	Batches() int
	Describe() map[string]string
	Close()
}

// Feed gives the batches of a loader to a run, by number. The loader prepares them in the background, in the order of
// the epoch; a resumed run enters an epoch in the middle:
//
//	feed := train.NewFeed(loader)
//	train.Config{
//		Data: feed,
//		Loss: func(ctx context.Context, t *autograd.Tape, b *train.Batch) (*autograd.Tensor, error) {
//			images, err := feed.Next(ctx, b)
//			…
//
// A Feed serves one run at a time. A batch whose samples were all skipped is an error: the loader leaves it out, and the
// numbers of the others would depend on where a run was resumed.
type Feed[B Sized] struct {
	source       Source[B]
	epoch, index int // of the batch that next returns
	next         func() (B, error, bool)
	stop         func()
}

// NewFeed returns the feed of a loader.
func NewFeed[B Sized](s Source[B]) *Feed[B] { return &Feed[B]{source: s} }

// Next returns batch b and sets b.Samples. The batch is valid until the next call. The goroutines that prepare the
// batches end with ctx.
func (f *Feed[B]) Next(ctx context.Context, b *Batch) (B, error) {
	if f.next == nil || f.epoch != b.Epoch || f.index != b.Index {
		f.Close()
		f.next, f.stop = iter.Pull2(f.source.EpochFrom(ctx, b.Epoch, b.Index))
		f.epoch, f.index = b.Epoch, b.Index
	}
	got, err, ok := f.next()
	if err == nil && !ok {
		err = fmt.Errorf("train: feed: epoch %d has no batch %d: it has fewer batches than expected, or the last samples were all skipped", b.Epoch, b.Index)
	}
	if err == nil {
		if n, ok := any(got).(numbered); ok && n.Position() != b.Index {
			err = fmt.Errorf("train: feed: epoch %d: expected batch %d, found batch %d: were all samples of the others skipped?", b.Epoch, b.Index, n.Position())
		}
	}
	if err != nil {
		f.Close()
		var none B
		return none, err
	}
	f.index++
	b.Samples = got.Len()
	return got, nil
}

// Batches returns the number of batches in an epoch.
func (f *Feed[B]) Batches() int { return f.source.Batches() }

// Describe returns the settings of the loader.
func (f *Feed[B]) Describe() map[string]string { return f.source.Describe() }

// Close stops the goroutines that prepare batches. [Run] calls it. A closed Feed may be used again.
func (f *Feed[B]) Close() {
	if f.stop != nil {
		f.stop()
	}
	f.next, f.stop = nil, nil
}
