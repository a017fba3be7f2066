package nn

import "github.com/fovea-ml/fovea/autograd"

// MultiHeadAttention is the attention of Vaswani et al. (arXiv 1706.03762, section 3.2). It projects with one fused QKV,
// or with three layers Query, Key and Value. Only three layers can attend to another sequence, and each of them may
// have a bias or none. Width is a multiple of Heads.
type MultiHeadAttention struct {
	QKV *Linear // [3·width, width]: rows of queries, keys, values; nil beside the next three
	// QVBias, [2·width], holds the biases of queries and values beside a QKV without a bias: keys have none (BEiT, DINOv3).
	QVBias *autograd.Parameter
	Query  *Linear // [width, width]
	Key    *Linear // [width, memory width]
	Value  *Linear // [width, memory width]
	Proj   *Linear // [width, width], applied to the results of all heads
	Heads  int
	// Dropout is the probability of dropping an attention weight on a training tape.
	Dropout float32
	// Bias, if not nil, returns values that are added to the scores, such as relative position biases. For the given
	// numbers of queries and keys, their shape is [1 or n, 1 or heads, queries, keys].
	Bias func(t *autograd.Tape, queries, keys int) autograd.Operand
	// Relative, if not nil, is added to the scores of self-attention over a grid.
	Relative *RelativePositionBias
	// QueryNorm and KeyNorm, if not nil, normalize each head's queries and keys (Dehghani et al., arXiv 2302.05442); only
	// beside a QKV. Their width is that of a head.
	QueryNorm, KeyNorm *LayerNorm
	// Norm, if not nil, normalizes what the heads found before Proj (EVA-02, BEiT-3).
	Norm *LayerNorm
	// Rotary, if not nil, turns queries and keys of self-attention by their positions ([RotarySequence], [RotaryGrid]).
	// Positions count from the first token of a sequence, those in a cache included.
	Rotary *autograd.RotaryTable
}

// NewMultiHeadAttention returns self-attention of zeros with a fused projection. With qkvBias that has a bias.
func NewMultiHeadAttention(width, heads int, qkvBias bool) *MultiHeadAttention {
	return &MultiHeadAttention{
		QKV:   NewLinear(width, 3*width, qkvBias),
		Proj:  NewLinear(width, width, true),
		Heads: heads,
	}
}

// NewSplitAttention returns attention of zeros with three projections. Queries have the given width; the sequence that
// keys and values are projected from has the width memory.
func NewSplitAttention(width, memory, heads int) *MultiHeadAttention {
	return &MultiHeadAttention{
		Query: NewLinear(width, width, true),
		Key:   NewLinear(memory, width, true),
		Value: NewLinear(memory, width, true),
		Proj:  NewLinear(width, width, true),
		Heads: heads,
	}
}

// AttentionInput holds the inputs of attention besides the queries. The zero value is plain self-attention.
type AttentionInput struct {
	// Memory, [m, keys, memory width], is attended to instead of the queries' own sequence. With m = n/k, each of its
	// sequences serves k neighboring sequences of queries, such as the beams of one image.
	Memory *autograd.Tensor
	// Cache holds the keys and values of earlier positions, in rows of twice the width. This pass appends its own and
	// attends to all. Beside Memory, an empty cache is filled with the keys and values of the memory, and later passes
	// use it in their place. On a tape that records gradients Forward panics with an autograd.UseError.
	Cache *autograd.State
	// Causal lets a position attend to itself and to earlier positions only.
	Causal bool
	// KeyMask has n·keys values, m·keys beside a Memory. False hides a key, such as padding.
	KeyMask []bool
	// Rotary, if not nil, takes the place of the layer's own table, such as one for the grid of this call.
	Rotary *autograd.RotaryTable
	// Positions, if not nil, are the rows of the rotary table for the tokens, n·length of them, where tokens were left out
	// ([PatchDropout]). Otherwise token i has row i.
	Positions []int
	// Turn, if not nil, takes the place of rotary tables: it maps queries, and then keys, [n, length, width] of all heads, to
	// the same shape. It is for positions that are learned.
	Turn func(x *autograd.Tensor) *autograd.Tensor
	// Relative, if not nil, says that the tokens are those of another grid than the layer's relative positions are for, which
	// are then resized.
	Relative *RelativeGrid
	// QueryPositions and KeyPositions, if not nil, are added to what queries and keys are projected from, but not to values:
	// position embeddings that every layer gets anew (DETR: Carion et al., arXiv 2005.12872, section A.4). Their shapes
	// broadcast to those of the queries and of the Memory. With a fused projection they are an autograd.UseError.
	QueryPositions, KeyPositions *autograd.Tensor
	// Bias, if not nil, is added to the scores beside those of the layer, such as a mask of zeros and -Inf for this call:
	// [1 or n, 1 or heads, queries, keys].
	Bias *autograd.Tensor
	// Residual has the shape of the result and is added to it in the same pass. Scale, if not nil, is [width] and multiplies
	// the result before that; without a Residual it is an autograd.UseError.
	Residual *autograd.Tensor
	Scale    *autograd.Parameter
	// Starts, if not nil, says that the rows are tokens of sequences of unequal length, packed without padding: queries
	// are [tokens, width], and sequence i has the rows Starts[i] to Starts[i+1]. The list ends with the number of tokens.
	// A Memory is [memory tokens, memory width], packed as MemoryStarts says. Cache, KeyMask, Maps and Bias are not
	// for packed sequences: an autograd.UseError.
	Starts       []int
	MemoryStarts []int
	// First, if not 0, is how many tokens of each sequence are wanted, the first ones: the result is [n, First, width], with the
	// bits that they have in the whole, but for dropout in training. The others serve as keys and values. A Residual has that
	// shape, and Maps have as many queries; a Bias is that of all queries. It is for self-attention with a fused projection:
	// beside a Memory, a Cache, Starts, Causal or separate layers it is an autograd.UseError. Above length it is an
	// autograd.ShapeError.
	First int
	// Maps, if not nil, receives the attention weights: [n, heads, queries, keys], or [m, heads, k·queries, keys] beside
	// a Memory. The heads of a block with several branches (BlockConfig.Branches) are those of all of them, in order.
	Maps *[]float32
}

// checkFirst panics where the first tokens cannot be computed alone.
func (in *AttentionInput) checkFirst(fused bool) {
	if in.First != 0 && (in.Memory != nil || in.Cache != nil || in.Starts != nil || in.Causal || !fused) {
		panic(&autograd.UseError{Op: "attention", Reason: "First needs a fused projection, and no Memory, Cache, Starts or Causal"})
	}
}

// Forward maps queries, [n, length, width], or packed ones, to the same shape, or to [n, in.First, width]. With a Memory and a
// fused projection it panics with an autograd.UseError, and so it does with a Scale and no Residual.
func (a *MultiHeadAttention) Forward(x *autograd.Tensor, in AttentionInput) *autograd.Tensor {
	if in.Scale != nil && in.Residual == nil {
		panic(&autograd.UseError{Op: "attention", Reason: "expected a Residual beside a Scale"})
	}
	if in.Starts != nil && (in.Cache != nil || a.Bias != nil || a.Relative != nil || in.Bias != nil) {
		panic(&autograd.UseError{Op: "attention", Reason: "expected no Cache, Bias or Relative: packed sequences do not support them"})
	}
	in.checkFirst(a.QKV != nil)
	if a.plain(&in) {
		return a.result(autograd.SelfAttention(x, a.QKV.Weight, a.QKV.Bias, in.Starts, a.options(&in)), in)
	}
	q, k, v := a.project(x, in)
	return a.heads(x, q, k, v, in)
}

// plain reports whether nothing stands between the fused projection of the tokens and their attention.
func (a *MultiHeadAttention) plain(in *AttentionInput) bool {
	return a.QKV != nil && a.QVBias == nil && len(a.QKV.Adapter) == 0 && a.Bias == nil && a.Relative == nil &&
		a.QueryNorm == nil && a.KeyNorm == nil && a.Rotary == nil && in.Rotary == nil && in.Turn == nil && in.Bias == nil &&
		in.Memory == nil && in.MemoryStarts == nil && in.Cache == nil && in.First == 0 && in.QueryPositions == nil && in.KeyPositions == nil
}

// options returns those of a call.
func (a *MultiHeadAttention) options(in *AttentionInput) autograd.AttentionOptions {
	return autograd.AttentionOptions{
		Heads:   a.Heads,
		Causal:  in.Causal,
		KeyMask: in.KeyMask,
		Dropout: a.Dropout,
		Weights: in.Maps,
	}
}

// layer is Forward with given inputs.
func (a *MultiHeadAttention) layer(in AttentionInput) layer {
	return func(x, residual *autograd.Tensor, scale *autograd.Parameter) *autograd.Tensor {
		in := in
		in.Residual, in.Scale = residual, scale
		return a.Forward(x, in)
	}
}

// width returns the width of the queries, and of the keys and values, of all heads.
func (a *MultiHeadAttention) width() int { return a.Proj.Weight.Shape()[1] }

// ofPacked is Forward for what a fused projection gave: queries, keys and values side by side.
func (a *MultiHeadAttention) ofPacked(qkv *autograd.Tensor, in AttentionInput) *autograd.Tensor {
	q, k, v := a.split(qkv, in)
	return a.heads(qkv, q, k, v, in)
}

// heads attends and projects the result, which has as many rows as x.
func (a *MultiHeadAttention) heads(x *autograd.Tensor, q, k, v autograd.Columns, in AttentionInput) *autograd.Tensor {
	o := a.options(&in)
	o.HeadDim = a.width() / max(1, a.Heads)
	if in.Starts != nil {
		return a.result(autograd.PackedAttention(q, k, v, in.Starts, in.MemoryStarts, o), in)
	}
	var y *autograd.Tensor
	if in.Cache != nil {
		o.Bias = a.bias(x.Tape(), q.Of.Shape()[1], in.Cache.Len(), in)
		y = autograd.CachedAttention(q, in.Cache, o)
	} else {
		o.Bias = a.bias(x.Tape(), q.Of.Shape()[1], k.Of.Shape()[1], in)
		if in.First != 0 {
			q.Of = autograd.Slice(q.Of, 1, 0, in.First)
			if o.Bias != nil {
				if s := o.Bias.Shape(); len(s) > 1 && s[len(s)-2] != 1 { // one for all queries fits the first ones too
					o.Bias = autograd.Slice(o.Bias, -2, 0, in.First)
				}
			}
		}
		y = autograd.Attention(q, k, v, o)
	}
	if y.Dim(0) != x.Dim(0) {
		y = autograd.Reshape(y, x.Dim(0), x.Dim(1), y.Dim(2))
	}
	return a.result(y, in)
}

// bias returns what a call adds to the scores, or nil.
func (a *MultiHeadAttention) bias(t *autograd.Tape, queries, keys int, in AttentionInput) autograd.Operand {
	var sum autograd.Operand
	add := func(o autograd.Operand) {
		if sum == nil {
			sum = o
		} else {
			sum = autograd.Add(sum, o)
		}
	}
	if a.Relative != nil {
		add(a.Relative.on(t, in.Relative))
	}
	if a.Bias != nil {
		add(a.Bias(t, queries, keys))
	}
	if in.Bias != nil {
		add(in.Bias)
	}
	return sum
}

// result projects what the heads found, and adds the residual if there is one.
func (a *MultiHeadAttention) result(y *autograd.Tensor, in AttentionInput) *autograd.Tensor {
	if a.Norm != nil {
		y = a.Norm.Forward(y)
	}
	if in.Residual != nil {
		return a.Proj.ForwardAddScaled(y, in.Residual, in.Scale)
	}
	return a.Proj.Forward(y)
}

// project returns queries, and keys and values unless they are in the cache.
func (a *MultiHeadAttention) project(x *autograd.Tensor, in AttentionInput) (q, k, v autograd.Columns) {
	if in.Cache != nil && x.Tape().Recording() {
		panic(&autograd.UseError{Op: "attention", Reason: "expected a tape without Options.Gradients: a cache has no gradients"})
	}
	if a.QKV != nil {
		if in.QueryPositions != nil || in.KeyPositions != nil {
			panic(&autograd.UseError{Op: "attention", Reason: "a fused projection takes no QueryPositions and KeyPositions; use NewSplitAttention"})
		}
		if in.Memory != nil {
			panic(&autograd.UseError{Op: "attention", Reason: "a fused projection cannot attend to a Memory; use NewSplitAttention"})
		}
		return a.split(a.packed(x), in)
	}
	placed := at(x, in.QueryPositions)
	queries := a.Query.Forward(placed)
	if in.Memory == nil {
		queries = a.rotate(queries, in, 0)
		if in.KeyPositions != in.QueryPositions {
			placed = at(x, in.KeyPositions)
		}
		k, v = a.keys(placed, x, in)
		return autograd.Columns{Of: queries}, k, v
	}
	if in.Cache == nil || in.Cache.Len() == 0 {
		k, v = a.keys(at(in.Memory, in.KeyPositions), in.Memory, in)
	}
	n, m := x.Dim(0), in.Memory.Dim(0)
	if in.Cache != nil {
		m = in.Cache.Batch()
	}
	if in.Starts == nil && n != m && m > 0 && n%m == 0 { // the queries of neighbors one after the other
		queries = autograd.Reshape(queries, m, n/m*x.Dim(1), queries.Dim(2))
	}
	return autograd.Columns{Of: queries}, k, v
}

// at adds positions to tokens.
func at(x, positions *autograd.Tensor) *autograd.Tensor {
	if positions == nil {
		return x
	}
	return autograd.Add(x, positions)
}

// split takes queries, keys and values from what a fused projection gave.
func (a *MultiHeadAttention) split(qkv *autograd.Tensor, in AttentionInput) (q, k, v autograd.Columns) {
	width := qkv.Dim(-1) / 3
	if a.QueryNorm != nil || a.KeyNorm != nil || in.Turn != nil {
		return a.normalized(qkv, in)
	}
	qkv = a.rotate(qkv, in, 0, width)
	if in.Cache != nil {
		in.Cache.Append(autograd.Slice(qkv, 2, width, 3*width))
	}
	return autograd.Columns{Of: qkv}, autograd.Columns{Of: qkv, From: width}, autograd.Columns{Of: qkv, From: 2 * width}
}

// packed projects queries, keys and values at once.
func (a *MultiHeadAttention) packed(x *autograd.Tensor) *autograd.Tensor {
	if a.QVBias == nil {
		return a.QKV.Forward(x)
	}
	t := x.Tape()
	both, width := t.Use(a.QVBias), a.QVBias.Len()/2
	bias := autograd.Concat(0, autograd.Slice(both, 0, 0, width), t.Full(0, width), autograd.Slice(both, 0, width, 2*width))
	if len(a.QKV.Adapter) > 0 {
		return autograd.Add(a.QKV.Forward(x), bias)
	}
	return autograd.Linear(x, a.QKV.Weight, bias)
}

// normalized normalizes the queries and keys of a packed projection, and turns them after that.
func (a *MultiHeadAttention) normalized(qkv *autograd.Tensor, in AttentionInput) (q, k, v autograd.Columns) {
	last, width := len(qkv.Shape())-1, qkv.Dim(-1)/3
	part := func(norm *LayerNorm, from int) *autograd.Tensor {
		x := autograd.Slice(qkv, last, from, from+width)
		if norm != nil {
			heads := norm.Forward(autograd.Reshape(x, x.Len()/max(1, width)*a.Heads, width/a.Heads))
			x = autograd.Reshape(heads, x.Shape()...)
		}
		return a.rotate(x, in, 0)
	}
	queries, keys := part(a.QueryNorm, 0), part(a.KeyNorm, width)
	if in.Cache != nil {
		in.Cache.Append(autograd.Concat(2, keys, autograd.Slice(qkv, last, 2*width, 3*width)))
	}
	return autograd.Columns{Of: queries}, autograd.Columns{Of: keys}, autograd.Columns{Of: qkv, From: 2 * width}
}

// keys projects keys from tokens with their positions, and values from the tokens, and appends both to the cache if there is
// one.
func (a *MultiHeadAttention) keys(placed, x *autograd.Tensor, in AttentionInput) (k, v autograd.Columns) {
	keys, values := a.Key.Forward(placed), a.Value.Forward(x)
	if in.Memory == nil {
		keys = a.rotate(keys, in, 0)
	}
	if in.Cache != nil {
		in.Cache.Append(autograd.Concat(2, keys, values))
	}
	return autograd.Columns{Of: keys}, autograd.Columns{Of: values}
}

// rotate turns the heads of a projection that begin at the given columns.
func (a *MultiHeadAttention) rotate(x *autograd.Tensor, in AttentionInput, from ...int) *autograd.Tensor {
	if in.Turn != nil {
		return in.Turn(x)
	}
	table := a.Rotary
	if in.Rotary != nil {
		table = in.Rotary
	}
	if table == nil {
		return x
	}
	o := autograd.RotaryOptions{Heads: a.Heads, HeadDim: a.width() / max(1, a.Heads), From: from}
	if in.Cache != nil {
		o.First = in.Cache.Seen()
	}
	switch {
	case in.Positions != nil:
		o.Positions = in.Positions
	case in.Starts != nil:
		o.Positions = positions(in.Starts, x.Dim(-2))
	}
	return autograd.Rotary(x, table, o)
}

// positions returns the place of each token in its packed sequence. It panics when starts do not divide the tokens.
func positions(starts []int, tokens int) []int {
	list := make([]int, 0, tokens)
	for i := 1; i < len(starts); i++ {
		for p := range min(starts[i]-starts[i-1], tokens+1) {
			list = append(list, p)
		}
	}
	if len(list) != tokens {
		panic(&autograd.ShapeError{Op: "packed attention", Shapes: [][]int{{tokens}, starts},
			Reason: "expected starts that begin with 0, never fall, and end with the number of tokens"})
	}
	return list
}
