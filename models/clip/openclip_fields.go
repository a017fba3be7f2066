package clip

import "github.com/fovea-ml/fovea/internal/strictjson"

const (
	training    = "only training uses it"
	custom      = "blocks with further norms or scales are not supported"
	attentional = "pooling by attention is not supported"
)

// openModelFields are the arguments of open_clip's CLIP (open_clip 3.3).
var openModelFields = strictjson.Fields{
	{Name: "embed_dim"},
	{Name: "vision_cfg"},
	{Name: "text_cfg"},
	{Name: "quick_gelu"},
	{Name: "custom_text", Use: strictjson.Harmless, Reason: "the names of the tensors tell it"},
	{Name: "init_logit_scale", Use: strictjson.Harmless, Reason: "the weights hold the scale"},
	{Name: "init_logit_bias", Use: strictjson.Refused, Reason: "the sigmoid loss with this image tower is not supported", Same: []string{"null"}},
	{Name: "nonscalar_logit_scale", Use: strictjson.Harmless, Reason: "a scale of shape [1] has the same value"},
	{Name: "multimodal_cfg", Use: strictjson.Refused, Reason: "CoCa is not supported"},
	{Name: "decoder_cfg", Use: strictjson.Refused, Reason: "CoCa is not supported"},
	{Name: "output_dict", Use: strictjson.Harmless, Reason: "the form of open_clip's outputs"},
	{Name: "cast_dtype", Use: strictjson.Harmless, Reason: "results are float32, whatever it says"},
}

// openVisionFields are those of CLIPVisionCfg.
var openVisionFields = strictjson.Fields{
	{Name: "layers"},
	{Name: "width"},
	{Name: "head_width"},
	{Name: "mlp_ratio"},
	{Name: "patch_size"},
	{Name: "image_size"},
	{Name: "act_kwargs"},
	{Name: "norm_kwargs"},
	{Name: "ls_init_value", Use: strictjson.Refused, Reason: "layer scale is not supported", Same: []string{"null"}},
	{Name: "patch_dropout", Use: strictjson.Harmless, Reason: training},
	{Name: "attentional_pool", Use: strictjson.Refused, Reason: attentional, Same: []string{"false"}},
	{Name: "attn_pooler_queries", Use: strictjson.Harmless, Reason: "only pooling by attention uses it"},
	{Name: "attn_pooler_heads", Use: strictjson.Harmless, Reason: "only pooling by attention uses it"},
	{Name: "no_ln_pre", Use: strictjson.Refused, Reason: "an image tower without a norm before its blocks (CLIPA) is not supported", Same: []string{"false"}},
	{Name: "pos_embed_type", Use: strictjson.Harmless, Reason: "the weights hold the positions"},
	{Name: "final_ln_after_pool", Use: strictjson.Harmless, Reason: "the class token has the same value before and after"},
	{Name: "pool_type", Use: strictjson.Refused, Reason: "other poolings than the class token are not supported", Same: []string{`"tok"`}},
	{Name: "output_tokens", Use: strictjson.Harmless, Reason: "the form of open_clip's outputs"},
	{Name: "block_type", Use: strictjson.Refused, Reason: custom, Same: []string{"null", `"default"`}},
	{Name: "qk_norm", Use: strictjson.Refused, Reason: custom, Same: []string{"false"}},
	{Name: "scaled_cosine_attn", Use: strictjson.Refused, Reason: custom, Same: []string{"false"}},
	{Name: "scale_heads", Use: strictjson.Refused, Reason: custom, Same: []string{"false"}},
	{Name: "scale_attn_inner", Use: strictjson.Refused, Reason: custom, Same: []string{"false"}},
	{Name: "scale_attn", Use: strictjson.Refused, Reason: custom, Same: []string{"false"}},
	{Name: "scale_fc", Use: strictjson.Refused, Reason: custom, Same: []string{"false"}},
	{Name: "timm_model_name", Use: strictjson.Refused, Reason: "an image tower of timm's is not supported", Same: []string{"null", `""`}},
	{Name: "timm_model_pretrained", Use: strictjson.Harmless, Reason: "only image towers of timm's use it"},
	{Name: "timm_pool", Use: strictjson.Harmless, Reason: "only image towers of timm's use it"},
	{Name: "timm_proj", Use: strictjson.Harmless, Reason: "only image towers of timm's use it"},
	{Name: "timm_proj_bias", Use: strictjson.Harmless, Reason: "only image towers of timm's use it"},
	{Name: "timm_drop", Use: strictjson.Harmless, Reason: training},
	{Name: "timm_drop_path", Use: strictjson.Harmless, Reason: training},
}

// openTextFields are those of CLIPTextCfg.
var openTextFields = strictjson.Fields{
	{Name: "context_length"},
	{Name: "vocab_size"},
	{Name: "width"},
	{Name: "heads"},
	{Name: "layers"},
	{Name: "mlp_ratio"},
	{Name: "act_kwargs"},
	{Name: "norm_kwargs"},
	{Name: "pool_type"},
	{Name: "eos_id"},
	{Name: "hf_tokenizer_name", Use: strictjson.Refused, Reason: "a tokenizer that is not OpenAI's is not supported", Same: []string{"null", `""`}},
	{Name: "tokenizer_mode", Use: strictjson.Harmless, Reason: "only tokenizers of transformers use it"},
	{Name: "tokenizer_kwargs", Use: strictjson.Refused, Reason: "other rules than those of OpenAI's tokenizer are not supported", Same: []string{"null", "{}"}},
	{Name: "ls_init_value", Use: strictjson.Refused, Reason: "layer scale is not supported", Same: []string{"null"}},
	{Name: "embed_cls", Use: strictjson.Refused, Reason: "a class token after the text (CoCa) is not supported", Same: []string{"false"}},
	{Name: "pad_id", Use: strictjson.Harmless, Reason: "attention is causal, so padding at the end does not reach the features"},
	{Name: "no_causal_mask", Use: strictjson.Refused, Reason: "a text tower without a causal mask is not supported", Same: []string{"false"}},
	{Name: "final_ln_after_pool", Use: strictjson.Harmless, Reason: "the end token has the same value before and after"},
	{Name: "proj_bias", Use: strictjson.Refused, Reason: "a text projection with a bias is not supported", Same: []string{"false"}},
	{Name: "proj_type", Use: strictjson.Refused, Reason: "other text projections are not supported", Same: []string{`"linear"`}},
	{Name: "output_tokens", Use: strictjson.Harmless, Reason: "the form of open_clip's outputs"},
	{Name: "block_type", Use: strictjson.Refused, Reason: custom, Same: []string{"null", `"default"`}},
	{Name: "qk_norm", Use: strictjson.Refused, Reason: custom, Same: []string{"false"}},
	{Name: "scaled_cosine_attn", Use: strictjson.Refused, Reason: custom, Same: []string{"false"}},
	{Name: "scale_heads", Use: strictjson.Refused, Reason: custom, Same: []string{"false"}},
	{Name: "scale_attn_inner", Use: strictjson.Refused, Reason: custom, Same: []string{"false"}},
	{Name: "scale_attn", Use: strictjson.Refused, Reason: custom, Same: []string{"false"}},
	{Name: "scale_fc", Use: strictjson.Refused, Reason: custom, Same: []string{"false"}},
	{Name: "hf_model_name", Use: strictjson.Refused, Reason: "a text tower of transformers' is not supported", Same: []string{"null", `""`}},
	{Name: "hf_model_pretrained", Use: strictjson.Harmless, Reason: "only text towers of transformers' use it"},
	{Name: "hf_proj_type", Use: strictjson.Harmless, Reason: "only text towers of transformers' use it"},
	{Name: "hf_pooler_type", Use: strictjson.Harmless, Reason: "only text towers of transformers' use it"},
}
