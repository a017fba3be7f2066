package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// families is searched from the top. A family matches if each of its names is the end of some tensor's name. A family
// whose names include another family's comes before it.
var families = []family{
	{"MAE with decoder (original)", []string{"decoder_blocks.0.attn.qkv.weight", "mask_token"},
		[]tower{{"encoder", "blocks", "norm1.weight", "patch_embed.proj.weight", ""}, {"decoder", "decoder_blocks", "norm1.weight", "", ""}}},
	{"MAE with decoder (Hugging Face)", []string{"decoder.decoder_pred.weight", "decoder.mask_token"},
		[]tower{{"encoder", "encoder.layer", "layernorm_before.weight", "patch_embeddings.projection.weight", ""},
			{"encoder", "vit.layers", "layernorm_before.weight", "patch_embeddings.projection.weight", ""},
			{"decoder", "decoder_layers", "layernorm_before.weight", "", ""}, {"decoder", "decoder_encoder.layer", "layernorm_before.weight", "", ""}}},

	{"BLIP (Hugging Face)", []string{"vision_model.encoder.layers.0.self_attn.qkv.weight"},
		[]tower{{"vision", "vision_model.encoder.layers", "layer_norm1.weight", "patch_embedding.weight", ""}, {"text", "encoder.layer", "attention.output.LayerNorm.weight", "", "vision_model"}}},
	{"BLIP (original)", []string{"visual_encoder.blocks.0.attn.qkv.weight"},
		[]tower{{"vision", "visual_encoder.blocks", "norm1.weight", "patch_embed.proj.weight", ""}, {"text", "encoder.layer", "attention.output.LayerNorm.weight", "", "visual_encoder"}}},
	{"SigLIP (Hugging Face)", []string{"vision_model.head.probe"},
		[]tower{{"vision", "vision_model.encoder.layers", "layer_norm1.weight", "patch_embedding.weight", ""}, {"text", "text_model.encoder.layers", "layer_norm1.weight", "", ""}}},
	{"CLIP (Hugging Face)", []string{"vision_model.embeddings.class_embedding", "text_model.encoder.layers.0.self_attn.q_proj.weight"},
		[]tower{{"vision", "vision_model.encoder.layers", "layer_norm1.weight", "patch_embedding.weight", ""}, {"text", "text_model.encoder.layers", "layer_norm1.weight", "", ""}}},
	{"CLIP vision tower (Hugging Face)", []string{"vision_model.embeddings.class_embedding", "vision_model.encoder.layers.0.self_attn.q_proj.weight"},
		[]tower{{"", "vision_model.encoder.layers", "layer_norm1.weight", "patch_embedding.weight", ""}}},
	{"CLIP (OpenAI, open_clip)", []string{"token_embedding.weight", "transformer.resblocks.0.attn.in_proj_weight", "text_projection"},
		[]tower{{"vision", "visual.transformer.resblocks", "ln_1.weight", "visual.conv1.weight", ""}, {"text", "transformer.resblocks", "ln_1.weight", "", "visual"}}},

	{"BEiT (timm, original)", []string{"blocks.0.attn.q_bias", "blocks.0.attn.qkv.weight"},
		[]tower{{"", "blocks", "norm1.weight", "patch_embed.proj.weight", ""}}},
	{"BEiT (Hugging Face)", []string{"encoder.layer.0.lambda_1", "patch_embeddings.projection.weight"},
		[]tower{{"", "encoder.layer", "layernorm_before.weight", "patch_embeddings.projection.weight", ""}}},
	{"DINOv2 with registers (Hugging Face)", []string{"encoder.layer.0.layer_scale1.lambda1", "embeddings.register_tokens"},
		[]tower{{"", "encoder.layer", "norm1.weight", "patch_embeddings.projection.weight", ""}}},
	{"DINOv2 (Hugging Face)", []string{"encoder.layer.0.layer_scale1.lambda1", "patch_embeddings.projection.weight"},
		[]tower{{"", "encoder.layer", "norm1.weight", "patch_embeddings.projection.weight", ""}}},
	{"DINOv3 (Hugging Face)", []string{"layer.0.layer_scale1.lambda1", "embeddings.patch_embeddings.weight"},
		[]tower{{"", "layer", "norm1.weight", "patch_embeddings.weight", ""}}},
	{"DeiT (timm, original)", []string{"dist_token", "blocks.0.attn.qkv.weight"},
		[]tower{{"", "blocks", "norm1.weight", "patch_embed.proj.weight", ""}}},
	{"DeiT (Hugging Face)", []string{"embeddings.distillation_token"},
		[]tower{{"", "encoder.layer", "layernorm_before.weight", "patch_embeddings.projection.weight", ""}}},
	{"Swin (timm, original)", []string{"layers.0.blocks.0.attn.relative_position_bias_table"}, nil},
	{"ViT (timm, original)", []string{"blocks.0.attn.qkv.weight", "patch_embed.proj.weight"},
		[]tower{{"", "blocks", "norm1.weight", "patch_embed.proj.weight", ""}}},
	{"ViT (Hugging Face)", []string{"encoder.layer.0.attention.attention.query.weight", "patch_embeddings.projection.weight"},
		[]tower{{"", "encoder.layer", "layernorm_before.weight", "patch_embeddings.projection.weight", ""}}},
	{"ViT (transformers 5 in memory)", []string{"layers.0.attention.q_proj.weight", "patch_embeddings.projection.weight"},
		[]tower{{"", "layers", "layernorm_before.weight", "patch_embeddings.projection.weight", ""}}},

	{"BERT or RoBERTa (Hugging Face)", []string{"embeddings.word_embeddings.weight", "encoder.layer.0.attention.self.query.weight"},
		[]tower{{"", "encoder.layer", "attention.output.LayerNorm.weight", "", ""}}},
	{"BERT or RoBERTa (Hugging Face, old names)", []string{"embeddings.word_embeddings.weight", "embeddings.LayerNorm.gamma"},
		[]tower{{"", "encoder.layer", "attention.output.LayerNorm.gamma", "", ""}}},
	{"DistilBERT (Hugging Face)", []string{"transformer.layer.0.attention.q_lin.weight"},
		[]tower{{"", "transformer.layer", "sa_layer_norm.weight", "", ""}}},

	{"Faster R-CNN or Mask R-CNN (torchvision)", []string{"rpn.head.cls_logits.weight", "roi_heads.box_predictor.cls_score.weight"}, nil},
	{"RetinaNet or FCOS (torchvision)", []string{"head.classification_head.cls_logits.weight", "backbone.fpn.inner_blocks.0.0.weight"}, nil},
	{"SSD (torchvision)", []string{"head.classification_head.module_list.0.weight"}, nil},
	{"DETR", []string{"query_embed.weight", "bbox_embed.layers.0.weight"}, nil},
	{"FastestDet", []string{"detect_head.cls_layers.conv5x5.0.weight"}, nil},
	{"UltraFace", []string{"base_net.0.0.weight", "regression_headers.0.0.weight"}, nil},
	{"MTCNN, P-Net", []string{"prelu1.weight", "conv4_1.weight"}, nil},
	{"MTCNN, R-Net", []string{"prelu1.weight", "dense5_1.weight"}, nil},
	{"MTCNN, O-Net", []string{"prelu1.weight", "dense6_1.weight"}, nil},
	{"ResNet (torchvision, timm)", []string{"layer1.0.conv1.weight", "layer4.0.conv1.weight", "bn1.running_mean"}, nil},
	{"ResNet (Hugging Face)", []string{"encoder.stages.0.layers.0.layer.0.convolution.weight"}, nil},
	{"ConvNeXt (timm)", []string{"stages.0.blocks.0.conv_dw.weight"}, nil},

	{"resume file of Fovea's training loop", []string{"optimizer-counts"}, nil},
}

// A family is a family of models with the same tensor names.
type family struct {
	name   string
	has    []string // endings of tensor names
	towers []tower  // a checkpoint may lack some of them
}

// A tower is a stack of blocks.
type tower struct {
	name   string // "" if it is the only one
	blocks string // the tensor name up to a block's number
	norm   string // a tensor of a block; its last dimension is the tower's width
	patch  string // a tensor whose last dimension is the side of a patch; "" without patches
	not    string // names that contain this belong to another tower
}

// A guess is the model's structure as its tensor names suggest.
type guess struct {
	Name    string       `json:"name"`
	Towers  []towerGuess `json:"towers"`
	Classes int          `json:"classes,omitempty"`
}

type towerGuess struct {
	Name   string `json:"name,omitempty"`
	Blocks int    `json:"blocks"`
	Width  int    `json:"width"`
	Heads  int    `json:"heads,omitempty"` // from config.json, the relative position bias, or else width/64
	Patch  int    `json:"patch,omitempty"`

	sure bool // Heads is known, not width/64
}

// classifiers are the names of a classifier's weights, [classes, width].
var classifiers = []string{"classifier.weight", "head.weight", "head.fc.weight", "fc.weight", "cls_classifier.weight", "classifier.1.weight"}

// guessFamily returns the family of a checkpoint, given its tensors' shapes by name. It returns nil for an unknown
// family.
func guessFamily(shapes map[string][]int) *guess {
	names := slices.Sorted(maps.Keys(shapes))
	// find returns a tensor's name that is end, or that ends in a dot and end, and that does not contain without.
	find := func(end, without string) (string, bool) {
		if _, ok := shapes[end]; ok {
			return end, true
		}
		for _, n := range names {
			if strings.HasSuffix(n, end) && strings.HasSuffix(n, "."+end) && (without == "" || !strings.Contains(n, without)) {
				return n, true
			}
		}
		return "", false
	}
	missing := func(end string) bool { _, ok := find(end, ""); return !ok }
	for _, f := range families {
		if slices.ContainsFunc(f.has, missing) {
			continue
		}
		g := &guess{Name: f.name, Towers: []towerGuess{}}
		for _, t := range f.towers {
			d := towerGuess{Name: t.name, Blocks: countBlocks(names, t)}
			norm, ok := find(t.blocks+".0."+t.norm, t.not)
			if d.Blocks == 0 || !ok {
				continue
			}
			d.Width = last(shapes[norm])
			if d.Width%64 == 0 {
				d.Heads = d.Width / 64
			}
			if n, ok := find("relative_position_bias_table", t.not); ok {
				d.Heads, d.sure = last(shapes[n]), true
			}
			if t.patch != "" {
				if n, ok := find(t.patch, t.not); ok && len(shapes[n]) == 4 {
					d.Patch = last(shapes[n])
				}
			}
			g.Towers = append(g.Towers, d)
		}
		for _, c := range classifiers {
			if len(g.Towers) > 1 {
				break // "head" has another meaning there
			}
			if n, ok := find(c, ""); ok && len(shapes[n]) == 2 {
				g.Classes = shapes[n][0]
				break
			}
		}
		return g
	}
	return nil
}

// countBlocks returns the number of a tower's blocks.
func countBlocks(names []string, t tower) int {
	numbers := map[int]bool{}
	for _, n := range names {
		if t.not != "" && strings.Contains(n, t.not) {
			continue
		}
		at := strings.Index("."+n, "."+t.blocks+".")
		if at < 0 {
			continue
		}
		digits, _, _ := strings.Cut(n[at+len(t.blocks)+1:], ".")
		if i, err := strconv.Atoi(digits); err == nil {
			numbers[i] = true
		}
	}
	return len(numbers)
}

func last(shape []int) int {
	if len(shape) == 0 {
		return 0
	}
	return shape[len(shape)-1]
}

// String returns the guess as text, such as "ViT (timm, original): 12 blocks of width 768, …".
func (g *guess) String() string {
	var parts []string
	for _, t := range g.Towers {
		s := fmt.Sprintf("%d blocks of width %d", t.Blocks, t.Width)
		if t.Name != "" {
			s = t.Name + " of " + s
		}
		if t.Heads > 0 {
			s += fmt.Sprintf(", %d heads", t.Heads)
			if !t.sure {
				s += " (assuming a width of 64)"
			}
		}
		if t.Patch > 0 {
			s += fmt.Sprintf(", patches of %d×%[1]d", t.Patch)
		}
		parts = append(parts, s)
	}
	if g.Classes > 0 {
		parts = append(parts, fmt.Sprintf("%d classes", g.Classes))
	}
	if len(parts) == 0 {
		return g.Name
	}
	return g.Name + ": " + strings.Join(parts, "; ")
}
