package bert

import (
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
)

// Encoder turns tokens into hidden states.
type Encoder struct {
	Embeddings *Embeddings
	// Relative is the table for distances between tokens, nil in most variants: biases, [buckets, heads], in MPNet, and
	// embeddings, [distances, hidden], in DeBERTa.
	Relative     *nn.Embedding
	RelativeNorm *nn.LayerNorm // of Relative, or nil
	Layers       []Layer       // ALBERT has one for each group
	FinalNorm    *nn.LayerNorm // after the last layer in ModernBERT; nil in others

	order []int // of Layers; nil runs each once
}

// Layer is one layer of an encoder. It maps packed vectors, [tokens, hidden], to the same shape. Sequence i has the
// rows starts[i] to starts[i+1].
type Layer interface {
	Forward(x *autograd.Tensor, starts []int) *autograd.Tensor
}

// NewEncoder returns an encoder of zeros, and gains of one. It panics when the configuration is not valid.
func NewEncoder(c Config) *Encoder {
	if err := c.Validate(); err != nil {
		panic("bert: " + err.Error())
	}
	e := &Encoder{Embeddings: newEmbeddings(c), Layers: make([]Layer, c.groups())}
	switch {
	case c.ModelType == "mpnet":
		e.Relative = nn.NewEmbedding(c.RelativeBuckets, c.NumAttentionHeads)
	case isDeberta(c) && c.RelativeAttention:
		e.Relative = nn.NewEmbedding(2*c.distances(), c.HiddenSize)
	}
	if isDeberta(c) && c.NormRelEbd == "layer_norm" {
		e.RelativeNorm = nn.NewLayerNorm(c.HiddenSize, c.LayerNormEps)
	}
	var tables [2]*rotaryTable
	if isModern(c) {
		e.FinalNorm = newNorm(c, c.HiddenSize)
		for i := range tables {
			tables[i] = &rotaryTable{dim: c.HiddenSize / c.NumAttentionHeads, base: c.theta(i == 1)}
		}
	}
	for i := range e.Layers {
		if isModern(c) {
			table := tables[0]
			if c.sliding(i) {
				table = tables[1]
			}
			e.Layers[i] = newModernBlock(c, i, table)
			continue
		}
		if isDeberta(c) {
			e.Layers[i] = newDisentangled(c, e, i == 0)
			continue
		}
		b := newBlock(c)
		b.relative = e.Relative
		e.Layers[i] = b
	}
	if c.groups() < c.NumHiddenLayers {
		for i := range c.NumHiddenLayers {
			e.order = append(e.order, int(float64(i)/(float64(c.NumHiddenLayers)/float64(c.groups())))) // as transformers rounds
		}
	}
	return e
}

// Init draws the weights as transformers does: normal values of standard deviation std, and zeros for padding.
func (e *Encoder) Init(rng *rand.Rand, std float64, padding *int) {
	for _, table := range nn.Layers[nn.Embedding](e) {
		nn.Normal(rng, table.Weight, std)
	}
	if padding != nil {
		w := e.Embeddings.Words.Weight
		width := w.Shape()[1]
		w.Update(func(values []float32) { clear(values[*padding*width : (*padding+1)*width]) })
	}
	for _, l := range nn.Layers[nn.Linear](e) {
		nn.Normal(rng, l.Weight, std)
	}
	for _, l := range nn.Layers[TokenConv](e) {
		nn.Normal(rng, l.Weight, std)
	}
}

// Forward returns the hidden states after the last layer, [tokens, hidden]. A sequence has the bits that it has alone.
// It panics with an autograd.ShapeError for ids outside of the vocabulary, for sequences longer than the positions, and
// for Starts that do not divide the tokens.
func (e *Encoder) Forward(t *autograd.Tape, in Input) *autograd.Tensor {
	x := e.Embeddings.Forward(t, in)
	e.each(in, func(l Layer, starts []int) {
		x = t.Segment(func(x *autograd.Tensor) *autograd.Tensor { return l.Forward(x, starts) }, x)
	})
	if e.FinalNorm != nil {
		x = e.FinalNorm.Forward(x)
	}
	return x
}

// HiddenStates returns the hidden states before the first layer and after each, as transformers' output_hidden_states
// does. The last are those of Forward.
func (e *Encoder) HiddenStates(t *autograd.Tape, in Input) []*autograd.Tensor {
	all := []*autograd.Tensor{e.Embeddings.Forward(t, in)}
	e.each(in, func(l Layer, starts []int) { all = append(all, l.Forward(all[len(all)-1], starts)) })
	if e.FinalNorm != nil {
		all[len(all)-1] = e.FinalNorm.Forward(all[len(all)-1])
	}
	return all
}

// each calls f with the layers in the order in which they run.
func (e *Encoder) each(in Input, f func(l Layer, starts []int)) {
	starts := in.starts()
	if e.order == nil {
		for _, l := range e.Layers {
			f(l, starts)
		}
		return
	}
	for _, i := range e.order {
		f(e.Layers[i], starts)
	}
}

// Block is the layer of BERT: attention and an MLP, each followed by the sum with its input and a norm.
type Block struct {
	Attention *nn.MultiHeadAttention
	Norm1     *nn.LayerNorm
	MLP       *nn.MLP
	Norm2     *nn.LayerNorm

	// The probabilities of dropping an element of what the two parts give, on a training tape. DistilBERT has no
	// dropout after attention, and ALBERT none after the MLP.
	attentionDropout, mlpDropout float32

	relative *nn.Embedding // the encoder's, or nil
}

// newBlock returns a layer of zeros, and gains of one.
func newBlock(c Config) *Block {
	b := &Block{
		Attention:        nn.NewMultiHeadAttention(c.HiddenSize, c.NumAttentionHeads, true),
		Norm1:            nn.NewLayerNorm(c.HiddenSize, c.LayerNormEps),
		MLP:              nn.NewMLP(c.HiddenSize, c.IntermediateSize, activation(c.HiddenAct)),
		Norm2:            nn.NewLayerNorm(c.HiddenSize, c.LayerNormEps),
		attentionDropout: c.HiddenDropoutProb,
		mlpDropout:       c.HiddenDropoutProb,
	}
	b.Attention.Dropout = c.AttentionProbsDropoutProb
	switch c.ModelType {
	case "distilbert":
		b.attentionDropout = 0
	case "albert":
		b.mlpDropout = 0
	}
	return b
}

// Forward maps packed vectors, [tokens, hidden], to the same shape.
func (b *Block) Forward(x *autograd.Tensor, starts []int) *autograd.Tensor {
	attend := func(x, residual *autograd.Tensor) *autograd.Tensor {
		if b.relative != nil {
			return b.attendByDistance(x, residual, starts)
		}
		return b.Attention.Forward(x, nn.AttentionInput{Starts: starts, Residual: residual})
	}
	x = b.Norm1.Forward(branch(attend, x, b.attentionDropout))
	return b.Norm2.Forward(branch(b.MLP.Forward, x, b.mlpDropout))
}

// attendByDistance is attention with MPNet's biases. Sequences of one length share them.
func (b *Block) attendByDistance(x, residual *autograd.Tensor, starts []int) *autograd.Tensor {
	biases := map[int]*autograd.Tensor{}
	return attendEach(b.Attention, x, residual, starts, func(o *autograd.AttentionOptions, _ *autograd.Tensor, n int) {
		if biases[n] == nil {
			biases[n] = distanceBias(x.Tape(), b.relative, n)
		}
		o.Bias = biases[n]
	})
}

// branch returns x + dropout(f(x)). Where nothing is dropped, f adds x itself.
func branch(f func(x, residual *autograd.Tensor) *autograd.Tensor, x *autograd.Tensor, dropout float32) *autograd.Tensor {
	if dropout == 0 || !x.Tape().Training() {
		return f(x, x)
	}
	return autograd.Add(x, autograd.Dropout(f(x, nil), dropout))
}
