package vit

import "github.com/fovea-ml/fovea/checkpoint"

// EncoderRules are the rows of the name table that every model around an Encoder shares: the parameter, the
// name on disk at Hugging Face, and the name in timm's and Meta's releases.
func EncoderRules() []checkpoint.Rule {
	return append([]checkpoint.Rule{
		{"Encoder.Patch", "vit.embeddings.patch_embeddings.projection", "patch_embed.proj"},
		{"Encoder.ClassToken", "vit.embeddings.cls_token", "cls_token"},
		{"Encoder.Positions", "vit.embeddings.position_embeddings", "pos_embed"},
		{"Encoder.Norm", "vit.layernorm", "norm"},
	}, BlockRules("Encoder.Blocks", Places{Disk: "vit.encoder.layer", Memory: "vit.layers", Original: "blocks"})...)
}

// Places is where the releases keep a stack of blocks.
type Places struct {
	Disk     string // Hugging Face on disk: what is written
	Disk5    string // transformers 5 on disk, where it writes another; "" means Disk
	Memory   string // transformers 5 in memory
	Original string // timm and Meta
}

// BlockRules are the rows for the transformer blocks under a path.
func BlockRules(path string, at Places) []checkpoint.Rule {
	if at.Disk5 == "" {
		at.Disk5 = at.Disk
	}
	row := func(field, disk, memory, original string) checkpoint.Rule {
		return checkpoint.Rule{path + ".{}." + field, at.Disk + ".{}." + disk, at.Disk5 + ".{}." + disk,
			at.Memory + ".{}." + memory, at.Original + ".{}." + original}
	}
	return []checkpoint.Rule{
		row("Norm1", "layernorm_before", "layernorm_before", "norm1"),
		row("Attention.QKV", "attention.attention.{query,key,value}", "attention.{q,k,v}_proj", "attn.qkv"),
		row("Attention.Proj", "attention.output.dense", "attention.o_proj", "attn.proj"),
		row("Norm2", "layernorm_after", "layernorm_after", "norm2"),
		row("MLP.FC1", "intermediate.dense", "mlp.fc1", "mlp.fc1"),
		row("MLP.FC2", "output.dense", "mlp.fc2", "mlp.fc2"),
	}
}

// names ties the model's parameters to the names in files.
var names = checkpoint.Names{
	Rules: append([]checkpoint.Rule{
		{"Head", "classifier", "head"},
		{"PoolNorm", "fc_norm"},
	}, EncoderRules()...),
	Prefixes: []string{"vit.", "module.", "model."},
	Ignore:   []string{"*.position_ids", "pooler.*", "embeddings.mask_token"},
}
