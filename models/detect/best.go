package detect

import (
	"cmp"
	"slices"
)

// best returns the positions of the scores above the least, by descending score, at most as many as given. Of equal scores
// the first comes first.
func best(scores []float32, least float32, most int) []int {
	at := make([]int, 0, 2*most)
	// keep sorts what is there and keeps the best. A later score must exceed the worst of them.
	keep := func() {
		slices.SortFunc(at, func(i, j int) int { return cmp.Or(cmp.Compare(scores[j], scores[i]), i-j) })
		at = at[:min(len(at), most)]
	}
	for i, s := range scores {
		if !(s > least) {
			continue
		}
		if at = append(at, i); len(at) == 2*most {
			keep()
			least = scores[at[most-1]]
		}
	}
	keep()
	return at
}

// perLevel bounds the candidates of a level by default.
const perLevel = 1000
