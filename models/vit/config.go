package vit

import (
	"cmp"
	"encoding/json"
	"io/fs"
	"slices"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/nn"
)

// Config describes a Vision Transformer in the fields of a Hugging Face config.json; each has the name it has there. A
// Config is made by a preset or by [ReadConfig] and then changed: its zero value is not valid.
type Config struct {
	ModelType     string   `json:"model_type"`
	Architectures []string `json:"architectures,omitempty"`
	EncoderConfig
	models.Classes

	// DropPathRate is the probability of dropping a residual branch in the last block while training; it
	// falls linearly to 0 in the first (timm's drop_path_rate). With ConstantDropPath it is that of all blocks (transformers'
	// DINOv2 and DINOv3).
	DropPathRate     float32 `json:"drop_path_rate,omitempty"`
	ConstantDropPath bool    `json:"constant_drop_path,omitempty"`

	// The fields that follow are Fovea's own: timm's Vision Transformer has these options and transformers' has not.
	// [Model.Save] says how such models are saved.

	// Pooling is how the sequence becomes one vector: "" is the class token after the final norm, "mean" the
	// mean of the patch tokens, then a norm (MAE's fine-tuning, timm's avg), "norm_mean" the mean of the
	// normalized patch tokens (timm's avg without fc_norm), and "flatten" the normalized patch tokens side by side. The
	// last suits small images whose objects fill them; images then have the configured size, and timm has no such model.
	Pooling string `json:"pooling,omitempty"`
	// NoClassToken says that there are patch tokens only.
	NoClassToken bool `json:"no_class_token,omitempty"`
	// PreNorm puts a norm before the first block and removes the bias of the patch projection (CLIP).
	PreNorm bool `json:"pre_norm,omitempty"`
	// LayerScaleInit, when it is not 0, is the initial value of the learned factors of the residual branches' channels
	// (CaiT, DeiT III, DINOv2).
	LayerScaleInit float32 `json:"layer_scale_init_value,omitempty"`
	// AntialiasPositions resizes position embeddings for images of another size as timm does. Without it they are
	// resized as transformers does, and MAE's original release.
	AntialiasPositions bool `json:"antialias_positions,omitempty"`
	// PositionOffset is added to the sizes from which the factors of that resizing follow: 0.1 in the original release of
	// DINOv2 (interpolate_offset).
	PositionOffset float64 `json:"position_offset,omitempty"`
	// NumRegisterTokens is the number of learned tokens between class token and patches (Darcet et al., arXiv 2309.16588).
	// They have no position, unless RegisterPositions is set.
	NumRegisterTokens int  `json:"num_register_tokens,omitempty"`
	RegisterPositions bool `json:"register_positions,omitempty"`
	// DistillationToken puts a second class token after the first, for a classifier of its own (DeiT, arXiv 2012.12877).
	DistillationToken bool `json:"distillation_token,omitempty"`
	// GatedMLP makes the feed-forward layers gated ones, such as SwiGLU with the activation silu: IntermediateSize is the
	// width after the gate.
	GatedMLP bool `json:"gated_mlp,omitempty"`
	// NoKeyBias leaves keys without a bias, where QKVBias gives queries and values one.
	NoKeyBias bool `json:"no_key_bias,omitempty"`
	// QKNorm normalizes each head's queries and keys.
	QKNorm bool `json:"qk_norm,omitempty"`
	// RopeTheta, when it is not 0, is the base of rotary positions, which take the place of position embeddings, or with
	// RopePositions come beside them. RopeOrder says which they are: "" is DINOv3's, others are [RowRope], [ColumnRope] and
	// [MixedRope]. RopeOffset is added to the number of a row or column, which is then scaled to a grid of RopeReference rows
	// and columns, that of pre-training; 0 scales nothing.
	RopeTheta     float64 `json:"rope_theta,omitempty"`
	RopeOrder     string  `json:"rope_order,omitempty"`
	RopeReference int     `json:"rope_reference,omitempty"`
	RopeOffset    float64 `json:"rope_offset,omitempty"`
	RopePositions bool    `json:"rope_positions,omitempty"`
	// RopeShift, RopeJitter and RopeRescale change DINOv3's rotary positions while training, anew in each pass (arXiv
	// 2508.10104, section 3.2). The centers of patches, from -1 to 1, are shifted by up to RopeShift, and multiplied by a factor
	// from 1/RopeJitter to RopeJitter for rows and another for columns, and by one from 1/RopeRescale to RopeRescale for both. 0
	// leaves one out.
	RopeShift   float64 `json:"rope_shift,omitempty"`
	RopeJitter  float64 `json:"rope_jitter,omitempty"`
	RopeRescale float64 `json:"rope_rescale,omitempty"`
	// RelativePositions gives each block a learned number for each head and each offset between two patches, added to the
	// scores of attention (BEiT; [nn.RelativePositionBias]). There are no position embeddings then, and images have the
	// configured size. With RelativeInterpolation they may have another, for which the tables are resized as in transformers'
	// BEiT. SharedRelative lets all blocks share one table (BEiT's pre-training).
	RelativePositions     bool `json:"relative_positions,omitempty"`
	RelativeInterpolation bool `json:"relative_interpolation,omitempty"`
	SharedRelative        bool `json:"shared_relative_positions,omitempty"`
	// RelativeHidden, when it is not 0, is the hidden width of layers that compute these numbers from the offsets, for images of any
	// size ([nn.NewRelativePositionMLP]; timm's vit_relpos). While training, blocks that share the layers draw their dropout apart.
	RelativeHidden int `json:"relative_hidden_size,omitempty"`
	// NoFinalNorm leaves out the norm after the last block.
	NoFinalNorm bool `json:"no_final_norm,omitempty"`
	// ParallelMLP runs attention and feed-forward layer of a block side by side ([nn.BlockConfig.Parallel]).
	ParallelMLP bool `json:"parallel_mlp,omitempty"`
	// ParallelBranches is the number of attention layers side by side in a block, and then of feed-forward layers
	// ([nn.BlockConfig.Branches]). 0 means 1.
	ParallelBranches int `json:"parallel_branches,omitempty"`
	// BranchNorm normalizes what the branches of a block give, not what they take ([nn.BlockConfig.BranchNorm]).
	BranchNorm bool `json:"branch_norm,omitempty"`
	// AttentionNorm and MLPNorm put a norm before the last projection of attention and of feed-forward layers (EVA-02).
	AttentionNorm bool `json:"attention_norm,omitempty"`
	MLPNorm       bool `json:"mlp_norm,omitempty"`
	// Stem, if not nil, makes the model a hybrid: convolutions come before the projection of patches. PatchSize is that of
	// the image, a multiple of the stem's stride.
	Stem *StemConfig `json:"stem,omitempty"`
	// PoolHeads and PoolIntermediateSize are the sizes of attention pooling, where they are not those of the blocks.
	PoolHeads            int `json:"pool_heads,omitempty"`
	PoolIntermediateSize int `json:"pool_intermediate_size,omitempty"`
	// PoolPrefix lets attention pooling attend to the tokens before the patches too (Perception Encoder).
	PoolPrefix bool `json:"pool_prefix,omitempty"`
	// TimmArchitecture is the name under which timm knows the other options. [Load] keeps it for [Model.Save], which needs it
	// in the layout models.Timm for options that no plain Vision Transformer of timm's has.
	TimmArchitecture string `json:"timm_architecture,omitempty"`
}

// EncoderConfig describes the encoder in the fields that ViT and MAE share. Patches are square; sizes are in pixels.
type EncoderConfig struct {
	ImageSize                 int     `json:"image_size"` // of square images; with ImageWidth the height
	ImageWidth                int     `json:"-"`          // 0 for square images; in JSON, image_size is then [height, width]
	PatchSize                 int     `json:"patch_size"`
	NumChannels               int     `json:"num_channels"`
	HiddenSize                int     `json:"hidden_size"`
	NumHiddenLayers           int     `json:"num_hidden_layers"`
	NumAttentionHeads         int     `json:"num_attention_heads"`
	IntermediateSize          int     `json:"intermediate_size"`
	HiddenAct                 string  `json:"hidden_act"` // a name of simd.ActivationByName
	HiddenDropoutProb         float32 `json:"hidden_dropout_prob"`
	AttentionProbsDropoutProb float32 `json:"attention_probs_dropout_prob"`
	InitializerRange          float64 `json:"initializer_range"`
	LayerNormEps              float32 `json:"layer_norm_eps"`
	QKVBias                   bool    `json:"qkv_bias"`
}

// The values of Config.Pooling that use the patch tokens: their mean before a norm, their mean after the final norm, all of
// them after the final norm, the class token and their mean side by side (the classifier of DINOv2), and what a learned
// query attends to among them ([AttentionPool], timm's map). DistillationPooling is the mean of class token and distillation
// token, in a model without a classifier (timm's VisionTransformerDistilled; transformers' DeiT takes the class token).
const (
	MeanPooling      = "mean"
	NormMeanPooling  = "norm_mean"
	FlattenPooling   = "flatten"
	ClassMeanPooling = "class_mean"
	AttentionPooling = "attention"

	DistillationPooling = "distillation"
)

// FeatureSize returns the number of values that the head classifies: [Model.Pooled] gives as many for an image.
func (c Config) FeatureSize() int {
	switch c.Pooling {
	case FlattenPooling:
		return c.Patches() * c.HiddenSize
	case ClassMeanPooling:
		return 2 * c.HiddenSize
	}
	return c.HiddenSize
}

// Block returns the description of the encoder's blocks. The configuration must be valid.
func (c Config) Block() nn.BlockConfig {
	b := c.EncoderConfig.Block()
	b.DropPath, b.LayerScale = c.DropPathRate, c.LayerScaleInit
	b.Gated, b.NoKeyBias, b.QKNorm = c.GatedMLP, c.NoKeyBias, c.QKNorm
	b.AttentionNorm, b.MLPNorm, b.BranchNorm = c.AttentionNorm, c.MLPNorm, c.BranchNorm
	b.Parallel, b.Branches = c.ParallelMLP, c.ParallelBranches
	return b
}

// poolHeads and poolHidden are the sizes of attention pooling.
func (c Config) poolHeads() int  { return cmp.Or(c.PoolHeads, c.NumAttentionHeads) }
func (c Config) poolHidden() int { return cmp.Or(c.PoolIntermediateSize, c.IntermediateSize) }

// poolBlock describes attention pooling to [NewAttentionPool].
func (c Config) poolBlock() nn.BlockConfig {
	b := c.EncoderConfig.Block()
	b.Heads, b.Hidden = c.poolHeads(), c.poolHidden()
	return b
}

// prefix returns the number of tokens before the patches that have a position, and of all before them.
func (c Config) prefix() (positioned, all int) {
	if !c.NoClassToken {
		positioned++
	}
	if c.DistillationToken {
		positioned++
	}
	all = positioned + c.NumRegisterTokens
	if c.RegisterPositions {
		positioned = all
	}
	return positioned, all
}

// anyGrid reports whether images may have another size than the configured one: only relative positions without resizing fit no
// other.
func (c Config) anyGrid() bool {
	return !c.RelativePositions || c.RelativeInterpolation || c.RelativeHidden != 0
}

// relativeRows returns the number of rows of a table of relative positions; [nn.RelativePositionIndex] says which they are.
func (c Config) relativeRows() int {
	rows, columns := c.Grid()
	n := (2*rows - 1) * (2*columns - 1)
	if !c.NoClassToken {
		n += 3
	}
	return n
}

// mostRelative is the largest number of patches with relative positions, as there is a bias for each pair of tokens.
const mostRelative = 1 << 12

// Variant returns the first field that selects an option which transformers' ViT lacks, such as pooling, or "".
// transformers ignores these fields and would compute something else.
func (c Config) Variant() string {
	switch {
	case c.Pooling != "":
		return "pooling"
	case c.NoClassToken:
		return "no_class_token"
	case c.PreNorm:
		return "pre_norm"
	case c.LayerScaleInit != 0:
		return "layer_scale_init_value"
	case c.NumRegisterTokens != 0:
		return "num_register_tokens"
	case c.DistillationToken:
		return "distillation_token"
	case c.GatedMLP:
		return "gated_mlp"
	case c.NoKeyBias:
		return "no_key_bias"
	case c.QKNorm:
		return "qk_norm"
	case c.RopeTheta != 0:
		return "rope_theta"
	case c.RopeOrder != "":
		return "rope_order"
	case c.RopePositions:
		return "rope_positions"
	case c.RelativePositions:
		return "relative_positions"
	case c.RelativeHidden != 0:
		return "relative_hidden_size"
	case c.NoFinalNorm:
		return "no_final_norm"
	case c.ParallelMLP:
		return "parallel_mlp"
	case c.ParallelBranches > 1:
		return "parallel_branches"
	case c.BranchNorm:
		return "branch_norm"
	case c.AttentionNorm:
		return "attention_norm"
	case c.MLPNorm:
		return "mlp_norm"
	case c.Stem != nil:
		return "stem"
	}
	return ""
}

// defaults are those of transformers, for fields that a config.json leaves out.
func defaults() Config { return preset(768, 12, 12, 16) }

func preset(width, layers, heads, patch int) Config {
	return Config{ModelType: "vit", EncoderConfig: EncoderConfig{
		ImageSize: 224, PatchSize: patch, NumChannels: 3,
		HiddenSize: width, NumHiddenLayers: layers, NumAttentionHeads: heads, IntermediateSize: 4 * width,
		HiddenAct: "gelu", InitializerRange: 0.02, LayerNormEps: 1e-12, QKVBias: true,
	}}
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

// Size returns the height and width of images of the configured size, in pixels.
func (c EncoderConfig) Size() (height, width int) {
	return c.ImageSize, cmp.Or(c.ImageWidth, c.ImageSize)
}

// SetSize sets the height and width of images in pixels. ImageWidth is 0 for square ones. Setting ImageSize alone changes the
// height of images that are not square.
func (c *EncoderConfig) SetSize(height, width int) {
	c.ImageSize, c.ImageWidth = height, width
	if width == height {
		c.ImageWidth = 0
	}
}

// Grid returns the rows and columns of patches of an image of the configured size. The configuration must be valid.
func (c EncoderConfig) Grid() (rows, columns int) {
	height, width := c.Size()
	return height / c.PatchSize, width / c.PatchSize
}

// Patches returns the number of patches of an image of the configured size. The configuration must be valid.
func (c EncoderConfig) Patches() int {
	rows, columns := c.Grid()
	return rows * columns
}

// sides returns the sizes as config.json holds them.
func (c EncoderConfig) sides() config.Sides {
	height, width := c.Size()
	return config.Sides{Image: config.Size{Height: height, Width: width}, Patch: config.Size{Height: c.PatchSize, Width: c.PatchSize}}
}

func (c EncoderConfig) grid() tower.Grid {
	rows, columns := c.Grid()
	return tower.Grid{Rows: rows, Columns: columns}
}

// Block returns the description of the encoder's blocks. The configuration must be valid.
func (c EncoderConfig) Block() nn.BlockConfig {
	return nn.BlockConfig{
		Width: c.HiddenSize, Heads: c.NumAttentionHeads, Hidden: c.IntermediateSize,
		Act: new(config.Checks).Activation("hidden_act", c.HiddenAct), Eps: c.LayerNormEps, QKVBias: c.QKVBias,
		Dropout: c.HiddenDropoutProb, AttentionDropout: c.AttentionProbsDropoutProb,
	}
}

// Validate returns an error that names the first field whose value no encoder can have.
func (c EncoderConfig) Validate() error {
	var v config.Checks
	height, width := c.Size()
	v.Size("image_size", height)
	v.Size("image_size", width)
	v.Size("patch_size", c.PatchSize)
	v.Size("num_channels", c.NumChannels)
	v.Size("hidden_size", c.HiddenSize)
	v.Size("num_hidden_layers", c.NumHiddenLayers)
	v.Size("num_attention_heads", c.NumAttentionHeads)
	v.Size("intermediate_size", c.IntermediateSize)
	v.Divisor("num_attention_heads", c.NumAttentionHeads, "hidden_size", c.HiddenSize)
	v.Divisor("patch_size", c.PatchSize, "image_size", height)
	v.Divisor("patch_size", c.PatchSize, "image_size", width)
	v.NotNegative("layer_norm_eps", c.LayerNormEps)
	v.Deviation("initializer_range", c.InitializerRange)
	v.Probability("hidden_dropout_prob", c.HiddenDropoutProb)
	v.Probability("attention_probs_dropout_prob", c.AttentionProbsDropoutProb)
	v.Activation("hidden_act", c.HiddenAct)
	return v.Err()
}

// Validate returns an error that names the first field whose value no Vision Transformer can have.
func (c Config) Validate() error {
	if err := c.EncoderConfig.Validate(); err != nil {
		return err
	}
	var v config.Checks
	v.Probability("drop_path_rate", c.DropPathRate)
	v.OneOf("pooling", c.Pooling, "", MeanPooling, NormMeanPooling, FlattenPooling, ClassMeanPooling, AttentionPooling, DistillationPooling)
	if others := []string{MeanPooling, NormMeanPooling, FlattenPooling, AttentionPooling}; c.NoClassToken && !slices.Contains(others, c.Pooling) {
		v.Fail("pooling", "expected one of %q with no_class_token, found %q", others, c.Pooling)
	}
	if c.DistillationToken && (c.NoClassToken || c.Pooling != "" && c.Pooling != DistillationPooling) {
		v.Fail("distillation_token", "expected a class token and no other pooling beside it")
	}
	if c.Pooling == DistillationPooling && !c.DistillationToken {
		v.Fail("pooling", "expected distillation_token beside %q", c.Pooling)
	}
	if most := 1 << 16; c.NumRegisterTokens < 0 || c.NumRegisterTokens > most {
		v.Fail("num_register_tokens", "expected 0 to %d, found %d", most, c.NumRegisterTokens)
	}
	if c.RegisterPositions && (c.NumRegisterTokens == 0 || !c.positions()) {
		v.Fail("register_positions", "expected register tokens, and no rotary positions, beside it")
	}
	if c.NoKeyBias && !c.QKVBias {
		v.Fail("no_key_bias", "expected qkv_bias beside it")
	}
	c.validateRope(&v)
	c.validateAugment(&v)
	if c.RelativePositions && (c.RopeTheta != 0 || c.NumRegisterTokens != 0 || c.DistillationToken || c.ParallelBranches > 1) {
		v.Fail("relative_positions", "expected no rotary positions, registers, distillation token or parallel branches beside it")
	}
	if c.RelativePositions && c.Patches() > mostRelative {
		v.Fail("image_size", "expected at most %d patches with relative_positions, found %d", mostRelative, c.Patches())
	}
	if !c.RelativePositions && (c.RelativeInterpolation || c.SharedRelative || c.RelativeHidden != 0) {
		v.Fail("relative_positions", "expected true beside relative_interpolation, shared_relative_positions and relative_hidden_size, found false")
	}
	if c.RelativeHidden != 0 {
		v.Size("relative_hidden_size", c.RelativeHidden)
		if c.RelativeInterpolation {
			v.Fail("relative_interpolation", "expected false beside relative_hidden_size, found true")
		}
	}
	if pool := c.PoolHeads != 0 || c.PoolIntermediateSize != 0; pool && v.Err() == nil {
		v.Size("pool_heads", c.poolHeads())
		v.Size("pool_intermediate_size", c.poolHidden())
		v.Divisor("pool_heads", c.poolHeads(), "hidden_size", c.HiddenSize)
	}
	if !(c.PositionOffset >= 0 && c.PositionOffset < 1) {
		v.Fail("position_offset", "expected at least 0 and below 1, found %v", c.PositionOffset)
	}
	if c.ParallelMLP && (!c.QKVBias || c.NoKeyBias || c.GatedMLP || c.BranchNorm || c.ParallelBranches > 1) {
		v.Fail("parallel_mlp", "expected qkv_bias, and no no_key_bias, gated_mlp, branch_norm or parallel_branches beside it")
	}
	if most := 64; c.ParallelBranches < 0 || c.ParallelBranches > most {
		v.Fail("parallel_branches", "expected 0 to %d, found %d", most, c.ParallelBranches)
	}
	c.Stem.validate(&v, c.PatchSize)
	v.NotNegative("layer_scale_init_value", c.LayerScaleInit)
	v.OneOf("problem_type", string(c.Problem), "", string(models.SingleLabel), string(models.MultiLabel), string(models.Regression))
	return v.Err()
}

// UnmarshalJSON reads a config.json. Fields that it lacks stay as they are; those of the model types of DINOv2, DINOv3 and BEiT
// then have transformers' defaults. image_size is a number, or a list of height and width. The error names the field.
func (c *Config) UnmarshalJSON(data []byte) error {
	switch kind, err := modelType(data); {
	case err != nil:
		return err
	case isDINO(kind):
		return c.readDINO(kind, data)
	case isBEiT(kind):
		return c.readBEiT(kind, data)
	}
	type plain Config
	p := struct {
		config.Sides // before the fields of the same names
		*plain
	}{c.sides(), (*plain)(c)}
	if err := strictjson.Decode(data, &p); err != nil {
		return err
	}
	c.DistillationToken = c.DistillationToken || c.ModelType == deitType
	return p.Sides.Apply(c.SetSize, &c.PatchSize)
}

// MarshalJSON writes a config.json.
func (c Config) MarshalJSON() ([]byte, error) {
	switch {
	case isDINO(c.ModelType):
		return c.writeDINO()
	case isBEiT(c.ModelType):
		return c.writeBEiT()
	}
	type plain Config
	return json.Marshal(struct {
		config.Sides
		InitializerRange config.Float[float64] `json:"initializer_range"`
		LayerNormEps     config.Float[float32] `json:"layer_norm_eps"`
		plain                                  // after the fields of the same names
	}{c.sides(), config.Float[float64]{Value: c.InitializerRange}, config.Float[float32]{Value: c.LayerNormEps}, plain(c)})
}

// ReadConfig reads and checks a config.json. Fields that it lacks have transformers' defaults. The error names the
// file and the field, what was expected and what was found; it matches fs.ErrNotExist when there is no such file.
func ReadConfig(fsys fs.FS, name string) (Config, error) {
	return modelfolder.ReadConfig(fsys, name, family, defaults())
}
