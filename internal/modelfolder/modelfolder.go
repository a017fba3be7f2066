// Package modelfolder reads and writes the folders in which models are kept, as Hugging Face lays them out:
// config.json, preprocessor_config.json and the weights. What is the same for all models is here; a model package
// adds its configuration, its table of names and its architecture.
//
// A folder comes from a stranger. Its configuration decides how much memory a model takes before any weight is
// read, so [Claim.Check] first compares what it claims with what the weights hold.
package modelfolder

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strings"

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
	if err := decode(name, data, &kind); err != nil {
		return err
	}
	if kind.ModelType != modelType {
		advice := ""
		if p := packages[kind.ModelType]; p != "" {
			advice = ", which package " + p + " loads"
		}
		return fmt.Errorf("%s: model_type: expected %q, found %q%s", name, modelType, kind.ModelType, advice)
	}
	if err := decode(name, data, c); err != nil {
		return err
	}
	if err := c.Validate(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// packages load the models of a type.
var packages = map[string]string{"vit": "models/vit", "vit_mae": "models/mae"}

// decode reads JSON. The error says in words which field holds what it should not.
func decode(name string, data []byte, v any) error {
	err := json.Unmarshal(data, v)
	var misfit *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &misfit):
		return fmt.Errorf("%s: %w", name, err)
	case misfit.Field == "":
		return fmt.Errorf("%s: expected an object, found %s", name, misfit.Value)
	}
	want := map[reflect.Kind]string{
		reflect.Int: "a whole number", reflect.Float32: "a number", reflect.Float64: "a number", reflect.Bool: "true or false",
		reflect.String: "text", reflect.Slice: "a list", reflect.Map: "an object",
	}[misfit.Type.Kind()]
	field := misfit.Field[strings.LastIndexByte(misfit.Field, '.')+1:]
	return fmt.Errorf("%s: %s: expected %s, found %s", name, field, cmp.Or(want, "something else"), misfit.Value)
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

// Open opens the weights in a folder: the named file, or, without a name, those under the usual names, or the only
// file that can be weights, which is how the papers' own releases come. Unmapped reads them into memory instead of
// mapping the file.
func Open(fsys fs.FS, name string, unmapped bool) (*checkpoint.File, error) {
	var opts []checkpoint.OpenOption
	if unmapped {
		opts = append(opts, checkpoint.Unmapped())
	}
	if name != "" {
		return checkpoint.OpenFS(fsys, name, opts...)
	}
	f, usual := checkpoint.OpenFolder(fsys, opts...)
	if !errors.Is(usual, fs.ErrNotExist) {
		return f, usual
	}
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, usual
	}
	var found []string
	for _, e := range entries {
		switch ext := path.Ext(e.Name()); {
		case strings.HasSuffix(e.Name(), ".index.json"):
			return nil, usual // a shard is missing
		case ext == ".safetensors" || ext == ".pth" || ext == ".pt" || ext == ".bin":
			found = append(found, e.Name())
		}
	}
	switch len(found) {
	case 0:
		return nil, usual
	case 1:
		return checkpoint.OpenFS(fsys, found[0], opts...)
	}
	return nil, fmt.Errorf("the folder has several files that may be the weights, say which: %s", strings.Join(found, ", "))
}

// Check returns an error when the weights in a file are fewer than a configuration claims, so that one which lies
// cannot make a model allocate much more than its file holds.
func (c Claim) Check(f *checkpoint.File) error {
	held := 0
	for t := range f.Tensors() {
		held += t.Len()
	}
	if c.Values > float64(held) || c.Tensors > f.Len() {
		return fmt.Errorf("%s: the configuration describes a model of at least %.0f values in %d tensors, the weights hold %d in %d",
			f.Name(), c.Values, c.Tensors, held, f.Len())
	}
	return nil
}

// A Form is how a folder describes its model.
type Form int

// The forms: config.json as transformers writes it, as timm writes it, or none.
const (
	HuggingFace Form = iota
	Timm
	Bare
)

// FormOf returns the form of a folder and the contents of its config.json.
func FormOf(fsys fs.FS) (Form, []byte, error) {
	data, err := smallfile.Read(fsys, ConfigName)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := fs.Stat(fsys, "."); err != nil {
			return 0, nil, fmt.Errorf("no such folder: %w", err)
		}
		return Bare, nil, nil
	}
	if err != nil {
		return 0, nil, err
	}
	var kind struct {
		ModelType    string `json:"model_type"`
		Architecture string `json:"architecture"`
	}
	if err := decode(ConfigName, data, &kind); err != nil {
		return 0, nil, err
	}
	if kind.Architecture != "" && (kind.ModelType == "" || kind.ModelType == "timm_wrapper") {
		return Timm, data, nil
	}
	return HuggingFace, data, nil
}

// largerSides is how many times as long the sides of prepared pictures may be as those of the model: time grows with
// the fourth power. Published folders differ by less than 3.
const largerSides = 4

// ReadPreprocess reads preprocessor_config.json into p, and leaves p as it is where there is none. It returns an error
// when that makes pictures which are much larger than size, the model's own.
func ReadPreprocess(fsys fs.FS, p *vision.Preprocess, size int) error {
	read, err := vision.LoadPreprocess(fsys)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	width, height, _ := read.FixedSize() // the least, where it is not fixed
	if read.Mode == vision.NoResize && read.CropWidth == 0 {
		width, height = 0, 0
	}
	if most := largerSides * size; width > most || height > most {
		return fmt.Errorf("pictures are prepared at %d×%d pixels, expected at most %d×%d for a model of %d×%d",
			width, height, most, most, size, size)
	}
	*p = read
	return nil
}

// Contents are what is written of a model.
type Contents struct {
	Config     any               // config.json
	Preprocess vision.Preprocess // preprocessor_config.json
	Names      *checkpoint.Names
	Model      any
	Weights    checkpoint.WriteOptions
}

// Save writes a model to a folder, which it makes when it is not there. Each file appears whole or not at all;
// the weights come last, so that a folder whose weights are there is complete. They go into shards when there are more
// than checkpoint.DefaultShardSize of them, and take the place of those that were there.
//
// Adapters are no part of a base model: a model whose layers have some that are not merged is refused.
func Save(dir string, c Contents) error {
	if layer := nn.Unmerged(c.Model); layer != "" {
		return fmt.Errorf("%s has an adapter that is not merged: merge it, or save the adapters alone with package nn/lora", layer)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(dir, ConfigName), c.Config); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(dir, vision.PreprocessorName), c.Preprocess); err != nil {
		return err
	}
	if c.Weights.ShardSize == 0 {
		c.Weights.ShardSize = checkpoint.DefaultShardSize
	}
	return checkpoint.Save(filepath.Join(dir, checkpoint.SafetensorsName), c.Names, nn.Parameters(c.Model), c.Weights)
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

// Rescale changes the sizes of a preprocessing for pictures of the given size, in proportion.
func Rescale(p *vision.Preprocess, size, from int) {
	for _, side := range []*int{&p.Width, &p.Height, &p.CropWidth, &p.CropHeight} {
		*side = int(math.Round(float64(*side) * float64(size) / float64(from)))
	}
}
