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

// on returns the bias for another grid, or for the layer's own where g is nil.
func (r *RelativePositionBias) on(t *autograd.Tape, g *RelativeGrid) *autograd.Tensor {
	if g == nil {
		return r.Forward(t)
	}
	tokens, heads := int(math.Sqrt(float64(len(g.index)))), r.Table.Shape()[1]
	pairs := autograd.GatherRows(g.Resize(t.Use(r.Table)), g.index)
	return autograd.Permute(autograd.Reshape(pairs, tokens, tokens, heads), 2, 0, 1)
}

// A RelativeGrid resizes the tables of [RelativePositionBias] for another grid of patches: the offsets between patches by
// bilinear interpolation (BeitRelativePositionBias in transformers' modeling_beit.py). It serves any number of layers.
type RelativeGrid struct {
	from, to [2]int // height and width
	index    []int
}

// NewRelativeGrid returns one for tables of a grid of fromHeight×fromWidth patches and images of height×width patches.
func NewRelativeGrid(fromHeight, fromWidth, height, width int, classToken bool) *RelativeGrid {
	return &RelativeGrid{[2]int{fromHeight, fromWidth}, [2]int{height, width}, RelativePositionIndex(height, width, classToken)}
}

// Resize returns the table for the images' grid, [entries, heads], from one for the other grid. The rows of a class token stay
// as they are.
func (g *RelativeGrid) Resize(table *autograd.Tensor) *autograd.Tensor {
	entries, heads := table.Dim(0), table.Dim(1)
	h, w := 2*g.from[0]-1, 2*g.from[1]-1
	offsets := autograd.Permute(autograd.Reshape(autograd.Slice(table, 0, 0, h*w), 1, h, w, heads), 0, 3, 1, 2)
	offsets = autograd.Resize2d(offsets, 2*g.to[0]-1, 2*g.to[1]-1, autograd.ResizeOptions{Mode: autograd.Bilinear})
	resized := autograd.Reshape(autograd.Permute(offsets, 0, 2, 3, 1), (2*g.to[0]-1)*(2*g.to[1]-1), heads)
	if entries == h*w {
		return resized
	}
	return autograd.Concat(0, resized, autograd.Slice(table, 0, h*w, entries))
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
