package clip

import (
	"slices"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// siglipNames ties the parameters of SigLIP models to the names in files: those of transformers, and those of
// open_clip, whose image tower is timm's.
var siglipNames = checkpoint.Names{
	Columns: []string{models.HuggingFace.String(), models.OpenCLIP.String()},
	Rules: slices.Concat([]checkpoint.Rule{
		{"Vision.Encoder.Patch", "vision_model.embeddings.patch_embedding", "visual.trunk.patch_embed.proj"},
		{"Vision.Encoder.Positions", "vision_model.embeddings.position_embedding.weight [*,last]", "visual.trunk.pos_embed"},
		{"Vision.Encoder.Norm", "vision_model.post_layernorm", "visual.trunk.norm"},
		{"Vision.Patch", "vision_model.embeddings.patch_embedding"}, // NaFlex
		{"Vision.Positions", "vision_model.embeddings.position_embedding.weight"},
		{"Vision.Norm", "vision_model.post_layernorm"},
		{"Vision.Head.Probe", "vision_model.head.probe", "visual.trunk.attn_pool.latent"},
		{"Vision.Head.Attention.QKV.Weight", "vision_model.head.attention.in_proj_weight", "visual.trunk.attn_pool.{q,2*kv}.weight"},
		{"Vision.Head.Attention.QKV.Bias", "vision_model.head.attention.in_proj_bias", "visual.trunk.attn_pool.{q,2*kv}.bias"},
		{"Vision.Head.Attention.Proj", "vision_model.head.attention.out_proj", "visual.trunk.attn_pool.proj"},
		{"Vision.Head.Norm", "vision_model.head.layernorm", "visual.trunk.attn_pool.norm"},
		{"Vision.Head.MLP", "vision_model.head.mlp", "visual.trunk.attn_pool.mlp"},
		{"Text.Tokens", "text_model.embeddings.token_embedding.weight", "text.token_embedding.weight"},
		{"Text.Positions", "text_model.embeddings.position_embedding.weight", "text.positional_embedding"},
		{"Text.Norm", "text_model.final_layer_norm", "text.ln_final"},
		{"TextProjection", "text_model.head", "text.text_projection"},
		{"LogitScale", "logit_scale [1]", "logit_scale"},
		{"LogitBias", "logit_bias [1]", "logit_bias"},
	},
		checkpoint.Nest("Vision.Encoder.Blocks.{}", []string{"vision_model.encoder.layers.{}", "visual.trunk.blocks.{}"}, timmBlock...),
		checkpoint.Nest("Vision.Blocks.{}", []string{"vision_model.encoder.layers.{}"}, timmBlock...),
		checkpoint.Nest("Text.Blocks.{}", []string{"text_model.encoder.layers.{}", "text.transformer.resblocks.{}"}, block...),
	),
	Prefixes: []string{"module.", "model.", "_orig_mod."},
	Ignore:   []string{"*.position_ids"},
}

// siglipFamily says how SigLIP models lie in folders.
var siglipFamily = modelfolder.Family{
	Package: "clip", ModelType: siglipType, Others: []string{siglip2Type}, Names: &siglipNames, Fields: siglipFields, Images: true, OpenCLIP: true,
}

// timmBlock is the part of the table for one block of timm's Vision Transformers.
var timmBlock = []checkpoint.Rule{
	{"Norm1", "layer_norm1", "norm1"},
	{"Attention.QKV.Weight", "self_attn.{q,k,v}_proj.weight", "attn.qkv.weight"},
	{"Attention.QKV.Bias", "self_attn.{q,k,v}_proj.bias", "attn.qkv.bias"},
	{"Attention.Proj", "self_attn.out_proj", "attn.proj"},
	{"Norm2", "layer_norm2", "norm2"},
	{"MLP.FC1", "mlp.fc1", "mlp.fc1"},
	{"MLP.FC2", "mlp.fc2", "mlp.fc2"},
}
