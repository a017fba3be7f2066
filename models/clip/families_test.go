package clip

import (
	"strings"
	"testing"
	"testing/fstest"
)

// TestOtherFamilies opens configurations of models that resemble CLIP and are not supported: each gives an error that
// names the field by which it differs. Those of open_clip are shortened from its model_configs.
func TestOtherFamilies(t *testing.T) {
	weights := folder(t, "tiny")["model.safetensors"]
	const texts = `"text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12}`
	for _, c := range []struct{ family, file, config, want string }{
		{"MetaCLIP 2", "config.json", `{"model_type": "metaclip_2", "architectures": ["MetaClip2Model"]}`, `model_type: expected "clip", found "metaclip_2"`},
		{"Nomic", "config.json", `{"model_type": "nomic_bert", "architectures": ["NomicVisionModel"]}`, `model_type: expected "clip", found "nomic_bert"`},
		{"Jina CLIP", "config.json", `{"model_type": "jina_clip"}`, `model_type: expected "clip", found "jina_clip"`},
		{"MobileCLIP", "config.json", `{"model_type": "mobileclip"}`, `model_type: expected "clip", found "mobileclip"`},
		{"EVA-CLIP", "config.json", `{"model_type": "clip", "architectures": ["EvaCLIPModel"], "auto_map": {"AutoModel": "modeling_evaclip.EvaCLIPModel"}}`,
			"auto_map: a model with code of its own, such as EVA-CLIP, is not supported"},
		{"EVA-CLIP", "open_clip_config.json", `{"model_cfg": {"embed_dim": 512, "vision_cfg": {"image_size": 224, "timm_model_name": "eva02_base_patch16_clip_224"}, ` + texts + `}}`,
			`timm_model_name: an image tower of timm's is not supported`},
		{"MobileCLIP", "open_clip_config.json", `{"model_cfg": {"embed_dim": 512, "vision_cfg": {"image_size": 256, "timm_model_name": "fastvit_mci1"}, ` + texts + `}}`,
			`found "fastvit_mci1"`},
		{"BiomedCLIP", "open_clip_config.json", `{"model_cfg": {"embed_dim": 512, "vision_cfg": {"image_size": 224, "timm_model_name": "vit_base_patch16_224"},
			"text_cfg": {"hf_model_name": "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract", "hf_tokenizer_name": "x"}}}`, `found "vit_base_patch16_224"`},
		{"CLIPA", "open_clip_config.json", `{"model_cfg": {"embed_dim": 768, "vision_cfg": {"image_size": 224, "no_ln_pre": true, "pool_type": "avg"}, ` + texts + `}}`,
			"no_ln_pre: an image tower without a norm before its blocks (CLIPA) is not supported"},
		{"CoCa", "open_clip_config.json", `{"model_cfg": {"embed_dim": 512, "vision_cfg": {"image_size": 224, "attentional_pool": true}, ` + texts + `, "multimodal_cfg": {"width": 512}}}`,
			"multimodal_cfg: CoCa is not supported"},
		{"MetaCLIP 2", "open_clip_config.json", `{"model_cfg": {"embed_dim": 1024, "vision_cfg": {"image_size": 224},
			"text_cfg": {"context_length": 77, "vocab_size": 901629, "hf_tokenizer_name": "facebook/xlm-v-base"}}}`,
			"hf_tokenizer_name: a tokenizer that is not OpenAI's is not supported"},
	} {
		files := fstest.MapFS{c.file: {Data: []byte(c.config)}, "model.safetensors": weights}
		if c.file != "config.json" {
			files["open_clip_model.safetensors"] = weights
		}
		_, err := Load(files, LoadOptions{})
		if err == nil || !strings.HasPrefix(err.Error(), "clip: "+c.file+": ") || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: expected an error with %q, found %v", c.family, c.want, err)
		}
	}
}
