package clip

import (
	"fmt"

	"github.com/fovea-ml/fovea/models/bert"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/tower"
)

// isChinese reports whether weights without a configuration are those of the authors' code of Chinese-CLIP.
func isChinese(f *modelfolder.Folder) bool {
	t, ok := chineseNames.Finder(f.Weights)("Text.Encoder.Embeddings.Words.Weight")
	return ok && chineseNames.Canonical(t.Name) == "bert.embeddings.word_embeddings.weight"
}

// chineseConfig reads the configuration of Chinese-CLIP off weights of the authors' code (cn_clip/clip/model.py), which has a
// file of settings for each model and not for its weights. All its models have 64 values a head, apart from ViT-H/14 with 80,
// quick_gelu for images and gelu for texts.
func chineseConfig(f *modelfolder.Folder) (Config, error) {
	c := chinesePreset(BasePatch16(), bert.BaseChinese())
	if err := c.Vision.read(f.Find); err != nil {
		return c, err
	}
	if c.Vision.HiddenSize == 1280 {
		c.Vision.NumAttentionHeads = 16
	}
	e := &c.Text.BERT.Encoder
	texts, err := tower.ReadStack(f.Find, "Text.Encoder.Layers")
	if err != nil {
		return c, err
	}
	e.HiddenSize, e.NumHiddenLayers, e.IntermediateSize, e.NumAttentionHeads = texts.Width, texts.Layers, texts.Hidden, texts.Width/64
	for _, size := range []struct {
		param string
		dim   int
		to    *int
	}{
		{"Text.Encoder.Embeddings.Words.Weight", 0, &e.VocabSize}, {"Text.Encoder.Embeddings.Positions.Weight", 0, &e.MaxPositionEmbeddings},
		{"Text.Encoder.Embeddings.Types.Weight", 0, &e.TypeVocabSize}, {"TextProjection.Weight", 1, &c.ProjectionDim},
	} {
		x, ok := f.Find(size.param)
		if !ok || len(x.Shape) != 2 {
			return c, fmt.Errorf("%s: expected a matrix, found %v", size.param, x.Shape)
		}
		*size.to = x.Shape[size.dim]
	}
	c.Text.MaxPositionEmbeddings = min(chineseContext, e.MaxPositionEmbeddings)
	return c, nil
}
