package vit

import (
	"slices"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/timm"
	"github.com/fovea-ml/fovea/models/internal/tower"
)

// names ties the model's parameters to the names in files: those of transformers' ViT, and of timm.
var names = tableOf(Config{ModelType: "vit"}, "classifier")

// tableOf returns the table of names in which models of a configuration are written, with a name of the classifier. It reads
// those of all models with the same model_type.
func tableOf(c Config, head string) checkpoint.Names { return tableIn(styleOf(c), c, head) }

// styleOf returns the style of the model_type of transformers.
func styleOf(c Config) tower.Style {
	style := tower.ViT
	switch c.ModelType {
	case deitType:
		style.Stem = "deit."
	case dinov2Type, registersType:
		style = tower.Style{Stem: c.ModelType + ".", Patch: style.Patch, Norm: style.Norm, Disk: "encoder.layer", Memory: "encoder.layer",
			Block: dinov2Block(c.GatedMLP)}
	case dinov3Type:
		style = tower.Style{Patch: "embeddings.patch_embeddings", Norm: "norm", Disk: "layer", Memory: "model.layer", Block: dinov3Block(c.GatedMLP)}
	case beitType, data2vecType:
		style = beitStyle(c.ModelType)
	}
	return style
}

func tableIn(style tower.Style, c Config, head string) checkpoint.Names {
	var first []checkpoint.Rule
	if isBEiT(c.ModelType) {
		first = beitRules(style)
	}
	n := style.Names(models.Timm, append(first,
		checkpoint.Rule{"Head", head, "head", head, "classifier", "cls_classifier"},
		checkpoint.Rule{"DistillationHead", "distillation_classifier", "head_dist"},
		checkpoint.Rule{"PoolNorm", "fc_norm"},
		checkpoint.Rule{"Pool.Probe", "attn_pool.latent"},
		checkpoint.Rule{"Pool.Attention.QKV", "attn_pool.{q,2*kv}"},
		checkpoint.Rule{"Pool.Attention.Proj", "attn_pool.proj"},
		checkpoint.Rule{"Pool.Norm", "attn_pool.norm"},
		checkpoint.Rule{"Pool.MLP", "attn_pool.mlp"},
		checkpoint.Rule{"Encoder.RopeFrequencies", "rope.freqs"},
		checkpoint.Rule{"Encoder.Distillation", style.Stem + "embeddings.distillation_token", "dist_token"},
		checkpoint.Rule{"Encoder.Registers", style.Stem + "embeddings.register_tokens", "reg_token", style.Stem + "embeddings.register_tokens", "register_tokens"},
		checkpoint.Rule{"Encoder.Relative.MLP", "shared_rel_pos.mlp"},
		checkpoint.Rule{"Encoder.Relative.Table", "encoder.relative_position_bias.relative_position_bias_table", "rel_pos_bias.relative_position_bias_table"},
	)...)
	n.Rules = append(n.Rules, timmBlocks(
		checkpoint.Rule{"Attention.QueryNorm", "attn.q_norm"},
		checkpoint.Rule{"Attention.KeyNorm", "attn.k_norm"},
		checkpoint.Rule{"Attention.QVBias", "attn.{q_bias,v_bias}"},
		checkpoint.Rule{"MLP.FC1", "mlp.{fc1_g,fc1_x}", "mlp.w12"},
		checkpoint.Rule{"MLP.FC2", "mlp.w3"},
		checkpoint.Rule{"Attention.Norm", "attn.norm"},
		checkpoint.Rule{"MLP.Norm", "mlp.norm"},
		checkpoint.Rule{"Attention.Relative.Table", "attn.relative_position_bias_table"},
		checkpoint.Rule{"Attention.Relative.MLP", "attn.rel_pos.mlp"},
		checkpoint.Rule{"Attention.QKV", "attn.{q,k,v}_proj"},
		checkpoint.Rule{"Attention.QVBias", "attn.{q,v}_proj.bias"},
	)...)
	if a, err := timm.ArchitectureOf(c.TimmArchitecture); err == nil && (a.Eva || a.Relative && !a.RelativeLayers) && !isBEiT(c.ModelType) {
		n.Rules = slices.Concat(evaRules(a, c.GatedMLP), n.Rules)
	}
	switch { // the first names of a parameter are those that are written
	case c.ParallelMLP:
		n.Rules = slices.Concat(sideRules, n.Rules, branchRules)
	case c.ParallelBranches > 1:
		n.Rules = slices.Concat(branchRules, n.Rules, sideRules)
	default:
		n.Rules = slices.Concat(n.Rules, sideRules, branchRules)
	}
	stem := slices.Clone(stemRules)
	if c.Stem != nil && len(c.Stem.Layers) == 0 {
		slices.Reverse(stem) // timm's stem without stages is the network itself
	}
	last := checkpoint.Rule{"Encoder.Patch", "patch_embed.backbone.2.conv"} // MobileCLIP's
	if c.Stem != nil && c.Stem.Kind == convStem {
		n.Rules = slices.Concat(stem, []checkpoint.Rule{last}, n.Rules)
	} else {
		n.Rules = slices.Concat(stem, n.Rules, []checkpoint.Rule{last})
	}
	n.Ignore = []string{"*.position_ids", "*.relative_position_index", "pooler.*", "embeddings.mask_token", "mask_token", "embeddings.register_tokens"} // DINOv3's without registers are empty
	return n
}

// timmBlocks are rows below the blocks in timm's names.
func timmBlocks(rules ...checkpoint.Rule) []checkpoint.Rule {
	return checkpoint.Nest("Encoder.Blocks.{}", []string{"blocks.{}", "blocks.{}"}, rules...)
}

// evaRules are the names that blocks of timm's classes Eva and Beit have instead of others.
func evaRules(a timm.Architecture, gated bool) []checkpoint.Rule {
	rules := []checkpoint.Rule{{"LayerScale1", "gamma_1"}, {"LayerScale2", "gamma_2"}}
	if gated && a.SplitGate {
		rules = append(rules, checkpoint.Rule{"MLP.FC1", "mlp.{fc1_g,fc1_x}"})
	}
	if a.SplitQKV {
		rules = append(rules, checkpoint.Rule{"Attention.QKV", "attn.{q,k,v}_proj"}, checkpoint.Rule{"Attention.QVBias", "attn.{q,v}_proj.bias"})
	}
	return timmBlocks(rules...)
}

// stemRules are the names of the convolutions of hybrids in timm (HybridEmbed).
var stemRules = []checkpoint.Rule{
	{"Encoder.Stem.Conv", "patch_embed.backbone.stem.conv"},
	{"Encoder.Stem.Norm", "patch_embed.backbone.stem.norm"},
	{"Encoder.Stem.Stages.{}.{}", "patch_embed.backbone.stages.{}.blocks.{}"},
	{"Encoder.Stem.Convs.{}.Conv", "patch_embed.backbone.{}.conv"},
	{"Encoder.Stem.Convs.{}.Norm", "patch_embed.backbone.{}.bn"},
	{"Encoder.Stem.Norm", "patch_embed.backbone.norm"},
	{"Encoder.Stem.Conv", "patch_embed.backbone.conv"},
}

// sideRules are the names of blocks with one projection in timm (ParallelScalingBlock).
var sideRules = timmBlocks(
	checkpoint.Rule{"Norm1", "in_norm"},
	checkpoint.Rule{"In", "in_proj"},
	checkpoint.Rule{"Attention.QueryNorm", "q_norm"},
	checkpoint.Rule{"Attention.KeyNorm", "k_norm"},
	checkpoint.Rule{"Attention.Proj", "attn_out_proj"},
	checkpoint.Rule{"MLP.FC2", "mlp_out_proj"},
	checkpoint.Rule{"LayerScale1", "ls.gamma"},
)

// branchRules are the names of blocks with several branches in timm (ParallelThingsBlock).
var branchRules = func() (all []checkpoint.Rule) {
	for _, b := range []struct{ path, number string }{{"", "0"}, {"Beside.{}.", "{+1}"}} {
		attention, feedForward := "attns."+b.number+".", "ffns."+b.number+"."
		all = append(all, timmBlocks(
			checkpoint.Rule{b.path + "Norm1", attention + "norm"},
			checkpoint.Rule{b.path + "Attention", attention + "attn"},
			checkpoint.Rule{b.path + "Attention.QueryNorm", attention + "attn.q_norm"},
			checkpoint.Rule{b.path + "Attention.KeyNorm", attention + "attn.k_norm"},
			checkpoint.Rule{b.path + "LayerScale1", attention + "ls.gamma"},
			checkpoint.Rule{b.path + "Norm2", feedForward + "norm"},
			checkpoint.Rule{b.path + "MLP", feedForward + "mlp"},
			checkpoint.Rule{b.path + "LayerScale2", feedForward + "ls.gamma"},
		)...)
	}
	return all
}()

// dinov2Block is the part of the table for one block of DINOv2.
func dinov2Block(gated bool) []checkpoint.Rule {
	fc1, fc2, in1, in2 := "mlp.fc1", "mlp.fc2", "mlp.fc1", "mlp.fc2"
	if gated {
		fc1, fc2, in1, in2 = "mlp.weights_in", "mlp.weights_out", "mlp.{gate,up}_proj", "mlp.down_proj"
	}
	return []checkpoint.Rule{
		{"Norm1", "norm1", "norm1", "norm1"},
		{"Attention.QKV", "attention.attention.{query,key,value}", "attn.qkv", "attention.{q,k,v}_proj"},
		{"Attention.Proj", "attention.output.dense", "attn.proj", "attention.o_proj"},
		{"LayerScale1", "layer_scale1.lambda1", "ls1.gamma", "layer_scale1.lambda1"},
		{"Norm2", "norm2", "norm2", "norm2"},
		{"MLP.FC1", fc1, "mlp.fc1", in1},
		{"MLP.FC2", fc2, "mlp.fc2", in2},
		{"LayerScale2", "layer_scale2.lambda1", "ls2.gamma", "layer_scale2.lambda1"},
		{"MLP.FC1", "mlp.fc1"}, // reading does not know whether layers are gated
		{"MLP.FC2", "mlp.fc2"},
	}
}

// dinov3Block is the part of the table for one block of DINOv3.
func dinov3Block(gated bool) []checkpoint.Rule {
	fc1 := "mlp.up_proj"
	if gated {
		fc1 = "mlp.{gate,up}_proj"
	}
	return []checkpoint.Rule{
		{"Norm1", "norm1", "norm1", "norm1"},
		{"Attention.QKV", "attention.{q,k,v}_proj", "attn.qkv", "attention.{q,k,v}_proj"},
		{"Attention.QVBias", "attention.{q,v}_proj.bias", "attn.{q_bias,v_bias}", "attention.{q,v}_proj.bias"},
		{"Attention.Proj", "attention.o_proj", "attn.proj", "attention.o_proj"},
		{"LayerScale1", "layer_scale1.lambda1", "ls1.gamma", "layer_scale1.lambda1"},
		{"Norm2", "norm2", "norm2", "norm2"},
		{"MLP.FC1", fc1, "mlp.fc1", fc1},
		{"MLP.FC1", "mlp.up_proj"}, // reading does not know whether layers are gated
		{"MLP.FC2", "mlp.down_proj", "mlp.fc2", "mlp.down_proj"},
		{"LayerScale2", "layer_scale2.lambda1", "ls2.gamma", "layer_scale2.lambda1"},
	}
}

// AdapterNames returns the table of names for package nn/lora. The adapters that lora.Save writes with it load in PEFT
// beside transformers 5, into the class that [Model.Save] names: ViTForImageClassification, ViTModel, and the classes of DeiT,
// DINOv2 and DINOv3. For a model that transformers lacks, only Fovea finds the names. lora.Load reads adapters of
// models with and without a classifier.
func (m *Model) AdapterNames() *checkpoint.Names {
	c := m.Config
	if c.ModelType, _ = m.transformers(); c.ModelType == family.OwnType {
		c.ModelType, _ = c.transformersType(false) // such as DINOv3 with a classifier
	}
	style := styleOf(c)
	if m.Head == nil { // the classes without a classifier hold the encoder itself
		style.Stem = ""
	}
	table := tableIn(style, c, m.classifier())
	return table.Writing(tower.InMemory)
}

// TensorNames returns the table of the names of tensors in the model's files. It reads the names of all libraries for the
// model's type, and writes those of a layout, as [Model.Save] does: a model that transformers lacks has timm's names in
// both. It panics for models.Original.
func (m *Model) TensorNames(layout models.Layout) *checkpoint.Names {
	if layout == models.HuggingFace && m.TransformersClass() == "" {
		layout = models.Timm
	}
	return m.names().Writing(layout.String())
}

// names returns the table of the names in all layouts.
func (m *Model) names() *checkpoint.Names {
	c := m.Config
	c.ModelType, _ = m.transformers()
	table := tableOf(c, m.classifier())
	return &table
}

// TransformersClass returns the class of transformers that computes the same as the model, such as ViTForImageClassification,
// for which [Model.Save] writes. It is "" for a model that transformers lacks.
func (m *Model) TransformersClass() string {
	_, class := m.transformers()
	return class
}

// transformers returns the model_type and the class of transformers that computes the same, or Fovea's own model_type.
func (m *Model) transformers() (kind, class string) {
	if kind, class = m.Config.transformersType(m.Head != nil); kind == deitType && m.Head != nil {
		if class = "DeiTForImageClassification"; m.DistillationHead != nil {
			class = "DeiTForImageClassificationWithTeacher"
		}
	}
	return kind, class
}

// classifier returns the name of the head in files of Hugging Face's.
func (m *Model) classifier() string {
	if m.DistillationHead != nil {
		return "cls_classifier"
	}
	return "classifier"
}

// family says how Vision Transformers lie in folders, by their config.json.
var family = func() modelfolder.Family {
	y := plain
	y.Of = familyOf
	return y
}()

// plain is the family of transformers' ViT, of timm's models and of original releases. It says which variants are not
// supported.
var plain = modelfolder.Family{
	Package: "vit", ModelType: "vit", OwnType: "fovea_vit", Names: &names, Fields: configFields, Images: true,
	Unsupported: []modelfolder.Trace{
		{Part: "attn.rel_pos.relative_position_bias_table", What: "relative positions of timm's RelPosBias"},
		{Part: "lm_head.", What: "a head for masked images"},
		{Part: "decode_head.", What: "a head for segmentation"},
		{Part: "patch_embed.backbone.conv1.", What: "a ResNet-D before the patches"},
		{Part: "patch_embed.norm.", What: "a norm in the patch embedding"},
		{Part: ".mlp_bias", What: "norms by the root mean square"},
		{Part: "storage_tokens", What: "the names of DINOv3's original files"},
		{Part: ".lambda_q", What: "differential attention"},
	},
}

// familyOf returns the family of a type of transformers' models, by a config.json.
func familyOf(data []byte) (modelfolder.Family, error) {
	y := plain
	kind, err := modelType(data)
	if err != nil {
		return y, err
	}
	switch kind {
	case deitType:
	case dinov2Type, registersType:
		y.Fields = dinov2Fields
	case dinov3Type:
		y.Fields = dinov3Fields
	case beitType, data2vecType:
		y.Fields = beitFields
	default:
		return y, nil
	}
	table := tableOf(Config{ModelType: kind, GatedMLP: true}, "classifier")
	y.ModelType, y.OwnType, y.Names = kind, "", &table
	return y, nil
}
