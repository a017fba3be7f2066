package clip

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/vision"
)

// openCLIP is the contents of an open_clip_config.json.
type openCLIP struct {
	Model      openModel      `json:"model_cfg"`
	Preprocess openPreprocess `json:"preprocess_cfg"`
}

// openModel holds the arguments of open_clip's class CLIP (model.py).
type openModel struct {
	EmbedDim  int        `json:"embed_dim"`
	QuickGELU bool       `json:"quick_gelu"`
	Vision    openVision `json:"vision_cfg"`
	Text      openText   `json:"text_cfg"`
}

// openVision is CLIPVisionCfg.
type openVision struct {
	ImageSize config.Size `json:"image_size"`
	Layers    openDepth   `json:"layers"`
	Width     int         `json:"width"`
	HeadWidth int         `json:"head_width"`
	MLPRatio  float64     `json:"mlp_ratio"`
	PatchSize *int        `json:"patch_size"` // nil in a ResNet
	openLayers
}

// openDepth is the number of blocks of a Vision Transformer, or a list of those of the stages of a ResNet.
type openDepth struct {
	blocks int
	stages []int
}

// UnmarshalJSON reads a number or four.
func (d *openDepth) UnmarshalJSON(data []byte) error {
	var stages []int
	if strictjson.Decode(data, &stages) == nil && len(stages) == 4 {
		*d = openDepth{stages: stages}
		return nil
	}
	*d = openDepth{}
	err := strictjson.Decode(data, &d.blocks)
	if misfit := (*strictjson.Error)(nil); errors.As(err, &misfit) {
		misfit.Want = "a whole number, or a list of four"
	}
	return err
}

// MarshalJSON writes a number or four.
func (d openDepth) MarshalJSON() ([]byte, error) {
	if d.stages != nil {
		return json.Marshal(d.stages)
	}
	return json.Marshal(d.blocks)
}

// openText is CLIPTextCfg.
type openText struct {
	ContextLength int     `json:"context_length"`
	VocabSize     int     `json:"vocab_size"`
	Width         int     `json:"width"`
	Heads         int     `json:"heads"`
	Layers        int     `json:"layers"`
	MLPRatio      float64 `json:"mlp_ratio"`
	PoolType      string  `json:"pool_type"`
	EOSID         int     `json:"eos_id"`
	openLayers
}

// openLayers are the arguments of the activations and norms of a tower.
type openLayers struct {
	Act  *openAct  `json:"act_kwargs,omitempty"`
	Norm *openNorm `json:"norm_kwargs,omitempty"`
}

type openAct struct {
	Approximate string `json:"approximate"`
}

type openNorm struct {
	Eps float32 `json:"eps"`
}

// openPreprocess is PreprocessCfg (transform.py).
type openPreprocess struct {
	Mode          *string   `json:"mode"` // nil, here and below, is the default
	Mean          []float32 `json:"mean"`
	Std           []float32 `json:"std"`
	Interpolation *string   `json:"interpolation"`
	ResizeMode    *string   `json:"resize_mode"`
	FillColor     *int      `json:"fill_color"`
}

// openDefaults are the defaults of open_clip's classes.
func openDefaults() openCLIP {
	return openCLIP{
		Model: openModel{
			Vision: openVision{ImageSize: config.Size{Height: 224, Width: 224}, Layers: openDepth{blocks: 12}, Width: 768, HeadWidth: 64, MLPRatio: 4},
			Text:   openText{ContextLength: 77, VocabSize: 49408, Width: 512, Heads: 8, Layers: 12, MLPRatio: 4, PoolType: "argmax", EOSID: 2},
		},
	}
}

// readOpenCLIP reads an open_clip_config.json. The error names the file and the field.
func readOpenCLIP(data []byte) (Config, vision.Preprocess, error) {
	var c Config
	var p vision.Preprocess
	o := openDefaults()
	var err error
	switch {
	case isOpenSigLIP(data):
		c, o.Preprocess, err = readOpenSigLIP(data)
	case isOpenBERT(data):
		c, o.Preprocess, err = readOpenBERT(data)
	default:
		err = checkOpen(data, openModelFields, openVisionFields, openTextFields)
		if err == nil {
			err = strictjson.Decode(data, &o)
		}
		if err == nil {
			c, err = o.Model.config()
		}
	}
	if err == nil {
		err = c.Validate()
	}
	if err == nil {
		p, err = o.Preprocess.preprocess(c.Vision)
	}
	if err != nil {
		return Config{}, p, fmt.Errorf("%s: %w", modelfolder.OpenCLIPName, err)
	}
	return c, p, nil
}

// config translates the arguments.
func (m openModel) config() (Config, error) {
	c := defaults()
	v, t := m.Vision, m.Text
	var k config.Checks
	k.Size("model_cfg: vision_cfg: head_width", v.HeadWidth)
	k.Size("model_cfg: vision_cfg: width", v.Width)
	k.OneOf("model_cfg: text_cfg: pool_type", t.PoolType, "argmax", "eos")
	if err := k.Err(); err != nil {
		return c, err
	}
	c.ProjectionDim = m.EmbedDim
	if v.Layers.stages != nil {
		c.Vision = VisionConfig{NumChannels: 3, ResNet: &ResNetConfig{
			Layers: [4]int(v.Layers.stages), Width: v.Width, Heads: growth * v.Width / v.HeadWidth,
		}}
	} else {
		c.Vision.PatchSize, c.Vision.HiddenSize, c.Vision.NumHiddenLayers = value(v.PatchSize, 16), v.Width, v.Layers.blocks
		c.Vision.NumAttentionHeads, c.Vision.IntermediateSize = v.Width/v.HeadWidth, hidden(v.Width, v.MLPRatio)
	}
	c.Vision.SetSize(v.ImageSize.Height, v.ImageSize.Width)
	c.Text.MaxPositionEmbeddings, c.Text.VocabSize = t.ContextLength, t.VocabSize
	c.Text.HiddenSize, c.Text.NumHiddenLayers, c.Text.NumAttentionHeads = t.Width, t.Layers, t.Heads
	c.Text.IntermediateSize = hidden(t.Width, t.MLPRatio)
	c.Text.EOSTokenID = LargestID
	if t.PoolType == "eos" {
		c.Text.EOSTokenID = t.EOSID
		if t.EOSID == LargestID {
			return c, fmt.Errorf("model_cfg: text_cfg: eos_id: the end token %d is not supported", LargestID)
		}
	}
	var err error
	if c.Vision.ResNet == nil { // which has neither
		if c.Vision.HiddenAct, c.Vision.LayerNormEps, err = v.layers(m.QuickGELU); err != nil {
			return c, fmt.Errorf("model_cfg: vision_cfg: %w", err)
		}
	}
	if c.Text.HiddenAct, c.Text.LayerNormEps, err = t.layers(m.QuickGELU); err != nil {
		return c, fmt.Errorf("model_cfg: text_cfg: %w", err)
	}
	return c, nil
}

// hidden is the width inside of an MLP, int(width * mlp_ratio) in Python.
func hidden(width int, ratio float64) int {
	if h := float64(width) * ratio; h > 0 && h <= config.Largest {
		return int(h)
	}
	return 0 // no width; Validate names it
}

// layers returns the activation and the epsilon of a tower.
func (l openLayers) layers(quick bool) (act string, eps float32, err error) {
	act, eps = "gelu", 1e-5
	if l.Norm != nil {
		eps = l.Norm.Eps
	}
	switch {
	case quick && l.Act != nil:
		return "", 0, fmt.Errorf("act_kwargs: expected none beside quick_gelu")
	case quick:
		act = "quick_gelu"
	case l.Act != nil && l.Act.Approximate == "tanh":
		act = "gelu_pytorch_tanh"
	case l.Act != nil && l.Act.Approximate != "none":
		return "", 0, fmt.Errorf("act_kwargs: approximate: expected tanh or none, found %q", l.Act.Approximate)
	}
	return act, eps, nil
}

// preprocess is the transformation for evaluation (image_transform in transform.py). Sizes are those of the model.
func (o openPreprocess) preprocess(c VisionConfig) (vision.Preprocess, error) {
	c.Pooled = false // what is not stated is as for other models
	p := preprocess(c)
	height, width := c.Size()
	var v config.Checks
	v.OneOf("mode", value(o.Mode, "RGB"), "RGB")
	resize, filter, fill := value(o.ResizeMode, "shortest"), value(o.Interpolation, "bicubic"), value(o.FillColor, 0)
	v.OneOf("resize_mode", resize, "shortest", "longest", "squash")
	v.OneOf("interpolation", filter, "bicubic", "bilinear", "random")
	if fill < 0 || fill > math.MaxUint8 {
		v.Fail("fill_color", "expected 0 to 255, found %d", fill)
	}
	if err := v.Err(); err != nil {
		return p, fmt.Errorf("preprocess_cfg: %w", err)
	}
	switch resize {
	case "longest":
		p.Mode, p.Height, p.Width = vision.Fit, height, width
	case "squash":
		p.Mode, p.Height, p.Width, p.CropHeight, p.CropWidth = vision.Stretch, height, width, 0, 0
	}
	if filter == "bilinear" && (resize != "shortest" || height == width) { // it forgets the filter for such images
		p.Filter = vision.Bilinear
	}
	for i := range p.Fill {
		p.Fill[i] = uint8(fill)
	}
	for _, s := range []struct {
		name   string
		values []float32
		to     *[3]float32
	}{{"mean", o.Mean, &p.Mean}, {"std", o.Std, &p.Std}} {
		switch len(s.values) {
		case 0:
		case 3:
			copy(s.to[:], s.values)
		default:
			return p, fmt.Errorf("preprocess_cfg: %s: expected 3 numbers, found %d", s.name, len(s.values))
		}
	}
	return p, p.Validate()
}

// value returns what p points to, or the default.
func value[T any](p *T, standard T) T {
	if p == nil {
		return standard
	}
	return *p
}

// checkOpen returns an error for a field that is refused, and for one that open_clip does not know. The tables are
// those of the model and of its towers.
func checkOpen(data []byte, model, images, texts strictjson.Fields) error {
	var parts struct {
		Model struct {
			Vision json.RawMessage `json:"vision_cfg"`
			Text   json.RawMessage `json:"text_cfg"`
		} `json:"model_cfg"`
	}
	var whole struct {
		Model json.RawMessage `json:"model_cfg"`
	}
	if err := strictjson.Decode(data, &parts); err != nil {
		return err
	}
	if err := strictjson.Decode(data, &whole); err != nil {
		return err
	}
	for _, s := range []struct {
		name   string
		data   json.RawMessage
		fields strictjson.Fields
	}{
		{"model_cfg", whole.Model, model},
		{"model_cfg: vision_cfg", parts.Model.Vision, images},
		{"model_cfg: text_cfg", parts.Model.Text, texts},
	} {
		if s.data == nil {
			return fmt.Errorf("%s: expected an object, found none", s.name)
		}
		var found []string
		err := strictjson.Object(s.data, func(key string, _ []byte) { found = append(found, key) })
		if err == nil {
			err = s.fields.Check(s.data)
		}
		if unknown := s.fields.Missing(found); err == nil && len(unknown) > 0 {
			err = fmt.Errorf("%s: a field that open_clip 3.3 does not have", unknown[0])
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}
