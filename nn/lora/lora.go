package lora

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path"
	"slices"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/nn"
)

// Options describe the adapters that [Attach] adds.
type Options struct {
	// Layers are patterns of the paths of linear layers, in the form of path.Match: "*" stands for any run of
	// characters. A layer that projects to queries, keys and values at once has three adapters, with paths of their
	// own: "Encoder.Blocks.*.Attention.QKV" stands for all three, "Encoder.Blocks.*.Attention.QKV.Query" for the first.
	// The others are called Key and Value.
	Layers []string

	Rank       int     // at least 1
	Alpha      float64 // the scale is Alpha/Rank; 0 means 8, as in PEFT
	Stabilized bool    // the scale is Alpha/√Rank: rsLoRA
	Dropout    float32 // the probability of dropping an element of a layer's input on its way to the adapter

	// Train are patterns of the paths of parameters that are trained beside the adapters, such as "Head.*". [Save]
	// writes them too.
	Train []string
}

// maxRank is far above the width of any layer, and far below an overflow.
const maxRank = 1 << 20

// Attach adds adapters to layers of a model. It freezes all other parameters, except those that o.Train names. A is drawn
// as in PEFT, uniform in ±1/√in. B is zero, so that the outputs do not change yet.
//
// It is an error when a pattern matches nothing, an option is out of range, rng is nil, or a layer has an adapter
// already, merged or not. The model is then unchanged.
func Attach(model any, o Options, rng *rand.Rand) error {
	o.Alpha = cmp.Or(o.Alpha, 8)
	switch {
	case o.Rank < 1 || o.Rank > maxRank:
		return fmt.Errorf("lora: rank: expected 1 to %d, found %d", maxRank, o.Rank)
	case math.IsNaN(o.Alpha) || math.IsInf(o.Alpha, 0):
		return fmt.Errorf("lora: alpha: expected a finite number, found %v", o.Alpha)
	case !(o.Dropout >= 0 && o.Dropout < 1):
		return fmt.Errorf("lora: dropout: expected at least 0 and below 1, found %v", o.Dropout)
	case rng == nil:
		return errors.New("lora: a random number generator is needed to draw the adapters")
	}
	chosen, err := choose(sitesOf(model), o.Layers)
	if err != nil {
		return err
	}
	var trained []*autograd.Parameter
	for _, pattern := range o.Train {
		before := len(trained)
		for name, p := range nn.Parameters(model) {
			if ok, err := path.Match(pattern, name); err != nil {
				return fmt.Errorf("lora: pattern %q: %w", pattern, err)
			} else if ok {
				trained = append(trained, p)
			}
		}
		if len(trained) == before {
			return fmt.Errorf("lora: pattern %q matches no parameter of the model", pattern)
		}
	}
	for _, s := range chosen {
		if slices.Contains(trained, s.layer.Weight) || s.layer.Bias != nil && slices.Contains(trained, s.layer.Bias) {
			return fmt.Errorf("lora: %s: Layers and Train both name the layer, which can have an adapter or be trained itself", s.path)
		}
	}
	freeze(model, trained)
	for _, s := range chosen {
		a := &nn.LowRank{
			A:          autograd.NewParameter(o.Rank, s.layer.Weight.Shape()[1]),
			B:          autograd.NewParameter(s.rows, o.Rank),
			From:       s.from,
			Alpha:      o.Alpha,
			Stabilized: o.Stabilized,
			Dropout:    o.Dropout,
		}
		nn.KaimingUniform(rng, a.A, math.Sqrt(5))
		s.layer.Adapter = append(s.layer.Adapter, a)
	}
	nn.LimitAdded(model)
	return nil
}

// site is a place for an adapter: some rows of a linear layer.
type site struct {
	path       string // of the layer
	part       string // "", ".Query", ".Key" or ".Value"
	layer      *nn.Linear
	from, rows int
}

// sitesOf returns the sites of a model in the order of its layers and rows.
func sitesOf(model any) []site {
	fused := map[*nn.Linear]bool{}
	for _, a := range nn.Layers[nn.MultiHeadAttention](model) {
		fused[a.QKV] = true
	}
	var all []site
	for name, l := range nn.Layers[nn.Linear](model) {
		parts := []string{""}
		if fused[l] {
			parts = []string{".Query", ".Key", ".Value"}
		}
		rows := l.Weight.Shape()[0] / len(parts)
		for i, part := range parts {
			all = append(all, site{name, part, l, i * rows, rows})
		}
	}
	return all
}

// choose returns the sites that a pattern matches.
func choose(all []site, patterns []string) ([]site, error) {
	if len(patterns) == 0 {
		return nil, errors.New("lora: no layers are named")
	}
	used := make([]bool, len(patterns))
	var chosen []site
	for _, s := range all {
		hit := false
		for i, pattern := range patterns {
			whole, err := path.Match(pattern, s.path)
			if err != nil {
				return nil, fmt.Errorf("lora: pattern %q: %w", pattern, err)
			}
			part, _ := path.Match(pattern, s.path+s.part)
			used[i] = used[i] || whole || part
			hit = hit || whole || part
		}
		if !hit {
			continue
		}
		if len(s.layer.Adapter) > 0 || s.layer.Merged() {
			return nil, fmt.Errorf("lora: %s: the layer has an adapter already", s.path)
		}
		chosen = append(chosen, s)
	}
	for i, pattern := range patterns {
		if !used[i] {
			return nil, fmt.Errorf("lora: pattern %q matches no linear layer of the model", pattern)
		}
	}
	return chosen, nil
}

// freeze freezes all parameters of a model, except some.
func freeze(model any, except []*autograd.Parameter) {
	for _, p := range nn.Parameters(model) {
		p.Frozen = true
	}
	for _, p := range except {
		p.Frozen = false
	}
}

// Merge merges every adapter of a model into the weight beside it, as [nn.Linear.Merge] says. The model then has the same
// outputs up to rounding, runs as fast as without adapters, and is saved like a base model. Each merged layer keeps a
// copy of its original weight for [Unmerge].
//
// It is an error when the model has no adapter, or when an adapted weight is tied to another layer, which merging would
// change too. The model is then unchanged.
func Merge(model any) error {
	var layers []*nn.Linear
	for name, l := range nn.Layers[nn.Linear](model) {
		if len(l.Adapter) == 0 {
			continue
		}
		if l.Merged() {
			return fmt.Errorf("lora: merge: %s has another adapter, added after merging", name)
		}
		if paths := nn.PathsOf(model, l.Weight); len(paths) > 1 {
			return fmt.Errorf("lora: merge: %s is also %s, which merging would change with it", paths[0], paths[1])
		}
		layers = append(layers, l)
	}
	if layers == nil {
		return errors.New("lora: merge: the model has no adapter")
	}
	for _, l := range layers {
		l.Merge()
	}
	return nil
}

// Unmerge undoes [Merge] in every merged layer: it restores the bits of the weights, and the adapters beside them. It is
// an error when no layer is merged. A layer that [nn.Linear.Unmerge] refuses stays merged, and the error names it.
func Unmerge(model any) error {
	found := false
	var failed error
	for name, l := range nn.Layers[nn.Linear](model) {
		if !l.Merged() {
			continue
		}
		found = true
		if err := l.Unmerge(); err != nil {
			failed = errors.Join(failed, fmt.Errorf("lora: %s: %w", name, err))
		}
	}
	if !found {
		return errors.New("lora: unmerge: the model has no merged adapter")
	}
	return failed
}
