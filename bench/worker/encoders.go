package main

import (
	"fmt"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
)

// textEncoder has the parts of a text encoder that take time: word and position tables, blocks, a layer norm.
type textEncoder struct {
	Words     *autograd.Parameter // [vocabulary, width]
	Positions *autograd.Parameter // [tokens, width]
	Norm      *nn.LayerNorm       // before the blocks
	Blocks    nn.Stack

	tokens int
}

// newTextEncoder returns the graph of a model: minilm (MiniLM-L6 at 64 tokens) or bert (BERT-base at 128).
func newTextEncoder(name string) (*textEncoder, error) {
	var e textEncoder
	var layers, vocabulary int
	c := nn.BlockConfig{QKVBias: true}
	switch name {
	case "minilm":
		c.Width, c.Heads, c.PostNorm, c.Act, c.Eps = 384, 12, true, autograd.ActGelu, 1e-12
		layers, vocabulary, e.tokens = 6, 30522, 64
	case "bert":
		c.Width, c.Heads, c.PostNorm, c.Act, c.Eps = 768, 12, true, autograd.ActGelu, 1e-12
		layers, vocabulary, e.tokens = 12, 30522, 128
	default:
		return nil, fmt.Errorf("unknown encoder %q", name)
	}
	e.Words, e.Positions = autograd.NewParameter(vocabulary, c.Width), autograd.NewParameter(e.tokens, c.Width)
	e.Norm = nn.NewLayerNorm(c.Width, c.Eps)
	e.Blocks = nn.NewStack(layers, c)
	return &e, nil
}

// Forward takes batch·tokens ids and returns [batch, tokens, width].
func (e *textEncoder) Forward(t *autograd.Tape, ids []int, batch int) *autograd.Tensor {
	x := t.Embedding(e.Words, ids, batch, e.tokens)
	x = e.Norm.Forward(autograd.Add(x, e.Positions))
	return e.Blocks.Forward(x, nn.AttentionInput{})
}
