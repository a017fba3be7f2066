package modelfolder

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/atomicfile"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
)

// Contents are written to a folder.
type Contents struct {
	ConfigName string // of the file of the configuration; "" means config.json
	Config     any
	Preprocess *vision.Preprocess // preprocessor_config.json; nil for a model without images
	Parts      []Part             // tokenizer files and the like
	Weights    string             // the name of their file; "" means model.safetensors
	Model      any
	// Ignored are paths of weights that transformers has linear layers for, and Model has not. In a quantized model they
	// stay as they are.
	Ignored []string
}

func (c Contents) configName() string { return cmp.Or(c.ConfigName, ConfigName) }

// Part is a file that is written as it is.
type Part struct {
	Name string // with slashes where it is in a folder below
	Data []byte
}

// Save writes a model to a folder, which it makes when it is not there. The names are those of the column that is called
// like the layout. Each file appears whole or not at all. In a new folder the
// weights come last, so a folder with weights is complete. Where a model is replaced they come first.
// They go into shards when there are more than checkpoint.DefaultShardSize bytes of them, and replace older ones.
//
// A layout without a column is refused, and so is a model with an adapter that is not merged. The error begins with the
// name of the package.
func (y Family) Save(dir string, c Contents, o models.SaveOptions) error {
	if err := y.save(dir, c, o); err != nil {
		return fmt.Errorf("%s: %w", y.Package, err)
	}
	return nil
}

func (y Family) save(dir string, c Contents, o models.SaveOptions) error {
	if layouts := y.layouts(); !slices.Contains(layouts, o.Layout.String()) {
		return fmt.Errorf("layout: expected one of %q, found %q", layouts, o.Layout)
	}
	if layer, found := nn.Unmerged(c.Model); found {
		return fmt.Errorf("%s has an adapter that is not merged: merge it, or save the adapters alone with package nn/lora", layer)
	}
	config, err := json.Marshal(c.Config)
	if err != nil {
		return fmt.Errorf("%s: %w", c.configName(), err)
	}
	names := y.Names.Writing(o.Layout.String())
	entries := checkpoint.Entries(names, nn.Values(c.Model))
	if nn.Quantized(c.Model) {
		if config, err = describeQuantized(config, names, c, o.Layout); err != nil {
			return err
		}
		keepTypes(entries, names, c.Model, o.DType)
	}
	c.Config = json.RawMessage(config)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	weights := func() error {
		return checkpoint.Write(filepath.Join(dir, cmp.Or(c.Weights, checkpoint.SafetensorsName)), entries,
			checkpoint.WriteOptions{DType: o.DType, ShardSize: checkpoint.DefaultShardSize})
	}
	// Where a model is replaced, weights that cannot be written must leave its configuration alone.
	_, err = os.Stat(filepath.Join(dir, c.configName()))
	steps := []func() error{func() error { return describe(dir, c) }, weights}
	if replaced := err == nil; replaced {
		slices.Reverse(steps)
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// describe writes the files of a model beside its weights.
func describe(dir string, c Contents) error {
	if err := writeJSON(filepath.Join(dir, c.configName()), c.Config); err != nil {
		return err
	}
	if c.Preprocess != nil {
		if err := writeJSON(filepath.Join(dir, vision.PreprocessorName), c.Preprocess); err != nil {
			return err
		}
	}
	for _, p := range c.Parts {
		name := filepath.Join(dir, filepath.FromSlash(p.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			return err
		}
		if err := atomicfile.WriteFile(name, p.Data); err != nil {
			return err
		}
	}
	return nil
}

// layouts returns the layouts that can be written: a column of names is called like each.
func (y Family) layouts() []string {
	var out []string
	for l := range models.OpenCLIP + 1 {
		if slices.Contains(y.Names.Columns, l.String()) {
			out = append(out, l.String())
		}
	}
	return out
}

// writeJSON writes a value, indented, in place of the file of that name.
func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return atomicfile.WriteFile(path, append(data, '\n'))
}
