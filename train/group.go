package train

import (
	"iter"

	"github.com/fovea-ml/fovea/autograd"
)

// A Group is a set of parameters with the same settings.
type Group struct {
	Params      []Param
	LRScale     float64 // multiplies the learning rate; 0 means 1
	WeightDecay float64
}

// A Param is a parameter under its path in the model.
type Param struct {
	Path string
	*autograd.Parameter
}

// GroupOptions are the settings of [Groups].
type GroupOptions struct {
	// WeightDecay applies to parameters of two dimensions or more. Biases and the weights of normalizations have fewer, and
	// get none.
	WeightDecay float64

	// NoDecay, if not nil, selects further parameters without weight decay: usually position embeddings and class tokens.
	NoDecay func(path string) bool

	// LayerDecay, if not 0, gives a parameter of layer i the learning-rate scale LayerDecay^(Layers+1-i), as BEiT and MAE do
	// for fine-tuning. Layer returns the layer of a path: usually 0 for the embeddings, i+1 for block i of Layers blocks,
	// and Layers+1 for the head, which has scale 1.
	LayerDecay float64
	Layers     int
	Layer      func(path string) int
}

// Groups divides the parameters of a model, as nn.Parameters yields them, into groups of equal scale and weight decay. The
// groups are in the order of their first parameters. Frozen parameters are left out, so that they cost an optimizer no
// memory: freeze parameters first.
func Groups(params iter.Seq2[string, *autograd.Parameter], o GroupOptions) []Group {
	type key struct{ scale, decay float64 }
	var groups []Group
	index := map[key]int{}
	for path, p := range params {
		if p.Frozen {
			continue
		}
		k := key{1, o.WeightDecay}
		if len(p.Shape()) < 2 || (o.NoDecay != nil && o.NoDecay(path)) {
			k.decay = 0
		}
		if o.LayerDecay != 0 && o.Layer != nil {
			k.scale = power(o.LayerDecay, int64(o.Layers+1-o.Layer(path)))
		}
		i, ok := index[k]
		if !ok {
			i = len(groups)
			index[k] = i
			groups = append(groups, Group{LRScale: k.scale, WeightDecay: k.decay})
		}
		groups[i].Params = append(groups[i].Params, Param{path, p})
	}
	return groups
}
