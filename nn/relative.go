package nn

import (
	"math"
	"sync/atomic"

	"github.com/fovea-ml/fovea/autograd"
)

// RelativePositionBias is a learned number for each head and each offset between two patches of a grid, added to
// attention scores (BEiT, arXiv 2106.08254; Swin, arXiv 2103.14030).
type RelativePositionBias struct {
	Table *autograd.Parameter // [entries, heads]; see RelativePositionIndex
	Index []int               // RelativePositionIndex of the grid

	gathered atomic.Pointer[gatheredBias]
}

// A gatheredBias is the bias of all pairs of tokens, gathered from one version of the table and kept for inference.
type gatheredBias struct {
	table   *autograd.Parameter
	version uint64
	values  []float32
}

// NewRelativePositionBias returns a bias of zeros for a grid of height×width patches, with a class token before them or
// none.
func NewRelativePositionBias(height, width, heads int, classToken bool) *RelativePositionBias {
	entries := (2*height - 1) * (2*width - 1)
	if classToken {
		entries += 3
	}
	return &RelativePositionBias{
		Table: autograd.NewParameter(entries, heads),
		Index: RelativePositionIndex(height, width, classToken),
	}
}

// Forward returns the bias of all pairs of tokens, [heads, tokens, tokens]. Inference gathers it once and keeps it
// until the table changes.
func (r *RelativePositionBias) Forward(t *autograd.Tape) *autograd.Tensor {
	tokens, heads := int(math.Sqrt(float64(len(r.Index)))), r.Table.Shape()[1]
	if !t.Inference() {
		return r.gather(t, tokens)
	}
	g := r.gathered.Load()
	if g == nil || g.table != r.Table || g.version != r.Table.Version() {
		version := r.Table.Version()
		g = &gatheredBias{r.Table, version, r.gather(t, tokens).Floats(nil)}
		r.gathered.Store(g)
	}
	return t.Borrow(g.values, heads, tokens, tokens)
}

func (r *RelativePositionBias) gather(t *autograd.Tape, tokens int) *autograd.Tensor {
	return autograd.Permute(t.Embedding(r.Table, r.Index, tokens, tokens), 2, 0, 1)
}

// RelativePositionIndex returns the row of the table for each pair of tokens of a grid of height×width patches,
// [tokens, tokens], queries before keys (gen_relative_position_index in timm/models/beit.py and, without a class token,
// in timm/layers/pos_embed_rel.py). The row of two patches is (dy + height - 1)·(2·width - 1) + dx + width - 1 for a
// query dy rows below and dx columns to the right of its key. Three more rows belong to a class token: one as the query,
// one as the key, one as both.
func RelativePositionIndex(height, width int, classToken bool) []int {
	first := 0
	if classToken {
		first = 1
	}
	tokens, offsets := first+height*width, (2*height-1)*(2*width-1)
	index := make([]int, 0, tokens*tokens)
	for q := range tokens {
		for k := range tokens {
			switch a, b := q-first, k-first; {
			case a < 0 && b < 0:
				index = append(index, offsets+2)
			case b < 0:
				index = append(index, offsets+1)
			case a < 0:
				index = append(index, offsets)
			default:
				dy, dx := a/width-b/width, a%width-b%width
				index = append(index, (dy+height-1)*(2*width-1)+dx+width-1)
			}
		}
	}
	return index
}
