package train

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/text/internal/model"
)

// MergeOptions describe the vocabulary of [BPE] and [WordPiece].
type MergeOptions struct {
	Size          int      // tokens of the vocabulary; 0 is 30000. Special tokens and the alphabet are never left out
	MinFrequency  int      // of a pair that is merged
	Special       []string // the first tokens of the vocabulary
	LimitAlphabet *int     // the most frequent characters to keep; nil: all
	Alphabet      []rune   // characters to keep whether or not they occur
	Prefix        *string  // of tokens inside a word; nil is none for BPE and ## for WordPiece
	Suffix        string   // of tokens at the end of a word
	MaxChars      int      // characters of a token; 0: any number

	// Progress, if any, is called after each merge with the number of tokens and the size.
	Progress func(done, total int)
}

// BPE returns the vocabulary and the merges of a BPE model. The caller sets the other options. An error is one of the
// words or of the context.
func BPE(ctx context.Context, words iter.Seq2[string, int], o MergeOptions) (model.BPEOptions, error) {
	t, err := newMerger(words, o)
	if err != nil {
		return model.BPEOptions{}, err
	}
	if err := t.run(ctx); err != nil {
		return model.BPEOptions{}, err
	}
	out := model.BPEOptions{Vocabulary: model.Entries(t.tokens), Prefix: t.prefix, Suffix: t.suffix}
	for _, p := range t.merges {
		out.Merges = append(out.Merges, [2]string{t.tokens[p>>32], t.tokens[uint32(p)]})
	}
	return out, nil
}

// WordPiece returns the vocabulary of a WordPiece model, which is that of BPE. The caller sets the other options.
func WordPiece(ctx context.Context, words iter.Seq2[string, int], o MergeOptions) (model.WordPieceOptions, error) {
	if o.Prefix == nil {
		o.Prefix = new("##")
	}
	t, err := newMerger(words, o)
	if err != nil {
		return model.WordPieceOptions{}, err
	}
	if err := t.run(ctx); err != nil {
		return model.WordPieceOptions{}, err
	}
	return model.WordPieceOptions{Vocabulary: model.Entries(t.tokens), Prefix: &t.prefix}, nil
}

// merger trains BPE (tokenizers, bpe/trainer.rs).
type merger struct {
	o              MergeOptions
	prefix, suffix string
	ids            map[string]uint32
	tokens         []string
	words          [][]symbol
	counts         []int

	pairs  map[uint64]int // how often each pair of neighbors occurs; left id, right id
	queue  queue
	merges []uint64
}

// symbol is a part of a word.
type symbol struct {
	id   uint32
	size uint32 // characters
}

func pair(left, right uint32) uint64 { return uint64(left)<<32 | uint64(right) }

func newMerger(words iter.Seq2[string, int], o MergeOptions) (*merger, error) {
	if o.Size == 0 {
		o.Size = 30000
	}
	if o.Size < 0 || o.MinFrequency < 0 || o.MaxChars < 0 || o.LimitAlphabet != nil && *o.LimitAlphabet < 0 {
		return nil, fmt.Errorf("size %d, minimum frequency %d, characters of a token %d and limit of the alphabet: expected at least 0",
			o.Size, o.MinFrequency, o.MaxChars)
	}
	list, err := collect(words)
	if err != nil {
		return nil, err
	}
	t := &merger{o: o, suffix: o.Suffix, ids: map[string]uint32{}, pairs: map[uint64]int{}}
	if o.Prefix != nil {
		t.prefix = *o.Prefix
	}
	for _, s := range append(slices.Clone(o.Special), t.prefix, t.suffix) {
		if !utf8.ValidString(s) {
			return nil, fmt.Errorf("token %q: expected UTF-8", s)
		}
	}
	for _, s := range o.Special {
		t.id(s)
	}
	for _, r := range alphabet(list, o) {
		t.id(string(r))
	}
	for _, w := range list {
		t.words = append(t.words, t.symbols(w.text))
		t.counts = append(t.counts, w.count)
	}
	return t, nil
}

// id returns the id of a token, a new one if need be.
func (t *merger) id(token string) uint32 {
	id, ok := t.ids[token]
	if !ok {
		id = uint32(len(t.tokens))
		t.ids[token] = id
		t.tokens = append(t.tokens, token)
	}
	return id
}

// alphabet returns the characters to keep, in their order. Of characters that are equally frequent the lower ones stay.
func alphabet(words []word, o MergeOptions) []rune {
	counts := map[rune]int{}
	for _, w := range words {
		for _, r := range w.text {
			counts[r] += w.count
		}
	}
	for _, r := range o.Alphabet {
		counts[r] = math.MaxInt
	}
	kept := make([]rune, 0, len(counts))
	for r := range counts {
		kept = append(kept, r)
	}
	if o.LimitAlphabet != nil && *o.LimitAlphabet < len(kept) {
		slices.SortFunc(kept, func(a, b rune) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
		kept = kept[:*o.LimitAlphabet]
	}
	slices.Sort(kept)
	return kept
}

// symbols returns the characters of a word, without those that are not in the alphabet.
func (t *merger) symbols(text string) []symbol {
	out := make([]symbol, 0, utf8.RuneCountInString(text))
	for at, r := range text {
		s := string(r)
		if _, ok := t.ids[s]; !ok {
			continue
		}
		if at+len(s) == len(text) {
			s += t.suffix
		}
		if at > 0 {
			s = t.prefix + s
		}
		out = append(out, symbol{t.id(s), 1})
	}
	return out
}

// places lists the words with new pairs, by pair. The words of a pair are in their order.
type places struct {
	words map[uint64][]uint32
	order []uint64 // the pairs, in the order of their first words
}

func (p *places) add(pair uint64, word int) {
	list, ok := p.words[pair]
	if !ok {
		p.order = append(p.order, pair)
	}
	if n := len(list); n == 0 || list[n-1] != uint32(word) {
		p.words[pair] = append(list, uint32(word))
	}
}

// enqueue adds the new pairs to the queue and forgets them.
func (t *merger) enqueue(p *places) {
	for _, pair := range p.order {
		if count := t.pairs[pair]; count > 0 {
			t.queue.push(candidate{count: uint64(count), pair: pair, words: p.words[pair]})
		}
	}
	clear(p.words)
	p.order = p.order[:0]
}

// run merges until the vocabulary is large enough.
func (t *merger) run(ctx context.Context) error {
	found := &places{words: map[uint64][]uint32{}}
	for i, w := range t.words {
		for k := range len(w) - 1 {
			p := pair(w[k].id, w[k+1].id)
			t.pairs[p] += t.counts[i]
			found.add(p, i)
		}
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	t.enqueue(found)
	for len(t.tokens) < t.o.Size && len(t.queue) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		top := t.queue.pop()
		// A count can be below zero: a pair that would be too long is never added, but it is subtracted. As in the
		// reference, its 64 bits are then read as a large number.
		if now := uint64(t.pairs[top.pair]); now != top.count {
			top.count = now
			t.queue.push(top)
			continue
		}
		if top.count < 1 || uint64(t.o.MinFrequency) > top.count {
			break
		}
		left, right := uint32(top.pair>>32), uint32(top.pair)
		merged := t.id(t.tokens[left] + strings.TrimPrefix(t.tokens[right], t.prefix))
		t.merges = append(t.merges, top.pair)
		for _, i := range top.words {
			t.merge(int(i), left, right, merged, found)
		}
		t.enqueue(found)
		if t.o.Progress != nil {
			t.o.Progress(len(t.tokens), t.o.Size)
		}
	}
	return nil
}

// merge replaces a pair in a word and counts the pairs that are gone and new.
func (t *merger) merge(i int, left, right, merged uint32, found *places) {
	w, count := t.words[i], t.counts[i]
	fits := func(a, b symbol) bool { return t.o.MaxChars == 0 || int(a.size)+int(b.size) < t.o.MaxChars }
	out := w[:0] // behind the place that is read
	for k := 0; k < len(w); k++ {
		if k+1 == len(w) || w[k].id != left || w[k+1].id != right {
			out = append(out, w[k])
			continue
		}
		s := symbol{merged, w[k].size + w[k+1].size}
		if n := len(out); n > 0 {
			t.pairs[pair(out[n-1].id, left)] -= count
			if p := pair(out[n-1].id, merged); fits(out[n-1], s) {
				t.pairs[p] += count
				found.add(p, i)
			}
		}
		k++
		if k+1 < len(w) {
			t.pairs[pair(right, w[k+1].id)] -= count
			if p := pair(merged, w[k+1].id); fits(s, w[k+1]) {
				t.pairs[p] += count
				found.add(p, i)
			}
		}
		out = append(out, s)
	}
	t.words[i] = out
}
