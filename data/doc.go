// Package data cuts lists of items into batches for training. It knows the order and the read-ahead; the caller knows
// the items:
//
//	loader := &data.Loader[Tokens]{
//		Len:       len(texts),
//		BatchSize: 16,
//		Shuffle:   true,
//		Seed:      1,
//		Reset:     func(b *Tokens, n int) { b.Rows = slices.Grow(b.Rows[:0], n)[:n] },
//		Prepare: func(b *Tokens, slot, item int, r *data.Rand) error {
//			var err error
//			b.Rows[slot], err = encode(b.Rows[slot][:0], texts[item])
//			return err
//		},
//	}
//	for batch, err := range loader.Epoch(ctx, 0) {
//		if err != nil {
//			return err
//		}
//		step(batch.Value.Rows)
//	}
//
// A [Loader] works for any type of batch: images, token sequences, pairs of an image and a text, boxes, or sequences
// of features. The caller fills a batch in three steps:
//
//  1. Reset makes the memory of the batch ready for n items. The loader uses each batch again.
//  2. Prepare fills one slot with one item. Several goroutines call it at once, for different slots.
//  3. Finish completes the batch: it pads sequences to one length, or closes the gaps of skipped items. It runs in the
//     goroutine that iterates, one batch after the other.
//
// # The same batches in every run
//
// Whatever is random comes from a [Rand] keyed by numbers, never from a shared stream. The order of an epoch is keyed
// by (seed, epoch), an item by (seed, epoch, item). So the batches depend neither on the number of goroutines nor on
// their timing. [Loader.EpochFrom] enters an epoch at any batch. So an interrupted run continues with the batches it
// would have seen, without preparing those before. [Loader.Describe] names the settings that decide the batches, so that
// the run can compare them with those it began with.
//
// # Balanced classes
//
// [Loader.Weights] draws rare items more often. [ClassWeights] gives each class the same part, in a loss or through
// [ItemWeights] in the batches.
//
// # Errors, panics and memory
//
// An item that cannot be prepared gives an [ItemError]. It ends the epoch, or is skipped and reported, as the
// [ErrorPolicy] says. A panic in a callback is raised again in the goroutine that iterates. All goroutines have ended
// when the iteration has, also after a break or a canceled context.
//
// Ahead bounds the number of batches, and so the memory. Batches are filled again within an epoch and in later ones. A
// [State] holds them between epochs.
package data
