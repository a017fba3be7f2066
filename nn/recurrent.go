package nn

import (
	"cmp"
	"fmt"

	"github.com/fovea-ml/fovea/autograd"
)

// LSTM is a stack of long short-term memories over sequences, as torch.nn.LSTM with batch_first. Projections of the
// state (proj_size) are not supported. [RecurrentConfig] explains the sizes, autograd.LSTM has the formulas.
type LSTM struct {
	Layers  []RecurrentLayer
	Dropout float32 // the probability of dropping a result between two layers on a training tape
}

// GRU is a stack of gated recurrent units over sequences, as torch.nn.GRU with batch_first. [RecurrentConfig] explains
// the sizes, autograd.GRU has the formulas.
type GRU struct {
	Layers  []RecurrentLayer
	Dropout float32 // the probability of dropping a result between two layers on a training tape
}

// RecurrentLayer holds the parameters of one layer of an [LSTM] or a [GRU].
type RecurrentLayer struct {
	Forward *RecurrentWeights
	Reverse *RecurrentWeights // reads sequences from their ends; nil in one direction
}

// RecurrentWeights holds the parameters of one direction. Gates are side by side in PyTorch's order: input, forget, cell
// and output in an LSTM; reset, update and new in a GRU. So there are 4 or 3 times as many rows as the state is wide.
type RecurrentWeights struct {
	WeightIH *autograd.Parameter // [gates·width, in]: weight_ih_l0
	WeightHH *autograd.Parameter // [gates·width, width]: weight_hh_l0
	BiasIH   *autograd.Parameter // [gates·width], or nil: bias_ih_l0
	BiasHH   *autograd.Parameter // [gates·width], or nil: bias_hh_l0
}

// RecurrentConfig describes an [LSTM] or a [GRU]. Only In and Width have no default.
type RecurrentConfig struct {
	In            int     // values of a step
	Width         int     // of the state
	Layers        int     // 0 means 1
	Bias          bool    // gives all products a bias, as PyTorch does by default
	Bidirectional bool    // adds the reverse direction to each layer
	Dropout       float32 // see LSTM.Dropout
}

// NewLSTM returns a stack of zeros. PyTorch initializes it by [Uniform] with a bound of 1/√Width.
func NewLSTM(c RecurrentConfig) *LSTM { return &LSTM{Layers: c.layers(4), Dropout: c.Dropout} }

// NewGRU returns a stack of zeros. PyTorch initializes it by [Uniform] with a bound of 1/√Width.
func NewGRU(c RecurrentConfig) *GRU { return &GRU{Layers: c.layers(3), Dropout: c.Dropout} }

func (c RecurrentConfig) layers(gates int) []RecurrentLayer {
	layers := make([]RecurrentLayer, cmp.Or(c.Layers, 1))
	in := c.In
	weights := func() *RecurrentWeights {
		w := &RecurrentWeights{WeightIH: autograd.NewParameter(gates*c.Width, in), WeightHH: autograd.NewParameter(gates*c.Width, c.Width)}
		if c.Bias {
			w.BiasIH, w.BiasHH = autograd.NewParameter(gates*c.Width), autograd.NewParameter(gates*c.Width)
		}
		return w
	}
	for i := range layers {
		layers[i].Forward = weights()
		if c.Bidirectional {
			layers[i].Reverse = weights()
		}
		in = layers[i].width()
	}
	return layers
}

// width returns the number of values that a layer gives a step.
func (l RecurrentLayer) width() int {
	n := l.Forward.WeightHH.Shape()[1]
	if l.Reverse != nil {
		n += l.Reverse.WeightHH.Shape()[1]
	}
	return n
}

// RecurrentInput holds the inputs of an [LSTM] or a [GRU] besides the sequences. The zero value starts from zeros and
// reads all steps.
type RecurrentInput struct {
	// H and C are the initial states, [layers·directions, n, width], or nil for zeros. Those of a layer's two directions
	// follow each other. Only an LSTM has a C.
	H, C *autograd.Tensor
	// Lengths are the numbers of steps of the sequences; nil means that all are full. Results after a sequence's end are
	// zero. Each last state is that of its sequence's own end, as from PyTorch's pack_padded_sequence.
	Lengths []int
}

// Forward maps x, [n, steps, in], to the results of the last layer, [n, steps, width·directions]. The last states h and c
// of all layers have the shape of the initial ones. A stream that comes in pieces passes them on as the next piece's.
//
// It panics with an autograd.ShapeError when there are more or fewer initial states than layers and directions.
func (l *LSTM) Forward(x *autograd.Tensor, in RecurrentInput) (y, h, c *autograd.Tensor) {
	checkStates("lstm", l.Layers, in.H, in.C)
	var hs, cs []autograd.Operand
	y = recur(l.Layers, l.Dropout, x, in.Lengths, func(x *autograd.Tensor, w *RecurrentWeights, o autograd.RecurrentOptions) *autograd.Tensor {
		i := len(hs)
		y, h, c := autograd.LSTM(x, state(in.H, i), state(in.C, i), w.WeightIH, w.WeightHH, w.BiasIH, w.BiasHH, o)
		hs, cs = append(hs, h), append(cs, c)
		return y
	})
	return y, states(hs), states(cs)
}

// Forward maps x, [n, steps, in], to the results of the last layer, [n, steps, width·directions]. The last states h of all
// layers have the shape of the initial ones. A stream that comes in pieces passes them on as the next piece's.
//
// It panics with an autograd.ShapeError when there are more or fewer initial states than layers and directions, and with an
// autograd.UseError when there is a C.
func (g *GRU) Forward(x *autograd.Tensor, in RecurrentInput) (y, h *autograd.Tensor) {
	if in.C != nil {
		panic(&autograd.UseError{Op: "gru", Reason: "expected no initial C: only an LSTM has one"})
	}
	checkStates("gru", g.Layers, in.H)
	var hs []autograd.Operand
	y = recur(g.Layers, g.Dropout, x, in.Lengths, func(x *autograd.Tensor, w *RecurrentWeights, o autograd.RecurrentOptions) *autograd.Tensor {
		y, h := autograd.GRU(x, state(in.H, len(hs)), w.WeightIH, w.WeightHH, w.BiasIH, w.BiasHH, o)
		hs = append(hs, h)
		return y
	})
	return y, states(hs)
}

// recur runs a stack of layers; one runs a direction of a layer.
func recur(layers []RecurrentLayer, dropout float32, x *autograd.Tensor, lengths []int,
	one func(x *autograd.Tensor, w *RecurrentWeights, o autograd.RecurrentOptions) *autograd.Tensor) *autograd.Tensor {
	for i, l := range layers {
		if i > 0 {
			x = autograd.Dropout(x, dropout)
		}
		y := one(x, l.Forward, autograd.RecurrentOptions{Lengths: lengths})
		if l.Reverse != nil {
			y = autograd.Concat(2, y, one(x, l.Reverse, autograd.RecurrentOptions{Lengths: lengths, Reverse: true}))
		}
		x = y
	}
	return x
}

// checkStates panics unless initial states, where given, are one for each direction of each layer.
func checkStates(name string, layers []RecurrentLayer, states ...*autograd.Tensor) {
	n := 0
	for _, l := range layers {
		n++
		if l.Reverse != nil {
			n++
		}
	}
	for _, s := range states {
		if s == nil {
			continue
		}
		if shape := s.Shape(); len(shape) != 3 || shape[0] != n {
			panic(&autograd.ShapeError{Op: name, Shapes: [][]int{shape},
				Reason: fmt.Sprintf("expected initial states [%d, n, width], one for each direction of each layer", n)})
		}
	}
}

// state returns initial state i, [n, width], or nil where there are none.
func state(all *autograd.Tensor, i int) *autograd.Tensor {
	if all == nil {
		return nil
	}
	s := autograd.Slice(all, 0, i, i+1)
	return autograd.Reshape(s, s.Shape()[1:]...)
}

// states joins last states, [n, width] each, to [states, n, width].
func states(all []autograd.Operand) *autograd.Tensor {
	n, width := all[0].Shape()[0], all[0].Shape()[1]
	return autograd.Reshape(autograd.Concat(0, all...), len(all), n, width)
}
