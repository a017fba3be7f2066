package train

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/text/internal/model"
)

// UnigramOptions describe the vocabulary of [Unigram].
type UnigramOptions struct {
	Size            int      // tokens of the vocabulary; 0 is 8000
	Special         []string // the first tokens of the vocabulary
	Alphabet        []rune   // characters to keep, beside those of the words
	Unknown         string   // the unknown token, put first where Special lacks it; "": the model has none
	ShrinkingFactor float64  // the share of the pieces that each round keeps; 0 is 0.75
	MaxChars        int      // characters of a token; 0 is 16
	SubIterations   int      // steps of expectation maximization in a round; 0 is 2
	SeedSize        int      // pieces to begin with; 0 is 1000000

	// Progress, if any, is called after each step of expectation maximization with the number of pieces and the size.
	Progress func(done, total int)
}

// Unigram returns the pieces of a Unigram model (tokenizers, unigram/trainer.rs). The caller sets the other options.
// Scores have 15 digits, so that every reader of their JSON reads the same numbers. An error is one of the words or of
// the context.
func Unigram(ctx context.Context, words iter.Seq2[string, int], o UnigramOptions) (model.UnigramOptions, error) {
	o, err := o.complete()
	if err != nil {
		return model.UnigramOptions{}, err
	}
	list, err := collect(words)
	if err != nil {
		return model.UnigramOptions{}, err
	}
	required := required(list, o.Alphabet)
	room := o.Size - len(o.Special)
	if o.Unknown != "" && !slices.Contains(o.Special, o.Unknown) {
		room--
	}
	if len(required) > room {
		return model.UnigramOptions{}, fmt.Errorf("size %d: expected at least %d, for the characters and the special tokens", o.Size, o.Size+len(required)-room)
	}
	t := &pruner{ctx: ctx, words: list, o: o}
	pieces, err := t.run()
	if err != nil {
		return model.UnigramOptions{}, err
	}
	return finish(pieces, required, room, o), nil
}

// complete checks the options and sets the defaults.
func (o UnigramOptions) complete() (UnigramOptions, error) {
	for _, s := range append(slices.Clone(o.Special), o.Unknown) {
		if !utf8.ValidString(s) {
			return o, fmt.Errorf("token %q: expected UTF-8", s)
		}
	}
	if o.Size < 0 || o.MaxChars < 0 || o.SubIterations < 0 || o.SeedSize < 0 {
		return o, fmt.Errorf("size %d, characters of a token %d, steps of a round %d and pieces to begin with %d: expected at least 0",
			o.Size, o.MaxChars, o.SubIterations, o.SeedSize)
	}
	o.Size, o.MaxChars = cmp.Or(o.Size, 8000), cmp.Or(o.MaxChars, 16)
	o.SubIterations, o.SeedSize = cmp.Or(o.SubIterations, 2), cmp.Or(o.SeedSize, 1000000)
	if o.ShrinkingFactor = cmp.Or(o.ShrinkingFactor, 0.75); !(o.ShrinkingFactor > 0 && o.ShrinkingFactor < 1) {
		return o, fmt.Errorf("shrinking factor: expected a number between 0 and 1, found %v", o.ShrinkingFactor)
	}
	return o, nil
}

// required returns the characters that the vocabulary must have, in their order.
func required(words []word, alphabet []rune) []string {
	seen := map[rune]bool{}
	for _, w := range words {
		for _, r := range w.text {
			seen[r] = true
		}
	}
	for _, r := range alphabet {
		seen[r] = true
	}
	out := make([]string, 0, len(seen))
	for r := range seen {
		out = append(out, string(r))
	}
	slices.Sort(out)
	return out
}

// pruner trains Unigram.
type pruner struct {
	ctx   context.Context
	words []word
	o     UnigramOptions
}

// run returns more pieces than the vocabulary has room for, without the unknown one.
func (t *pruner) run() ([]model.Piece, error) {
	pieces := []model.Piece{{}} // the unknown piece
	sum := 0.0
	list := seeds(t.words, t.o.MaxChars, t.o.SeedSize)
	for _, s := range list {
		sum += s.weight
	}
	for _, s := range list {
		pieces = append(pieces, model.Piece{Token: s.text, Score: math.Log(s.weight) - math.Log(sum)})
	}
	wanted := t.o.Size * 11 / 10
	for {
		for range t.o.SubIterations {
			expected, err := t.expect(newScorer(pieces))
			if err != nil {
				return nil, err
			}
			pieces = maximize(pieces, expected)
			if t.o.Progress != nil {
				t.o.Progress(len(pieces), t.o.Size)
			}
		}
		if len(pieces) <= wanted {
			return pieces[1:], nil
		}
		before := len(pieces)
		var err error
		if pieces, err = t.prune(pieces, max(wanted, int(float64(len(pieces))*t.o.ShrinkingFactor))); err != nil {
			return nil, err
		}
		if len(pieces) == before {
			return pieces[1:], nil
		}
	}
}

// shards is the number of parts in which sums over the words are taken. It does not depend on the number of threads, so
// the sums do not either.
const shards = 8

// each calls work for each word of each shard, with goroutines for the shards.
func (t *pruner) each(work func(shard, index int, l *lattice)) error {
	var group sync.WaitGroup
	var next atomic.Int32
	for range min(shards, runtime.GOMAXPROCS(0)) {
		group.Go(func() {
			var l lattice
			for {
				shard := int(next.Add(1)) - 1
				if shard >= shards {
					return
				}
				for i := len(t.words) * shard / shards; i < len(t.words)*(shard+1)/shards; i++ {
					if i%1024 == 0 && t.ctx.Err() != nil {
						return
					}
					work(shard, i, &l)
				}
			}
		})
	}
	group.Wait()
	return t.ctx.Err()
}

// expect returns how often each piece is expected to occur.
func (t *pruner) expect(s *scorer) ([]float64, error) {
	parts := make([][]float64, shards)
	for i := range parts {
		parts[i] = make([]float64, len(s.pieces))
	}
	err := t.each(func(shard, i int, l *lattice) {
		w := t.words[i]
		l.fill(s, w.text)
		l.expect(len(w.text), float64(w.count), parts[shard])
	})
	return total(parts), err
}

// total adds slices in their order.
func total(parts [][]float64) []float64 {
	for _, p := range parts[1:] {
		for i, x := range p {
			parts[0][i] += x
		}
	}
	return parts[0]
}

// maximize drops rare pieces and sets the scores of the others. The digamma function in place of the logarithm favors
// few pieces (P. Liang and D. Klein, "Structured Bayesian nonparametric models with variational inference", ACL 2007).
func maximize(pieces []model.Piece, expected []float64) []model.Piece {
	const rare = 0.5
	out := []model.Piece{pieces[0]}
	sum := 0.0
	for i, x := range expected {
		if i > 0 && x >= rare {
			out = append(out, model.Piece{Token: pieces[i].Token, Score: digamma(x)})
			sum += x
		}
	}
	for i := range out[1:] {
		out[i+1].Score -= digamma(sum)
	}
	return out
}

// digamma returns the derivative of the logarithm of the gamma function at x > 0: recurrence up to 7, then the
// asymptotic series at x - 1/2.
func digamma(x float64) float64 {
	y := 0.0
	for ; x < 7; x++ {
		y -= 1 / x
	}
	x -= 0.5
	q := 1 / (x * x)
	return y + math.Log(x) + q*(1.0/24-q*(7.0/960-q*(31.0/8064-q*(127.0/30720))))
}

// prune keeps about size pieces: all that have no alternative, and those whose loss would cost the most likelihood.
func (t *pruner) prune(pieces []model.Piece, size int) ([]model.Piece, error) {
	s := newScorer(pieces)
	frequency, err := t.frequencies(s)
	if err != nil {
		return nil, err
	}
	sum, words := 0.0, 0.0
	for _, f := range frequency {
		sum += f
	}
	for _, w := range t.words {
		words += float64(w.count)
	}
	type loss struct {
		id   int
		loss float64
	}
	var losses []loss
	out := []model.Piece{pieces[0]}
	var l lattice
	for id := 1; id < len(pieces); id++ {
		alternatives, first := l.alternatives(s, pieces[id].Token)
		switch f := frequency[id]; {
		case f == 0 && !first:
			// It is on no best way.
		case len(alternatives) == 0:
			out = append(out, pieces[id])
		case f > 0:
			// Its occurrences go to the alternatives.
			after := math.Log(sum + f*float64(len(alternatives)-1))
			change := math.Log(f) - math.Log(sum)
			for _, a := range alternatives {
				change -= math.Log(frequency[a]+f) - after
			}
			losses = append(losses, loss{id, f / words * change})
		}
	}
	slices.SortStableFunc(losses, func(a, b loss) int { return cmp.Compare(b.loss, a.loss) })
	for _, c := range losses {
		if len(out) >= size {
			break
		}
		out = append(out, pieces[c.id])
	}
	return out, nil
}

// frequencies returns how often each piece is on the best ways of the words.
func (t *pruner) frequencies(s *scorer) ([]float64, error) {
	parts := make([][]float64, shards)
	for i := range parts {
		parts[i] = make([]float64, len(s.pieces))
	}
	err := t.each(func(shard, i int, l *lattice) {
		w := t.words[i]
		l.fill(s, w.text)
		l.viterbi(len(w.text), nil)
		l.path(func(id int32) { parts[shard][id] += float64(w.count) })
	})
	return total(parts), err
}

// alternatives returns the pieces of the best way to spell a piece without it, or nothing where it is not its own best
// way or has no other. first reports whether it is the best way.
func (l *lattice) alternatives(s *scorer, text string) (ids []int32, first bool) {
	n := len(text)
	l.fill(s, text)
	whole := func(e edge) bool { return e.start == 0 && int(e.end) == n }
	l.viterbi(n, whole)
	if l.best[n].edge < 0 {
		return nil, true
	}
	if own := l.edges[slices.IndexFunc(l.edges, whole)].score; own < l.best[n].score {
		return nil, false
	}
	l.path(func(id int32) { ids = append(ids, id) })
	return ids, true
}

// finish returns the vocabulary: the special tokens, then the pieces from the highest score down. Required characters
// that are no pieces get scores just above the lowest.
func finish(pieces []model.Piece, required []string, room int, o UnigramOptions) model.UnigramOptions {
	scores := map[string]float64{}
	least := math.Inf(1)
	for _, p := range pieces {
		scores[p.Token] = p.Score
		least = min(least, p.Score)
	}
	if len(pieces) == 0 {
		least = 0
	}
	taken := map[string]bool{}
	var kept []model.Piece
	above := 0.0
	for _, c := range required {
		score, ok := scores[c]
		if !ok {
			score = least + above
			above += 0.0001
		}
		taken[c] = true
		kept = append(kept, model.Piece{Token: c, Score: score})
	}
	for _, p := range pieces {
		if len(kept) >= room {
			break
		}
		if !taken[p.Token] {
			kept = append(kept, p)
		}
	}
	slices.SortStableFunc(kept, func(a, b model.Piece) int { return cmp.Compare(b.Score, a.Score) })
	out := model.UnigramOptions{}
	if o.Unknown != "" {
		at := slices.Index(o.Special, o.Unknown)
		if at < 0 {
			out.Pieces = append(out.Pieces, model.Piece{Token: o.Unknown})
		}
		out.Unknown = new(max(at, 0))
	}
	for _, s := range o.Special {
		out.Pieces = append(out.Pieces, model.Piece{Token: s})
	}
	for _, p := range kept {
		p.Score, _ = strconv.ParseFloat(strconv.FormatFloat(p.Score, 'g', 15, 64), 64)
		out.Pieces = append(out.Pieces, p)
	}
	return out
}
