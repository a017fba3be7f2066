package bert

import (
	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
)

// Input holds sequences of unequal length, packed without padding:
//
//	in := bert.Input{IDs: []int{101, 7592, 102, 101, 102}, Starts: []int{0, 3, 5}} // 3 tokens, then 2
type Input struct {
	IDs []int // the tokens of all sequences
	// Types are the token types (segments) of the tokens; nil means 0.
	Types []int
	// Starts are cumulative lengths: sequence i has the tokens Starts[i] to Starts[i+1]. The list ends with the number of
	// tokens. nil means one sequence.
	Starts []int
	// Vectors, [tokens, embedding width], stand in the place of the word embeddings of IDs, which is then nil: the
	// model works on any sequence of vectors.
	Vectors *autograd.Tensor
}

// Pack returns the input of sequences of ids, without token types.
func Pack(sequences ...[]int) Input {
	in := Input{Starts: []int{0}}
	for _, ids := range sequences {
		in.IDs = append(in.IDs, ids...)
		in.Starts = append(in.Starts, len(in.IDs))
	}
	return in
}

// tokens returns the number of tokens.
func (in *Input) tokens() int {
	if in.Vectors != nil {
		return in.Vectors.Dim(0)
	}
	return len(in.IDs)
}

// starts returns Starts, or those of one sequence.
func (in *Input) starts() []int {
	if in.Starts == nil {
		return []int{0, in.tokens()}
	}
	return in.Starts
}

// Embeddings turns tokens into vectors: the sum of the embeddings of the word, the position and the type, normalized.
type Embeddings struct {
	Words     *nn.Embedding // [vocabulary, width]
	Positions *nn.Embedding // [positions, width], or nil
	Types     *nn.Embedding // [types, width], or nil
	Norm      *nn.LayerNorm
	Project   *nn.Linear // [hidden, width], or nil where the widths are equal

	projectFirst bool // before the norm, not after it

	dropout float32
	first   int // row of the first position
	padding int // the token that has the position before the first and does not count, or -1
}

// newEmbeddings returns embeddings of zeros.
func newEmbeddings(c Config) *Embeddings {
	width := c.embeddingSize()
	e := &Embeddings{
		Words:   nn.NewEmbedding(c.VocabSize, width),
		Norm:    newNorm(c, width),
		dropout: c.HiddenDropoutProb,
		first:   c.firstPosition(),
		padding: -1,
	}
	if !isModern(c) && (!isDeberta(c) || c.positionsInInput()) {
		e.Positions = nn.NewEmbedding(c.MaxPositionEmbeddings, width)
	}
	if isDeberta(c) { // it normalizes after the projection
		e.Norm, e.projectFirst = nn.NewLayerNorm(c.HiddenSize, c.LayerNormEps), true
	}
	if variants[c.ModelType].types && c.TypeVocabSize > 0 {
		e.Types = nn.NewEmbedding(c.TypeVocabSize, width)
	}
	if c.ModelType == "albert" || width != c.HiddenSize {
		e.Project = nn.NewLinear(width, c.HiddenSize, !isDeberta(c))
	}
	if variants[c.ModelType].positionsAfterPadding {
		e.padding = e.first - 1
	}
	return e
}

// Forward returns the vectors of the tokens, [tokens, hidden].
func (e *Embeddings) Forward(t *autograd.Tape, in Input) *autograd.Tensor {
	tokens := in.tokens()
	x := in.Vectors
	if x == nil {
		x = e.Words.Forward(t, in.IDs, tokens)
	} else if in.IDs != nil {
		panic(&autograd.UseError{Op: "bert", Reason: "expected IDs or Vectors, found both"})
	}
	if e.Types != nil {
		types := in.Types
		if types == nil {
			types = make([]int, tokens)
		}
		x = autograd.Add(x, e.Types.Forward(t, types, tokens))
	}
	if e.Positions != nil {
		x = autograd.Add(x, e.Positions.Forward(t, e.positions(in), tokens))
	}
	if e.projectFirst && e.Project != nil {
		x = e.Project.Forward(x)
	}
	x = autograd.Dropout(e.Norm.Forward(x), e.dropout)
	if !e.projectFirst && e.Project != nil {
		x = e.Project.Forward(x)
	}
	return x
}

// positions returns the row of the position embeddings for each token. RoBERTa's count tokens that are not padding
// (create_position_ids_from_input_ids of transformers).
func (e *Embeddings) positions(in Input) []int {
	rows, starts := make([]int, 0, in.tokens()), in.starts()
	for i := 1; i < len(starts); i++ {
		next := e.first
		for at := starts[i-1]; at < starts[i]; at++ {
			if e.padding >= 0 && in.IDs != nil && in.IDs[at] == e.padding {
				rows = append(rows, e.padding)
				continue
			}
			rows = append(rows, next)
			next++
		}
	}
	return rows
}
