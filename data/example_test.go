package data_test

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/data"
)

// words is a batch of token sequences, padded with 0 to the length of the longest.
type words struct {
	rows   [][]int // by slot, as prepared
	Tokens []int   // [items, Length]
	Length int
}

// Sentences of different lengths become padded batches, in the same order in every run.
func ExampleLoader() {
	sentences := []string{"the cat sat", "dogs run", "birds fly south in winter", "it rains", "fish swim under the ice", "sleep"}
	tokens := map[string]int{}
	for _, s := range sentences {
		for _, word := range strings.Fields(s) {
			if tokens[word] == 0 {
				tokens[word] = len(tokens) + 1
			}
		}
	}
	loader := &data.Loader[words]{
		Len:       len(sentences),
		BatchSize: 4,
		Shuffle:   true,
		Seed:      1,
		Reset: func(b *words, n int) {
			b.rows = slices.Grow(b.rows[:0], n)[:n]
		},
		Prepare: func(b *words, slot, item int, r *data.Rand) error {
			row := b.rows[slot][:0] // the memory of an earlier batch
			for _, word := range strings.Fields(sentences[item]) {
				row = append(row, tokens[word])
			}
			b.rows[slot] = row
			return nil
		},
		Finish: func(b *data.Batch[words], slots []int, r *data.Rand) {
			w := &b.Value
			w.Length = 0
			for _, slot := range slots {
				w.Length = max(w.Length, len(w.rows[slot]))
			}
			w.Tokens = w.Tokens[:0]
			for _, slot := range slots {
				w.Tokens = append(w.Tokens, w.rows[slot]...)
				w.Tokens = append(w.Tokens, make([]int, w.Length-len(w.rows[slot]))...)
			}
		},
	}
	for batch, err := range loader.Epoch(context.Background(), 0) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("items", batch.Items)
		for row := range slices.Chunk(batch.Value.Tokens, batch.Value.Length) {
			fmt.Println(row)
		}
	}
	// Output:
	// items [0 4 5 2]
	// [1 2 3 0 0]
	// [13 14 15 1 16]
	// [17 0 0 0 0]
	// [6 7 8 9 10]
	// items [1 3]
	// [4 5]
	// [11 12]
}

// The same keys give the same random numbers, whatever was drawn before from other generators.
func ExampleNewRand() {
	const seed, epoch, item = 1, 0, 8
	r := data.NewRand(seed, epoch, item)
	fmt.Println(r.IntN(100), r.IntN(100), r.Perm(4))
	r = data.NewRand(seed, epoch, item)
	fmt.Println(r.IntN(100), r.IntN(100), r.Perm(4))
	// Output:
	// 87 89 [2 1 3 0]
	// 87 89 [2 1 3 0]
}
