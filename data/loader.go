package data

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// ErrorPolicy selects between two ways of a [Loader] to treat an item that cannot be prepared.
type ErrorPolicy uint8

const (
	// StopOnError ends the epoch with the error.
	StopOnError ErrorPolicy = iota
	// SkipErrors leaves the item out of its batch and reports it there.
	SkipErrors
)

func (p ErrorPolicy) String() string {
	switch p {
	case StopOnError:
		return "stop"
	case SkipErrors:
		return "skip"
	}
	return fmt.Sprintf("ErrorPolicy(%d)", uint8(p))
}

// ErrAllSkipped is the error of an epoch in which every item was skipped, for errors.Is.
var ErrAllSkipped = errors.New("every item was skipped")

// Loader cuts items into batches whose content is a B, and prepares them in other goroutines, ahead of the caller's
// work on them.
//
// The order of the items and everything random about them comes from generators keyed by (Seed, epoch) and (Seed,
// epoch, item). So the batches are the same for any number of goroutines, and batch k of an epoch is the same whether
// or not the batches before it were asked for. The fields must not change while an epoch runs. Several epochs may run
// at once.
type Loader[B any] struct {
	Len  int                   // items, numbered from 0
	Name func(item int) string // of an item, for errors; nil means "item 0", "item 1" and so on

	// Reset makes a batch ready for n items. The batch is new, or was filled before and keeps its memory. nil leaves it
	// as it is.
	Reset func(b *B, n int)
	// Prepare fills slot (0 ≤ slot < n) of a batch with an item. All its random decisions come from r. Several
	// goroutines call it at once, for the slots of one batch too.
	Prepare func(b *B, slot, item int, r *Rand) error
	// Finish completes a batch before the caller gets it. slots are the places of b.Items, in ascending order; only
	// skipped items leave gaps, and there is at least one slot. All its random decisions come from r. nil leaves the
	// batch as it is.
	Finish func(b *Batch[B], slots []int, r *Rand)

	BatchSize int  // items per batch; 0 means 32
	Shuffle   bool // a new order in each epoch; otherwise 0, 1, 2 and so on
	Seed      uint64
	Repeats   int  // times an item appears, one after the other; 0 and 1 mean once. See [Loader.Order].
	DropLast  bool // leave out a last batch that is not full
	// Weights, when not nil, draws the items of an epoch at random: a number of 0 or more for each item. See [Loader.Order].
	Weights []float32

	Goroutines int // that prepare items; 0 follows GOMAXPROCS
	Ahead      int // batches prepared before they are asked for, which bounds memory; 0 means 2
	OnError    ErrorPolicy

	// State outlives the epochs. nil means one of the loader's own; loaders that are built anew for each epoch share
	// one.
	State *State[B]
	own   State[B]
}

// Batch is a batch of a [Loader]. It and what it holds are valid until the next iteration and are then filled again:
// copy what must stay.
type Batch[B any] struct {
	Number  int          // of the batch in its epoch, counted from 0, with the batches whose items were all skipped
	Items   []int        // the items that were prepared
	Skipped []*ItemError // items left out of this batch, and of empty batches before it
	Value   B            // what Prepare and Finish filled
}

// Len returns the number of items that were prepared.
func (b *Batch[B]) Len() int { return len(b.Items) }

// Position returns Number.
func (b *Batch[B]) Position() int { return b.Number }

// ItemError reports an item that could not be prepared.
type ItemError struct {
	Index int    // of the item
	Name  string // of the item
	Err   error
}

func (e *ItemError) Error() string {
	cause := e.Err.Error()
	if strings.Contains(cause, e.Name+":") { // as errors about files do
		return cause
	}
	return fmt.Sprintf("data: %s: %s", e.Name, cause)
}

// Unwrap returns the cause.
func (e *ItemError) Unwrap() error { return e.Err }

// Batches returns the number of batches in an epoch.
func (l *Loader[B]) Batches() int {
	n, size := l.Len, l.batchSize()
	if n%size > 0 && !l.DropLast {
		return n/size + 1
	}
	return n / size
}

// Order returns the items in the order of an epoch. With repeated augmentation (Hoffer et al., arXiv 1901.09335;
// Repeats of 3 in DeiT) each item appears Repeats times in a row, each time with other random decisions. The epoch
// still ends after Len items, and so has only a part of them.
//
// With Weights an epoch has Len items, drawn with replacement, in random order, whatever Shuffle says. Item i is expected
// Len·Weights[i]/ΣWeights times, as with PyTorch's WeightedRandomSampler. Unlike there, it appears exactly so often, but for
// rounding up or down: no item is left out by chance where it is expected once. Each time it has other random decisions.
func (l *Loader[B]) Order(epoch int) []int {
	order := l.permutation(epoch)
	if l.Repeats > 1 && len(order) > 0 {
		once := slices.Clone(order[:(len(order)-1)/l.Repeats+1])
		for i := range order {
			order[i] = once[i/l.Repeats]
		}
	}
	return order
}

// Describe returns the settings that decide which items are in a batch, by name: "length", "batch size", "shuffle",
// "seed", "repeats", "drop last", "error policy" and, where there are any, "weights". Defaults are written out. A training run compares them with those of
// the run that it continues. The texts are the same on every machine. Goroutines and Ahead are not among them, because
// batches do not depend on them.
func (l *Loader[B]) Describe() map[string]string {
	settings := map[string]string{
		"length":       strconv.Itoa(l.Len),
		"batch size":   strconv.Itoa(l.batchSize()),
		"shuffle":      strconv.FormatBool(l.Shuffle),
		"seed":         strconv.FormatUint(l.Seed, 10),
		"repeats":      strconv.Itoa(max(l.Repeats, 1)),
		"drop last":    strconv.FormatBool(l.DropLast),
		"error policy": l.OnError.String(),
	}
	if l.Weights != nil {
		settings["weights"] = sumWeights(l.Weights)
	}
	return settings
}

// Skipped returns every item that was skipped so far, sorted, each once.
func (l *Loader[B]) Skipped() []*ItemError { return l.state().Skipped() }

// Epoch yields the batches of an epoch. An error is the last thing it yields: the context's when that is canceled, an
// *[ItemError] when OnError is StopOnError, or one that matches [ErrAllSkipped]. All goroutines have ended when the
// iteration has.
func (l *Loader[B]) Epoch(ctx context.Context, epoch int) iter.Seq2[*Batch[B], error] {
	return l.EpochFrom(ctx, epoch, 0)
}

// EpochFrom is Epoch without the first batches: it yields what Epoch yields from batch first on, without the cost of
// preparing the batches before. It yields an error when first is not in [0, Batches()] or a field is invalid.
func (l *Loader[B]) EpochFrom(ctx context.Context, epoch, first int) iter.Seq2[*Batch[B], error] {
	return func(yield func(*Batch[B], error) bool) {
		if err := l.check(first); err != nil {
			yield(nil, err)
			return
		}
		r := l.start(ctx, epoch, first)
		defer r.stop()
		r.consume(yield)
	}
}

func (l *Loader[B]) check(first int) error {
	switch {
	case l.Prepare == nil:
		return errors.New("data: loader without Prepare")
	case l.Len < 0:
		return fmt.Errorf("data: loader of %d items", l.Len)
	case l.BatchSize < 0:
		return fmt.Errorf("data: loader: batches of %d", l.BatchSize)
	case l.OnError > SkipErrors:
		return fmt.Errorf("data: loader: unknown error policy %d", l.OnError)
	case l.Repeats < 0:
		return fmt.Errorf("data: loader: %d repeats", l.Repeats)
	case first < 0 || first > l.Batches():
		return fmt.Errorf("data: loader: epoch from batch %d of %d", first, l.Batches())
	case l.Weights != nil:
		return checkWeights(l.Weights, l.Len)
	}
	return nil
}

func (l *Loader[B]) batchSize() int {
	return cmp.Or(l.BatchSize, 32)
}

func (l *Loader[B]) state() *State[B] {
	if l.State != nil {
		return l.State
	}
	return &l.own
}

func (l *Loader[B]) permutation(epoch int) []int {
	if l.Weights != nil {
		return draw(NewRand(l.Seed, uint64(epoch), drawn), l.Weights)
	}
	if l.Shuffle {
		return NewRand(l.Seed, uint64(epoch)).Perm(l.Len)
	}
	order := make([]int, l.Len)
	for i := range order {
		order[i] = i
	}
	return order
}

// itemRand returns the generator of the random decisions about the item at a position of an epoch's order.
func (l *Loader[B]) itemRand(epoch, position, item int) *Rand {
	if l.Weights != nil {
		return NewRand(l.Seed, uint64(epoch), uint64(item), uint64(position), drawn)
	}
	if repeat := position % max(l.Repeats, 1); repeat > 0 {
		return NewRand(l.Seed, uint64(epoch), uint64(item), uint64(repeat))
	}
	return NewRand(l.Seed, uint64(epoch), uint64(item))
}

// batchRand returns the generator of the random decisions about a whole batch.
func (l *Loader[B]) batchRand(epoch, number int) *Rand {
	const stream = 0x6d6978 // tells it from the generators of repeated items
	return NewRand(l.Seed, uint64(epoch), uint64(number), stream)
}

// itemError says which item an error is about.
func (l *Loader[B]) itemError(item int, err error) *ItemError {
	name := fmt.Sprintf("item %d", item)
	if l.Name != nil {
		name = l.Name(item)
	}
	return &ItemError{Index: item, Name: name, Err: err}
}
