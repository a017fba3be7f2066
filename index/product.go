package index

import (
	"context"
	"math"

	"github.com/fovea-ml/fovea/simd"
)

// A product compares many queries with blocks of rows: one matrix product gives all scores of a block. It adds in
// another order than [rows.score] does, so its scores differ in their last bits, by a margin that is known. Rows that
// could be among the best are scored again by themselves. Such rows are few, and the hits have the bits of a search for
// one query.
type product struct {
	index   *Index
	queries []*query
	packed  *simd.Packed // [dim, queries]
	lengths []float64    // of the queries
	longest float64
}

const (
	// leastQueries is the number of queries from which on a product is faster than a score for each.
	leastQueries = 16

	// blockRows is the number of rows in a product. They stay in the second-level cache, with their scores and the
	// queries.
	blockRows = 128

	// blockValues bounds the memory of a block of long vectors.
	blockValues = 1 << 19

	// largestLengths bounds the length of a row times that of a query. The sums of such vectors stay finite.
	largestLengths = 1e37
)

// product returns the product of queries, or nil where it is no faster. The kernel of Int8 is as fast by itself.
func (x *Index) product(queries []*query) *product {
	if len(queries) < leastQueries || x.options.Type == Int8 {
		return nil
	}
	dim := x.options.Dim
	p := &product{index: x, queries: queries, lengths: make([]float64, len(queries))}
	values := make([]float32, 0, len(queries)*dim)
	for i, q := range queries {
		values = append(values, q.floats...)
		p.lengths[i] = lengthBound(q.floats)
		p.longest = max(p.longest, p.lengths[i])
	}
	p.packed = simd.Pack(x.Workers, dim, len(queries), simd.Matrix{Data: values, Stride: dim, Trans: true}, simd.PackOptions{})
	return p
}

// lengthBound returns at least the length of a vector, and little more. Squares may underflow; after an overflow it is
// +Inf, and NaN if a component is.
func lengthBound(v []float32) float64 {
	return math.Sqrt(1.01*float64(simd.SumSquares(v)) + 0x1p-148*float64(len(v)))
}

// margin bounds the difference between the two scores of vectors a and b, given the product of their lengths. A sum in
// which no summand passes through more than n roundings has an error of about n·2⁻²⁴·Σ|aᵢbᵢ| at most, and Σ|aᵢbᵢ| ≤
// |a||b|. In a matrix product n is less than 96 for a chain, 4 for a block and one for each block of 384; in [simd.Dot]
// it is less than 40. Each operation on denormal numbers adds 2⁻¹⁵⁰.
func margin(dim int, lengths float64) float64 {
	n := 200 + float64(dim/384)
	return n*0x1p-24*lengths + 0x1p-147*float64(dim)
}

// blocks is the memory in which a goroutine forms products.
type blocks struct {
	*product
	rows   int       // of a block
	values []float32 // of its rows, where they are not float32
	scores []float32 // [rows, queries], minus the limits
	limits []float32 // of queries, negative: a row whose score is below the limit is not among the best
}

func (p *product) blocks() *blocks {
	dim := p.index.options.Dim
	b := &blocks{product: p, rows: max(4, min(blockRows, blockValues/dim))}
	b.limits = make([]float32, len(p.queries))
	b.scores = make([]float32, b.rows*len(p.queries))
	if p.index.options.Type != Float32 {
		b.values = make([]float32, b.rows*dim)
	}
	return b
}

// scan offers the rows of a run to the best of each query.
func (b *blocks) scan(ctx context.Context, r run, found []best, filter func(int64) bool) {
	for at := r.from; at < r.to && ctx.Err() == nil; at += b.rows {
		b.block(ctx, run{r.segment, at, min(at+b.rows, r.to)}, found, filter)
	}
}

func (b *blocks) block(ctx context.Context, r run, found []best, filter func(int64) bool) {
	rows, queries := r.to-r.from, len(b.queries)
	values := r.float32s(b.values, r.from, rows)
	longest := 0.0
	for i := range rows {
		longest = max(longest, lengthBound(values[i*r.dim:][:r.dim])) // NaN stays
	}
	if len(found[0].hits) < found[0].k || !(longest*b.longest < largestLengths) {
		b.index.scan(ctx, r, b.queries, found, filter)
		return
	}
	for i := range found {
		b.limits[i] = -found[i].limit(margin(r.dim, longest*b.lengths[i]))
	}
	x := simd.Matrix{Data: values, Stride: r.dim}
	simd.GemmPacked(nil, rows, x, b.packed, 0, b.scores, queries, &simd.Epilogue{Bias: b.limits})
	const group = 4 // rows: one alone takes as long
	for row := 0; row < rows; row += group {
		scores := b.scores[row*queries : min(row+group, rows)*queries]
		if simd.MaxNumber(scores) < 0 {
			continue
		}
		for i, q := range b.queries {
			top := scores[i]
			for at := i + queries; at < len(scores); at += queries {
				top = max(top, scores[at])
			}
			if top >= 0 {
				var again [group]float32
				exact := again[:len(scores)/queries]
				r.score(exact, q, r.from+row)
				found[i].offer(r.segment, r.from+row, exact, filter)
			}
		}
	}
}

// limit returns a score below which no row is among the best, if scores are wrong by at most the margin.
func (b *best) limit(margin float64) float32 {
	if len(b.hits) < b.k {
		return float32(math.Inf(-1))
	}
	exact := float64(b.hits[0].Score) - margin
	rounded := float32(exact)
	if float64(rounded) > exact {
		rounded = math.Nextafter32(rounded, float32(math.Inf(-1)))
	}
	return rounded
}
