package bert

import (
	"fmt"
	"math"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/train/contrast"
)

// Sentences says how a text becomes one vector: the pipeline of a sentence-transformers folder.
type Sentences struct {
	Pooling []Pooling // of the hidden states; the results of several are put side by side
	Modules []Module  // what follows

	// ExcludePrompt leaves the tokens of a prompt out of the pooling (include_prompt false).
	ExcludePrompt bool

	Preprocess

	// Dim, when it is not 0, is the number of values that are kept of a vector (truncate_dim): Matryoshka embeddings.
	Dim int

	similarity string // similarity_fn_name, which is kept as it is
}

// Pooling makes one vector of the hidden states of a text.
type Pooling string

// The poolings, by sentence-transformers' names.
const (
	PoolFirst        Pooling = "cls"
	PoolMax          Pooling = "max"
	PoolMean         Pooling = "mean"
	PoolMeanSqrt     Pooling = "mean_sqrt_len_tokens" // the sum over the square root of the number of tokens
	PoolWeightedMean Pooling = "weightedmean"         // weighted by the position, from 1
	PoolLast         Pooling = "lasttoken"
)

// poolings lists them in the order in which their results are put side by side in older folders.
var poolings = []Pooling{PoolFirst, PoolMax, PoolMean, PoolMeanSqrt, PoolWeightedMean, PoolLast}

// Module maps the vectors of texts, [n, width], to others.
type Module interface {
	Forward(x *autograd.Tensor) *autograd.Tensor
}

// Normalize divides each vector by its length.
type Normalize struct{}

// Forward maps [n, width] to the same shape.
func (Normalize) Forward(x *autograd.Tensor) *autograd.Tensor { return contrast.Normalize(x) }

// Dropout drops values on a training tape.
type Dropout struct{ Probability float32 }

// Forward maps [n, width] to the same shape.
func (d Dropout) Forward(x *autograd.Tensor) *autograd.Tensor {
	return autograd.Dropout(x, d.Probability)
}

// Dense is a linear layer and an activation.
type Dense struct {
	Linear   *nn.Linear // [out, in]
	Act      autograd.Activation
	Residual bool       // adds the vector itself, mapped by Project where that is not nil
	Project  *nn.Linear // [out, in]
}

// Forward maps [n, in] to [n, out].
func (d *Dense) Forward(x *autograd.Tensor) *autograd.Tensor {
	y := d.Linear.ForwardAct(x, d.Act)
	switch {
	case d.Project != nil:
		return d.Project.ForwardAdd(x, y)
	case d.Residual:
		return autograd.Add(y, x)
	}
	return y
}

// Forward maps hidden states, [tokens, hidden], to a vector for each sequence, [sequences, Width]. The first prompt
// tokens of each sequence are left out where ExcludePrompt is set, unless it has no others. Dim does not count. It
// panics for an empty sequence.
func (s *Sentences) Forward(hidden *autograd.Tensor, starts []int, prompt int) *autograd.Tensor {
	first(hidden, starts) // checks
	n := len(starts) - 1
	from := make([]int, n) // the first token that counts
	for i := range from {
		if from[i] = starts[i]; s.ExcludePrompt && prompt < starts[i+1]-starts[i] {
			from[i] += prompt
		}
	}
	vectors := make([]autograd.Operand, len(s.Pooling))
	for i, p := range s.Pooling {
		vectors[i] = p.pool(hidden, starts, from)
	}
	var x *autograd.Tensor
	if len(vectors) == 1 {
		x = vectors[0].(*autograd.Tensor)
	} else {
		x = autograd.Concat(1, vectors...)
	}
	for _, m := range s.Modules {
		x = m.Forward(x)
	}
	return x
}

// pool returns a vector for each sequence, of the tokens from[i] to starts[i+1].
func (p Pooling) pool(hidden *autograd.Tensor, starts, from []int) *autograd.Tensor {
	n := len(from)
	rows := make([]int, n)
	switch p {
	case PoolFirst:
		return autograd.GatherRows(hidden, from)
	case PoolLast:
		for i := range rows {
			rows[i] = starts[i+1] - 1
		}
		return autograd.GatherRows(hidden, rows)
	case PoolMax:
		vectors := make([]autograd.Operand, n)
		for i := range vectors {
			vectors[i], _ = autograd.Max(autograd.Slice(hidden, 0, from[i], starts[i+1]), 0, true)
		}
		return autograd.Concat(0, vectors...)
	}
	tape := hidden.Tape()
	var tokens, sequence []int
	var weights []float32
	sums := make([]float32, n)
	for i := range from {
		for at := from[i]; at < starts[i+1]; at++ {
			w := float32(1)
			if p == PoolWeightedMean {
				w = float32(at - starts[i] + 1)
			}
			tokens, sequence, weights = append(tokens, at), append(sequence, i), append(weights, w)
			sums[i] += w
		}
		if p == PoolMeanSqrt {
			sums[i] = float32(math.Sqrt(float64(sums[i])))
		}
	}
	x := hidden
	if len(tokens) < hidden.Dim(0) {
		x = autograd.GatherRows(x, tokens)
	}
	if p == PoolWeightedMean {
		x = autograd.Mul(x, tape.Input(weights, len(weights), 1))
	}
	return autograd.Div(autograd.ScatterRows(x, sequence, n), tape.Input(sums, n, 1))
}

// check returns an error unless the modules fit a width and each other. It returns the width of the vectors.
func (s *Sentences) check(width int) (int, error) {
	width *= len(s.Pooling)
	for i, m := range s.Modules {
		in, out := width, width
		switch m := m.(type) {
		case *Dense:
			out, in = m.Linear.Weight.Shape()[0], m.Linear.Weight.Shape()[1]
		case *nn.LayerNorm:
			in = m.Weight.Shape()[0]
		}
		if in != width {
			return 0, fmt.Errorf("module %d takes vectors of %d values, expected %d", i, in, width)
		}
		width = out
	}
	return width, nil
}
