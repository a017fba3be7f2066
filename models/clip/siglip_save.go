package clip

import (
	"fmt"

	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// saveSigLIP is Save for SigLIP. The parts are the files of the tokenizer.
func (m *Model) saveSigLIP(dir string, parts []modelfolder.Part, o SaveOptions) error {
	if o.Layout != models.HuggingFace {
		return fmt.Errorf("clip: layout: expected %q for a model of SigLIP, found %q", models.HuggingFace, o.Layout)
	}
	c := m.Config
	contents := modelfolder.Contents{Preprocess: &m.Preprocess, Parts: parts, Model: m}
	c.ModelType, c.Architectures = siglipType, []string{"SiglipModel"}
	if c.Vision.NumPatches != 0 {
		c.ModelType, c.Architectures = siglip2Type, []string{"Siglip2Model"}
		images, err := m.writeNaFlex()
		if err != nil {
			return fmt.Errorf("clip: %w", err)
		}
		contents.Preprocess, contents.Parts = nil, append([]modelfolder.Part{images}, parts...)
	}
	contents.Config = c
	return siglipFamily.Save(dir, contents, o)
}
