package lora

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/atomicfile"
	"github.com/fovea-ml/fovea/nn"
)

// written is adapter_config.json. PEFT has defaults for the fields that are not here.
type written struct {
	PEFTType      string             `json:"peft_type"`
	Rank          int                `json:"r"`
	Alpha         float64            `json:"lora_alpha"`
	Dropout       float32            `json:"lora_dropout"`
	Stabilized    bool               `json:"use_rslora"`
	Targets       any                `json:"target_modules"` // a list of names, or an expression
	Saved         []string           `json:"modules_to_save"`
	Ranks         map[string]int     `json:"rank_pattern"`
	Alphas        map[string]float64 `json:"alpha_pattern"`
	Bias          string             `json:"bias"`
	FanInFanOut   bool               `json:"fan_in_fan_out"`
	InferenceMode bool               `json:"inference_mode"`
	InitWeights   bool               `json:"init_lora_weights"`

	adapted []string // names of modules
}

// Save writes the adapters of a model, and the modules with parameters that are trained beside them, to a folder. It
// makes the folder when it is not there. The files are adapter_config.json and adapter_model.safetensors, as PEFT's
// save_pretrained writes them. Modules have the names that the table writes. PEFT loads the folder if its model has
// modules of these names in memory. In transformers 5 they may differ from the names on disk.
//
// It is an error when
//
//   - the model has no adapter, or a merged one;
//   - the table has no name for an adapted layer, or cuts it into parts that no whole number of covers an adapter's rows (a
//     nil table has no names);
//   - adapters differ in dropout or stabilization, which the configuration holds once;
//   - a module with an adapter has trained parameters of its own;
//   - the name of a trained module also stands for a module that is not trained: PEFT takes the names in modules_to_save
//     for endings of names.
//
// Each file appears whole or not at all, the weights last.
func Save(dir string, model any, names *checkpoint.Names) error {
	c := written{
		PEFTType: "LORA", Bias: "none", InferenceMode: true, InitWeights: true,
		Ranks: map[string]int{}, Alphas: map[string]float64{},
	}
	if names == nil {
		names = &checkpoint.Names{}
	}
	s := newStored(names)
	for path, l := range nn.Layers[nn.Linear](model) {
		if l.Merged() {
			return fmt.Errorf("lora: save: the adapter of %s is merged; unmerge it first", path)
		}
		for _, a := range l.Adapter {
			parts, err := partsOf(path, l, a, names)
			if err != nil {
				return fmt.Errorf("lora: save: %w", err)
			}
			for _, p := range parts {
				if err := c.add(p.names[0], a); err != nil {
					return fmt.Errorf("lora: save: %s: %w", path, err)
				}
				s.addAdapter(&p.module, p.names[0], p.adapter)
			}
		}
	}
	if len(c.adapted) == 0 {
		return errors.New("lora: save: the model has no adapter")
	}
	c.Targets = c.targets(model, names)
	if err := c.addTrained(s, model, names); err != nil {
		return fmt.Errorf("lora: save: %w", err)
	}

	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("lora: save: %w", err)
	}
	data, err := json.MarshalIndent(c, "", "  ")
	if err == nil {
		err = atomicfile.WriteFile(filepath.Join(dir, ConfigName), append(data, '\n'))
	}
	if err == nil {
		err = checkpoint.Save(filepath.Join(dir, SafetensorsName), &s.names, s.all(), checkpoint.WriteOptions{})
	}
	if err != nil {
		return fmt.Errorf("lora: save: %w", err)
	}
	return nil
}

// part is a module that an adapter covers, with the name that is written, and the adapter of the module alone.
type part struct {
	module
	adapter *nn.LowRank
}

// partsOf returns the modules that a covers. Where the table of names has several for its rows, such as gate and up of a
// gated layer, each has A, and its own rows of B: together they give the same outputs.
func partsOf(path string, l *nn.Linear, a *nn.LowRank, names *checkpoint.Names) ([]part, error) {
	tensors := names.Tensors(path + ".Weight")[0]
	rows, rank := a.B.Shape()[0], a.A.Shape()[0]
	each := l.Weight.Shape()[0] / len(tensors)
	if rows%each != 0 || a.From%each != 0 {
		return nil, fmt.Errorf("%s: the adapter covers rows %d to %d, and the table of names has parts of %d rows", path, a.From, a.From+rows, each)
	}
	var parts []part
	for from := a.From; from < a.From+rows; from += each {
		name, ok := strings.CutSuffix(tensors[from/each], ".weight")
		if !ok {
			return nil, fmt.Errorf("%s: the table of names has no module for this layer", path)
		}
		one := *a
		if one.From = from; rows > each {
			one.B = autograd.ParameterOf(a.B.Values()[(from-a.From)*rank:][:each*rank], each, rank)
		}
		parts = append(parts, part{module{path: path, layer: l, from: from, rows: each, names: []string{name}}, &one})
	}
	return parts, nil
}

// add describes the adapter of a module. The first one decides the defaults.
func (c *written) add(name string, a *nn.LowRank) error {
	rank := a.A.Shape()[0]
	if c.adapted == nil {
		c.Rank, c.Alpha, c.Dropout, c.Stabilized = rank, a.Alpha, a.Dropout, a.Stabilized
	}
	switch {
	case a.Dropout != c.Dropout:
		return fmt.Errorf("expected a dropout of %v as in the first adapter, found %v", c.Dropout, a.Dropout)
	case a.Stabilized != c.Stabilized:
		return errors.New("expected all adapters to be stabilized, or none")
	}
	c.adapted = append(c.adapted, name)
	key := "^" + regexp.QuoteMeta(name) // without ^ it would be an ending
	if rank != c.Rank {
		c.Ranks[key] = rank
	}
	if a.Alpha != c.Alpha {
		c.Alphas[key] = a.Alpha
	}
	return nil
}

// targets returns target_modules: the list of names, or an expression where a name in a list would stand for another
// module too, as its ending.
func (c *written) targets(model any, names *checkpoint.Names) any {
	ambiguous := false
	for _, m := range modulesOf(model, names) {
		if !slices.Contains(c.adapted, m.names[0]) {
			ambiguous = ambiguous || slices.ContainsFunc(m.names, func(name string) bool { return endsIn(name, c.adapted) })
		}
	}
	for path := range nn.Values(model) { // modules of other kinds, such as those that hold layers
		for _, tensor := range names.Tensors(path)[0] {
			for m := range parents(tensor) {
				ambiguous = ambiguous || !slices.Contains(c.adapted, m) && endsIn(m, c.adapted)
			}
		}
	}
	if !ambiguous {
		return c.adapted
	}
	quoted := make([]string, len(c.adapted))
	for i, name := range c.adapted {
		quoted[i] = regexp.QuoteMeta(name)
	}
	return strings.Join(quoted, "|")
}

// addTrained adds each module with a parameter of the base model that is not frozen, and all values in the module.
func (c *written) addTrained(s *stored, model any, names *checkpoint.Names) error {
	within := func(path string) bool { // one of the modules
		return slices.ContainsFunc(names.Tensors(path)[0], func(tensor string) bool {
			return slices.ContainsFunc(c.Saved, func(m string) bool { return strings.HasPrefix(tensor, m+".") })
		})
	}
	adapters := map[checkpoint.Value]bool{}
	for _, l := range nn.Layers[nn.Linear](model) {
		for _, a := range l.Adapter {
			adapters[a.A], adapters[a.B] = true, true
		}
	}
	for path, p := range nn.Parameters(model) {
		if p.Frozen || adapters[p] {
			continue
		}
		for _, tensor := range names.Tensors(path)[0] {
			dot := strings.LastIndexByte(tensor, '.')
			switch {
			case tensor == "": // a part that no file holds
				continue
			case dot < 0 || tensor == path:
				return fmt.Errorf("%s is trained, and the table of names has no module for it", path)
			}
			if m := tensor[:dot]; !slices.Contains(c.Saved, m) {
				c.Saved = append(c.Saved, m)
			}
		}
	}
	// PEFT cannot save a module inside another one that it saves.
	all := slices.Clone(c.Saved)
	c.Saved = slices.DeleteFunc(c.Saved, func(inner string) bool {
		return slices.ContainsFunc(all, func(m string) bool { return strings.HasPrefix(inner, m+".") })
	})
	read := &config{saved: c.Saved}
	for _, target := range c.adapted {
		if i := slices.IndexFunc(c.Saved, func(m string) bool { return strings.HasPrefix(target+".", m+".") }); i >= 0 {
			return fmt.Errorf("%s: a module with an adapter has trained parameters of its own in %s", target, c.Saved[i])
		}
		if read.isSaved(target) {
			return fmt.Errorf("%s: PEFT reads no adapter of this module beside trained modules of the names %q, which are parts of its name", target, c.Saved)
		}
	}
	for path, v := range nn.Values(model) {
		if adapters[v] {
			continue
		}
		forms := names.Tensors(path)
		if within(path) {
			s.add(path, v)
			forms = forms[:1] // the others belong to the same module
		}
		for _, tensor := range slices.Concat(forms...) {
			for m := range parents(tensor) {
				ending := func(name string) bool { return strings.HasSuffix(m, name) }
				if i := slices.IndexFunc(c.Saved, ending); i >= 0 && !slices.Contains(c.Saved, m) {
					return fmt.Errorf("%s is trained, and PEFT would read %s as trained too, because its name has the same ending", c.Saved[i], m)
				}
			}
		}
	}
	return nil
}
