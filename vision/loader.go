package vision

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/fovea-ml/fovea/data"
)

// Loader cuts a data set into batches and prepares them in other goroutines, ahead of the caller's work on them.
//
// It is a [data.Loader] of images: the same seed gives the same batches, for any number of goroutines and wherever an
// epoch is entered. The fields must not change while an epoch runs. Several epochs may run at once.
//
// Where Data is [Captioned], an image comes with one of its captions, drawn anew in each epoch. An image whose captions
// cannot be read is treated as one that cannot be decoded.
type Loader struct {
	Data       Dataset
	Preprocess Preprocess
	Augment    *Augment // nil for none
	Mix        *Mix     // of the images of a batch, nil for none

	BatchSize int  // images per batch; 0 means 32
	Shuffle   bool // a new order each epoch, otherwise that of Data
	Seed      uint64
	Repeats   int  // times an image appears, one after the other; 0 and 1 mean once. See [Loader.Order].
	DropLast  bool // leave out a last batch that is not full
	// Weights, when not nil, draws the images of an epoch at random: a number of 0 or more for each image. They can balance
	// classes, or choose among images. See [data.Loader.Order] and [data.ItemWeights].
	Weights []float32

	Goroutines int // that prepare images; 0 follows GOMAXPROCS
	Ahead      int // batches prepared before they are asked for, which bounds memory; 0 means 2
	OnError    data.ErrorPolicy

	state data.State[Batch]
}

// Batch is a batch of a [Loader]. It and its slices are valid until the next iteration and are then filled again: copy
// what must stay.
type Batch struct {
	Number                  int       // of the batch in its epoch, counted from 0, skipped batches included
	Pixels                  []float32 // [Len(), Channels, Height, Width]
	Channels, Height, Width int
	Labels                  []int             // one per image
	Targets                 []float32         // [Len(), classes] when the loader mixes, otherwise empty
	Captions                []string          // one per image where the data set is [Captioned], otherwise empty
	Indices                 []int             // positions of the images in the data set
	Skipped                 []*data.ItemError // images left out of this batch, and of empty batches before it
}

// Len returns the number of images.
func (b *Batch) Len() int { return len(b.Labels) }

// Position returns Number.
func (b *Batch) Position() int { return b.Number }

// Shape returns the shape of Pixels, [images, channels, height, width], as tape.Input(b.Pixels, b.Shape()...) takes it.
func (b *Batch) Shape() []int { return []int{b.Len(), b.Channels, b.Height, b.Width} }

// Batches returns the number of batches in an epoch.
func (l *Loader) Batches() int { return l.items().Batches() }

// Order returns the positions of the images in the order of an epoch, as [data.Loader.Order] does.
func (l *Loader) Order(epoch int) []int { return l.items().Order(epoch) }

// Skipped returns every image that was skipped so far, sorted by position, each once.
func (l *Loader) Skipped() []*data.ItemError { return l.state.Skipped() }

// Epoch yields the batches of an epoch. An error is the last thing it yields:
//
//   - before the first batch, for invalid settings, and for a label that is not one of the data set's classes;
//   - ctx's, when that is canceled;
//   - a *[data.ItemError] for an image that cannot be read, when OnError is StopOnError;
//   - one that matches [ErrNoImages], when every image was skipped.
//
// All goroutines have ended when the iteration has.
func (l *Loader) Epoch(ctx context.Context, epoch int) iter.Seq2[*Batch, error] {
	return l.EpochFrom(ctx, epoch, 0)
}

// EpochFrom is Epoch without the first batches: it yields what Epoch yields from batch first on, without the cost of
// preparing the batches before.
func (l *Loader) EpochFrom(ctx context.Context, epoch, first int) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		if err := l.check(); err != nil {
			yield(nil, err)
			return
		}
		for b, err := range l.images().EpochFrom(ctx, epoch, first) {
			if errors.Is(err, data.ErrAllSkipped) {
				err = fmt.Errorf("vision: %w: %w", ErrNoImages, err)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			b.Value.Number, b.Value.Indices, b.Value.Skipped = b.Number, b.Items, b.Skipped
			if !yield(&b.Value, nil) {
				return
			}
		}
	}
}

func (l *Loader) check() error {
	if l.Data == nil {
		return errors.New("vision: loader without a data set")
	}
	if err := l.Preprocess.Validate(); err != nil {
		return err
	}
	if _, _, ok := l.Preprocess.FixedSize(); !ok {
		return fmt.Errorf("vision: loader: %w", errNoFixedSize)
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
		if err := l.Augment.Validate(); err != nil {
			return err
		}
	}
	classes := len(l.Data.Classes())
	for i := range l.Data.Len() {
		if _, err := labelOf(l.Data, i, classes); err != nil {
			return fmt.Errorf("vision: loader: %w", err)
		}
	}
	return nil
}

// items returns the loader that cuts batches, without the functions that prepare them.
func (l *Loader) items() *data.Loader[Batch] {
	d := l.Data
	if d == nil {
		d = new(Memory) // check names the mistake
	}
	return &data.Loader[Batch]{
		Len: d.Len(), Name: d.Name,
		BatchSize: l.BatchSize, Shuffle: l.Shuffle, Seed: l.Seed, Repeats: l.Repeats, DropLast: l.DropLast, Weights: l.Weights,
		Goroutines: l.Goroutines, Ahead: l.Ahead, OnError: l.OnError,
		State: &l.state,
	}
}

// images returns the loader whose slots are the images of Pixels.
func (l *Loader) images() *data.Loader[Batch] {
	height, width, _ := l.Preprocess.FixedSize()
	channels := l.Preprocess.Channels()
	each := channels * height * width
	norm := l.Preprocess.Normalizer()
	var spare workspaces
	captions := captioned(l.Data)
	images := l.items()
	images.Reset = func(b *Batch, n int) {
		if cap(b.Pixels) < n*each {
			b.Pixels = make([]float32, n*each)
		}
		b.Pixels, b.Channels, b.Height, b.Width = b.Pixels[:n*each], channels, height, width
		b.Captions = b.Captions[:0]
		if captions != nil {
			b.Captions = slices.Grow(b.Captions, n)[:n]
		}
	}
	images.Prepare = func(b *Batch, slot, i int, r *data.Rand) error {
		w := spare.take()
		defer spare.put(w)
		m, err := w.open(l.Data, i)
		if err != nil {
			return err
		}
		planes := b.Pixels[slot*each:][:each]
		if l.Augment == nil && l.Preprocess.FloatResize {
			ready, _, _, err := l.Preprocess.floatPixels(m, nil)
			if err != nil {
				return err
			}
			copy(planes, ready)
			if captions != nil {
				b.Captions[slot], err = drawCaption(captions, i, r)
			}
			return err
		}
		if l.Augment != nil {
			m, err = l.Augment.Apply(r, m, &l.Preprocess)
		} else {
			m, err = w.geometry(&l.Preprocess, m)
		}
		if err != nil {
			return err
		}
		norm.ToCHW(planes, m)
		if l.Augment != nil && l.Augment.Erase != nil {
			l.Augment.Erase.Apply(r, planes, height, width)
		}
		if captions != nil {
			b.Captions[slot], err = drawCaption(captions, i, r)
		}
		return err
	}
	images.Finish = func(b *data.Batch[Batch], slots []int, r *data.Rand) {
		v := &b.Value
		v.Labels, v.Targets = v.Labels[:0], v.Targets[:0]
		for to, slot := range slots {
			if to < slot { // a skipped image left a gap
				copy(v.Pixels[to*each:][:each], v.Pixels[slot*each:])
				if captions != nil {
					v.Captions[to] = v.Captions[slot]
				}
			}
			v.Labels = append(v.Labels, l.Data.Label(b.Items[to]))
		}
		v.Pixels = v.Pixels[:len(slots)*each]
		if captions != nil {
			v.Captions = v.Captions[:len(slots)]
		}
		if l.Mix != nil {
			l.Mix.Apply(r, v, len(l.Data.Classes()))
		}
	}
	return images
}
