package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/describe"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/mae"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
)

// loaded is a model that package vit or mae has loaded, with the names of its tensors in each library.
type loaded struct {
	model      any
	save       func(dir string, o models.SaveOptions) error
	names      func(models.Layout) *checkpoint.Names
	preprocess vision.Preprocess
	assumed    bool
	only       string // why the library of -names cannot have the model, or ""
}

// load loads the model at a path, of a family that package vit or mae may load.
func load(s settings, family *guess) (*loaded, error) {
	o := models.LoadOptions{Root: s.root()}
	if family != nil && strings.HasPrefix(family.Name, "MAE") {
		m, err := mae.Open(s.Path, o)
		if err != nil {
			return nil, err
		}
		l := &loaded{m, m.Save, m.TensorNames, m.Preprocess, m.PreprocessAssumed, ""}
		if s.Names == "timm" {
			l.only = "timm has no masked autoencoder with a decoder: expected -names hf"
		}
		return l, nil
	}
	m, err := vit.Open(s.Path, o)
	if err != nil {
		return nil, err
	}
	l := &loaded{m, m.Save, m.TensorNames, m.Preprocess, m.PreprocessAssumed, ""}
	if m.TransformersClass() == "" && s.Names == "hf" {
		l.only = fmt.Sprintf("transformers has no model with %s that computes the same: expected -names timm, whose folder transformers loads through timm", m.Config.Variant())
	}
	return l, nil
}

// rename writes the model at the path of s with the names of -names: to a new folder with its configuration, or to one
// file. It returns the written checkpoint.
func rename(ctx context.Context, c *console.Console, in *input, s settings) (*input, error) {
	if !s.toFile() {
		if err := checkEmpty(s.To); err != nil {
			return nil, err
		}
	}
	m, err := load(s, guessFamily(shapesOf(in.file)))
	if err != nil {
		return nil, err
	}
	if m.only != "" {
		return nil, errors.New("-names: " + m.only)
	}
	layout := map[string]models.Layout{"hf": models.HuggingFace, "timm": models.Timm}[s.Names]
	dtype, err := s.typeOf(in.file)
	if err != nil {
		return nil, err
	}
	var out *input
	if s.toFile() {
		out, err = write(ctx, c, in, s, entriesOf(m, layout, dtype))
	} else if err = m.save(s.To, models.SaveOptions{Layout: layout, DType: dtype}); err == nil {
		out, err = open(settings{Path: s.To})
	}
	if err != nil {
		return nil, err
	}
	if m.assumed && !s.toFile() {
		c.Line("no file states how images are prepared, and what is written is assumed: %s", describe.Preprocess(&m.preprocess))
	}
	var unused []string
	for name := range in.file.Names() {
		if m.names(layout).Ignores(name) {
			unused = append(unused, quoted(name))
		}
	}
	if len(unused) > 0 {
		c.Line("left out, as the model does not use them: %s", strings.Join(unused, ", "))
	}
	return out, nil
}

// entriesOf returns the tensors of a model under the names of a layout, in one type.
func entriesOf(m *loaded, layout models.Layout, dtype checkpoint.DType) []checkpoint.Entry {
	entries := checkpoint.Entries(m.names(layout), nn.Values(m.model))
	for i := range entries {
		entries[i].DType = dtype
	}
	return entries
}

// checkEmpty returns an error for a folder that holds something, or for a file.
func checkEmpty(dir string) error {
	f, err := os.Open(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		defer f.Close()
		var names []string
		if names, err = f.Readdirnames(1); err == nil {
			return fmt.Errorf("-to: %s: expected a new or an empty folder, found %s in it", dir, names[0])
		} else if err == io.EOF {
			return nil
		}
	}
	return fmt.Errorf("-to: %w", err)
}

// typeOf returns the type to write: that of -dtype, or the one that all values have, or F32, which holds both half
// precisions.
func (s settings) typeOf(f *checkpoint.File) (checkpoint.DType, error) {
	if s.dtype != checkpoint.Invalid {
		return s.dtype, nil
	}
	found := checkpoint.Invalid
	for t := range f.Tensors() {
		switch {
		case !t.DType.IsFloat() || t.DType == found:
		case t.DType == checkpoint.F64:
			return found, errors.New("-names: the values are F64 and would be rounded: choose a type with -dtype")
		case found == checkpoint.Invalid:
			found = t.DType
		default:
			found = checkpoint.F32
		}
	}
	if found != checkpoint.F16 && found != checkpoint.BF16 {
		found = checkpoint.F32
	}
	return found, nil
}

// images says how images are prepared for a model that package vit or mae loads.
type images struct {
	Assumed bool   `json:"assumed"` // no file states it
	Steps   string `json:"steps"`
}

// readImages returns how the images of a checkpoint are prepared, or nil for one that no package loads.
func readImages(s settings, family *guess) *images {
	ours := func(kind string) bool { return family != nil && strings.HasPrefix(family.Name, kind) }
	if !slices.ContainsFunc([]string{"ViT", "DeiT", "DINO", "MAE"}, ours) {
		return nil
	}
	m, err := load(s, family)
	if err != nil {
		return nil
	}
	return &images{m.assumed, describe.Preprocess(&m.preprocess)}
}
