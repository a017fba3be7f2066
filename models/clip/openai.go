package clip

import (
	"fmt"
	"io/fs"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/tower"
)

// openAIConfig reads the configuration of OpenAI's releases off their weights, as their own code does (build_model in
// model.py). Only those hold the size of images and texts beside the weights. Other weights under the same names may
// want another activation, so they need open_clip_config.json.
func openAIConfig(f *modelfolder.Folder) (Config, error) {
	c := defaults()
	if _, openAI := f.Weights.Tensor("input_resolution"); !openAI {
		return c, fmt.Errorf("%s or %s is needed beside the weights, which do not tell the activation and the number of heads: %w",
			modelfolder.ConfigName, modelfolder.OpenCLIPName, fs.ErrNotExist)
	}
	if err := c.Vision.read(f.Find); err != nil {
		return c, err
	}
	texts, err := tower.ReadStack(f.Find, "Text.Blocks")
	if err != nil {
		return c, err
	}
	t := &c.Text
	t.HiddenSize, t.NumHiddenLayers, t.IntermediateSize, t.NumAttentionHeads = texts.Width, texts.Layers, texts.Hidden, texts.Width/64
	t.EOSTokenID = LargestID
	for _, size := range []struct {
		param string
		dim   int
		to    *int
	}{
		{"Text.Tokens", 0, &t.VocabSize}, {"Text.Positions", 0, &t.MaxPositionEmbeddings}, {"TextProjection.Weight", 1, &c.ProjectionDim},
	} {
		x, ok := f.Find(size.param)
		if !ok || len(x.Shape) != 2 {
			return c, fmt.Errorf("%s: expected a matrix, found %v", size.param, x.Shape)
		}
		*size.to = x.Shape[size.dim]
	}
	return c, nil
}

// read reads the sizes of the image tower off its weights, with 64 values a head.
func (c *VisionConfig) read(find tower.Finder) error {
	if _, resNet := find("Vision.Stem.1.Conv.Weight"); resNet {
		return c.readResNet(find)
	}
	s, err := tower.ReadSizes(visionFinder(find), nil)
	if err != nil {
		return err
	}
	c.NumChannels, c.PatchSize = s.Channels, s.Patch
	c.SetSize(s.Patch*s.Grid.Rows, s.Patch*s.Grid.Columns)
	c.HiddenSize, c.NumHiddenLayers, c.IntermediateSize, c.NumAttentionHeads = s.Width, s.Layers, s.Hidden, s.Width/64
	return nil
}

// visionFinder returns a finder of the parameters of the image tower.
func visionFinder(find tower.Finder) tower.Finder {
	return func(param string) (checkpoint.Tensor, bool) { return find("Vision." + param) }
}
