package vit

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/vision"
)

// timmFile is the part of timm's config.json that describes the model: its architecture by name, what differs from
// the name, and the classes. Sizes are in neither; they are those of the weights.
type timmFile struct {
	Architecture string     `json:"architecture"`
	NumClasses   int        `json:"num_classes"`
	NumFeatures  int        `json:"num_features"`
	GlobalPool   string     `json:"global_pool,omitempty"`
	LabelNames   timmLabels `json:"label_names,omitempty"`
	ModelArgs    timmArgs   `json:"model_args"`
	Pretrained   timmWeb    `json:"pretrained_cfg"`
}

// timmArgs are arguments of timm's VisionTransformer; the others leave traces in the weights.
type timmArgs struct {
	ImageSize        int      `json:"img_size,omitempty"`
	PatchSize        int      `json:"patch_size,omitempty"`
	Channels         int      `json:"in_chans,omitempty"`
	Width            int      `json:"embed_dim,omitempty"`
	Depth            int      `json:"depth,omitempty"`
	Heads            int      `json:"num_heads,omitempty"`
	Ratio            float64  `json:"mlp_ratio,omitempty"`
	QKVBias          *bool    `json:"qkv_bias,omitempty"`
	ClassToken       *bool    `json:"class_token,omitempty"`
	PreNorm          *bool    `json:"pre_norm,omitempty"`
	FCNorm           *bool    `json:"fc_norm,omitempty"`
	GlobalPool       *string  `json:"global_pool,omitempty"`
	LayerScale       *float32 `json:"init_values,omitempty"`
	Act              string   `json:"act_layer,omitempty"`
	PoolClassAsWell  bool     `json:"pool_include_prefix,omitempty"`
	DynamicImageSize bool     `json:"dynamic_img_size,omitempty"`
}

// UnmarshalJSON leaves alone the sizes, which the weights tell: img_size and patch_size may be a number or two.
func (a *timmArgs) UnmarshalJSON(data []byte) error {
	type plain timmArgs
	p := struct {
		*plain
		ImageSize any `json:"img_size"`
		PatchSize any `json:"patch_size"`
	}{plain: (*plain)(a)}
	return json.Unmarshal(data, &p)
}

// timmWeb is timm's pretrained_cfg: where weights come from and what pictures they want.
type timmWeb struct {
	LabelNames    timmLabels `json:"label_names,omitempty"`
	NumClasses    int        `json:"num_classes"`
	InputSize     [3]int     `json:"input_size"`
	FixedSize     bool       `json:"fixed_input_size"`
	Interpolation string     `json:"interpolation,omitempty"`
	CropPct       float64    `json:"crop_pct,omitempty"`
	CropMode      string     `json:"crop_mode,omitempty"`
	Mean          []float32  `json:"mean,omitempty"`
	Std           []float32  `json:"std,omitempty"`
	FirstConv     string     `json:"first_conv"`
	Classifier    string     `json:"classifier"`
}

// timmLabels are names of classes: in a list, or by number.
type timmLabels map[string]string

// UnmarshalJSON reads both forms.
func (l *timmLabels) UnmarshalJSON(data []byte) error {
	var list []string
	if json.Unmarshal(data, &list) != nil {
		return json.Unmarshal(data, (*map[string]string)(l))
	}
	*l = timmLabels{}
	for i, name := range list {
		(*l)[strconv.Itoa(i)] = name
	}
	return nil
}

// timmConfig returns the configuration of a folder of timm's.
func timmConfig(data []byte, find tower.Finder) (Config, error) {
	// Of the rest of pretrained_cfg package vision reads what it needs.
	var t struct {
		Architecture string     `json:"architecture"`
		GlobalPool   string     `json:"global_pool"`
		LabelNames   timmLabels `json:"label_names"`
		Labels       timmLabels `json:"labels"`
		ModelArgs    timmArgs   `json:"model_args"`
		Pretrained   struct {
			LabelNames timmLabels `json:"label_names"`
		} `json:"pretrained_cfg"`
	}
	if err := json.Unmarshal(data, &t); err != nil {
		return Config{}, fmt.Errorf("config.json: %w", err)
	}
	a, err := timmArchitecture(t.Architecture)
	if err != nil {
		return Config{}, fmt.Errorf("config.json: %w", err)
	}
	s, err := tower.ReadSizes(find)
	if err != nil {
		return Config{}, err
	}
	c := sized(s)
	c.AntialiasPositions = true
	c.LayerNormEps, c.HiddenAct = a.eps, a.act
	if c.NumAttentionHeads = t.ModelArgs.Heads; c.NumAttentionHeads == 0 {
		c.NumAttentionHeads = a.heads
	}
	if c.NumAttentionHeads == 0 {
		if c.NumAttentionHeads, err = tower.Heads(s.Width); err != nil {
			return Config{}, err
		}
	}
	if act := t.ModelArgs.Act; act != "" {
		if c.HiddenAct = timmActivations[act]; c.HiddenAct == "" {
			return Config{}, fmt.Errorf("config.json: act_layer %q is not supported", act)
		}
	}
	if v := t.ModelArgs.LayerScale; s.LayerScale && v != nil && *v > 0 {
		c.LayerScaleInit = *v
	}
	pool := t.GlobalPool
	if given := t.ModelArgs.GlobalPool; given != nil {
		pool = *given
	}
	switch {
	case t.ModelArgs.PoolClassAsWell:
		return Config{}, fmt.Errorf("config.json: pool_include_prefix is not supported")
	case pool == "":
		if !s.Norm || !s.ClassToken || a.mean {
			pool = "avg"
		}
	case pool != "avg" && pool != "token":
		return Config{}, fmt.Errorf("config.json: global_pool %q is not supported, expected token or avg", pool)
	}
	if pool == "avg" {
		c.Pooling = MeanPooling
		if s.Norm {
			c.Pooling = NormMeanPooling
		}
	}
	for _, labels := range []timmLabels{t.LabelNames, t.Labels, t.Pretrained.LabelNames} {
		if len(labels) > 0 {
			c.ID2Label = labels
			c.Label2ID = LabelIDs{}
			for number, name := range labels {
				i, err := strconv.Atoi(number)
				if err != nil {
					return Config{}, fmt.Errorf("config.json: label_names: expected numbers, found %q", number)
				}
				c.Label2ID[name] = i
			}
			break
		}
	}
	return c, nil
}

// architecture is what the name of a timm model says and its weights do not.
type architecture struct {
	heads int // 0 where the width tells
	act   string
	eps   float32
	mean  bool // pools by the mean of the patches
}

// timmArchitecture reads the name of a timm model.
func timmArchitecture(name string) (architecture, error) {
	has := func(part string) bool { return strings.Contains(name, part) }
	a := architecture{act: "gelu", eps: 1e-6, mean: has("_gap_")}
	if !strings.HasPrefix(name, "vit_") && !strings.HasPrefix(name, "deit_") && !strings.HasPrefix(name, "deit3_") {
		return a, fmt.Errorf("architecture: expected a plain Vision Transformer (vit_…, deit_… or deit3_…), found %q", name)
	}
	for _, k := range otherArithmetic {
		if has(k.part) {
			return a, fmt.Errorf("architecture: %q has %s, which is not supported", name, k.what)
		}
	}
	if has("_clip_") {
		a.eps = 1e-5
	}
	switch {
	case has("_quickgelu_"):
		a.act = "quick_gelu"
	case slices.ContainsFunc([]string{"vit_base_patch32_siglip", "vit_giantopt_patch16_siglip", "vit_so400m_patch16_siglip",
		"vit_large_patch16_siglip_512", "vit_large_patch16_siglip_gap_512"}, has):
		a.act = "gelu_pytorch_tanh"
	}
	switch {
	case has("_giantopt_"), name == "vit_base_patch16_gap_224":
		a.heads = 16
	}
	return a, nil
}

// otherArithmetic are parts of names of timm's models that are no plain Vision Transformers although their weights may
// have the same names and shapes.
var otherArithmetic = []struct{ part, what string }{
	{"_rope_", "rotary positions"},
	{"_dinov3", "rotary positions"},
	{"vit_pe_", "rotary positions"},
	{"_rpn_", "norms after the residual branches"},
}

// timmActivations are timm's names of activations, and transformers'.
var timmActivations = map[string]string{
	"gelu": "gelu", "gelu_tanh": "gelu_pytorch_tanh", "quick_gelu": "quick_gelu", "relu": "relu", "silu": "silu", "swish": "silu",
}

// plain are the Vision Transformers that timm knows by name, with pictures of 224 pixels.
var plain = []struct {
	name                        string
	width, layers, heads, patch int
}{
	{"vit_base_patch16_224", 768, 12, 12, 16}, // and what the others differ from
	{"vit_tiny_patch16_224", 192, 12, 3, 16},
	{"vit_small_patch16_224", 384, 12, 6, 16},
	{"vit_base_patch32_224", 768, 12, 12, 32},
	{"vit_large_patch16_224", 1024, 24, 16, 16},
	{"vit_huge_patch14_224", 1280, 32, 16, 14},
}

// timmJSON returns the config.json that describes a model with the given number of classes to timm.
func timmJSON(c Config, classes int, p *vision.Preprocess) (*timmFile, error) {
	at := slices.IndexFunc(plain, func(s struct {
		name                        string
		width, layers, heads, patch int
	}) bool {
		return s.width == c.HiddenSize && s.layers == c.NumHiddenLayers && s.heads == c.NumAttentionHeads && s.patch == c.PatchSize
	})
	base := plain[max(0, at)]
	no, yes := false, true
	args := timmArgs{ImageSize: c.ImageSize}
	if at < 0 {
		args.PatchSize, args.Width, args.Depth, args.Heads = c.PatchSize, c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads
	}
	if c.NumChannels != 3 {
		args.Channels = c.NumChannels
	}
	if c.IntermediateSize != 4*c.HiddenSize {
		// timm cuts width·ratio to a whole number.
		args.Ratio = float64(c.IntermediateSize) / float64(c.HiddenSize)
		if int(float64(c.HiddenSize)*args.Ratio) != c.IntermediateSize {
			args.Ratio = (float64(c.IntermediateSize) + 0.5) / float64(c.HiddenSize)
		}
	}
	switch {
	case c.LayerNormEps <= 1e-6:
		if c.PreNorm {
			args.PreNorm = &yes
		}
	case c.LayerNormEps == 1e-5: // that of CLIP's towers
		base.name = "vit_base_patch16_clip_224"
		args.PatchSize, args.Width, args.Depth, args.Heads = c.PatchSize, c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads
		if !c.PreNorm {
			args.PreNorm = &no
		}
	default:
		return nil, fmt.Errorf("layer_norm_eps: timm has 1e-6 and 1e-5, found %v", c.LayerNormEps)
	}
	if !c.QKVBias {
		args.QKVBias = &no
	}
	if c.NoClassToken {
		args.ClassToken = &no
	}
	if c.LayerScaleInit > 0 {
		args.LayerScale = &c.LayerScaleInit
	}
	pool := "token"
	if c.Pooling != "" {
		pool = "avg"
		args.GlobalPool = &pool
		if c.Pooling == NormMeanPooling {
			args.FCNorm = &no
		}
	}
	if c.HiddenAct != "gelu" {
		act, err := c.Activation()
		if err != nil {
			return nil, err
		}
		for theirs, ours := range timmActivations {
			if a, _ := (Config{HiddenAct: ours}).Activation(); a == act && theirs != "swish" {
				args.Act = theirs
			}
		}
	}
	return &timmFile{
		Architecture: base.name,
		NumClasses:   classes,
		NumFeatures:  c.HiddenSize,
		GlobalPool:   pool,
		LabelNames:   c.ID2Label,
		ModelArgs:    args,
		Pretrained:   timmPictures(c, classes, p),
	}, nil
}

// timmPictures describes the preprocessing as timm does: the share of the resized picture that is kept.
func timmPictures(c Config, classes int, p *vision.Preprocess) timmWeb {
	w := timmWeb{
		NumClasses: classes, FirstConv: "patch_embed.proj", Classifier: "head",
		InputSize: [3]int{c.NumChannels, c.ImageSize, c.ImageSize}, FixedSize: true,
		Interpolation: p.Filter.String(), CropMode: "center", CropPct: 1,
		Mean: p.Mean[:], Std: p.Std[:],
	}
	if p.Std == [3]float32{} {
		w.Mean, w.Std = vision.HalfMean[:], vision.HalfStd[:]
	}
	if p.Mode == vision.Stretch {
		w.CropMode = "squash"
	}
	if resized := p.Width; p.Mode != vision.NoResize && resized > 0 && resized != c.ImageSize {
		// timm cuts size/share to a whole number of pixels: the shortest decimal that gives ours.
		size := float64(c.ImageSize)
		w.CropPct = size / (float64(resized) + 0.5)
		for digits := 1.; digits <= 1e6; digits *= 10 {
			if share := math.Round(size/float64(resized)*digits) / digits; share > 0 && int(size/share) == resized {
				w.CropPct = share
				break
			}
		}
	}
	return w
}
