package vit

import (
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/tower"
)

// names ties the model's parameters to the names in files.
var names = func() checkpoint.Names {
	n := tower.Names(models.Timm,
		checkpoint.Rule{"Head", "classifier", "head"},
		checkpoint.Rule{"PoolNorm", "fc_norm"},
	)
	n.Ignore = []string{"*.position_ids", "pooler.*", "embeddings.mask_token"}
	return n
}()

// AdapterNames returns the table of names for package nn/lora. The adapters that lora.Save writes with it load in PEFT
// beside transformers 5, into ViTForImageClassification. The names in memory of ViTModel lack the "vit." there: PEFT adapts
// it as the field vit of a ViTForImageClassification. lora.Load reads adapters of both.
func AdapterNames() *checkpoint.Names { return names.Writing(tower.InMemory) }

// TensorNames returns the table of the names of tensors in files. It reads the names of every library and writes those of a
// layout. It panics for models.Original.
func TensorNames(layout models.Layout) *checkpoint.Names { return names.Writing(layout.String()) }

// family says how Vision Transformers lie in folders, and which variants are not supported.
var family = modelfolder.Family{
	Package: "vit", ModelType: "vit", OwnType: "fovea_vit", Names: &names, Fields: configFields, Images: true,
	Unsupported: []modelfolder.Trace{
		{Part: "reg_token", What: "register tokens"},
		{Part: "register_tokens", What: "register tokens"},
		{Part: "dist_token", What: "a distillation token"},
		{Part: "distillation_token", What: "a distillation token"},
		{Part: "attn_pool.", What: "pooling by attention"},
		{Part: "attn.q_norm.", What: "normalized queries and keys"},
		{Part: "relative_position", What: "relative positions"},
		{Part: "rel_pos", What: "relative positions"},
		{Part: "patch_embed.backbone.", What: "a convolutional stem"},
		{Part: "attns.", What: "parallel blocks"},
		{Part: ".in_proj.", What: "parallel blocks"},
		{Part: "mlp.w12.", What: "gated feed-forward layers"},
		{Part: "mlp.fc1_g.", What: "gated feed-forward layers"},
	},
}
