package vit

import (
	"fmt"
	"slices"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/tower"
)

// A SaveOption changes how Save writes.
type SaveOption func(*saving)

type saving struct {
	column string
	dtype  checkpoint.DType
}

// ForTimm writes a folder for timm: timm.create_model("local-dir:DIR", pretrained=True) makes the same model of it.
// The names are also those of the original releases of DeiT and of MAE's encoder. Of Config, timm does not keep
// dropout rates, and its epsilon is 1e-6 where Config's is smaller; one that is larger and not 1e-5 is an error.
func ForTimm() SaveOption { return func(s *saving) { s.column = tower.Timm } }

// StoredAs writes the weights as checkpoint.F16 or checkpoint.BF16 instead of F32.
func StoredAs(d checkpoint.DType) SaveOption { return func(s *saving) { s.dtype = d } }

// Save writes the model to a folder, which it makes when it is not there: config.json,
// preprocessor_config.json and model.safetensors, for transformers or, with [ForTimm], for timm. Each file appears
// whole or not at all. Classes without a name are called LABEL_0 and so on, as transformers does.
//
// transformers loads the folder to the same outputs, except of what only timm has, the Config fields from Pooling
// on: of those it knows the default alone.
//
// A model that was loaded from the same folder may be saved there. The error is the file system's, or
// Preprocess's when that is not valid.
func (m *Model) Save(dir string, opts ...SaveOption) error {
	s := saving{column: tower.HuggingFace}
	for _, o := range opts {
		o(&s)
	}
	c := m.Config
	c.ModelType = "vit"
	c.Architectures = []string{"ViTModel"}
	n := 0
	if m.Head != nil {
		c.Architectures = []string{"ViTForImageClassification"}
		n = m.Head.Weight.Shape()[0]
		if labels := c.labels(n); len(c.ID2Label) != n || slices.Contains(labels, "") {
			if labels == nil {
				labels = make([]string, n)
			}
			for i, name := range labels {
				if name == "" {
					labels[i] = fmt.Sprintf("LABEL_%d", i)
				}
			}
			c.SetLabels(labels)
		}
	}
	contents := modelfolder.Contents{
		Config:     c,
		Preprocess: m.Preprocess,
		Names:      names.Writing(s.column),
		Model:      m,
		Weights:    checkpoint.WriteOptions{DType: s.dtype},
	}
	if s.column == tower.Timm {
		config, err := timmJSON(c, n, &m.Preprocess)
		if err != nil {
			return fmt.Errorf("vit: %w", err)
		}
		contents.Config = config
	}
	if err := modelfolder.Save(dir, contents); err != nil {
		return fmt.Errorf("vit: %w", err)
	}
	return nil
}
