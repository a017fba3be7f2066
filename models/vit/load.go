package vit

import (
	"fmt"
	"io/fs"
	"strings"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/modelfolder"
	"github.com/fovea-ml/fovea/nn"
)

// LoadOptions change how Load works; the zero value is strict.
type LoadOptions struct {
	// Lenient loads the tensors that fit and leaves the other parameters at zero.
	Lenient bool
	// Unmapped reads the weights into memory instead of mapping the file, which must not change while a
	// model uses it.
	Unmapped bool
}

// Load reads a model from a folder as Hugging Face lays it out: config.json, preprocessor_config.json where
// it is there, and the weights in safetensors form. A file without a classifier gives a model without a
// head.
//
// Nothing in the folder is trusted. The error names the file and what is wrong with it, and matches
// fs.ErrNotExist when config.json or the weights are missing, a *checkpoint.FormatError when the weights are
// malformed, and a *checkpoint.MismatchError when their tensors are not those of the configuration.
func Load(fsys fs.FS, o LoadOptions) (*Model, error) {
	c, err := ReadConfig(fsys, modelfolder.ConfigName)
	if err != nil {
		return nil, err
	}
	claim := modelfolder.Blocks(c.NumHiddenLayers, c.HiddenSize, c.IntermediateSize)
	claim = claim.Plus(modelfolder.Patches(c.HiddenSize, c.NumChannels, c.PatchSize, c.ImageSize))
	f, err := modelfolder.OpenWeights(fsys, o.Unmapped, claim)
	if err != nil {
		return nil, fmt.Errorf("vit: %w", err)
	}
	n, err := classes(f, c.HiddenSize)
	if err != nil {
		return nil, fmt.Errorf("vit: %s: %w", f.Name(), err)
	}
	m := New(c, n, nil)
	if err := modelfolder.ReadPreprocess(fsys, &m.Preprocess); err != nil {
		return nil, fmt.Errorf("vit: %w", err)
	}
	if _, err := checkpoint.Load(f, &names, nn.Parameters(m), checkpoint.LoadOptions{Lenient: o.Lenient, Map: !o.Unmapped}); err != nil {
		return nil, fmt.Errorf("vit: %w", err)
	}
	return m, nil
}

// classes returns the number of rows of the classifier in a file, 0 when it has none. Rows of another width than
// the model's could be many in a small file.
func classes(f *checkpoint.File, width int) (int, error) {
	for t := range f.Tensors() {
		if name := bare(t.Name); name != "classifier.weight" && name != "head.weight" {
			continue
		}
		if len(t.Shape) != 2 || t.Shape[1] != width {
			return 0, fmt.Errorf("%s: expected the shape [classes %d], found %v", t.Name, width, t.Shape)
		}
		return t.Shape[0], nil
	}
	return 0, nil
}

// bare returns a tensor's name without the prefixes that a file may put before it.
func bare(name string) string {
	for i := 0; i < len(names.Prefixes); i++ {
		if rest, ok := strings.CutPrefix(name, names.Prefixes[i]); ok {
			name, i = rest, -1
		}
	}
	return name
}

// Save writes the model to a folder, which it makes when it is not there: config.json,
// preprocessor_config.json and model.safetensors, under Hugging Face's names. Each file appears whole or not
// at all. Classes without a name are called LABEL_0 and so on, as transformers does. transformers loads a model
// that pools by its class token to the same outputs; it does not know mean pooling.
//
// A model that was loaded from the same folder may be saved there. The error is the file system's, or
// Preprocess's when that is not valid.
func (m *Model) Save(dir string) error {
	c := m.Config
	c.ModelType = "vit"
	c.Architectures = []string{"ViTModel"}
	if m.Head != nil {
		c.Architectures = []string{"ViTForImageClassification"}
		if n := m.Head.Weight.Shape()[0]; len(c.ID2Label) != n {
			labels := make([]string, n)
			for i := range labels {
				labels[i] = fmt.Sprintf("LABEL_%d", i)
			}
			c.SetLabels(labels)
		}
	}
	if err := modelfolder.Save(dir, c, m.Preprocess, &names, m); err != nil {
		return fmt.Errorf("vit: %w", err)
	}
	return nil
}
