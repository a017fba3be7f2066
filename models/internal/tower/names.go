package tower

import (
	"slices"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models"
)

// InMemory is the column of the names that transformers 5 uses in memory. PEFT's adapters have them.
const InMemory = "transformers"

// A Style is how a model type of transformers names the parts of an encoder. Names on disk differ from those in memory.
type Style struct {
	Stem         string // before every name, such as "vit."
	Patch, Norm  string // the projection of patches, and the last norm
	Disk, Memory string // the stack of blocks
	Block        []checkpoint.Rule
}

// ViT is the style of ViTModel, which the models of DeiT and ViTMAE share.
var ViT = Style{"vit.", "embeddings.patch_embeddings.projection", "layernorm", "encoder.layer", "layers", block}

// Names returns a model's table of names: its own rows and those of the encoder. The first column has the names of
// Hugging Face on disk. The second has the names of timm, which the original releases of DeiT, MAE and DINO share; its
// layout is the argument second. The third is [InMemory]. Further columns are only read.
func Names(second models.Layout, rules ...checkpoint.Rule) checkpoint.Names {
	return ViT.Names(second, rules...)
}

// Names is the table of names for a style.
func (y Style) Names(second models.Layout, rules ...checkpoint.Rule) checkpoint.Names {
	return checkpoint.Names{
		Columns: []string{models.HuggingFace.String(), second.String(), InMemory},
		Rules: slices.Concat(rules, []checkpoint.Rule{
			{"Encoder.Patch", y.Stem + y.Patch, "patch_embed.proj"},
			{"Encoder.ClassToken", y.Stem + "embeddings.cls_token", "cls_token"},
			{"Encoder.Positions", y.Stem + "embeddings.position_embeddings", "pos_embed"},
			{"Encoder.PreNorm", y.Stem + "pre_layernorm", "norm_pre"},
			{"Encoder.Norm", y.Stem + y.Norm, "norm", y.Stem + y.Norm, "fc_norm"},
		}, checkpoint.Nest("Encoder.Blocks.{}", []string{y.Stem + y.Disk + ".{}", "blocks.{}", y.Stem + y.Memory + ".{}", "blocks.{}"}, y.Block...)),
		// A file may put these before every name: the base model of transformers, and whatever held the model where it
		// was trained, wrapped or compiled.
		Prefixes: []string{"vit.", "deit.", "dinov2.", "dinov2_with_registers.", "beit.", "data2vec_vision.", "module.", "model.", "timm_model.", "_orig_mod."},
		Renames: []checkpoint.Rename{
			{Old: "gamma_1", New: "ls1.gamma"}, // the original release of DeiT III
			{Old: "gamma_2", New: "ls2.gamma"},
		},
	}
}

// block is the part of the table for one block, below the names of the stack.
var block = []checkpoint.Rule{
	// parameter, Hugging Face on disk, timm and original, transformers 5 in memory
	{"Norm1", "layernorm_before", "norm1", "layernorm_before"},
	{"Attention.QKV", "attention.attention.{query,key,value}", "attn.qkv", "attention.{q,k,v}_proj"},
	{"Attention.Proj", "attention.output.dense", "attn.proj", "attention.o_proj"},
	{"LayerScale1", "layer_scale1.lambda1", "ls1.gamma", "layer_scale1.lambda1"},
	{"Norm2", "layernorm_after", "norm2", "layernorm_after"},
	{"MLP.FC1", "intermediate.dense", "mlp.fc1", "mlp.fc1"},
	{"MLP.FC2", "output.dense", "mlp.fc2", "mlp.fc2"},
	{"LayerScale2", "layer_scale2.lambda1", "ls2.gamma", "layer_scale2.lambda1"},
}

// Blocks returns the rows for the stack of blocks under a path. The stems are the stack's own names, in the order
// of the columns; where there are fewer than columns, the rows are as short.
func Blocks(path string, stems ...string) []checkpoint.Rule {
	each := make([]string, len(stems))
	for i, stem := range stems {
		each[i] = stem + ".{}"
	}
	return checkpoint.Nest(path+".{}", each, block...)
}
