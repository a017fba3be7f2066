package train

import (
	"iter"

	"github.com/fovea-ml/fovea/autograd"
)

// A Group is a set of parameters that an optimizer treats alike.
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

// GroupOptions tell [Groups] how to divide a model.
type GroupOptions struct {
	// WeightDecay is that of parameters of two dimensions or more. Those of fewer, which are biases and
	// the weights of normalizations, get none.
	WeightDecay float64

	// NoDecay, if not nil, names further parameters without weight decay: position embeddings and class
	// tokens, usually.
	NoDecay func(path string) bool

	// LayerDecay, if not 0, gives a parameter of layer i the learning rate scale LayerDecay^(Layers+1-i),
	// as BEiT and MAE fine-tune. Layer tells i from the path: by custom 0 for the embeddings, i+1 for block
	// i of Layers blocks, Layers+1 for the head, whose scale is 1.
	LayerDecay float64
	Layers     int
	Layer      func(path string) int
}

// Groups divides the parameters of a model, as nn.Parameters yields them, into groups of equal scale and
// weight decay, in the order in which these are first met. Frozen parameters are left out, and so cost an
// optimizer no memory: freeze before you group.
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
