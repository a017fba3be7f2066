package clip

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
)

// TextTower encodes texts: a [TextTransformer] or [BERT].
type TextTower interface {
	// Forward maps the tokens of texts to one vector a text, [len(texts), width], before the projection.
	Forward(t *autograd.Tape, texts [][]int) *autograd.Tensor
}

// TextTransformer is the text tower of CLIP: pre-norm transformer blocks with causal attention. The features of a text
// are those of its end token, after the last norm. In SigLIP attention is not causal, and the last token gives the
// features: it is padding in most texts.
type TextTransformer struct {
	Tokens    *autograd.Parameter // [vocabulary, width]
	Positions *autograd.Parameter // [context, width]
	Blocks    nn.Stack
	Norm      *nn.LayerNorm
	eos       int

	bidirectional bool
	hidden        *Padding
}

// NewTextTransformer returns a tower of zeros. The configuration must be valid.
func NewTextTransformer(c TextConfig) *TextTransformer {
	return &TextTransformer{
		Tokens:    autograd.NewParameter(c.VocabSize, c.HiddenSize),
		Positions: autograd.NewParameter(c.MaxPositionEmbeddings, c.HiddenSize),
		Blocks:    nn.NewStack(c.NumHiddenLayers, c.Block()),
		Norm:      nn.NewLayerNorm(c.HiddenSize, c.LayerNormEps),
		eos:       c.EOSTokenID,

		bidirectional: c.Bidirectional,
		hidden:        c.HiddenPadding,
	}
}

// Forward maps the tokens of texts, each of 1 to MaxPositionEmbeddings ids, to features, [len(texts), width]. A token
// of CLIP attends to earlier ones only, so the tokens after the one whose features are taken change nothing: they are
// left out, padding included. The texts lie one after the other without padding, and each has the bits that it has
// alone. With TextConfig.HiddenPadding, texts come without padding. It panics with an autograd.ShapeError for an empty
// text, one that is too long, and an id outside the vocabulary.
func (x *TextTransformer) Forward(t *autograd.Tape, texts [][]int) *autograd.Tensor {
	if x.hidden != nil {
		return x.masked(t, texts)
	}
	starts := []int{0}
	var ids, places, ends []int
	for _, text := range texts {
		x.check(text, x.Positions.Shape()[0])
		if !x.bidirectional {
			text = text[:x.end(text)+1]
		}
		for i := range text {
			places = append(places, i)
		}
		ids = append(ids, text...)
		starts = append(starts, len(ids))
		ends = append(ends, len(ids)-1)
	}
	h := autograd.Add(t.Embedding(x.Tokens, ids, len(ids)), t.Embedding(x.Positions, places, len(ids)))
	h = x.Blocks[:len(x.Blocks)-1].Forward(h, nn.AttentionInput{Causal: !x.bidirectional, Starts: starts})
	return t.Segment(func(h *autograd.Tensor) *autograd.Tensor { return x.finish(h, starts, ends) }, h)
}

// check panics for a text that has no tokens, or more than most.
func (x *TextTransformer) check(text []int, most int) {
	if n := len(text); n == 0 || n > most {
		panic(&autograd.ShapeError{Op: "clip text", Shapes: [][]int{{n}, {most}}, Reason: fmt.Sprintf("expected a text of 1 to %d tokens", most)})
	}
}

// masked pads texts to one length and hides the padding from attention. The last place gives the features.
func (x *TextTransformer) masked(t *autograd.Tape, texts [][]int) *autograd.Tensor {
	n, length := len(texts), cmp.Or(x.hidden.Length, x.Positions.Shape()[0])
	ids, places, seen := make([]int, 0, n*length), make([]int, 0, n*length), make([]bool, n*length)
	for i, text := range texts {
		x.check(text, length)
		first := 0
		if x.hidden.Left {
			first = length - len(text)
		}
		for place := range length {
			places = append(places, place)
			if at := place - first; at >= 0 && at < len(text) {
				ids, seen[i*length+place] = append(ids, text[at]), true
			} else {
				ids = append(ids, x.hidden.Token)
			}
		}
	}
	h := autograd.Add(t.Embedding(x.Tokens, ids, n, length), t.Embedding(x.Positions, places, n, length))
	h = x.Blocks.Forward(h, nn.AttentionInput{KeyMask: seen})
	last := autograd.Reshape(autograd.Slice(h, 1, length-1, length), n, h.Dim(2))
	return x.Norm.Forward(last)
}

// finish is the last block and the norm after it, for the tokens whose features are taken: other tokens need no query
// there.
func (x *TextTransformer) finish(h *autograd.Tensor, starts, ends []int) *autograd.Tensor {
	last := x.Blocks[len(x.Blocks)-1]
	a, width := last.Attention, h.Dim(1)
	qkv := a.QKV.Forward(last.Norm1.Forward(h))
	one := make([]int, len(starts)) // a query a text
	for i := range one {
		one[i] = i
	}
	attended := autograd.PackedAttention(autograd.Columns{Of: autograd.GatherRows(qkv, ends)}, autograd.Columns{Of: qkv, From: width},
		autograd.Columns{Of: qkv, From: 2 * width}, one, starts, autograd.AttentionOptions{Heads: a.Heads, HeadDim: width / a.Heads, Dropout: a.Dropout})
	return x.Norm.Forward(finish(last, autograd.GatherRows(h, ends), attended))
}

// finish is a block from the projection of its attention on, for some of its tokens.
func finish(b *nn.Block, x, attended *autograd.Tensor) *autograd.Tensor {
	x = b.Attention.Proj.ForwardAdd(attended, x)
	return b.MLP.Forward(b.Norm2.Forward(x), x)
}

// end returns the place of the token whose features are taken (CLIPTextModel.forward in modeling_clip.py).
func (x *TextTransformer) end(text []int) int {
	if x.eos == LargestID {
		return slices.Index(text, slices.Max(text))
	}
	return max(0, slices.Index(text, x.eos))
}
