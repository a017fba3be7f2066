package main

import (
	"context"
	"errors"
	"iter"

	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
)

// feed gives a training loop its batches by number. A [vision.Loader] prepares them in the background, in the order of
// the epoch. A resumed run enters an epoch in the middle.
type feed struct {
	loader       *vision.Loader
	epoch, index int // of the batch that next returns
	next         func() (*vision.Batch, error, bool)
	stop         func()
}

// batch returns batch b. It is valid until the next call.
func (f *feed) batch(ctx context.Context, b train.Batch) (*vision.Batch, error) {
	if f.next == nil || f.epoch != b.Epoch || f.index != b.Index {
		f.close()
		f.next, f.stop = iter.Pull2(f.loader.EpochFrom(ctx, b.Epoch, b.Index))
		f.epoch, f.index = b.Epoch, b.Index
	}
	got, err, ok := f.next()
	if err == nil && !ok {
		err = errors.New("the epoch has fewer batches than expected")
	}
	if err != nil {
		f.close()
		return nil, err
	}
	f.index++
	return got, nil
}

// close stops the goroutines that prepare batches.
func (f *feed) close() {
	if f.stop != nil {
		f.stop()
	}
	f.next, f.stop = nil, nil
}
