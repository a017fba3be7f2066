package clip

import (
	"slices"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// configFields are the fields of transformers' CLIPConfig (5.23).
var configFields = slices.Concat(modelfolder.CommonFields, noClasses, strictjson.Fields{
	{Name: "vision_config"},
	{Name: "text_config"},
	{Name: "vision_config_dict", Reason: "of older files; it takes the place of vision_config"},
	{Name: "text_config_dict", Reason: "of older files; it takes the place of text_config"},
	{Name: "projection_dim"},
	{Name: "logit_scale_init_value"},
	{Name: "initializer_factor"},
	{Name: "auto_map", Use: strictjson.Refused, Reason: "a model with code of its own, such as EVA-CLIP, is not supported", Same: []string{"null", "{}"}},
})

// noClasses are the fields of classifiers.
var noClasses = strictjson.Fields{
	{Name: "id2label", Use: strictjson.Harmless, Reason: "CLIP has no classes of its own"},
	{Name: "label2id", Use: strictjson.Harmless, Reason: "CLIP has no classes of its own"},
	{Name: "num_labels", Use: strictjson.Harmless, Reason: "CLIP has no classes of its own"},
	{Name: "problem_type", Use: strictjson.Harmless, Reason: "CLIP has no classes of its own"},
}

// towerFields are the fields of the configuration of every tower.
var towerFields = slices.Concat(modelfolder.CommonFields, noClasses, strictjson.Fields{
	{Name: "hidden_size"},
	{Name: "num_hidden_layers"},
	{Name: "num_attention_heads"},
	{Name: "intermediate_size"},
	{Name: "hidden_act"},
	{Name: "layer_norm_eps"},
	{Name: "attention_dropout"},
})

const own = "a tower that is loaded alone uses it; the projection_dim of the whole model counts"

// visionFields are the fields of transformers' CLIPVisionConfig (5.23).
var visionFields = slices.Concat(towerFields, strictjson.Fields{
	{Name: "image_size", Reason: "square images"},
	{Name: "patch_size", Reason: "square patches"},
	{Name: "num_channels"},
	{Name: "initializer_range"},
	{Name: "initializer_factor"},
	{Name: "projection_dim", Use: strictjson.Harmless, Reason: own},
})

// textFields are the fields of transformers' CLIPTextConfig (5.23).
var textFields = slices.Concat(towerFields, strictjson.Fields{
	{Name: "vocab_size"},
	{Name: "max_position_embeddings"},
	{Name: "initializer_range"},
	{Name: "initializer_factor"},
	{Name: "eos_token_id"},
	{Name: "bos_token_id", Reason: "kept; the tokenizer puts it before the text"},
	{Name: "pad_token_id", Reason: "kept; attention is causal, so padding at the end does not reach the features"},
	{Name: "projection_dim", Use: strictjson.Harmless, Reason: own},
})
