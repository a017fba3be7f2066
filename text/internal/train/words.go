package train

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
	"unicode/utf8"
)

// word is a word of the corpus and how often it occurs.
type word struct {
	text  string
	count int
}

// collect adds the counts of equal words and sorts the words by their bytes. Words that are empty or that never occur
// are left out.
func collect(words iter.Seq2[string, int]) ([]word, error) {
	counts := map[string]int{}
	total := 0
	for text, count := range words {
		switch {
		case count < 0 || count > math.MaxInt-total:
			return nil, fmt.Errorf("count of the word %q: expected at least 0 and a sum of at most %d, found %d", text, math.MaxInt, count)
		case !utf8.ValidString(text):
			return nil, fmt.Errorf("word %q: expected UTF-8", text)
		case text != "" && count > 0:
			counts[text] += count
			total += count
		}
	}
	out := make([]word, 0, len(counts))
	for text, count := range counts {
		out = append(out, word{text, count})
	}
	slices.SortFunc(out, func(a, b word) int { return cmp.Compare(a.text, b.text) })
	return out, nil
}
