package train

import (
	"fmt"
	"iter"

	"github.com/fovea-ml/fovea/autograd"
)

// A Group is a set of parameters with the same settings.
type Group struct {
	Params      []Param
	LRScale     *float64 // multiplies the learning rate; nil means 1
	WeightDecay float64

	err error // of Groups
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
	// Models have a method of this name for it.
	NoDecay func(path string) bool

	// LayerDecay, if not 0, gives a parameter of layer i the learning-rate scale LayerDecay^(Layers+1-i), as BEiT and MAE do
	// for fine-tuning. Layer, which it needs, returns the layer of a path: usually 0 for the embeddings, i+1 for block i of
	// Layers blocks, and Layers+1 for the head, which has scale 1. Models have a method of this name for it.
	LayerDecay float64
	Layers     int
	Layer      func(path string) int
}

// Groups divides the parameters of a model, as nn.Parameters yields them, into groups of equal scale and weight decay. The
// groups are in the order of their first parameters. Frozen parameters are left out, so that they cost an optimizer no
// memory: freeze parameters first.
//
// Invalid options make the optimizer's Err, and so [Run], return an error.
func Groups(params iter.Seq2[string, *autograd.Parameter], o GroupOptions) []Group {
	type key struct{ scale, decay float64 }
	var groups []Group
	index := map[key]int{}
	if err := o.check(); err != nil {
		return []Group{{err: err}}
	}
	for path, p := range params {
		if p.Frozen {
			continue
		}
		k := key{1, o.WeightDecay}
		if len(p.Shape()) < 2 || (o.NoDecay != nil && o.NoDecay(path)) {
			k.decay = 0
		}
		if o.LayerDecay != 0 {
			layer := o.Layer(path)
			if layer < 0 || layer > o.Layers+1 {
				return []Group{{err: fmt.Errorf("train: groups: Layer: expected 0 to %d for %q, found %d", o.Layers+1, path, layer)}}
			}
			k.scale = power(o.LayerDecay, int64(o.Layers+1-layer))
		}
		i, ok := index[k]
		if !ok {
			i = len(groups)
			index[k] = i
			groups = append(groups, Group{LRScale: new(k.scale), WeightDecay: k.decay})
		}
		groups[i].Params = append(groups[i].Params, Param{path, p})
	}
	return groups
}

// check returns an error for invalid options.
func (o *GroupOptions) check() error {
	switch {
	case !finite(o.LayerDecay) || o.LayerDecay < 0:
		return fmt.Errorf("train: groups: LayerDecay: expected 0 or more, found %v", o.LayerDecay)
	case o.LayerDecay != 0 && o.Layer == nil:
		return fmt.Errorf("train: groups: LayerDecay %v needs Layer, which numbers the layers", o.LayerDecay)
	}
	return nil
}
