package vit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/internal/modelfolder"
)

// Config describes a Vision Transformer in the fields of a Hugging Face config.json; each has the name it has
// there. Sizes of pictures and patches are in pixels, and both are square. A Config is made by a preset or by
// [ReadConfig] and then changed: its zero value is not valid.
type Config struct {
	ModelType                 string            `json:"model_type"`
	Architectures             []string          `json:"architectures,omitempty"`
	ImageSize                 int               `json:"image_size"`
	PatchSize                 int               `json:"patch_size"`
	NumChannels               int               `json:"num_channels"`
	HiddenSize                int               `json:"hidden_size"`
	NumHiddenLayers           int               `json:"num_hidden_layers"`
	NumAttentionHeads         int               `json:"num_attention_heads"`
	IntermediateSize          int               `json:"intermediate_size"`
	HiddenAct                 string            `json:"hidden_act"`
	HiddenDropoutProb         float32           `json:"hidden_dropout_prob"`
	AttentionProbsDropoutProb float32           `json:"attention_probs_dropout_prob"`
	InitializerRange          float64           `json:"initializer_range"`
	LayerNormEps              float32           `json:"layer_norm_eps"`
	QKVBias                   bool              `json:"qkv_bias"`
	ID2Label                  map[string]string `json:"id2label,omitempty"`
	Label2ID                  LabelIDs          `json:"label2id,omitempty"`

	// DropPathRate is the probability of dropping a residual branch in the last block while training; it
	// falls linearly to 0 in the first (timm's drop_path_rate).
	DropPathRate float32 `json:"drop_path_rate,omitempty"`

	// The fields that follow are Fovea's own, for what timm's Vision Transformer has beside transformers'.

	// Pooling is how the sequence becomes one vector: "" is the class token after the final norm, "mean" the
	// mean of the patch tokens, then a norm (MAE's fine-tuning, timm's avg), "norm_mean" the mean of the
	// normalized patch tokens (timm's avg without fc_norm).
	Pooling string `json:"pooling,omitempty"`
	// NoClassToken says that there are patch tokens only.
	NoClassToken bool `json:"no_class_token,omitempty"`
	// PreNorm puts a norm before the first block, and takes the bias off the patches' projection (CLIP).
	PreNorm bool `json:"pre_norm,omitempty"`
	// LayerScaleInit, when it is not 0, is where the learned factors of the residual branches' channels begin
	// (CaiT, DeiT III, DINOv2).
	LayerScaleInit float32 `json:"layer_scale_init_value,omitempty"`
	// AntialiasPositions says that position embeddings are resized for pictures of another size as timm does.
	// Without it they are resized as transformers does, and MAE's original release.
	AntialiasPositions bool `json:"antialias_positions,omitempty"`
}

// LabelIDs maps class names to their numbers.
type LabelIDs map[string]int

// UnmarshalJSON reads numbers, bare or in quotes: transformers' own fine-tuning script writes the latter. The
// error names the class whose value is neither.
func (l *LabelIDs) UnmarshalJSON(data []byte) error {
	var texts map[string]json.RawMessage
	if err := json.Unmarshal(data, &texts); err != nil {
		return err
	}
	ids := make(LabelIDs, len(texts))
	for name, text := range texts {
		id, err := strconv.Atoi(strings.Trim(string(text), `"`))
		if err != nil {
			return fmt.Errorf("label2id: %q: expected a number, found %s", name, text)
		}
		ids[name] = id
	}
	*l = ids
	return nil
}

// The values of Config.Pooling that average the patch tokens: before a norm, and after the final norm.
const (
	MeanPooling     = "mean"
	NormMeanPooling = "norm_mean"
)

// defaults are transformers' own, for fields that a config.json leaves out.
func defaults() Config {
	return Config{
		ModelType:         "vit",
		ImageSize:         224,
		PatchSize:         16,
		NumChannels:       3,
		HiddenSize:        768,
		NumHiddenLayers:   12,
		NumAttentionHeads: 12,
		IntermediateSize:  3072,
		HiddenAct:         "gelu",
		InitializerRange:  0.02,
		LayerNormEps:      1e-12,
		QKVBias:           true,
	}
}

func preset(width, layers, heads, patch int) Config {
	c := defaults()
	c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.PatchSize = width, layers, heads, patch
	c.IntermediateSize = 4 * width
	return c
}

// Tiny16 is ViT-Ti/16 of DeiT (arXiv 2012.12877): 5.7 M parameters with 1000 classes.
func Tiny16() Config { return preset(192, 12, 3, 16) }

// Small16 is ViT-S/16 of DeiT: 22 M parameters.
func Small16() Config { return preset(384, 12, 6, 16) }

// Base16 is ViT-B/16 (arXiv 2010.11929, table 1): 87 M parameters.
func Base16() Config { return preset(768, 12, 12, 16) }

// Base32 is ViT-B/32: 88 M parameters, a quarter of B/16's tokens.
func Base32() Config { return preset(768, 12, 12, 32) }

// Large16 is ViT-L/16: 304 M parameters.
func Large16() Config { return preset(1024, 24, 16, 16) }

// Huge14 is ViT-H/14: 632 M parameters.
func Huge14() Config { return preset(1280, 32, 16, 14) }

// Labels returns the class names by index, up to the last that ID2Label names, or nil when it names none. A class that
// ID2Label leaves out is "". Numbers that no class can have, negative or beyond a million, are passed over.
func (c Config) Labels() []string {
	last := -1
	for number := range c.ID2Label {
		if i, err := strconv.Atoi(number); err == nil && i <= largest {
			last = max(last, i)
		}
	}
	return c.labels(last + 1)
}

// labels returns the names of n classes, or nil when ID2Label names none at all.
func (c Config) labels(n int) []string {
	if len(c.ID2Label) == 0 || n == 0 {
		return nil
	}
	labels := make([]string, n)
	for i := range labels {
		labels[i] = c.ID2Label[strconv.Itoa(i)]
	}
	return labels
}

// SetLabels names the classes: labels[i] is that of class i. The configuration keeps maps of its own.
func (c *Config) SetLabels(labels []string) {
	c.ID2Label, c.Label2ID = map[string]string{}, LabelIDs{}
	for i, l := range labels {
		c.ID2Label[strconv.Itoa(i)] = l
		c.Label2ID[l] = i
	}
}

// Patches returns the number of patches of a picture of the configured size. The configuration must be valid.
func (c Config) Patches() int { return c.side() * c.side() }

// side returns the number of patches along each side of a picture of the configured size.
func (c Config) side() int { return c.ImageSize / c.PatchSize }

// positions returns the number of rows of the position table: one a patch, and one for the class token.
func (c Config) positions() int {
	if c.NoClassToken {
		return c.Patches()
	}
	return 1 + c.Patches()
}

// Activation returns the activation that HiddenAct names, or an error that lists the known names.
func (c Config) Activation() (autograd.Activation, error) {
	act, err := autograd.ActivationByName(c.HiddenAct)
	if err != nil {
		return 0, fmt.Errorf("hidden_act: %w", err)
	}
	return act, nil
}

// largest bounds every size in a configuration, far beyond any model and far below an overflow.
const largest = 1 << 20

// Validate returns an error that names the first field whose value no Vision Transformer can have.
func (c Config) Validate() error {
	for _, f := range []struct {
		name  string
		value int
	}{
		{"image_size", c.ImageSize}, {"patch_size", c.PatchSize}, {"num_channels", c.NumChannels},
		{"hidden_size", c.HiddenSize}, {"num_hidden_layers", c.NumHiddenLayers},
		{"num_attention_heads", c.NumAttentionHeads}, {"intermediate_size", c.IntermediateSize},
	} {
		if f.value < 1 || f.value > largest {
			return fmt.Errorf("%s: expected 1 to %d, found %d", f.name, largest, f.value)
		}
	}
	if c.HiddenSize%c.NumAttentionHeads != 0 {
		return fmt.Errorf("num_attention_heads: expected a divisor of hidden_size %d, found %d", c.HiddenSize, c.NumAttentionHeads)
	}
	if c.ImageSize%c.PatchSize != 0 {
		return fmt.Errorf("patch_size: expected a divisor of image_size %d, found %d", c.ImageSize, c.PatchSize)
	}
	if !(c.LayerNormEps >= 0) || math.IsInf(float64(c.LayerNormEps), 0) {
		return fmt.Errorf("layer_norm_eps: expected a finite number that is not negative, found %v", c.LayerNormEps)
	}
	// Initial weights are drawn again until they are within ±2, which a larger deviation would keep at for long.
	if !(c.InitializerRange >= 0 && c.InitializerRange <= 1) {
		return fmt.Errorf("initializer_range: expected 0 to 1, found %v", c.InitializerRange)
	}
	for _, p := range []struct {
		name  string
		value float32
	}{
		{"hidden_dropout_prob", c.HiddenDropoutProb}, {"attention_probs_dropout_prob", c.AttentionProbsDropoutProb},
		{"drop_path_rate", c.DropPathRate},
	} {
		if !(p.value >= 0 && p.value < 1) {
			return fmt.Errorf("%s: expected a probability below 1, found %v", p.name, p.value)
		}
	}
	switch {
	case c.Pooling != "" && c.Pooling != MeanPooling && c.Pooling != NormMeanPooling:
		return fmt.Errorf(`pooling: expected "mean", "norm_mean" or nothing, found %q`, c.Pooling)
	case c.Pooling == "" && c.NoClassToken:
		return errors.New(`pooling: expected "mean" or "norm_mean" with no_class_token, found nothing`)
	case !(c.LayerScaleInit >= 0) || math.IsInf(float64(c.LayerScaleInit), 0):
		return fmt.Errorf("layer_scale_init_value: expected a finite number that is not negative, found %v", c.LayerScaleInit)
	}
	_, err := c.Activation()
	return err
}

// ReadConfig reads and checks a config.json. Fields that it lacks have transformers' defaults. The error names the
// file and the field, what was expected and what was found; it matches fs.ErrNotExist when there is no such file.
func ReadConfig(fsys fs.FS, name string) (Config, error) {
	c, err := readConfig(fsys, name)
	if err != nil {
		return Config{}, fmt.Errorf("vit: %w", err)
	}
	return c, nil
}

func readConfig(fsys fs.FS, name string) (Config, error) {
	c := defaults()
	err := modelfolder.ReadConfig(fsys, name, c.ModelType, &c)
	return c, err
}
