package tower

import "github.com/fovea-ml/fovea/checkpoint"

// The columns of the tables that can be written.
const (
	HuggingFace = "Hugging Face" // on disk
	Timm        = "timm"         // and the original releases of DeiT, MAE and DINO
	Memory      = "transformers" // the names that transformers 5 uses in memory, which are those of PEFT's adapters
)

// Names returns a model's table of names: its own rows and those of the encoder.
func Names(rules ...checkpoint.Rule) checkpoint.Names {
	return checkpoint.Names{
		Columns: []string{HuggingFace, Timm, Memory},
		Rules: append(append(rules,
			checkpoint.Rule{"Encoder.Patch", "vit.embeddings.patch_embeddings.projection", "patch_embed.proj"},
			checkpoint.Rule{"Encoder.ClassToken", "vit.embeddings.cls_token", "cls_token"},
			checkpoint.Rule{"Encoder.Positions", "vit.embeddings.position_embeddings", "pos_embed"},
			checkpoint.Rule{"Encoder.PreNorm", "vit.pre_layernorm", "norm_pre"},
			checkpoint.Rule{"Encoder.Norm", "vit.layernorm", "norm", "fc_norm"},
		), Blocks("Encoder.Blocks", "vit.encoder.layer", "blocks", "vit.layers")...),
		// What a file may put before every name: the base model of transformers, and what is around the model
		// where it was trained, wrapped or compiled.
		Prefixes: []string{"vit.", "module.", "model.", "timm_model.", "_orig_mod."},
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
	var rules []checkpoint.Rule
	for _, row := range block {
		r := checkpoint.Rule{path + ".{}." + row[0]}
		for i, stem := range stems {
			r = append(r, stem+".{}."+row[1+i])
		}
		rules = append(rules, r)
	}
	return rules
}
