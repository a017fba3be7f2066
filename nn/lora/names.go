package lora

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/nn"
)

// The files of an adapter's folder.
const (
	ConfigName      = "adapter_config.json"
	SafetensorsName = "adapter_model.safetensors"
	TorchName       = "adapter_model.bin" // read where the other is missing
)

// PEFT's prefix and suffixes of module names.
const (
	parent  = "base_model.model"
	prefix  = parent + "."
	suffixA = ".lora_A.weight"
	suffixB = ".lora_B.weight"
)

// module is a linear layer, or a part of one, as the libraries that PEFT adapts see it.
type module struct {
	path       string // of the layer
	layer      *nn.Linear
	from, rows int
	names      []string // one for each form in which a file may hold the weight; "" where a form has other parts
}

// name returns the module's name in a form. A layer with the same name in several forms may have fewer names than other
// layers; its first name then stands for the missing ones.
func (m *module) name(form int) string {
	if form < len(m.names) {
		return m.names[form]
	}
	return m.names[0]
}

// parents yields the names of the modules that hold a tensor, the outermost first.
func parents(tensor string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range tensor {
			if tensor[i] == '.' && !yield(tensor[:i]) {
				return
			}
		}
	}
}

// modulesOf returns the modules of a model in the order of its layers and rows.
func modulesOf(model any, names *checkpoint.Names) []*module {
	var all []*module
	for path, l := range nn.Layers[nn.Linear](model) {
		forms := names.Tensors(path + ".Weight")
		cut := map[int][]*module{} // by the number of parts
		for form, tensors := range forms {
			n := len(tensors)
			if cut[n] == nil {
				rows := l.Weight.Shape()[0] / n
				for i := range n {
					m := &module{path: path, layer: l, from: i * rows, rows: rows, names: make([]string, len(forms))}
					cut[n] = append(cut[n], m)
				}
				all = append(all, cut[n]...)
			}
			for i, tensor := range tensors {
				cut[n][i].names[form], _ = strings.CutSuffix(tensor, ".weight")
			}
		}
	}
	return all
}

// stored are the values that lie in an adapter's file, in order, and the table of their names there.
type stored struct {
	paths  []string
	values []checkpoint.Value
	names  checkpoint.Names
}

// newStored returns an empty list for a model of the given names, each of which gets PEFT's prefix.
func newStored(names *checkpoint.Names) *stored {
	s := &stored{names: *names}
	s.names.Columns, s.names.Optional = nil, nil
	s.names.Prefixes = append([]string{prefix}, names.Prefixes...)
	s.names.Rules = make([]checkpoint.Rule, len(names.Rules))
	for i, r := range names.Rules {
		s.names.Rules[i] = checkpoint.Nest("", slices.Repeat([]string{parent}, max(len(r)-1, 0)), r)[0]
	}
	return s
}

// add adds a value of the base model.
func (s *stored) add(path string, v checkpoint.Value) {
	s.paths, s.values = append(s.paths, path), append(s.values, v)
}

// addAdapter adds the adapter of a module of the given name.
func (s *stored) addAdapter(m *module, name string, a *nn.LowRank) {
	rows := fmt.Sprintf(" of rows %d to %d of %s", m.from, m.from+m.rows, m.path)
	s.names.Rules = append(s.names.Rules,
		checkpoint.Rule{"A" + rows, prefix + name + suffixA}, checkpoint.Rule{"B" + rows, prefix + name + suffixB})
	s.add("A"+rows, a.A)
	s.add("B"+rows, a.B)
}

// all yields the values in the order in which they were added.
func (s *stored) all() iter.Seq2[string, checkpoint.Value] {
	return func(yield func(string, checkpoint.Value) bool) {
		for i, path := range s.paths {
			if !yield(path, s.values[i]) {
				return
			}
		}
	}
}
