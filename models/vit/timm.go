package vit

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/timm"
	"github.com/fovea-ml/fovea/models/internal/tower"
)

// timmConfig returns the configuration of a folder of timm's, and the grid of the positions in the weights. The image size
// is the stated one, as in timm, which resizes positions for another size. Other sizes are those of the weights.
func timmConfig(f *modelfolder.Folder) (Config, tower.Grid, error) {
	t, err := timm.Read(f.Config)
	if err != nil {
		return Config{}, tower.Grid{}, err
	}
	a, err := timm.ArchitectureOf(t.Architecture)
	if err != nil {
		return Config{}, tower.Grid{}, fmt.Errorf("config.json: %w", err)
	}
	image := t.ModelArgs.ImageSize
	s, err := tower.ReadSizes(f.Find, func(patch int) tower.Grid {
		return tower.Grid{Rows: image.Height / patch, Columns: image.Width / patch}
	})
	if err != nil {
		return Config{}, tower.Grid{}, fmt.Errorf("%s: %w", f.Weights.Name(), err)
	}
	if err := t.ModelArgs.Agree(f.Find, s); err != nil {
		return Config{}, tower.Grid{}, fmt.Errorf("config.json: model_args: %w", err)
	}
	c, err := timmOptions(t, a, s)
	if err != nil {
		return Config{}, tower.Grid{}, err
	}
	if image != (config.Size{}) {
		c.SetSize(image.Height, image.Width)
	}
	if err := c.Validate(); err != nil {
		return Config{}, tower.Grid{}, fmt.Errorf("config.json: %w", err)
	}
	return c, s.Grid, nil
}

// architecture returns the name of timm's that the folder has: config.json states it, or a checkpoint of timm's training
// program. "" is none.
func architecture(f *modelfolder.Folder) string {
	if f.Form == modelfolder.Timm {
		if t, err := timm.Read(f.Config); err == nil {
			return t.Architecture
		}
	}
	name, _ := f.Weights.Metadata("arch")
	return name
}

// timmOptions returns the configuration of a model of timm's with the sizes of its weights.
func timmOptions(t *timm.Config, a timm.Architecture, s tower.Sizes) (Config, error) {
	if t.ModelArgs.Width != 0 && t.ModelArgs.Heads == 0 {
		return Config{}, errors.New("config.json: model_args: num_heads: expected a number beside embed_dim, found none")
	}
	c := sized(s)
	c.AntialiasPositions = true
	c.LayerNormEps, c.HiddenAct, c.NumAttentionHeads = a.Eps, a.Act, cmp.Or(t.ModelArgs.Heads, a.Heads)
	var err error
	if c.NumAttentionHeads == 0 {
		if c.NumAttentionHeads, err = tower.Heads(s.Width); err != nil {
			return Config{}, err
		}
	}
	if act := t.ModelArgs.Act; act != "" {
		if c.HiddenAct, err = timm.HiddenAct(act); err != nil {
			return Config{}, err
		}
	}
	if v := t.ModelArgs.LayerScale; s.LayerScale && v != nil && *v > 0 {
		c.LayerScaleInit = *v
	}
	pool, err := t.Pool()
	if err != nil {
		return Config{}, err
	}
	if pool == "avg" || pool == "" && (!s.Norm || !s.ClassToken || a.Mean) {
		c.Pooling = MeanPooling
		if s.Norm {
			c.Pooling = NormMeanPooling
		}
	}
	c.Classes = t.Classes()
	return c, nil
}

// forTimm describes a model with the given number of classes to timm.
func (c Config) forTimm(classes int) timm.Model {
	return timm.Model{
		ImageSize: c.sides().Image, PatchSize: c.PatchSize, Channels: c.NumChannels,
		Width: c.HiddenSize, Depth: c.NumHiddenLayers, Heads: c.NumAttentionHeads, Hidden: c.IntermediateSize,
		QKVBias: c.QKVBias, ClassToken: !c.NoClassToken, PreNorm: c.PreNorm, LayerScale: c.LayerScaleInit,
		Eps: c.LayerNormEps, Act: c.HiddenAct, Mean: c.Pooling != "", FCNorm: c.Pooling == MeanPooling,
		Classes: c.Classes, Outputs: classes,
	}
}
