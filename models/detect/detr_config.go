package detect

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/models/internal/config"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// DETRConfig describes a [DETR] in the fields of transformers' DetrConfig; each has the name it has there.
type DETRConfig struct {
	// Backbone is the residual network, whose last stage the transformer takes; it may be dilated (DC5). In config.json it is
	// the backbone_config, or, with TimmNames, timm's name of the network.
	Backbone *backbone.Config `json:"-"`
	// TimmNames gives the tensors of the backbone timm's names, as in the released models, instead of transformers'.
	TimmNames             bool    `json:"-"`
	NumQueries            int     `json:"num_queries"`
	DModel                int     `json:"d_model"` // the width of the transformer
	EncoderLayers         int     `json:"encoder_layers"`
	EncoderFFNDim         int     `json:"encoder_ffn_dim"`
	EncoderAttentionHeads int     `json:"encoder_attention_heads"`
	DecoderLayers         int     `json:"decoder_layers"`
	DecoderFFNDim         int     `json:"decoder_ffn_dim"`
	DecoderAttentionHeads int     `json:"decoder_attention_heads"`
	ActivationFunction    string  `json:"activation_function"` // a name of simd.ActivationByName
	Dropout               float32 `json:"dropout"`
	AttentionDropout      float32 `json:"attention_dropout"`
	ActivationDropout     float32 `json:"activation_dropout"`
	// AuxiliaryLoss adds the losses of the predictions after each block of the decoder. transformers then also
	// normalizes what a block gives before the next one, which the paper does not: outputs differ. DETR.Auxiliary adds
	// the losses alone.
	AuxiliaryLoss bool `json:"auxiliary_loss"`
	SetConfig
}

// SetConfig are the weights of the losses of [DETR] and [YOLOS], in the fields of transformers.
type SetConfig struct {
	ClassCost           float32 `json:"class_cost"` // of pairs of queries and objects
	BoxCost             float32 `json:"bbox_cost"`
	GIoUCost            float32 `json:"giou_cost"`
	BoxLossCoefficient  float32 `json:"bbox_loss_coefficient"`
	GIoULossCoefficient float32 `json:"giou_loss_coefficient"`
	EOSCoefficient      float32 `json:"eos_coefficient"` // the weight of queries without an object
}

func defaultSet() SetConfig {
	return SetConfig{ClassCost: 1, BoxCost: 5, GIoUCost: 2, BoxLossCoefficient: 5, GIoULossCoefficient: 2, EOSCoefficient: 0.1}
}

func (c SetConfig) validate(v *config.Checks) {
	v.NotNegative("class_cost", c.ClassCost)
	v.NotNegative("bbox_cost", c.BoxCost)
	v.NotNegative("giou_cost", c.GIoUCost)
	if c.ClassCost == 0 && c.BoxCost == 0 && c.GIoUCost == 0 {
		v.Fail("class_cost", "expected a cost that is not 0, here or in bbox_cost or giou_cost")
	}
	v.NotNegative("bbox_loss_coefficient", c.BoxLossCoefficient)
	v.NotNegative("giou_loss_coefficient", c.GIoULossCoefficient)
	v.NotNegative("eos_coefficient", c.EOSCoefficient)
}

// eosFloat is the field that transformers takes with a point alone.
type eosFloat struct {
	EOS config.Float[float32] `json:"eos_coefficient"`
}

func (c SetConfig) eosFloat() eosFloat {
	return eosFloat{config.Float[float32]{Value: c.EOSCoefficient}}
}

func (c SetConfig) loss() setLoss {
	return setLoss{
		costs: setCosts{float64(c.ClassCost), float64(c.BoxCost), float64(c.GIoUCost)},
		empty: c.EOSCoefficient, box: c.BoxLossCoefficient, giou: c.GIoULossCoefficient,
	}
}

func detrConfig(body backbone.Config) Config {
	return Config{ModelType: detrType, DETR: &DETRConfig{
		Backbone: &body, TimmNames: true, NumQueries: 100, DModel: 256,
		EncoderLayers: 6, EncoderFFNDim: 2048, EncoderAttentionHeads: 8, DecoderLayers: 6, DecoderFFNDim: 2048, DecoderAttentionHeads: 8,
		ActivationFunction: "relu", Dropout: 0.1, SetConfig: defaultSet(),
	}}
}

// DETRResNet50 is DETR (arXiv 2005.12872) on a ResNet-50: facebook/detr-resnet-50, 41.5 M parameters with 91 classes. With
// DETR.Backbone.Dilated it is detr-resnet-50-dc5.
func DETRResNet50() Config { return detrConfig(backbone.ResNet50()) }

// DETRResNet101 is DETR on a ResNet-101: facebook/detr-resnet-101, 60.5 M parameters.
func DETRResNet101() Config { return detrConfig(backbone.ResNet101()) }

// maxQueries bounds the queries of a set, far above any detector: the time of their attention grows with the square.
const maxQueries = 1 << 14

func (c *DETRConfig) validate(v *config.Checks) {
	v.Size("d_model", c.DModel)
	v.Size("encoder_ffn_dim", c.EncoderFFNDim)
	v.Size("decoder_ffn_dim", c.DecoderFFNDim)
	v.Size("encoder_attention_heads", c.EncoderAttentionHeads)
	v.Size("decoder_attention_heads", c.DecoderAttentionHeads)
	v.Divisor("encoder_attention_heads", c.EncoderAttentionHeads, "d_model", c.DModel)
	v.Divisor("decoder_attention_heads", c.DecoderAttentionHeads, "d_model", c.DModel)
	v.Multiple("d_model", c.DModel, 4, "sine positions")
	layers := func(name string, n int) {
		if n < 0 || n > config.Largest {
			v.Fail(name, "expected 0 to %d, found %d", config.Largest, n)
		}
	}
	layers("encoder_layers", c.EncoderLayers)
	layers("decoder_layers", c.DecoderLayers)
	if c.NumQueries < 1 || c.NumQueries > maxQueries {
		v.Fail("num_queries", "expected 1 to %d, found %d", maxQueries, c.NumQueries)
	}
	v.Activation("activation_function", c.ActivationFunction)
	v.Probability("dropout", c.Dropout)
	v.Probability("attention_dropout", c.AttentionDropout)
	v.Probability("activation_dropout", c.ActivationDropout)
	c.SetConfig.validate(v)
	switch b := c.Backbone; {
	case b == nil:
		v.Fail("backbone_config", "expected a ResNet, found none")
	case b.ModelType != "resnet":
		v.Fail("backbone_config: model_type", "expected %q, found %q", "resnet", b.ModelType)
	case b.NumChannels != 3:
		v.Fail("backbone_config: num_channels", "expected 3, found %d", b.NumChannels)
	case c.TimmNames && backbone.NameOf(*b) == "":
		v.Fail("backbone", "timm has no name for the network: expected one that it has, or no TimmNames")
	case !c.TimmNames && (b.Dilated || b.DeepStem || b.AverageDown):
		v.Fail("backbone_config", "transformers' ResNet is not dilated and has no deep stem: expected TimmNames for such a network")
	default:
		if err := b.Validate(); err != nil {
			v.Fail("backbone_config", "%w", err)
		}
	}
}

// claim returns the least that the weights are.
func (c *DETRConfig) claim() modelfolder.Claim {
	block := func(layers, hidden, attentions int) modelfolder.Claim {
		d := float64(c.DModel)
		return modelfolder.Claim{Values: float64(layers) * (4*d*d*float64(attentions) + 2*d*float64(hidden)), Tensors: (4*attentions + 2) * layers}
	}
	return c.Backbone.Claim().Plus(block(c.EncoderLayers, c.EncoderFFNDim, 1)).Plus(block(c.DecoderLayers, c.DecoderFFNDim, 2)).
		Plus(modelfolder.Claim{Values: float64(c.DModel) * float64(c.NumQueries+c.Backbone.FeatureSize())})
}

// setFields are fields that DETR and RT-DETR have under the same names.
var setFields = strictjson.Fields{
	{Name: "d_model"},
	{Name: "num_queries"},
	{Name: "encoder_layers"},
	{Name: "encoder_ffn_dim"},
	{Name: "encoder_attention_heads"},
	{Name: "decoder_layers"},
	{Name: "decoder_ffn_dim"},
	{Name: "decoder_attention_heads"},
	{Name: "activation_function"},
	{Name: "dropout"},
	{Name: "attention_dropout"},
	{Name: "activation_dropout"},
}

// detrFields are the fields of transformers' DetrConfig (5.23), and those of older versions.
var detrFields = slices.Concat(modelfolder.CommonFields, modelfolder.ClassFields, setFields, strictjson.Fields{
	{Name: "backbone_config"},
	{Name: "use_timm_backbone"},
	{Name: "backbone"},
	{Name: "backbone_kwargs"},
	{Name: "dilation"},
	{Name: "num_channels"},
	{Name: "use_pretrained_backbone", Use: strictjson.Harmless, Reason: "the weights are loaded"},
	{Name: "hidden_size", Reason: "another name of d_model"},
	{Name: "num_hidden_layers", Reason: "another name of encoder_layers"},
	{Name: "num_attention_heads", Reason: "another name of encoder_attention_heads"},
	{Name: "encoder_layerdrop", Use: strictjson.Harmless, Reason: "transformers 5 reads it nowhere"},
	{Name: "decoder_layerdrop", Use: strictjson.Harmless, Reason: "transformers 5 reads it nowhere"},
	{Name: "classifier_dropout", Use: strictjson.Harmless, Reason: "transformers reads it nowhere"},
	{Name: "init_std", Use: strictjson.Harmless, Reason: "the weights are loaded"},
	{Name: "init_xavier_std", Use: strictjson.Harmless, Reason: "the weights are loaded"},
	{Name: "max_position_embeddings", Use: strictjson.Harmless, Reason: "sine positions have no table"},
	{Name: "scale_embedding", Use: strictjson.Refused, Reason: "scaled embeddings are not supported", Same: []string{"false", "null"}},
	{Name: "position_embedding_type", Use: strictjson.Refused, Reason: "learned positions are not supported", Same: []string{`"sine"`}},
	{Name: "auxiliary_loss"},
	{Name: "class_cost"},
	{Name: "bbox_cost"},
	{Name: "giou_cost"},
	{Name: "mask_loss_coefficient", Use: strictjson.Harmless, Reason: "the model finds no masks"},
	{Name: "dice_loss_coefficient", Use: strictjson.Harmless, Reason: "the model finds no masks"},
	{Name: "bbox_loss_coefficient"},
	{Name: "giou_loss_coefficient"},
	{Name: "eos_coefficient"},
})

// timmBackboneFields are the fields of transformers' TimmBackboneConfig, and of backbone_kwargs.
var timmBackboneFields = slices.Concat(modelfolder.CommonFields, strictjson.Fields{
	{Name: "backbone"},
	{Name: "num_channels"},
	{Name: "in_chans"},
	{Name: "output_stride"},
	{Name: "out_indices"},
	{Name: "_out_indices"},
	{Name: "out_features", Use: strictjson.Harmless, Reason: "out_indices says the same by number"},
	{Name: "_out_features", Use: strictjson.Harmless, Reason: "out_indices says the same by number"},
	{Name: "stage_names", Use: strictjson.Harmless, Reason: "the network tells them"},
	{Name: "features_only", Use: strictjson.Refused, Reason: "a classifier is no backbone", Same: []string{"true"}},
	{Name: "use_pretrained_backbone", Use: strictjson.Harmless, Reason: "the weights are loaded"},
	{Name: "use_timm_backbone", Use: strictjson.Harmless, Reason: "the model_type says so"},
	{Name: "freeze_batch_norm_2d", Use: strictjson.Harmless, Reason: "norms are frozen in any case"},
	{Name: "id2label", Use: strictjson.Harmless, Reason: "a backbone has no classes"},
	{Name: "label2id", Use: strictjson.Harmless, Reason: "a backbone has no classes"},
	{Name: "problem_type", Use: strictjson.Harmless, Reason: "a backbone has no classes"},
})

// timmBackbone are the fields of a backbone of timm's, stated in several places.
type timmBackbone struct {
	Backbone     *string `json:"backbone"`
	NumChannels  *int    `json:"num_channels"`
	InChans      *int    `json:"in_chans"`
	OutputStride *int    `json:"output_stride"`
	OutIndices   []int   `json:"out_indices"`
	OldIndices   []int   `json:"_out_indices"`
}

// read reads the fields, checked.
func (b *timmBackbone) read(data []byte) error {
	if err := timmBackboneFields.Check(data); err != nil {
		return err
	}
	if err := strictjson.Decode(data, b); err != nil {
		return err
	}
	for _, channels := range []*int{b.NumChannels, b.InChans} {
		if channels != nil && *channels != 3 {
			return fmt.Errorf("num_channels: expected 3, found %d", *channels)
		}
	}
	for _, levels := range [][]int{b.OutIndices, b.OldIndices} {
		if n := len(levels); n > 0 && levels[n-1] != 4 && levels[n-1] != -1 {
			return fmt.Errorf("out_indices: expected the last stage, 4, at the end, found %v", levels)
		}
	}
	return nil
}

// config returns the network.
func (b *timmBackbone) config(dilation bool) (*backbone.Config, error) {
	name := "resnet50"
	if b.Backbone != nil && *b.Backbone != "" {
		name = *b.Backbone
	}
	plain, _, _ := strings.Cut(name, ".") // without the tag of its weights
	c, err := backbone.ResNetOf(plain)
	if err != nil {
		return nil, fmt.Errorf("backbone: %w", err)
	}
	c.Dilated = dilation
	if b.OutputStride != nil {
		switch *b.OutputStride {
		case 16, 32:
			c.Dilated = *b.OutputStride == 16
		default:
			return nil, fmt.Errorf("output_stride: expected 16 or 32, found %d", *b.OutputStride)
		}
	}
	return &c, nil
}

// UnmarshalJSON reads the fields of a config.json. Those that it lacks keep their values.
func (c *DETRConfig) UnmarshalJSON(data []byte) error {
	type plain DETRConfig
	if err := strictjson.Decode(data, (*plain)(c)); err != nil {
		return err
	}
	var same struct {
		Width  *int `json:"hidden_size"`
		Layers *int `json:"num_hidden_layers"`
		Heads  *int `json:"num_attention_heads"`
	}
	var b struct {
		Config      json.RawMessage `json:"backbone_config"`
		UseTimm     *bool           `json:"use_timm_backbone"`
		Kwargs      json.RawMessage `json:"backbone_kwargs"`
		Dilation    bool            `json:"dilation"`
		NumChannels *int            `json:"num_channels"`
		Backbone    *string         `json:"backbone"`
	}
	if err := errors.Join(strictjson.Decode(data, &same), strictjson.Decode(data, &b)); err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		also *int
		of   string
		is   int
	}{{"hidden_size", same.Width, "d_model", c.DModel}, {"num_hidden_layers", same.Layers, "encoder_layers", c.EncoderLayers},
		{"num_attention_heads", same.Heads, "encoder_attention_heads", c.EncoderAttentionHeads}} {
		if f.also != nil && *f.also != f.is {
			return fmt.Errorf("%s: expected %d as in %s, found %d", f.name, f.is, f.of, *f.also)
		}
	}
	if b.NumChannels != nil && *b.NumChannels != 3 {
		return fmt.Errorf("num_channels: expected 3, found %d", *b.NumChannels)
	}
	given := b.Config != nil && !strictjson.Null(b.Config)
	var kind struct {
		ModelType string `json:"model_type"`
	}
	if given {
		if err := strictjson.Decode(b.Config, &kind); err != nil {
			return fmt.Errorf("backbone_config: %w", err)
		}
	}
	c.TimmNames = !given && (b.UseTimm == nil || *b.UseTimm) || kind.ModelType == "timm_backbone"
	switch {
	case c.TimmNames:
		stated := timmBackbone{Backbone: b.Backbone}
		if b.Kwargs != nil && !strictjson.Null(b.Kwargs) {
			if err := stated.read(b.Kwargs); err != nil {
				return fmt.Errorf("backbone_kwargs: %w", err)
			}
		}
		if given {
			if err := stated.read(b.Config); err != nil {
				return fmt.Errorf("backbone_config: %w", err)
			}
		}
		var err error
		c.Backbone, err = stated.config(b.Dilation)
		return err
	case b.Dilation:
		return errors.New("dilation: expected false beside a backbone of transformers, which has none, found true")
	case given:
		body, err := backbone.ParseConfig(b.Config)
		if err == nil {
			err = lastStage(b.Config)
		}
		if err != nil {
			return fmt.Errorf("backbone_config: %w", err)
		}
		body.Architectures, body.Classes = nil, models.Classes{}
		c.Backbone = &body
	case b.Backbone != nil && *b.Backbone != "" && *b.Backbone != "resnet50":
		return fmt.Errorf("backbone: expected a backbone_config beside use_timm_backbone false, found the name %q alone", *b.Backbone)
	default: // transformers 4 wrote its default name of timm's beside its default network
		body := backbone.ResNet50()
		c.Backbone = &body
	}
	return nil
}

// lastStage returns an error unless the last level that a backbone of transformers gives is its last stage.
func lastStage(data []byte) error {
	var levels struct {
		Features    []string `json:"out_features"`
		OldFeatures []string `json:"_out_features"`
		Indices     []int    `json:"out_indices"`
		OldIndices  []int    `json:"_out_indices"`
	}
	if err := strictjson.Decode(data, &levels); err != nil {
		return err
	}
	for _, names := range [][]string{levels.Features, levels.OldFeatures} {
		if n := len(names); n > 0 && names[n-1] != "stage4" {
			return fmt.Errorf("out_features: expected %q at the end, found %q", "stage4", names)
		}
	}
	for _, numbers := range [][]int{levels.Indices, levels.OldIndices} {
		if n := len(numbers); n > 0 && numbers[n-1] != 4 && numbers[n-1] != -1 {
			return fmt.Errorf("out_indices: expected the last stage, 4, at the end, found %v", numbers)
		}
	}
	return nil
}

// MarshalJSON writes the fields of a config.json.
func (c DETRConfig) MarshalJSON() ([]byte, error) {
	type plain DETRConfig
	type body struct {
		backbone.Config
		OutFeatures []string `json:"out_features"`
	}
	out := struct {
		plain
		UseTimm  bool   `json:"use_timm_backbone"`
		Config   *body  `json:"backbone_config"`
		Backbone string `json:"backbone,omitempty"`
		Dilation bool   `json:"dilation"`
		Channels int    `json:"num_channels"`
		eosFloat        // after the field of the same name
	}{plain: plain(c), UseTimm: c.TimmNames, Channels: 3, eosFloat: c.eosFloat()}
	if c.TimmNames {
		out.Backbone, out.Dilation = backbone.NameOf(*c.Backbone), c.Backbone.Dilated
	} else {
		out.Config = &body{*c.Backbone, []string{"stage4"}}
	}
	return json.Marshal(out)
}
