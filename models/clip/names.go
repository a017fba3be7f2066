package clip

import (
	"slices"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// modelType is the model_type of CLIP in config.json.
const modelType = "clip"

// names ties the model's parameters to the names in files: those of transformers, and those of OpenAI's code, which
// open_clip shares.
var names = checkpoint.Names{
	Columns: []string{models.HuggingFace.String(), models.OpenCLIP.String()},
	Rules: slices.Concat(resNetNames, imageNames, []checkpoint.Rule{
		{"Text.Tokens", "text_model.embeddings.token_embedding.weight", "token_embedding.weight"},
		{"Text.Positions", "text_model.embeddings.position_embedding.weight", "positional_embedding"},
		{"Text.Norm", "text_model.final_layer_norm", "ln_final"},
		{"TextProjection.Weight", "text_projection.weight", "text_projection T"},
		{"LogitScale", "logit_scale", "logit_scale"},
	},
		checkpoint.Nest("Text.Blocks.{}", []string{"text_model.encoder.layers.{}", "transformer.resblocks.{}"}, block...),
	),
	Prefixes: []string{"module.", "model.", "clip.", "clip_model.", "_orig_mod.", "text."},
	Ignore:   []string{"*.position_ids", "input_resolution", "context_length", "vocab_size", "attn_mask"},
}

// imageNames is the part of the table for the image tower of the ViT models.
var imageNames = slices.Concat([]checkpoint.Rule{
	{"Vision.Encoder.Patch", "vision_model.embeddings.patch_embedding", "visual.conv1"},
	{"Vision.Encoder.ClassToken", "vision_model.embeddings.class_embedding [*]", "visual.class_embedding [*]"},
	{"Vision.Encoder.Positions", "vision_model.embeddings.position_embedding.weight [*,last]", "visual.positional_embedding [*,last]"},
	{"Vision.Encoder.PreNorm", "vision_model.pre_layrnorm", "visual.ln_pre"}, // the name has the misprint
	{"Vision.Encoder.Norm", "vision_model.post_layernorm", "visual.ln_post"},
	{"VisionProjection.Weight", "visual_projection.weight", "visual.proj T"},
}, checkpoint.Nest("Vision.Encoder.Blocks.{}", []string{"vision_model.encoder.layers.{}", "visual.transformer.resblocks.{}"}, block...))

// block is the part of the table for one block, below the names of the stack.
var block = []checkpoint.Rule{
	{"Norm1", "layer_norm1", "ln_1"},
	{"Attention.QKV.Weight", "self_attn.{q,k,v}_proj.weight", "attn.in_proj_weight"},
	{"Attention.QKV.Bias", "self_attn.{q,k,v}_proj.bias", "attn.in_proj_bias"},
	{"Attention.Proj", "self_attn.out_proj", "attn.out_proj"},
	{"Norm2", "layer_norm2", "ln_2"},
	{"MLP.FC1", "mlp.fc1", "mlp.c_fc"},
	{"MLP.FC2", "mlp.fc2", "mlp.c_proj"},
}

// TensorNames returns the table of the names of tensors in the model's files. It reads the names of every library and writes those
// of a layout: models.HuggingFace or models.OpenCLIP, whose names are also OpenAI's. It panics for a layout that has no such model.
func (m *Model) TensorNames(layout models.Layout) *checkpoint.Names {
	return m.table().Writing(layout.String())
}

// AdapterNames returns the table of names for package nn/lora. The adapters that lora.Save writes with it load in PEFT,
// for a model that transformers has.
func (m *Model) AdapterNames() *checkpoint.Names {
	layout := models.HuggingFace
	if b := m.Config.Text.BERT; !m.Config.Vision.Pooled && b != nil && b.Name != "" {
		layout = models.OpenCLIP
	}
	return m.TensorNames(layout)
}

// table returns the table of names of the model's kind.
func (m *Model) table() *checkpoint.Names {
	switch b := m.Config.Text.BERT; {
	case m.Config.Vision.Pooled:
		return &siglipNames
	case b != nil && b.Name != "":
		return openBERTNames(*b)
	case b != nil:
		return &chineseNames
	}
	return &names
}

// family says how CLIP models lie in folders, and which variants are not supported.
var family = modelfolder.Family{
	Package: "clip", ModelType: modelType, Others: []string{siglipType, siglip2Type, chineseType}, Names: &names, Fields: configFields, Images: true, OpenCLIP: true,
	Unsupported: []modelfolder.Trace{{Part: "classifier.weight", What: "a classifier in the place of texts"}},
}
