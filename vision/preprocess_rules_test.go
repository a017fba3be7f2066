package vision

import (
	"encoding/json"
	"image"
	"math"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/internal/test/modeltest"
)

// TestProcessorRules prepares an image by settings in unusual forms and expects the pixels of transformers 5.23.
func TestProcessorRules(t *testing.T) {
	img, err := DecodeFile(os.DirFS("testdata/settings"), "p.png", DecodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		settings      string
		width, height int
		most, mean    float64 // of the values
	}{
		{`{"image_processor_type": "ViTImageProcessor", "size": 24, "default_to_square": false}`, 32, 24, 0.835294, -0.136598},
		{`{"image_processor_type": "CLIPImageProcessor", "size": 24, "default_to_square": true, "do_center_crop": false}`, 24, 24, 1.989476, -0.062767},
		{`{"image_processor_type": "ViTImageProcessor", "size": 24, "default_to_square": false, "do_center_crop": true, "crop_size": 24}`, 24, 24, 0.835294, -0.112659},
		{`{"image_processor_type": "ViTImageProcessor", "size": 24, "default_to_square": null}`, 32, 24, 0.835294, -0.136598},
		{`{"image_processor_type": "ViTImageProcessor", "size": [24, 20], "default_to_square": false}`, 20, 24, 0.819608, -0.135103},
		{`{"image_processor_type": "SiglipImageProcessor", "size": 24}`, 32, 24, 0.952941, -0.136595},
		{`{"image_processor_type": "SegformerImageProcessor", "size": 24, "default_to_square": false}`, 32, 24, 2.273987, -0.076314},
		{`{"image_processor_type": "MobileNetV2ImageProcessor", "size": 24, "default_to_square": true, "do_center_crop": false}`, 24, 24, 0.827451, -0.135989},
		{`{"image_processor_type": "DetrImageProcessor", "size": 24, "default_to_square": true}`, 32, 24, 2.273987, -0.076314},
		{`{"image_processor_type": "RTDetrImageProcessor", "size": 24, "default_to_square": true}`, 24, 24, 0.913726, 0.432006},
		{`{"image_processor_type": "ViTImageProcessor", "size": 24, "do_rescale": null}`, 24, 24, 465.000000, 219.322917},
		{`{"image_processor_type": "ViTImageProcessor", "size": 24, "do_normalize": null}`, 24, 24, 0.913726, 0.432006},
		{`{"image_processor_type": "CLIPImageProcessor", "size": 24, "do_center_crop": null}`, 32, 24, 2.060577, -0.063527},
		{`{"image_processor_type": "ViTImageProcessor", "size": 24, "do_resize": null}`, 80, 60, 1.000000, -0.136654},
		{`{"image_processor_type": "ViTImageProcessor", "size": 24, "do_resize": 0}`, 80, 60, 1.000000, -0.136654},
		{`{"image_processor_type": "ViTImageProcessor", "size": 24, "do_resize": 1, "do_rescale": 2.0, "do_center_crop": 0.0, "do_normalize": 0}`, 24, 24, 0.913726, 0.432006},
		{`{"image_processor_type": "ViTImageProcessor", "size": 24, "default_to_square": 0}`, 32, 24, 0.835294, -0.136598},
		{`{"image_processor_type": null, "size": 24}`, 24, 24, 0.827451, -0.135989},
		{`{"image_processor_type": null, "feature_extractor_type": "CLIPFeatureExtractor", "size": 24, "do_center_crop": 0}`, 32, 24, 2.060577, -0.063527},
		{`{"feature_extractor_type": null, "size": 24}`, 24, 24, 0.827451, -0.135989},
		{`{"image_processor_type": "ViTImageProcessor", "size": 24, "Do_Resize": false}`, 24, 24, 0.827451, -0.135989},
		{`{"image_processor_type": "ViTImageProcessor", "size": 20, "size": 24}`, 24, 24, 0.827451, -0.135989},
		{`{"image_processor_type": "ViTImageProcessor", "size": 24, "image_mean": 0.25, "image_std": [0.5]}`, 24, 24, 1.327451, 0.364011},
	} {
		var p Preprocess
		if err := json.Unmarshal([]byte(c.settings), &p); err != nil {
			t.Errorf("%s: %v", c.settings, err)
			continue
		}
		pixels, height, width, err := p.Pixels(nil, nil, img)
		if err != nil {
			t.Errorf("%s: %v", c.settings, err)
			continue
		}
		most, sum := math.Inf(-1), 0.0
		for _, v := range pixels {
			most, sum = max(most, float64(v)), sum+float64(v)
		}
		mean := sum / float64(len(pixels))
		if width != c.width || height != c.height || math.Abs(most-c.most) > 1e-5 || math.Abs(mean-c.mean) > 1e-5 {
			t.Errorf("%s: found %d×%d pixels, up to %.6f, mean %.6f; expected %d×%d, %.6f, %.6f", c.settings, width, height, most, mean, c.width, c.height, c.most, c.mean)
		}
	}
}

// TestProcessorRefuses expects errors for settings that transformers refuses, and for those that Fovea does not take.
func TestProcessorRefuses(t *testing.T) {
	for settings, want := range map[string]string{
		`{"size": null}`:     "size: expected a value, found null",
		`{"resample": null}`: "resample: expected a value, found null",
		`{"do_center_crop": true, "crop_size": null}`:   "crop_size: expected a value, found null",
		`{"image_mean": null}`:                          "image_mean: expected a value, found null",
		`{"rescale_factor": null}`:                      "rescale_factor: expected a value, found null",
		`{"size": 24.0}`:                                "size",
		`{"size": "24"}`:                                "size",
		`{"size": true}`:                                "size",
		`{"size": {"height": 24.0, "width": 20}}`:       "size.height: expected a whole number, found number 24.0",
		`{"size": {"Height": 24, "width": 20}}`:         `found ["Height" "width"]`,
		`{"size": {"height": 24, "width": 20, "n": 1}}`: `found ["height" "n" "width"]`,
		`{"resample": 3.0}`:                             "resample: expected a whole number, found number 3.0",
		`{"do_resize": "false"}`:                        "do_resize: expected true or false, found string",
		`{"do_resize": []}`:                             "do_resize: expected true or false, found array",
		`{"image_processor_type": 1}`:                   "image_processor_type: expected text, found number 1",
		`{"use_square_size": true}`:                     "use_square_size: unsupported",
		`{"pixel_channels": 2}`:                         "pixel_channels: expected 1 or 3, found 2",
		`{"image_processor_type": "DetrImageProcessor", "size": {"shortest_edge": 24}}`: "longest_edge beside it",
		`{"image_processor_type": "RTDetrImageProcessor", "size": 24}`:                  "longest_edge beside it",
		`{"crop_pct": 0.9}`: "crop_pct: unsupported",
		`{"image_processor_type": "ConvNextImageProcessor", "size": 224, "crop_pct": null}`:                         "crop_pct: expected a value, found null",
		`{"image_processor_type": "ConvNextImageProcessor", "size": 224, "crop_pct": 0}`:                            "crop_pct: expected a positive number",
		`{"image_processor_type": "ConvNextImageProcessor", "size": 224, "crop_pct": 1e-300}`:                       "",
		`{"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": -3}}`:                         "",
		`{"image_processor_type": "ConvNextImageProcessor", "size": {"height": 224, "width": 224}}`:                 "expected shortest_edge alone",
		`{"image_processor_type": "ConvNextImageProcessor", "size": 224, "default_to_square": true}`:                "expected shortest_edge alone",
		`{"image_processor_type": "ConvNextImageProcessor", "size": 224, "do_center_crop": true, "crop_size": 100}`: "do_center_crop: unsupported",
		`{"image_processor_type": "SamImageProcessor", "size": 24, "do_pad": false}`:                                "expected longest_edge",
	} {
		err := json.Unmarshal([]byte(settings), new(Preprocess))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: expected %q, found %v", settings, want, err)
		}
	}
}

// TestCropShareNull accepts crop_pct where transformers does not use it.
func TestCropShareNull(t *testing.T) {
	for _, settings := range []string{
		`{"image_processor_type": "ConvNextImageProcessor", "size": 400, "crop_pct": null}`,
		`{"image_processor_type": "ConvNextImageProcessor", "do_resize": false, "crop_pct": null}`,
		`{"image_processor_type": "ViTImageProcessor", "crop_pct": null}`,
	} {
		var p Preprocess
		if err := json.Unmarshal([]byte(settings), &p); err != nil || p.CropWidth != 0 || p.Mode != Stretch && p.Mode != NoResize {
			t.Errorf("%s: found %+v, %v", settings, p, err)
		}
	}
}

// TestGrayPixels prepares one channel, as timm does of an image that Pillow converted to gray.
func TestGrayPixels(t *testing.T) {
	p, err := ParseTimm([]byte(`{"architecture": "vit", "model_args": {"in_chans": 1, "img_size": [8, 6]},
		"pretrained_cfg": {"input_size": [3, 4, 4], "fixed_input_size": true, "mean": [0.5], "std": [0.25]}}`), false)
	if err != nil || !p.Gray || p.CropHeight != 8 || p.CropWidth != 6 || p.Channels() != 1 {
		t.Fatalf("found %+v, %v", p, err)
	}
	m := testImage(30, 20, 3)
	got, height, width, err := p.Pixels(nil, nil, m, m)
	if err != nil || width != 6 || height != 8 || len(got) != 2*8*6 {
		t.Fatalf("%d values of %d×%d, %v", len(got), width, height, err)
	}
	wide := p
	wide.Gray = false
	want, _, _, err := wide.Pixels(nil, nil, m.Gray())
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range got {
		if v != want[i%48] {
			t.Fatalf("value %d: found %v, expected %v", i, v, want[i%48])
		}
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var back Preprocess
	if err := json.Unmarshal(text, &back); err != nil || back != p {
		t.Errorf("%s: found %+v, %v", text, back, err)
	}
	p.Mean[1] = 0.25
	if _, _, _, err := p.Pixels(nil, nil, image.Image(m)); err == nil || !strings.Contains(err.Error(), "one mean") {
		t.Errorf("two means: %v", err)
	}
}

// TestProcessorFields expects every setting of the supported classes of transformers in the table.
func TestProcessorFields(t *testing.T) {
	args := []string{"processors"}
	for name := range processorClasses {
		args = append(args, name)
	}
	modeltest.Fields(t, processorFields, "transformers", args...)
}

// TestTimmNull takes null for absent, as timm does (resolve_data_config).
func TestTimmNull(t *testing.T) {
	want, err := ParseTimm([]byte(`{"pretrained_cfg": {"input_size": [3, 32, 32]}}`), true)
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParseTimm([]byte(`{"model_args": null, "pretrained_cfg": {"input_size": [3, 32, 32], "test_input_size": null, "interpolation": null,
		"crop_pct": null, "test_crop_pct": null, "crop_mode": null, "mean": null, "std": null, "fixed_input_size": null}}`), true)
	if err != nil || p != want {
		t.Errorf("found %+v, %v, expected %+v", p, err, want)
	}
	for config, want := range map[string]string{
		`{"pretrained_cfg": {"crop_pct": "0.9"}}`:               "crop_pct: expected a number, found string",
		`{"pretrained_cfg": {"fixed_input_size": 1}}`:           "fixed_input_size: expected true or false, found number 1",
		`{"pretrained_cfg": {"input_size": [3, 32.0, 32.0]}}`:   "input_size: expected a whole number, found number 32.0",
		`{"pretrained_cfg": {}, "model_args": {"in_chans": 2}}`: "expected 1 or 3 channels",
	} {
		if _, err := ParseTimm([]byte(config), false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: expected %q, found %v", config, want, err)
		}
	}
}

// TestUnknownModelType refuses settings without a class beside a model whose class is unknown, and takes the first class
// where there is no model.
func TestUnknownModelType(t *testing.T) {
	settings := &fstest.MapFile{Data: []byte(`{"size": 32}`)}
	_, err := LoadPreprocess(fstest.MapFS{PreprocessorName: settings, "config.json": {Data: []byte(`{"model_type": "convnext"}`)}})
	if err == nil || !strings.Contains(err.Error(), `model_type "convnext"`) {
		t.Errorf("found %v", err)
	}
	for _, config := range []string{`{"model_type": "vit"}`, `{}`} {
		if p, err := LoadPreprocess(fstest.MapFS{PreprocessorName: settings, "config.json": {Data: []byte(config)}}); err != nil || p.Width != 32 {
			t.Errorf("%s: %+v, %v", config, p, err)
		}
	}
}

// TestRTDETRWithoutClass takes the class of RT-DETR's processor from the model: no normalization.
func TestRTDETRWithoutClass(t *testing.T) {
	p, err := LoadPreprocess(fstest.MapFS{
		PreprocessorName: {Data: []byte(`{"size": {"height": 64, "width": 96}}`)}, "config.json": {Data: []byte(`{"model_type": "rt_detr"}`)},
	})
	if err != nil || !p.NoNormalize || p.Height != 64 || p.Width != 96 {
		t.Errorf("%+v, %v", p, err)
	}
}
