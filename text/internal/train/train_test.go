package train

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/text/internal/model"
)

// TestDeterministic shuffles the words, splits their counts and changes the number of threads.
func TestDeterministic(t *testing.T) {
	words := textWords(t)
	train := func() []any {
		c := referenceCase{Words: words}
		bpe, err := BPE(t.Context(), c.words(), MergeOptions{Size: 1500, Prefix: new("##"), Suffix: "</w>"})
		if err != nil {
			t.Fatal(err)
		}
		unigram, err := Unigram(t.Context(), c.words(), UnigramOptions{Size: 1000, Unknown: "<unk>"})
		if err != nil {
			t.Fatal(err)
		}
		return []any{bpe, unigram}
	}
	want := train()
	for i, w := range words {
		if w.count > 1 {
			words[i].count--
			words = append(words, countedWord{w.text, 1})
		}
	}
	words = append(words, countedWord{"", 3}, countedWord{"never", 0})
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, threads := range []int{1, 3} {
		runtime.GOMAXPROCS(threads)
		if diff := cmp.Diff(want, train()); diff != "" {
			t.Errorf("%d threads: %s", threads, diff)
		}
	}
}

// TestCancel ends training with the context's error.
func TestCancel(t *testing.T) {
	c := referenceCase{Words: textWords(t)}
	calls := 0
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	progress := func(done, total int) {
		if calls++; calls == 2 {
			cancel()
		}
	}
	if _, err := BPE(ctx, c.words(), MergeOptions{Progress: progress}); !errors.Is(err, context.Canceled) || calls != 2 {
		t.Errorf("BPE: %v after %d calls", err, calls)
	}
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	calls = 0
	if _, err := Unigram(ctx, c.words(), UnigramOptions{Size: 300, Progress: progress}); !errors.Is(err, context.Canceled) || calls != 2 {
		t.Errorf("Unigram: %v after %d calls", err, calls)
	}
}

// TestErrors refuses words and options.
func TestErrors(t *testing.T) {
	good := maps.All(map[string]int{"abc": 3, "abd": 2})
	tests := []struct {
		name, want string
		train      func() error
	}{
		{"count", `count of the word "a": expected at least 0`, func() error {
			_, err := BPE(t.Context(), maps.All(map[string]int{"a": -1}), MergeOptions{})
			return err
		}},
		{"text", `word "\xff": expected UTF-8`, func() error {
			_, err := WordPiece(t.Context(), maps.All(map[string]int{"\xff": 1}), MergeOptions{})
			return err
		}},
		{"special", `token "\xff": expected UTF-8`, func() error {
			_, err := BPE(t.Context(), good, MergeOptions{Special: []string{"\xff"}})
			return err
		}},
		{"size", `size -1`, func() error {
			_, err := BPE(t.Context(), good, MergeOptions{Size: -1})
			return err
		}},
		{"small", `size 4: expected at least 5, for the characters and the special tokens`, func() error {
			_, err := Unigram(t.Context(), good, UnigramOptions{Size: 4, Unknown: "<unk>"})
			return err
		}},
		{"factor", `shrinking factor: expected a number between 0 and 1, found 1`, func() error {
			_, err := Unigram(t.Context(), good, UnigramOptions{ShrinkingFactor: 1})
			return err
		}},
	}
	for _, test := range tests {
		if err := test.train(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, expected %s", test.name, err, test.want)
		}
	}
}

// TestNoWords trains on nothing.
func TestNoWords(t *testing.T) {
	none := maps.All(map[string]int{})
	bpe, err := BPE(t.Context(), none, MergeOptions{Special: []string{"<s>"}, Alphabet: []rune("ba")})
	if want := model.Entries([]string{"<s>", "a", "b"}); err != nil || !cmp.Equal(bpe.Vocabulary, want) {
		t.Errorf("%v, %v, expected %v", bpe.Vocabulary, err, want)
	}
	unigram, err := Unigram(t.Context(), none, UnigramOptions{Unknown: "<unk>", Alphabet: []rune("a")})
	if want := []string{"<unk>", "a"}; err != nil || len(unigram.Pieces) != 2 || unigram.Pieces[1].Token != want[1] {
		t.Errorf("%v, %v, expected %v", unigram.Pieces, err, want)
	}
}

// TestSeeds compares with all substrings, counted one by one.
func TestSeeds(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		var words []word
		seen := map[string]bool{}
		for range 1 + rng.IntN(10) {
			var b strings.Builder
			for range 1 + rng.IntN(9) {
				b.WriteByte("ab"[rng.IntN(2)])
			}
			if !seen[b.String()] {
				words = append(words, word{b.String(), 1})
			}
			seen[b.String()] = true
		}
		occurrences, next := map[string]int{}, map[string]map[byte]bool{}
		for _, w := range words {
			text := w.text + "\x00"
			for i := range text {
				for k := i + 2; k < len(text) && k-i <= 4; k++ {
					s := text[i:k]
					if occurrences[s]++; next[s] == nil {
						next[s] = map[byte]bool{}
					}
					next[s][text[k]] = true
				}
			}
		}
		var want []seed
		for s, n := range occurrences {
			if len(next[s]) > 1 {
				want = append(want, seed{s, float64(n * len(s))})
			}
		}
		got := seeds(words, 4, 1000)
		got = slices.DeleteFunc(got, func(s seed) bool { return len(s.text) == 1 })
		byText := func(a, b seed) int { return strings.Compare(a.text, b.text) }
		slices.SortFunc(want, byText)
		slices.SortFunc(got, byText)
		if !slices.Equal(got, want) {
			t.Fatalf("%v: %v, expected %v", words, got, want)
		}
	}
}

// TestDigamma compares with known values.
func TestDigamma(t *testing.T) {
	for x, want := range map[float64]float64{0.5: -1.9635100260214235, 1: -0.5772156649015329, 10: 2.251752589066721} {
		if got := digamma(x); got < want-1e-9 || got > want+1e-9 {
			t.Errorf("digamma(%v) = %v, expected %v", x, got, want)
		}
	}
}
