// Package modelfolder reads and writes the folders in which models are kept, as Hugging Face lays them out:
// config.json, preprocessor_config.json and the weights. What is the same for all models is here; a model package
// adds its configuration, its table of names and its architecture.
//
// A folder comes from a stranger. Its configuration decides how much memory a model takes before any weight is
// read, so [OpenWeights] first compares what it claims with what the weights hold.
package modelfolder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/atomicfile"
	"github.com/fovea-ml/fovea/internal/smallfile"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
)

// ConfigName is the file that holds a model's configuration.
const ConfigName = "config.json"

// ReadConfig fills the configuration c, which holds the defaults, from the named file, whose model_type, where it
// is given, must be the one expected. What was read is checked by Validate.
func ReadConfig(fsys fs.FS, name, modelType string, c interface{ Validate() error }) error {
	data, err := smallfile.Read(fsys, name)
	if err != nil {
		return err
	}
	kind := struct {
		ModelType string `json:"model_type"`
	}{modelType}
	if err := json.Unmarshal(data, &kind); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if kind.ModelType != modelType {
		return fmt.Errorf("%s: model_type: expected %q, found %q", name, modelType, kind.ModelType)
	}
	if err := json.Unmarshal(data, c); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := c.Validate(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Claim is the least that the weights of a configuration can be, under whatever names.
type Claim struct {
	Values  float64 // a float64, because a file may claim anything
	Tensors int
}

// Blocks returns the claim of a stack of transformer blocks: the gain and bias of two norms, and the weights of
// the projections, with queries, keys and values in one tensor.
func Blocks(layers, width, hidden int) Claim {
	d, h := float64(width), float64(hidden)
	return Claim{Values: float64(layers) * (4*d*d + 2*d*h), Tensors: 8 * layers}
}

// Patches returns the claim of what goes with a tower's patches: a projection between width and pixels, and a
// position a patch. Its tensors are not counted.
func Patches(width, channels, patch, imageSize int) Claim {
	d, p, side := float64(width), float64(patch), float64(imageSize/patch)
	return Claim{Values: d*float64(channels)*p*p + d*side*side}
}

// Plus returns the claim of two parts of a model.
func (c Claim) Plus(o Claim) Claim {
	return Claim{Values: c.Values + o.Values, Tensors: c.Tensors + o.Tensors}
}

// OpenWeights opens the weights in a folder and checks that they are as many as the configuration claims, so
// that one which lies cannot make a model allocate much more than its file holds. Unmapped reads them into
// memory instead of mapping the file.
func OpenWeights(fsys fs.FS, unmapped bool, claim Claim) (*checkpoint.File, error) {
	var opts []checkpoint.OpenOption
	if unmapped {
		opts = append(opts, checkpoint.Unmapped())
	}
	f, err := checkpoint.OpenFolder(fsys, opts...)
	if err != nil {
		return nil, err
	}
	held := 0
	for t := range f.Tensors() {
		held += t.Len()
	}
	if claim.Values > float64(held) || claim.Tensors > f.Len() {
		return nil, fmt.Errorf("%s: %s describes a model of at least %.0f values in %d tensors, the weights hold %d in %d",
			f.Name(), ConfigName, claim.Values, claim.Tensors, held, f.Len())
	}
	return f, nil
}

// ReadPreprocess reads preprocessor_config.json into p, and leaves p as it is where there is none.
func ReadPreprocess(fsys fs.FS, p *vision.Preprocess) error {
	read, err := vision.LoadPreprocess(fsys)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	*p = read
	return nil
}

// Save writes a model to a folder, which it makes when it is not there. Each file appears whole or not at all;
// the weights come last, so that a folder whose weights are there is complete.
func Save(dir string, config any, p vision.Preprocess, names *checkpoint.Names, model any) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(dir, ConfigName), config); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(dir, vision.PreprocessorFile), p); err != nil {
		return err
	}
	return checkpoint.Save(filepath.Join(dir, checkpoint.SafetensorsName), names, nn.Parameters(model), checkpoint.WriteOptions{})
}

// writeJSON writes a value, indented, in place of the file of that name.
func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(append(data, '\n'))
		return err
	})
}
