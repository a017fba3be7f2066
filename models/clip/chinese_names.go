package clip

import (
	"slices"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// chineseNames ties the parameters of Chinese-CLIP to the names in files: those of transformers, those of open_clip for a text
// tower of transformers', and those of the authors' code, which are only read.
var chineseNames = checkpoint.Names{
	Columns: []string{models.HuggingFace.String()},
	Rules: slices.Concat(resNetNames, imageNames, []checkpoint.Rule{
		{"Text.Encoder.Embeddings.Words", "text_model.embeddings.word_embeddings", "bert.embeddings.word_embeddings"},
		{"Text.Encoder.Embeddings.Positions", "text_model.embeddings.position_embeddings", "bert.embeddings.position_embeddings"},
		{"Text.Encoder.Embeddings.Types", "text_model.embeddings.token_type_embeddings", "bert.embeddings.token_type_embeddings"},
		{"Text.Encoder.Embeddings.Norm", "text_model.embeddings.LayerNorm", "bert.embeddings.LayerNorm"},
		{"TextProjection.Weight", "text_projection.weight", "text_projection T"},
		{"LogitScale", "logit_scale"},
	},
		checkpoint.Nest("Vision.Encoder.Blocks.{}", []string{"", "visual.transformer.resblocks.{}"},
			checkpoint.Rule{"Attention.QKV", "", "attn.Wqkv"}, // trained with FlashAttention
		),
		checkpoint.Nest("Text.Encoder.Layers.{}", []string{"text_model.encoder.layer.{}", "bert.encoder.layer.{}", "bert.encoder.layer.{}"},
			checkpoint.Rule{"Attention.QKV", "attention.self.{query,key,value}", "attention.self.{query,key,value}", "attention.self.Wqkv"},
			checkpoint.Rule{"Attention.Proj", "attention.output.dense", "attention.output.dense", "attention.self.out_proj"},
			checkpoint.Rule{"Norm1", "attention.output.LayerNorm", "attention.output.LayerNorm"},
			checkpoint.Rule{"MLP.FC1", "intermediate.dense", "intermediate.dense"},
			checkpoint.Rule{"MLP.FC2", "output.dense", "output.dense"},
			checkpoint.Rule{"Norm2", "output.LayerNorm", "output.LayerNorm"},
		),
	),
	Prefixes: []string{"module.", "model.", "chinese_clip.", "_orig_mod."},
	Ignore:   []string{"*.position_ids", "*.token_type_ids", "text_model.pooler.*", "bert.pooler.*"},
}

// chineseFamily says how Chinese-CLIP models lie in folders.
var chineseFamily = modelfolder.Family{
	Package: "clip", ModelType: chineseType, Names: &chineseNames, Fields: chineseFields, Images: true,
}
