package nn

import (
	"math"
	"slices"
	"sync/atomic"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/simd"
)

// RelativePositionBias is a number for each head and each offset between two patches of a grid, added to attention scores. Either
// the numbers are learned (BEiT, arXiv 2106.08254; Swin, arXiv 2103.14030), or layers compute them from the offsets (Swin V2, arXiv
// 2111.09883, section 3.3), which fits grids of any size.
type RelativePositionBias struct {
	Table *autograd.Parameter // [entries, heads]; see RelativePositionIndex; nil beside MLP
	// MLP, if not nil, maps offsets, [offsets, 2], to numbers, [offsets, heads]. Pairs with a class token then have 0.
	MLP     *MLP
	Offsets []float32 // RelativeLogOffsets of the grid, beside MLP
	Index   []int     // RelativePositionIndex of the grid

	gathered [simd.Int8 + 1]atomic.Pointer[gatheredBias] // by the arithmetic of the tape, which a table does not depend on
}

// A gatheredBias is the bias of all pairs of tokens, gathered from one version of the parameters and kept for inference.
type gatheredBias struct {
	from   versions
	values []float32
}

// versions are those of the parameters of a bias, and their limits of arithmetic.
type versions [4]struct {
	p       *autograd.Parameter
	version uint64
	limit   simd.Math
}

func (r *RelativePositionBias) versions() (v versions) {
	all := [len(v)]*autograd.Parameter{r.Table}
	if r.MLP != nil {
		all = [len(v)]*autograd.Parameter{r.MLP.FC1.Weight, r.MLP.FC1.Bias, r.MLP.FC2.Weight, r.MLP.FC2.Bias}
	}
	for i, p := range all {
		if p != nil {
			v[i].p, v[i].version, v[i].limit = p, p.Version(), p.MathLimit()
		}
	}
	return v
}

// adapted reports whether there are parameters beside those of versions.
func (r *RelativePositionBias) adapted() bool {
	return r.MLP != nil && len(r.MLP.FC1.Adapter)+len(r.MLP.FC2.Adapter) > 0
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

// NewRelativePositionMLP returns layers of zeros for RelativePositionBias.MLP, with ReLU between them. On a training tape, 1/8 of the
// hidden values is dropped, anew in each call, as in timm (RelPosMlp in timm/layers/pos_embed_rel.py, mode "cr").
func NewRelativePositionMLP(hidden, heads int) *MLP {
	return &MLP{FC1: NewLinear(2, hidden, true), FC2: NewLinear(hidden, heads, true), Act: autograd.ActRelu, Dropout: 0.125}
}

// Forward returns the bias of all pairs of tokens, [heads, tokens, tokens]. Inference gathers it once and keeps it
// until a parameter changes.
func (r *RelativePositionBias) Forward(t *autograd.Tape) *autograd.Tensor {
	if !t.Inference() || r.adapted() {
		return r.gather(t)
	}
	slot := &r.gathered[simd.Strict]
	if r.MLP != nil {
		slot = &r.gathered[t.Math()]
	}
	g, now := slot.Load(), r.versions()
	if g == nil || g.from != now {
		g = &gatheredBias{now, r.gather(t).Floats(nil)}
		slot.Store(g)
	}
	tokens := side(r.Index)
	return t.Borrow(g.values, len(g.values)/max(1, len(r.Index)), tokens, tokens)
}

// side returns the number of tokens of an index of all their pairs.
func side(index []int) int { return int(math.Sqrt(float64(len(index)))) }

func (r *RelativePositionBias) gather(t *autograd.Tape) *autograd.Tensor {
	if r.MLP != nil {
		return pairs(r.computed(t, r.Offsets, r.Index), r.Index)
	}
	return autograd.Permute(t.Embedding(r.Table, r.Index, side(r.Index), side(r.Index)), 2, 0, 1)
}

// computed returns the table that MLP gives for the offsets of a grid, [entries, heads]; the rows of a class token are zeros.
func (r *RelativePositionBias) computed(t *autograd.Tape, offsets []float32, index []int) *autograd.Tensor {
	n := len(offsets) / 2
	table := r.MLP.Forward(t.Input(offsets, n, 2), nil)
	if slices.Max(index) < n {
		return table
	}
	return autograd.Concat(0, table, t.Full(0, 3, table.Dim(1)))
}

// pairs gathers rows of a table for all pairs of tokens, [heads, tokens, tokens].
func pairs(table *autograd.Tensor, index []int) *autograd.Tensor {
	rows := autograd.GatherRows(table, index)
	return autograd.Permute(autograd.Reshape(rows, side(index), side(index), table.Dim(1)), 2, 0, 1)
}

// on returns the bias for another grid, or for the layer's own where g is nil.
func (r *RelativePositionBias) on(t *autograd.Tape, g *RelativeGrid) *autograd.Tensor {
	switch {
	case g == nil:
		return r.Forward(t)
	case r.MLP != nil:
		return pairs(r.computed(t, g.offsets, g.index), g.index)
	}
	return pairs(g.Resize(t.Use(r.Table)), g.index)
}

// A RelativeGrid applies [RelativePositionBias] to another grid of patches. A learned table is resized by bilinear interpolation
// over the offsets between patches (BeitRelativePositionBias in transformers' modeling_beit.py). An MLP is applied to the offsets of
// the other grid. One RelativeGrid serves any number of layers.
type RelativeGrid struct {
	from, to [2]int // height and width
	offsets  []float32
	index    []int
}

// NewRelativeGrid returns a RelativeGrid for biases of a grid of fromHeight×fromWidth patches and images of height×width patches.
func NewRelativeGrid(fromHeight, fromWidth, height, width int, classToken bool) *RelativeGrid {
	return &RelativeGrid{[2]int{fromHeight, fromWidth}, [2]int{height, width},
		RelativeLogOffsets(height, width), RelativePositionIndex(height, width, classToken)}
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

// RelativeLogOffsets returns the offsets between two patches of a grid of height×width, [(2·height - 1)·(2·width - 1), 2], in the
// order of [RelativePositionIndex]: sign(d)·log(1 + |d|) of the d rows and of the d columns between them
// (gen_relative_log_coords in timm/layers/pos_embed_rel.py, mode "cr").
func RelativeLogOffsets(height, width int) []float32 {
	logs := make([]float32, max(height, width))
	for d := range logs {
		logs[d] = float32(1 + d)
	}
	simd.Log(logs, logs)
	signed := func(d int) float32 {
		if d < 0 {
			return -logs[-d]
		}
		return logs[d]
	}
	offsets := make([]float32, 0, 2*(2*height-1)*(2*width-1))
	for dy := 1 - height; dy < height; dy++ {
		for dx := 1 - width; dx < width; dx++ {
			offsets = append(offsets, signed(dy), signed(dx))
		}
	}
	return offsets
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
