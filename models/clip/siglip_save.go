package clip

import (
	"errors"
	"fmt"

	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// saveSigLIP is Save for SigLIP. The parts are the files of the tokenizer.
func (m *Model) saveSigLIP(dir string, parts []modelfolder.Part, o SaveOptions) error {
	if o.Layout != models.HuggingFace {
		return fmt.Errorf("clip: layout: expected %q for a model of SigLIP, found %q", models.HuggingFace, o.Layout)
	}
	if m.source.canonical && m.Tokenizer != nil && m.Tokenizer == m.source.tokenizer {
		return errors.New("clip: the tokenizer cleans texts as open_clip does, which transformers does not have: set Model.Tokenizer to one of transformers', or to nil")
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
