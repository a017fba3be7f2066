package clip

import (
	"slices"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
)

// chineseNames ties the parameters of Chinese-CLIP to the names in files: those of transformers, and those of the authors' code,
// which are only read.
var chineseNames = checkpoint.Names{
	Columns: []string{models.HuggingFace.String()},
	Rules: slices.Concat(resNetNames, imageNames, encoderNames("text_model", "bert"), []checkpoint.Rule{
		{"Vision.Encoder.Blocks.{}.Attention.QKV", "", "visual.transformer.resblocks.{}.attn.Wqkv"}, // trained with FlashAttention
		{"Text.Encoder.Layers.{}.Attention.QKV", "", "bert.encoder.layer.{}.attention.self.Wqkv"},
		{"Text.Encoder.Layers.{}.Attention.Proj", "", "bert.encoder.layer.{}.attention.self.out_proj"},
		{"TextProjection.Weight", "text_projection.weight", "text_projection T"},
		{"LogitScale", "logit_scale"},
	}),
	Prefixes: []string{"module.", "model.", "chinese_clip.", "_orig_mod."},
	Ignore:   []string{"*.position_ids", "*.token_type_ids", "text_model.pooler.*", "bert.pooler.*"},
}

// encoderNames is the part of a table for an encoder of package bert, below the stems of the columns. The stem "" is no name.
func encoderNames(stems ...string) []checkpoint.Rule {
	const layer = "encoder.layer.{}."
	var rules []checkpoint.Rule
	for _, r := range [][2]string{
		{"Embeddings.Words", "embeddings.word_embeddings"},
		{"Embeddings.Positions", "embeddings.position_embeddings"},
		{"Embeddings.Types", "embeddings.token_type_embeddings"},
		{"Embeddings.Norm", "embeddings.LayerNorm"},
		{"Layers.{}.Attention.QKV", layer + "attention.self.{query,key,value}"},
		{"Layers.{}.Attention.Proj", layer + "attention.output.dense"},
		{"Layers.{}.Norm1", layer + "attention.output.LayerNorm"},
		{"Layers.{}.MLP.FC1", layer + "intermediate.dense"},
		{"Layers.{}.MLP.FC2", layer + "output.dense"},
		{"Layers.{}.Norm2", layer + "output.LayerNorm"},
	} {
		rule := checkpoint.Rule{"Text.Encoder." + r[0]}
		for _, stem := range stems {
			if stem != "" {
				stem += "." + r[1]
			}
			rule = append(rule, stem)
		}
		rules = append(rules, rule)
	}
	return rules
}

// chineseFamily says how Chinese-CLIP models lie in folders.
var chineseFamily = modelfolder.Family{
	Package: "clip", ModelType: chineseType, Names: &chineseNames, Fields: chineseFields, Images: true,
}
