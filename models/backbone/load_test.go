package backbone

import (
	"bytes"
	"context"
	"image"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/vision"
)

// small returns a small random network of a type.
func small(c Config, classes int) *Model {
	c.EmbeddingSize = 8
	for i := range c.HiddenSizes {
		c.HiddenSizes[i], c.Depths[i] = 8+8*i, min(c.Depths[i], 2)
	}
	if c.FinalSize != 0 {
		c.FinalSize = 24
	}
	return New(c, classes, rand.New(rand.NewPCG(1, 2)))
}

// TestBare reads weights without a configuration, under the names of each network.
func TestBare(t *testing.T) {
	for _, c := range []Config{ResNet18(), ResNet50(), ShuffleNetV2x05(), DLA34(), Plain()} {
		m := small(c, 3)
		dir := t.TempDir()
		if err := m.Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(dir + "/model.safetensors")
		if err != nil {
			t.Fatal(err)
		}
		again, err := Load(fstest.MapFS{"weights.safetensors": {Data: data}}, LoadOptions{})
		if err != nil {
			t.Errorf("%s: %v", c.ModelType, err)
			continue
		}
		if d := cmp.Diff(m.Config, again.Config); d != "" {
			t.Error(d)
		}
		if again.Preprocess != vision.ImageNet(224) || !again.PreprocessAssumed {
			t.Errorf("found %+v", again.Preprocess)
		}
	}
}

// TestArch reads weights that name their network, as timm's training program writes them.
func TestArch(t *testing.T) {
	m := small(ResNet50(), 3)
	dir := t.TempDir()
	if err := m.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.Open(dir+"/model.safetensors", checkpoint.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var entries []checkpoint.Entry
	for x := range f.Tensors() {
		entries = append(entries, x.Entry())
	}
	for arch, refused := range map[string]bool{
		"resnet50": false, "resnet50.a1_in1k": false, "tv_resnet50": false, "mine": false,
		"resnetaa50": true, "resnetblur50": true, "resnetaa50.a1h_in1k": true, "gluon_resnet50_v1s": true, "dla60": true,
	} {
		var b bytes.Buffer
		if err := checkpoint.Encode(&b, entries, checkpoint.WriteOptions{Metadata: map[string]string{"arch": arch}}); err != nil {
			t.Fatal(err)
		}
		_, err := Load(fstest.MapFS{"model_best.safetensors": {Data: b.Bytes()}}, LoadOptions{})
		if refused && (err == nil || !strings.Contains(err.Error(), "is not supported") || !strings.Contains(err.Error(), arch)) || !refused && err != nil {
			t.Errorf("%s: expected an error: %v, found %v", arch, refused, err)
		}
	}
}

// TestConvNextProcessor loads a folder as microsoft/resnet-50's is, which resizes to 256 pixels and crops 224.
func TestConvNextProcessor(t *testing.T) {
	dir := t.TempDir()
	if err := small(ResNet50(), 3).Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	const processor = `{"crop_pct": 0.875, "do_normalize": true, "do_resize": true, "feature_extractor_type": "ConvNextFeatureExtractor",
		"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "resample": 3, "size": 224}`
	if err := os.WriteFile(dir+"/preprocessor_config.json", []byte(processor), 0o666); err != nil {
		t.Fatal(err)
	}
	m, err := Open(dir, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := vision.ImageNet(224)
	want.Backend = vision.Torchvision
	if m.Preprocess != want || m.PreprocessAssumed {
		t.Errorf("found %+v, expected %+v", m.Preprocess, want)
	}
}

// TestRefused expects an error that names what is wrong.
func TestRefused(t *testing.T) {
	tensor := func(name string, shape ...int) checkpoint.Entry {
		n := 1
		for _, d := range shape {
			n *= d
		}
		return checkpoint.Entry{Name: name, Shape: shape, Floats: make([]float32, n)}
	}
	weights := func(entries ...checkpoint.Entry) []byte {
		var b bytes.Buffer
		if err := checkpoint.Encode(&b, entries, checkpoint.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	resnext := []checkpoint.Entry{tensor("conv1.weight", 8, 3, 7, 7)}
	for _, s := range []string{"1", "2", "3", "4"} {
		resnext = append(resnext, tensor("layer"+s+".0.conv1.weight", 8, 8, 1, 1), tensor("layer"+s+".0.conv2.weight", 8, 2, 3, 3), tensor("layer"+s+".0.conv3.weight", 32, 8, 1, 1))
	}
	for _, c := range []struct {
		name, config, want string
		weights            []byte
	}{
		{"nothing known", "", "expected the weights of a ResNet", weights(tensor("x", 1))},
		{"grouped convolutions", "", "ResNeXt", weights(resnext...)},
		{"a stage without blocks", "", "Body.Stages.1.0", weights(resnext[:4]...)},
		{"another type", `{"model_type": "vit"}`, "models/vit", weights(tensor("x", 1))},
		{"another architecture", `{"architecture": "seresnet50"}`, `"seresnet50" is not supported`, weights(tensor("x", 1))},
		{"an argument that changes the answer", `{"architecture": "resnet50", "model_args": {"output_stride": 8}}`, "dilated", weights(tensor("x", 1))},
		{"an unknown argument", `{"architecture": "resnet50", "model_args": {"wide": 8}}`, "wide", weights(tensor("x", 1))},
		{"a model that is too large", `{"model_type": "resnet"}`, "the configuration describes a model of at least", weights(tensor("x", 1))},
		{"deep trees", `{"model_type": "dla", "depths": [1, 1, 30, 2, 2, 1]}`, "depths", weights(tensor("x", 1))},
		{"a field that changes the answer", `{"model_type": "resnet", "quantization_config": {}}`, "quantized", weights(tensor("x", 1))},
		{"trees before the first", `{"model_type": "dla", "depths": [3, 1, 1, 2, 2, 1]}`, "depths: expected 1 for the first two", weights(tensor("x", 1))},
		{"blocks of another network", `{"model_type": "dla", "layer_type": "bottleneck"}`, "layer_type", weights(tensor("x", 1))},
		{"a convolution of another network", `{"model_type": "resnet", "final_size": 8}`, "final_size", weights(tensor("x", 1))},
		{"an option of another network", `{"model_type": "plain_cnn", "deep_stem": true}`, "deep_stem", weights(tensor("x", 1))},
	} {
		fsys := fstest.MapFS{"model.safetensors": {Data: c.weights}}
		if c.config != "" {
			fsys["config.json"] = &fstest.MapFile{Data: []byte(c.config)}
		}
		if _, err := Load(fsys, LoadOptions{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: expected %q, found %v", c.name, c.want, err)
		}
	}
}

// TestClassify asks a model with and without a head for images of odd sizes.
func TestClassify(t *testing.T) {
	m := small(ResNet18(), 0)
	images := []image.Image{image.NewGray(image.Rect(0, 0, 1, 1)), image.NewRGBA(image.Rect(3, 3, 40, 300))}
	if _, err := m.Classify(context.Background(), images...); err == nil || !strings.Contains(err.Error(), "no classifier") {
		t.Errorf("found %v", err)
	}
	embeddings, err := m.Embed(context.Background(), images...)
	if err != nil || len(embeddings) != 2 || len(embeddings[0]) != m.Config.FeatureSize() {
		t.Errorf("found %d, %v", len(embeddings), err)
	}
	m.NewHead([]string{"a", "b"}, rand.New(rand.NewPCG(1, 2)))
	predictions, err := m.Classify(context.Background(), images...)
	if err != nil || len(predictions) != 2 || predictions[0].Top[0].Label == "" {
		t.Errorf("found %v, %v", predictions, err)
	}
	if _, err := m.Classify(context.Background(), image.NewGray(image.Rect(0, 0, 0, 0))); err == nil {
		t.Error("an image without pixels: expected an error")
	}
}

// TestReadConfig gives files the defaults of their model_type, and names the first of several fields of another one.
func TestReadConfig(t *testing.T) {
	for _, want := range []Config{ResNet50(), ShuffleNetV2x10(), DLA34(), Plain()} {
		fsys := fstest.MapFS{"c.json": {Data: []byte(`{"model_type": "` + want.ModelType + `"}`)}}
		got, err := ReadConfig(fsys, "c.json")
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%s: %v, %s", want.ModelType, err, d)
		}
	}
	c := DLA34()
	c.DownsampleInFirstStage, c.DownsampleInBottleneck, c.DeepStem, c.AverageDown = true, true, true, true
	for range 20 {
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), "downsample_in_first_stage: ") {
			t.Fatalf("found %v", err)
		}
	}
	if _, err := ReadConfig(fstest.MapFS{}, "c.json"); err == nil || !strings.Contains(err.Error(), "c.json") {
		t.Errorf("no file: found %v", err)
	}
}

// TestTensorNames expects every parameter in a saved file under its name of the layout.
func TestTensorNames(t *testing.T) {
	deep := ResNet18()
	deep.DeepStem, deep.AverageDown = true, true
	for _, c := range []Config{ResNet18(), deep, ShuffleNetV2x05(), DLA34(), Plain()} {
		m := small(c, 3)
		saved := 0
		for _, layout := range []models.Layout{models.HuggingFace, models.Timm, models.Original} {
			dir := t.TempDir()
			if err := m.Save(dir, SaveOptions{Layout: layout}); err != nil {
				continue // the network lacks the layout, or timm the network
			}
			saved++
			f, err := checkpoint.Open(dir+"/model.safetensors", checkpoint.OpenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			there := map[string]bool{}
			for x := range f.Tensors() {
				there[x.Name] = true
			}
			names := m.TensorNames(layout)
			for path := range nn.Parameters(m) {
				if first := names.Tensors(path)[0]; len(first) != 1 || !there[first[0]] {
					t.Errorf("%s, layout %v: %s is not under %q", c.ModelType, layout, path, first)
				}
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if saved == 0 {
			t.Errorf("%s: no layout saves", c.ModelType)
		}
	}
	BlockNames()[0][0] = "changed"
	if BlockNames()[0][0] == "changed" {
		t.Error("a caller changes the names of all")
	}
}
