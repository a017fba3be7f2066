package vit

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
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
)

// configName is the file of a model folder that holds its Config.
const configName = "config.json"

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
func Load(fsys fs.FS, o LoadOptions) (*Model, error) {
	c, err := ReadConfig(fsys, configName)
	if err != nil {
		return nil, err
	}
	f, err := OpenWeights(fsys, c, o)
	if err != nil {
		return nil, fmt.Errorf("vit: %w", err)
	}
	m := New(c, classes(f), nil)
	if err := m.readPreprocess(fsys); err != nil {
		return nil, err
	}
	if _, err := checkpoint.Load(f, &names, nn.Parameters(m), checkpoint.LoadOptions{Lenient: o.Lenient, Map: !o.Unmapped}); err != nil {
		return nil, fmt.Errorf("vit: %w", err)
	}
	return m, nil
}

// OpenWeights opens the weights in a model folder and checks that they are many enough for a configuration,
// so that one which lies cannot make a model allocate more than its file holds.
func OpenWeights(fsys fs.FS, c Config, o LoadOptions) (*checkpoint.File, error) {
	var opts []checkpoint.OpenOption
	if o.Unmapped {
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
	if want := c.parameters(); want > float64(held) {
		return nil, fmt.Errorf("%s: %s describes a model of at least %.0f values, the weights hold %d", f.Name(), configName, want, held)
	}
	return f, nil
}

// classes returns the number of rows of the classifier in a file, 0 when it has none.
func classes(f *checkpoint.File) int {
	for _, name := range []string{"classifier.weight", "head.weight"} {
		if t, ok := f.Tensor(name); ok && len(t.Shape) == 2 {
			return t.Shape[0]
		}
	}
	return 0
}

func (m *Model) readPreprocess(fsys fs.FS) error {
	p, err := vision.LoadPreprocess(fsys)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("vit: %w", err)
	}
	m.Preprocess = p
	return nil
}

// Save writes the model to a folder, which it makes when it is not there: config.json,
// preprocessor_config.json and model.safetensors, under Hugging Face's names. Each file appears whole or not
// at all. transformers loads a model that pools by its class token to the same outputs; it does not know
// mean pooling.
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
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("vit: %w", err)
	}
	if err := WriteJSON(filepath.Join(dir, configName), c); err != nil {
		return fmt.Errorf("vit: %w", err)
	}
	if err := WriteJSON(filepath.Join(dir, vision.PreprocessorFile), m.Preprocess); err != nil {
		return fmt.Errorf("vit: %w", err)
	}
	if err := checkpoint.Save(filepath.Join(dir, checkpoint.SafetensorsName), &names, nn.Parameters(m), checkpoint.WriteOptions{}); err != nil {
		return fmt.Errorf("vit: %w", err)
	}
	return nil
}

// WriteJSON writes a configuration, indented, in place of the file of that name.
func WriteJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(append(data, '\n'))
		return err
	})
}
