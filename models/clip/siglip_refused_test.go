package clip

import (
	"strings"
	"testing"
	"testing/fstest"
)

// TestSigLIPRefused changes one field of a folder at a time and expects an error that names it.
func TestSigLIPRefused(t *testing.T) {
	for _, c := range []struct{ folder, old, new, want string }{
		{"siglip", `"vision_use_head": true`, `"vision_use_head": false`, "vision_use_head: expected true"},
		{"siglip", `"projection_size": 12`, `"projection_size": 13`, "projection_size: expected the hidden_size of vision_config, 12, found 13"},
		{"siglip", `"num_hidden_layers": 2`, `"num_hidden_layers": 3`, "num_hidden_layers"},
		{"siglip", `"patch_size": 8`, `"patch_size": 9`, "patch_size"},
		{"siglip", `"patch_size": 8`, `"patch_size": [8, 8]`, "patch_size: expected a whole number"},
		{"siglip", `"hidden_size": 12`, `"hidden_size": 15`, "hidden_size"},
		{"siglip", `"hidden_size": 12`, `"hidden_size": 30000`, "hidden_size"},
		{"siglip", `"vocab_size": 50`, `"vocab_size": 1000000`, "the configuration describes a model of at least"},
		{"siglip", `"model_type": "siglip",`, `"model_type": "clip",`, "config"},
		{"siglip", `"model_type": "siglip",`, `"model_type": "siglip3",`, `model_type: expected "clip", found "siglip3"`},
		{"siglip", `"text_config": {`, `"quantization_config": {"bits": 4}, "text_config": {`, "quantized weights are not supported"},
		{"naflex", `"num_patches": 9`, `"num_patches": 8`, "num_patches: expected a square number, found 8"},
		{"naflex", `"num_patches": 9`, `"num_patches": 0`, "num_patches: expected a square number, found 0"},
		{"naflex", `"num_patches": 9`, `"num_patches": 10000000000`, "num_patches"},
		{"naflex", `"num_patches": 9`, `"num_patches": 16`, "Vision.Positions"},
	} {
		files := folder(t, c.folder)
		config := string(files["config.json"].Data)
		if !strings.Contains(config, c.old) {
			t.Fatalf("%s: config.json has no %s", c.folder, c.old)
		}
		files["config.json"] = &fstest.MapFile{Data: []byte(strings.Replace(config, c.old, c.new, 1))}
		if _, err := Load(files, LoadOptions{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %s: expected an error with %q, found %v", c.folder, c.new, c.want, err)
		}
	}
}

// TestNaFlexPreparation reads and refuses preparations of images.
func TestNaFlexPreparation(t *testing.T) {
	for _, c := range []struct{ name, data, want string }{
		{"preprocessor_config.json", `{"image_processor_type": "Siglip2ImageProcessor", "patch_size": 4, "max_num_patches": 20}`, ""},
		{"preprocessor_config.json", `{"image_processor_type": "Siglip2ImageProcessorFast", "patch_size": 4, "max_num_patches": 20, "resample": 3}`, ""},
		{"processor_config.json", `{"image_processor": {"image_processor_type": "Siglip2ImageProcessor", "patch_size": 4, "max_num_patches": 20}}`, ""},
		{"preprocessor_config.json", `{"image_processor_type": "Siglip2ImageProcessor", "max_num_patches": 20}`, "patch_size: expected 4 as in config.json, found 16"},
		{"preprocessor_config.json", `{"image_processor_type": "Siglip2ImageProcessor", "patch_size": 4, "max_num_patches": 0}`, "max_num_patches: expected 1 to 65536, found 0"},
		{"preprocessor_config.json", `{"image_processor_type": "Siglip2ImageProcessor", "patch_size": 4, "max_num_patches": 99999}`, "max_num_patches"},
		{"preprocessor_config.json", `{"image_processor_type": "CLIPImageProcessor", "patch_size": 4}`, "image_processor_type: expected Siglip2ImageProcessor"},
		{"preprocessor_config.json", `{"image_processor_type": "Siglip2ImageProcessor", "patch_size": 4, "do_resize": false}`, "do_resize"},
		{"preprocessor_config.json", `{"image_processor_type": "Siglip2ImageProcessor", "patch_size": "4"}`, "patch_size"},
		{"processor_config.json", `[]`, "processor_config.json"},
	} {
		files := folder(t, "naflex")
		files[c.name] = &fstest.MapFile{Data: []byte(c.data)}
		m, err := Load(files, LoadOptions{})
		switch {
		case c.want != "":
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: expected an error with %q, found %v", c.data, c.want, err)
			}
		case err != nil:
			t.Errorf("%s: %v", c.data, err)
		case m.PreprocessAssumed || m.MaxPatches != 20:
			t.Errorf("%s: assumed %t, %d patches", c.data, m.PreprocessAssumed, m.MaxPatches)
		}
	}
	m, err := Load(folder(t, "naflex"), LoadOptions{})
	if err != nil || !m.PreprocessAssumed || m.MaxPatches != 9 {
		t.Fatalf("without a preparation: %+v, %v", m, err)
	}
	if _, err := Load(folder(t, "naflex"), LoadOptions{ImageSize: 32}); err == nil || !strings.Contains(err.Error(), "MaxPatches") {
		t.Errorf("ImageSize: %v", err)
	}
}

// TestNaFlexSize pins sizes of get_image_size_for_max_num_patches.
func TestNaFlexSize(t *testing.T) {
	for _, c := range []struct{ height, width, patch, most, h, w int }{
		{480, 640, 16, 256, 224, 288}, {1, 1, 16, 256, 112, 112}, {1, 10000, 16, 256, 16, 4096}, {3000, 20, 14, 1, 14, 14}, {224, 224, 16, 196, 224, 224},
	} {
		if h, w := naflexSize(c.height, c.width, c.patch, c.most); h != c.h || w != c.w {
			t.Errorf("%d×%d in %d patches of %d: expected %d×%d, found %d×%d", c.height, c.width, c.most, c.patch, c.h, c.w, h, w)
		}
	}
}
