package train

import (
	"math"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/text/internal/model"
	"github.com/fovea-ml/fovea/text/internal/trie"
)

// scorer holds the pieces of one step of training and walks over the ways to cut words into them. Piece 0 stands for
// unknown characters and has no text.
type scorer struct {
	pieces []model.Piece
	trie   *trie.Trie // of the pieces after the first, whose numbers are one less
	low    float64    // the score of an unknown character
}

func newScorer(pieces []model.Piece) *scorer {
	texts := make([]string, len(pieces)-1)
	least := math.Inf(1)
	for i, p := range pieces[1:] {
		texts[i] = p.Token
		least = min(least, p.Score)
	}
	return &scorer{pieces: pieces, trie: trie.New(texts), low: least - 10}
}

// edge is a piece at a place in a word.
type edge struct {
	start, end int32
	id         int32
	score      float64
}

// lattice holds the pieces in one word.
type lattice struct {
	edges []edge    // by start, short ones first
	alpha []float64 // of each place: the logarithm of the probability of the text before it
	beta  []float64 // and of the text after it
	best  []step
}

// step is the best way to reach a place.
type step struct {
	score float64
	edge  int32 // -1: none is known
}

// fill finds the pieces in a word. As in the reference, a character that is no piece may be unknown.
func (l *lattice) fill(s *scorer, word string) {
	l.edges = l.edges[:0]
	for at := 0; at < len(word); {
		_, n := utf8.DecodeRuneInString(word[at:])
		single := false
		node := trie.Root
		for i := at; i < len(word); i++ {
			child, ok := s.trie.Child(node, word[i])
			if !ok {
				break
			}
			node = child
			if v := s.trie.Value(node); v >= 0 {
				id := int32(v) + 1
				l.edges = append(l.edges, edge{int32(at), int32(i + 1), id, s.pieces[id].Score})
				single = single || i+1 == at+n
			}
		}
		if !single {
			l.edges = append(l.edges, edge{int32(at), int32(at + n), 0, s.low})
		}
		at += n
	}
}

// viterbi finds the best way to each place of a word of n bytes, without the edges for which skip is true.
func (l *lattice) viterbi(n int, skip func(edge) bool) {
	l.best = append(l.best[:0], make([]step, n+1)...)
	for i := range l.best {
		l.best[i] = step{edge: -1}
	}
	for i, e := range l.edges {
		if e.start > 0 && l.best[e.start].edge < 0 || skip != nil && skip(e) {
			continue
		}
		if sum := l.best[e.start].score + e.score; l.best[e.end].edge < 0 || sum > l.best[e.end].score {
			l.best[e.end] = step{sum, int32(i)}
		}
	}
}

// path calls each for the pieces on the best way, from the last to the first.
func (l *lattice) path(each func(id int32)) {
	for end := int32(len(l.best) - 1); end > 0; {
		e := l.edges[l.best[end].edge]
		each(e.id)
		end = e.start
	}
}

// expect adds to expected how often each piece occurs in a word of n bytes that occurs count times: the sum over all
// ways to cut it, weighted by their probabilities.
func (l *lattice) expect(n int, count float64, expected []float64) {
	l.alpha, l.beta = impossible(l.alpha, n+1), impossible(l.beta, n+1)
	l.alpha[0], l.beta[n] = 0, 0
	for _, e := range l.edges {
		l.alpha[e.end] = logAdd(l.alpha[e.end], l.alpha[e.start]+e.score)
	}
	for i := len(l.edges) - 1; i >= 0; i-- {
		e := l.edges[i]
		l.beta[e.start] = logAdd(l.beta[e.start], l.beta[e.end]+e.score)
	}
	z := l.alpha[n]
	for _, e := range l.edges {
		expected[e.id] += count * math.Exp(l.alpha[e.start]+e.score+l.beta[e.end]-z)
	}
}

// impossible returns n logarithms of zero, in the memory of s where it is large enough.
func impossible(s []float64, n int) []float64 {
	s = append(s[:0], make([]float64, n)...)
	for i := range s {
		s[i] = math.Inf(-1)
	}
	return s
}

// logAdd returns log(exp(a) + exp(b)).
func logAdd(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if b < a-50 {
		return a
	}
	return a + math.Log1p(math.Exp(b-a))
}
