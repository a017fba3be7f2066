package clip

import (
	"errors"
	"fmt"

	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// saveChinese is Save for Chinese-CLIP. The parts are the files of the tokenizer. transformers finds special tokens such as [SEP]
// in texts, which the authors' code does not.
func (m *Model) saveChinese(dir string, parts []modelfolder.Part, o SaveOptions) error {
	switch {
	case o.Layout != models.HuggingFace:
		return fmt.Errorf("clip: layout: expected %q for a model of Chinese-CLIP, found %q", models.HuggingFace, o.Layout)
	case m.Config.Vision.ResNet != nil:
		return errors.New("clip: transformers' Chinese-CLIP has no ResNet")
	}
	c := m.Config
	c.ModelType, c.Architectures = chineseType, []string{"ChineseCLIPModel"}
	return chineseFamily.Save(dir, modelfolder.Contents{Config: c, Preprocess: &m.Preprocess, Parts: parts, Model: m}, o)
}
