package index

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"

	"github.com/fovea-ml/fovea/simd"
)

// A Hit is one result of a search.
type Hit struct {
	ID    int64
	Score float32 // the cosine or the inner product; higher is closer
}

// SearchOptions restrict a search. The zero value searches all vectors.
type SearchOptions struct {
	// IDs, if not nil, are the only ones to be found. Few of them take far less time than a search of everything. Those
	// that the index lacks are left out.
	IDs []int64

	// Filter, if not nil, reports whether an id may be found. It is asked only for vectors that would be among the best so
	// far, by several goroutines at once.
	Filter func(id int64) bool
}

// Search returns the k vectors with the highest scores, the highest first, or all where there are fewer. Equal scores
// are in the order of their ids. The result has the same bits however many cores work, and whatever the order in which
// vectors were added.
//
// A vector whose score is not a number, because of an overflow, is not found. Search returns an error when k is
// negative, when the query has another number of components than the index or one that is not finite, or when ctx is
// done.
func (x *Index) Search(ctx context.Context, vector []float32, k int, o SearchOptions) ([]Hit, error) {
	hits, err := x.SearchMany(ctx, [][]float32{vector}, k, o)
	if err != nil {
		return nil, err
	}
	return hits[0], nil
}

// SearchMany is Search for several vectors, with the same results in less time than a call for each. It reads the
// vectors of the index once for up to 256 queries. From 16 queries on, matrix products find the rows of Float32 and
// Float16 that can be among the best, several times faster than a score for each.
func (x *Index) SearchMany(ctx context.Context, vectors [][]float32, k int, o SearchOptions) ([][]Hit, error) {
	if k < 0 {
		return nil, fmt.Errorf("index: search: expected a k of at least 0, found %d", k)
	}
	queries := make([]*query, len(vectors))
	for i, vector := range vectors {
		v := make([]float32, x.options.Dim)
		if err := x.options.prepare(v, vector); err != nil {
			return nil, fmt.Errorf("index: search: vector %d: %w", i, err)
		}
		queries[i] = newQuery(x.options, v)
	}
	s := x.state.Load()
	spans := s.spans(o.IDs)
	hits := make([][]Hit, 0, len(queries))
	for part := range slices.Chunk(queries, queriesAtOnce) {
		hits = append(hits, x.search(ctx, spans, part, k, o.Filter)...)
	}
	runtime.KeepAlive(s) // mappings end with the state that refers to them
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("index: search: %w", err)
	}
	return hits, nil
}

const (
	// queriesAtOnce bounds the memory of results that are not yet complete.
	queriesAtOnce = 256

	// leastRows is the number of vectors that are worth a goroutine.
	leastRows = 1 << 10

	// pieceRows is the number of vectors scored at a time. Their scores stay in the nearest cache.
	pieceRows = 64

	// pieceBytes is the size of the vectors that several queries read in turn: most of the nearest cache.
	pieceBytes = 24 << 10
)

// spans returns the rows to be searched: all, or those of some ids.
func (s *state) spans(ids []int64) (spans []run) {
	if ids == nil {
		for _, g := range s.segments {
			spans = append(spans, run{g, 0, len(g.ids)})
		}
		return spans
	}
	ids = slices.Clone(ids)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	for _, g := range s.segments {
		for _, row := range g.rowsOf(ids) {
			if n := len(spans); n > 0 && spans[n-1].segment == g && spans[n-1].to == row {
				spans[n-1].to++
			} else {
				spans = append(spans, run{g, row, row + 1})
			}
		}
	}
	return spans
}

// search returns the hits of each query among the rows of spans. It ends early when ctx is done.
func (x *Index) search(ctx context.Context, spans []run, queries []*query, k int, filter func(int64) bool) [][]Hit {
	total := 0
	for _, s := range spans {
		total += s.to - s.from
	}
	k = min(k, total)
	// Several parts a core, so that all end at about the same time.
	parts := max(1, min(4*x.Workers.Limit(), total/leastRows))
	if x.Workers.Limit() == 1 {
		parts = 1
	}
	product := x.product(queries)
	found := make([][]best, parts)
	x.Workers.For(parts, func(p int) {
		own := make([]best, len(queries))
		for i := range own {
			own[i].k = k
		}
		scan := func(r run) { x.scan(ctx, r, queries, own, filter) }
		if product != nil {
			b := product.blocks()
			scan = func(r run) { b.scan(ctx, r, own, filter) }
		}
		first, last := part(total, p, parts), part(total, p+1, parts)
		for _, s := range spans {
			n := s.to - s.from
			if from, to := max(0, first), min(n, last); from < to && k > 0 {
				scan(run{s.segment, s.from + from, s.from + to})
			}
			first, last = first-n, last-n
			if last <= 0 {
				break
			}
		}
		found[p] = own
	})
	hits := make([][]Hit, len(queries))
	for i := range queries {
		var all []Hit
		for _, own := range found {
			all = append(all, own[i].hits...)
		}
		slices.SortFunc(all, func(a, b Hit) int {
			if closer(a, b) {
				return -1
			}
			return 1
		})
		hits[i] = slices.Clip(all[:min(k, len(all))])
	}
	return hits
}

// part returns where part p of several begins.
func part(total, p, parts int) int {
	return total/parts*p + min(p, total%parts)
}

// scan offers the rows of a run to the best of each query.
func (x *Index) scan(ctx context.Context, r run, queries []*query, found []best, filter func(int64) bool) {
	n := pieceRows
	if len(queries) > 1 {
		n = max(4, min(n, pieceBytes/x.options.rowSize()/4*4))
	}
	var buffer [pieceRows]float32
	for at := r.from; at < r.to; at += n {
		scores := buffer[:min(n, r.to-at)]
		for i, q := range queries {
			r.score(scores, q, at)
			found[i].offer(r.segment, at, scores, filter)
		}
		if (at-r.from)/n%16 == 0 && ctx.Err() != nil {
			return
		}
	}
}

// best holds the closest k hits so far, as a heap with the last of them at the root.
type best struct {
	k    int
	hits []Hit
}

// closer reports whether a comes before b.
func closer(a, b Hit) bool {
	return a.Score > b.Score || a.Score == b.Score && a.ID < b.ID
}

// offer takes the scores of consecutive rows.
func (b *best) offer(g *segment, row int, scores []float32, filter func(int64) bool) {
	least := float32(math.Inf(-1))
	if len(b.hits) == b.k {
		if least = b.hits[0].Score; simd.MaxNumber(scores) < least {
			return
		}
	}
	for i, score := range scores {
		if !(score >= least) { // lower, or not a number
			continue
		}
		h := Hit{g.ids[row+i], score}
		if len(b.hits) == b.k && !closer(h, b.hits[0]) || g.isDeleted(row+i) || filter != nil && !filter(h.ID) {
			continue
		}
		b.push(h)
		if len(b.hits) == b.k {
			least = b.hits[0].Score
		}
	}
}

// push adds a hit. When there are k already, it takes the place of the last.
func (b *best) push(h Hit) {
	if len(b.hits) < b.k {
		b.hits = append(b.hits, h)
		for i := len(b.hits) - 1; i > 0; {
			up := (i - 1) / 2
			if !closer(b.hits[up], b.hits[i]) {
				break
			}
			b.hits[up], b.hits[i] = b.hits[i], b.hits[up]
			i = up
		}
		return
	}
	i := 0
	for {
		c := 2*i + 1
		if c >= len(b.hits) {
			break
		}
		if c+1 < len(b.hits) && closer(b.hits[c], b.hits[c+1]) {
			c++
		}
		if !closer(h, b.hits[c]) {
			break
		}
		b.hits[i] = b.hits[c]
		i = c
	}
	b.hits[i] = h
}
