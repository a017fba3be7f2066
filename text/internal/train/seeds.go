package train

import (
	"cmp"
	"slices"
)

// seed is a substring and its weight.
type seed struct {
	text   string
	weight float64
}

// seeds returns the characters of the words, the most frequent first, and then the substrings that occur again and
// again, those with the largest product of length and occurrences first; at most limit altogether, but all characters.
//
// As in the reference, which takes the inner nodes of a suffix tree of the different words, a substring counts if two
// of its occurrences go on differently, and the ends of all words go on alike. Its occurrences are those in the
// different words.
func seeds(words []word, longest, limit int) []seed {
	// One text of all words, each behind a zero.
	var text []rune
	chars := map[rune]int{}
	for _, w := range words {
		for _, r := range w.text {
			text = append(text, r)
			if r != 0 {
				chars[r] += w.count
			}
		}
		text = append(text, 0)
	}
	var out []seed
	for r, count := range chars {
		out = append(out, seed{string(r), float64(count)})
	}
	byWeight := func(a, b seed) int { return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(b.text, a.text)) }
	slices.SortFunc(out, byWeight)

	f := finder{text: text, longest: longest}
	starts := make([]int, 0, len(text))
	for i, r := range text {
		if r != 0 {
			starts = append(starts, i)
		}
	}
	if len(starts) > 0 {
		f.split(starts, 0)
	}
	slices.SortFunc(f.found, func(a, b substring) int {
		return cmp.Or(cmp.Compare(b.weight(), a.weight()), slices.Compare(text[b.start:b.start+b.length], text[a.start:a.start+a.length]))
	})
	for _, s := range f.found {
		if len(out) >= limit {
			break
		}
		out = append(out, seed{string(text[s.start : s.start+s.length]), float64(s.weight())})
	}
	return out
}

// substring is a repeated part of a text.
type substring struct{ start, length, occurrences int }

func (s substring) weight() int { return s.length * s.occurrences }

// finder finds repeated substrings.
type finder struct {
	text    []rune
	longest int
	found   []substring
}

// split groups places of the text whose substrings of depth characters are equal by the character that follows, and
// goes on with the groups. There are at most longest calls inside each other.
func (f *finder) split(starts []int, depth int) {
	slices.SortFunc(starts, func(a, b int) int { return cmp.Compare(f.text[a+depth], f.text[b+depth]) })
	different := f.text[starts[0]+depth] != f.text[starts[len(starts)-1]+depth]
	if different && depth >= 2 {
		f.found = append(f.found, substring{starts[0], depth, len(starts)})
	}
	if depth == f.longest {
		return
	}
	for len(starts) > 0 {
		c := f.text[starts[0]+depth]
		n := 1
		for n < len(starts) && f.text[starts[n]+depth] == c {
			n++
		}
		if n > 1 && c != 0 {
			f.split(starts[:n], depth+1)
		}
		starts = starts[n:]
	}
}
