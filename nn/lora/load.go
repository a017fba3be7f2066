package lora

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/smallfile"
	"github.com/fovea-ml/fovea/nn"
)

// Load attaches the adapters in a folder that PEFT's save_pretrained or [Save] wrote. It also loads the modules that the
// folder holds beside them (modules_to_save). Names is the model's table of names; modules may have any name that the
// table reads. Only the adapters and these modules are trainable afterwards; all other parameters are frozen.
//
// It is an error when the model has an adapter already, when the configuration asks for something unsupported, or when
// the weights are not exactly the ones that it describes. The error names the file and the field or tensor, and the model
// is unchanged.
func Load(fsys fs.FS, model any, names *checkpoint.Names) error {
	if names == nil {
		names = &checkpoint.Names{}
	}
	data, err := smallfile.Read(fsys, ConfigName)
	if err != nil {
		return fmt.Errorf("lora: %w", err)
	}
	c, err := parseConfig(data)
	if err != nil {
		return fmt.Errorf("lora: %s: %w", ConfigName, err)
	}
	f, err := checkpoint.OpenFS(fsys, SafetensorsName, checkpoint.OpenOptions{})
	if errors.Is(err, fs.ErrNotExist) {
		var other error
		if f, other = checkpoint.OpenFS(fsys, TorchName, checkpoint.OpenOptions{}); !errors.Is(other, fs.ErrNotExist) {
			err = other
		}
	}
	if err != nil {
		return fmt.Errorf("lora: %w", err)
	}
	defer f.Close()
	for path, l := range nn.Layers[nn.Linear](model) {
		if len(l.Adapter) > 0 || l.Merged() {
			return fmt.Errorf("lora: %s: the layer has an adapter already", path)
		}
	}

	found, inner, err := c.find(f, modulesOf(model, names), names)
	if err != nil {
		return fmt.Errorf("lora: %w", err)
	}
	s := newStored(names)
	layers := map[*nn.Linear][]*nn.LowRank{}
	for _, x := range found {
		s.addAdapter(x.module, x.name, x.lowRank)
		layers[x.layer] = append(layers[x.layer], x.lowRank)
	}
	var trained []*autograd.Parameter
	for path, v := range nn.Values(model) {
		saved, err := c.savesValue(path, names, inner)
		if err != nil {
			return fmt.Errorf("lora: %s: %w", ConfigName, err)
		}
		if !saved {
			continue
		}
		s.add(path, v)
		if p, ok := v.(*autograd.Parameter); ok {
			trained = append(trained, p)
		}
	}
	if _, err := checkpoint.Load(f, &s.names, s.all(), checkpoint.LoadOptions{}); err != nil {
		return fmt.Errorf("lora: %w", err)
	}
	freeze(model, trained)
	for l, adapter := range layers {
		l.Adapter = adapter
	}
	nn.LimitAdded(model)
	return nil
}

// adapter is an adapter in a file. name is its module's name without prefix.
type adapter struct {
	*module
	name    string
	lowRank *nn.LowRank
}

// savesValue reports whether modules_to_save covers a value of the model. With inner, the file knows no module beside the
// inner model.
//
// A module within another one that is covered too is an error: PEFT 0.21 then trains a copy of it that it does not save.
// The file holds the initial values, and PEFT does not load it.
func (c *config) savesValue(path string, names *checkpoint.Names, inner bool) (bool, error) {
	var part string
	var nested error
	for _, tensors := range names.Tensors(path) {
		all := true
		var modules []string // of the part in the most modules
		for _, tensor := range tensors {
			if tensor == "" { // a part that no file holds
				continue
			}
			around := c.savedIn(tensor)
			if len(around) == 0 || inner && names.Canonical(tensor) == tensor {
				all = false
				continue
			}
			part = tensor
			if len(around) > len(modules) {
				modules = around
			}
		}
		switch {
		case !all || modules == nil:
		case len(modules) == 1:
			return true, nil
		default:
			nested = fmt.Errorf("modules_to_save: unsupported: it names %s and, within it, %s, whose trained values PEFT did not save", modules[0], modules[1])
		}
	}
	if nested != nil {
		return false, nested
	}
	if part != "" {
		return false, fmt.Errorf("modules_to_save: unsupported: it covers %s, but not the other parts of %s", part, path)
	}
	return false, nil
}

// find returns the adapters of modules that a file holds, without values, in the order of layers and rows. They must
// be the ones that the configuration describes. An error names the file.
//
// Names without the prefix of the table's, such as layers.0 for vit.layers.0, are those of an adapted inner model, which
// has no modules beside it: inner is true, and no adapters of such modules are expected.
func (c *config) find(f *checkpoint.File, modules []*module, names *checkpoint.Names) (found []adapter, inner bool, err error) {
	fail := func(format string, args ...any) ([]adapter, bool, error) {
		return nil, false, fmt.Errorf("%s: %w", f.Name(), fmt.Errorf(format, args...))
	}
	byName := map[string]*module{} // by each name in canonical form
	for _, m := range modules {
		for _, name := range m.names {
			if name = names.Canonical(name); name != "" && byName[name] == nil {
				byName[name] = m
			}
		}
	}
	held := map[*module]adapter{}
	forms := map[int]bool{} // of the names in the file
	outer := false          // a name has its prefix
	for tensor := range f.Names() {
		name, ok := strings.CutSuffix(tensor, suffixA)
		if !ok {
			continue
		}
		name = strings.TrimPrefix(name, prefix)
		m := byName[names.Canonical(name)]
		switch {
		case m == nil && names.Ignores(name+suffixA):
			continue
		case m == nil:
			return fail("%s: the model has no linear layer of this name", tensor)
		case !c.adapts(name):
			return fail("%s: %s does not name this module", tensor, ConfigName)
		}
		if other, ok := held[m]; ok {
			return fail("%s: %s adapts the same rows of %s", tensor, other.name, m.path)
		}
		rank := c.rankOf(name)
		if rank < 1 {
			return nil, false, fmt.Errorf("%s: the rank of %s: expected at least 1, found %d", ConfigName, name, rank)
		}
		a, err := c.adapterOf(f, m, name, rank)
		if err != nil {
			return fail("%w", err)
		}
		for form, n := range m.names {
			if bare := names.Canonical(n); bare == names.Canonical(name) {
				forms[form] = true
				inner = inner || n != bare && name == bare
				outer = outer || n != bare && name == n
			}
		}
		held[m] = adapter{m, name, a}
	}
	if len(held) == 0 {
		return fail("expected tensors with names that end in %s, found none", suffixA)
	}
	inner = inner && !outer
	for _, m := range modules {
		if x, ok := held[m]; ok {
			if n := len(found); n > 0 && found[n-1].layer == m.layer && found[n-1].from+found[n-1].rows > m.from {
				return fail("%s and %s adapt the same rows of %s", found[n-1].name, x.name, m.path)
			}
			found = append(found, x)
			continue
		}
		if c.all {
			continue
		}
		for form := range forms {
			name := m.name(form)
			if inner {
				bare := names.Canonical(name)
				if bare == name {
					continue
				}
				name = bare
			}
			if name != "" && c.adapts(name) {
				return fail("expected an adapter of %s, which %s names, found none", name, ConfigName)
			}
		}
	}
	return found, inner, nil
}

// adapterOf returns an adapter of a module, without values. The file must hold it in the configuration's sizes before
// memory is taken for them.
func (c *config) adapterOf(f *checkpoint.File, m *module, name string, rank int) (*nn.LowRank, error) {
	in := m.layer.Weight.Shape()[1]
	for _, want := range []struct {
		suffix string
		shape  []int
	}{{suffixA, []int{rank, in}}, {suffixB, []int{m.rows, rank}}} {
		tensor := prefix + name + want.suffix
		t, ok := f.Tensor(tensor)
		if !ok {
			return nil, fmt.Errorf("expected a tensor %s, found none", tensor)
		}
		if !slices.Equal(t.Shape, want.shape) {
			return nil, fmt.Errorf("%s: expected shape %v, found %v", tensor, want.shape, t.Shape)
		}
	}
	return &nn.LowRank{
		A:          autograd.NewParameter(rank, in),
		B:          autograd.NewParameter(m.rows, rank),
		From:       m.from,
		Alpha:      c.alphaOf(name),
		Stabilized: c.stabilized,
		Dropout:    c.dropout,
	}, nil
}
