package vit

import (
	"cmp"
	"fmt"

	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/timm"
	"github.com/fovea-ml/fovea/models/internal/tower"
)

// timmConfig returns the configuration of a folder of timm's. Sizes are those of the weights.
func timmConfig(f *modelfolder.Folder) (Config, error) {
	t, err := timm.Read(f.Config)
	if err != nil {
		return Config{}, err
	}
	a, err := timm.ArchitectureOf(t.Architecture)
	if err != nil {
		return Config{}, fmt.Errorf("config.json: %w", err)
	}
	s, err := tower.ReadSizes(f.Find)
	if err != nil {
		return Config{}, err
	}
	c := sized(s)
	c.AntialiasPositions = true
	c.LayerNormEps, c.HiddenAct, c.NumAttentionHeads = a.Eps, a.Act, cmp.Or(t.ModelArgs.Heads, a.Heads)
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
	c.Classes, err = t.Classes()
	return c, err
}

// forTimm describes a model with the given number of classes to timm.
func (c Config) forTimm(classes int) timm.Model {
	return timm.Model{
		ImageSize: c.ImageSize, PatchSize: c.PatchSize, Channels: c.NumChannels,
		Width: c.HiddenSize, Depth: c.NumHiddenLayers, Heads: c.NumAttentionHeads, Hidden: c.IntermediateSize,
		QKVBias: c.QKVBias, ClassToken: !c.NoClassToken, PreNorm: c.PreNorm, LayerScale: c.LayerScaleInit,
		Eps: c.LayerNormEps, Act: c.HiddenAct, Mean: c.Pooling != "", FCNorm: c.Pooling == MeanPooling,
		Classes: c.Classes, Outputs: classes,
	}
}
