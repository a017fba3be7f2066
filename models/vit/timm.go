package vit

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/fovea-ml/fovea/autograd"
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
	c, grid, err := timmModel(f, t)
	if err == nil {
		if err = c.Validate(); err != nil {
			err = fmt.Errorf("config.json: %w", err)
		}
	}
	return c, grid, err
}

// timmModel is timmConfig for a config.json that was read.
func timmModel(f *modelfolder.Folder, t *timm.Config) (Config, tower.Grid, error) {
	a, err := timm.ArchitectureOf(t.Architecture)
	if err != nil {
		return Config{}, tower.Grid{}, fmt.Errorf("config.json: %w", err)
	}
	image := t.ModelArgs.ImageSize
	grid := func(patch int) tower.Grid {
		return tower.Grid{Rows: image.Height / patch, Columns: image.Width / patch}
	}
	var s tower.Sizes
	if image == (config.Size{}) && (a.Rope != 0 || a.Relative) {
		image = config.Size{Height: a.ImageSize, Width: a.ImageSize}
	}
	if a.Relative || a.Rope != 0 && !a.RopePositions {
		s, err = tower.ReadTower(f.Find)
		s.Grid = grid(max(1, s.Patch))
	} else {
		s, err = tower.ReadSizes(f.Find, grid)
	}
	if err != nil {
		return Config{}, tower.Grid{}, fmt.Errorf("%s: %w", f.Weights.Name(), err)
	}
	if err := t.ModelArgs.Agree(f.Find, s, a); err != nil {
		return Config{}, tower.Grid{}, fmt.Errorf("config.json: model_args: %w", err)
	}
	c, err := timmOptions(t, a, s)
	if err != nil {
		return Config{}, tower.Grid{}, err
	}
	if c.beyondPlain() {
		c.TimmArchitecture, _, _ = strings.Cut(t.Architecture, ".")
	}
	if image != (config.Size{}) {
		c.SetSize(image.Height, image.Width)
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
	if norm := t.ModelArgs.FinalNorm; norm != nil {
		a.NoNorm = !*norm
	}
	if pool == "map" && !s.Pool {
		return Config{}, errors.New("config.json: model_args: global_pool: expected no map, as the weights have no attn_pool")
	}
	switch {
	case s.Pool:
		c.Pooling = AttentionPooling
	case pool == "avg" || pool == "" && (!s.Norm && !a.NoNorm || !s.ClassToken || a.Mean):
		c.Pooling = MeanPooling
		if s.Norm || a.NoNorm {
			c.Pooling = NormMeanPooling
		}
	}
	c.NoFinalNorm, c.BranchNorm = a.NoNorm, a.BranchNorm
	c.RopeTheta, c.RopeOrder, c.RopeReference, c.RopeOffset, c.RopePositions = a.Rope, a.RopeOrder, a.RopeReference, a.RopeOffset, a.RopePositions
	c.PoolPrefix = s.Pool && a.Eva
	if s.Pool && a.PoolHeads != c.NumAttentionHeads {
		c.PoolHeads = a.PoolHeads
	}
	if s.Gated {
		c.HiddenAct = "silu"
	}
	c.Classes = t.Classes()
	return c, nil
}

// forTimm describes a model with the given number of classes to timm.
func (m *Model) forTimm(c Config, classes int) (*timm.Config, error) {
	switch {
	case c.Pooling == FlattenPooling || c.Pooling == ClassMeanPooling:
		return nil, fmt.Errorf("timm has no pooling %q; the layout of Hugging Face keeps it for Load", c.Pooling)
	case c.beyondPlain() && !c.named():
		return nil, fmt.Errorf("expected timm_architecture, the name of timm's for options such as %s, found %q, which has not all of them; the layout of Hugging Face keeps them for Load", c.Variant(), c.TimmArchitecture)
	case c.DistillationToken && m.Head != nil && m.DistillationHead == nil:
		return nil, errors.New("timm classifies the distillation token as well; the layout of Hugging Face keeps the model for Load")
	case c.DistillationToken && m.Head == nil && c.Pooling != DistillationPooling:
		return nil, errors.New("timm averages the class token with the distillation token, which Config.Pooling distillation is; the layout of Hugging Face keeps the model for Load")
	case c.DistillationToken:
		c.Pooling = ""
	case c.NoFinalNorm && c.Pooling == MeanPooling:
		c.Pooling = NormMeanPooling // there is no norm on either side
	}
	name := ""
	if c.beyondPlain() {
		name = c.TimmArchitecture
	}
	return timm.Model{
		Name: name, Positions: c.positions(), Hybrid: c.Stem != nil, ImageSize: c.sides().Image, PatchSize: c.PatchSize, Channels: c.NumChannels,
		Width: c.HiddenSize, Depth: c.NumHiddenLayers, Heads: c.NumAttentionHeads, Hidden: c.IntermediateSize,
		QKVBias: c.QKVBias, ClassToken: !c.NoClassToken, PreNorm: c.PreNorm, LayerScale: c.LayerScaleInit,
		Registers: c.NumRegisterTokens, RegisterPositions: c.RegisterPositions, Distilled: c.DistillationToken, Gated: c.GatedMLP, QKNorm: c.QKNorm, NoNorm: c.NoFinalNorm, RelativeHidden: c.RelativeHidden,
		Eps: c.LayerNormEps, Act: c.HiddenAct, Pool: map[string]string{"": "token", AttentionPooling: "map"}[c.Pooling],
		FCNorm:  c.Pooling == MeanPooling,
		Classes: c.Classes, Outputs: classes,
	}.Describe(&m.Preprocess)
}

// beyondPlain reports whether no plain Vision Transformer of timm's has the options, but perhaps one with a name of its own.
func (c Config) beyondPlain() bool {
	return c.RopeTheta != 0 || c.NoKeyBias || c.PoolPrefix || c.PoolHeads != 0 || c.PoolIntermediateSize != 0 || c.ParallelMLP || c.ParallelBranches > 1 || c.BranchNorm || c.AttentionNorm || c.MLPNorm ||
		c.Stem != nil || c.RelativePositions
}

// named reports whether timm knows the options under the name TimmArchitecture.
func (c Config) named() bool {
	a, err := timm.ArchitectureOf(c.TimmArchitecture)
	if err != nil {
		return false
	}
	pool := map[string]string{"": "token", AttentionPooling: "map"}[c.Pooling]
	pool = cmp.Or(pool, "avg")
	own, err := timmOptions(&timm.Config{Architecture: c.TimmArchitecture, ModelArgs: &timm.Args{Heads: c.NumAttentionHeads, GlobalPool: &pool}}, a, c.sizes())
	if err != nil {
		return false
	}
	// What timm is told beside the name, and what only training uses, may differ.
	own.ModelType, own.Architectures, own.Classes, own.TimmArchitecture = c.ModelType, c.Architectures, c.Classes, c.TimmArchitecture
	own.ImageSize, own.ImageWidth, own.LayerScaleInit, own.InitializerRange = c.ImageSize, c.ImageWidth, c.LayerScaleInit, c.InitializerRange
	own.DropPathRate, own.HiddenDropoutProb, own.AttentionProbsDropoutProb = c.DropPathRate, c.HiddenDropoutProb, c.AttentionProbsDropoutProb
	return reflect.DeepEqual(own, c)
}

// timmWeights returns the model as timm keeps it: where there are registers, no token before the patches has a position, so
// the class token holds its own.
func (m *Model) timmWeights() *Model {
	e := m.Encoder
	if e.Registers == nil || e.Positions == nil || e.ClassToken == nil || m.Config.RegisterPositions {
		return m
	}
	all, class := e.Positions.Values(), e.ClassToken.Values()
	width := e.ClassToken.Shape()[2]
	folded := *e
	folded.ClassToken = autograd.NewParameter(1, 1, width)
	folded.ClassToken.Update(func(v []float32) {
		for i := range v {
			v[i] = class[i] + all[i]
		}
	})
	folded.Positions = autograd.NewParameter(1, e.Positions.Shape()[1]-1, width)
	folded.Positions.Update(func(v []float32) { copy(v, all[width:]) })
	theirs := *m
	theirs.Encoder = &folded
	return &theirs
}
