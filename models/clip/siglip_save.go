package clip

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// saveSigLIP is Save for SigLIP. The parts are the files of the tokenizer.
func (m *Model) saveSigLIP(dir string, parts []modelfolder.Part, o SaveOptions) error {
	ours := m.Tokenizer != nil
	cleans := ours && m.source.canonical && m.Tokenizer == m.source.tokenizer
	c := m.Config
	contents := modelfolder.Contents{Preprocess: &m.Preprocess, Parts: parts, Model: m}
	if o.Layout == models.OpenCLIP {
		if ours && !cleans {
			return errors.New("clip: layout open_clip: the tokenizer does not clean texts as open_clip does: set Model.Tokenizer to nil")
		}
		theirs, err := m.forOpenSigLIP()
		if err != nil {
			return fmt.Errorf("clip: layout open_clip: %w", err)
		}
		contents.ConfigName, contents.Config, contents.Preprocess = modelfolder.OpenCLIPName, theirs, nil
		contents.Weights = openWeightsName
		return siglipFamily.Save(dir, contents, o)
	}
	if cleans {
		return errors.New("clip: the tokenizer cleans texts as open_clip does, which transformers does not have: set Model.Tokenizer to one of transformers', or to nil")
	}
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

// forOpenSigLIP describes the model to open_clip, whose image towers are timm's: a name stands for all sizes.
func (m *Model) forOpenSigLIP() (any, error) {
	v, t := m.Config.Vision, m.Config.Text
	switch {
	case v.NumPatches != 0:
		return nil, errors.New("open_clip has no NaFlex")
	case t.HiddenPadding != nil:
		return nil, errors.New("open_clip attends to the padding of texts, the model does not (Config.Text.HiddenPadding)")
	}
	name, err := timmName(v)
	if err != nil {
		return nil, err
	}
	texts, _, err := layersFor(t.HiddenAct, t.LayerNormEps)
	if err != nil {
		return nil, err
	}
	preparation, err := describe(m.Preprocess, v)
	if err != nil {
		return nil, err
	}
	type object = map[string]any
	text := object{
		"context_length": t.MaxPositionEmbeddings, "vocab_size": t.VocabSize, "width": t.HiddenSize, "heads": t.NumAttentionHeads,
		"layers": t.NumHiddenLayers, "mlp_ratio": ratio(t.IntermediateSize, t.HiddenSize), "no_causal_mask": true, "proj_bias": true,
		"pool_type": "last", "hf_tokenizer_name": "local", // open_clip takes the folder in its place
		"tokenizer_kwargs": object{"clean": "canonicalize"},
	}
	if texts.Norm != nil {
		text["norm_kwargs"] = texts.Norm
	}
	if texts.Act != nil {
		text["act_kwargs"] = texts.Act
	}
	return object{
		"model_cfg": object{
			"embed_dim": m.Config.ProjectionDim, "init_logit_bias": -10, "custom_text": true, "text_cfg": text, // the weights hold the bias
			"vision_cfg": object{
				"image_size": v.ImageSize, "timm_model_name": name, "timm_model_pretrained": false, "timm_pool": "map", "timm_proj": "none",
			},
		},
		"preprocess_cfg": preparation,
	}, nil
}

// timmName returns the name of the image tower in timm.
func timmName(c VisionConfig) (string, error) {
	act, _, err := layersFor(c.HiddenAct, c.LayerNormEps)
	if err != nil {
		return "", err
	}
	for _, name := range slices.Sorted(maps.Keys(timmTowers)) {
		t, _ := timmTower(name)
		if theirs, _, _ := layersFor(t.HiddenAct, t.LayerNormEps); (theirs.Act == nil) != (act.Act == nil) {
			continue
		}
		t.HiddenAct, t.AttentionDropout, t.InitializerFactor, t.InitializerRange = c.HiddenAct, c.AttentionDropout, c.InitializerFactor, c.InitializerRange
		if t == c {
			return name, nil
		}
	}
	return "", fmt.Errorf("timm has no such image tower: images of %d, patches of %d, width %d, %d blocks, %d heads, hidden %d, %s, epsilon %v",
		c.ImageSize, c.PatchSize, c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize, c.HiddenAct, c.LayerNormEps)
}
