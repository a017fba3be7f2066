package vit

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/vision"
)

// trained is a checkpoint of timm's training program: weights, and the name of their architecture.
func trained(t *testing.T, architecture string) fstest.MapFS {
	t.Helper()
	f, err := checkpoint.Open("testdata/timm_class/model.safetensors", checkpoint.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var entries []checkpoint.Entry
	for x := range f.Tensors() {
		entries = append(entries, x.Entry())
	}
	var b bytes.Buffer
	if err := checkpoint.Encode(&b, entries, checkpoint.WriteOptions{Metadata: map[string]string{"arch": architecture}}); err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{"last.safetensors": {Data: b.Bytes()}}
}

// TestAssumed says whether the folder states how images are prepared, and assumes what is usual where it does not.
func TestAssumed(t *testing.T) {
	named := func(config string) fstest.MapFS {
		fsys := weights(t, nil)
		fsys["config.json"] = &fstest.MapFile{Data: []byte(config)}
		return fsys
	}
	center := func(resized int, mean, std [3]float32) vision.Preprocess {
		p := vision.ImageNet(16)
		p.Width, p.Mean, p.Std = resized, mean, std
		return p
	}
	squash := center(16, vision.CLIPMean, vision.CLIPStd)
	squash.Mode, squash.Height = vision.Stretch, 16
	stated := inMemory(t, "tiny")
	stated["preprocessor_config.json"] = &fstest.MapFile{Data: []byte(`{"size": 24, "image_mean": [0.1, 0.2, 0.3]}`)}
	other := vision.Preprocess{Backend: vision.Torchvision, Width: 24, Height: 24, Mean: [3]float32{0.1, 0.2, 0.3}, Std: vision.HalfStd}
	for name, c := range map[string]struct {
		fsys    fstest.MapFS
		want    vision.Preprocess
		assumed bool
	}{
		"stated":               {stated, other, false},
		"Hugging Face":         {inMemory(t, "tiny"), vision.Half(24), true},
		"bare":                 {weights(t, nil), vision.ImageNet(16), true},
		"timm, stated":         {named(`{"architecture": "vit_tiny_patch16_224", "pretrained_cfg": {"input_size": [3, 16, 16]}}`), vision.ImageNet(16), false}, // timm's defaults
		"timm, named":          {named(`{"architecture": "vit_tiny_patch16_224"}`), center(17, vision.HalfMean, vision.HalfStd), true},
		"timm, DeiT":           {named(`{"architecture": "deit_tiny_patch16_224"}`), center(17, vision.ImageNetMean, vision.ImageNetStd), true},
		"timm, CLIP, squash":   {named(`{"architecture": "vit_huge_patch14_clip_336"}`), squash, true},
		"timm, unknown":        {named(`{"architecture": "vit_mine"}`), vision.ImageNet(16), true},
		"trained by timm":      {trained(t, "vit_base_patch16_clip_224"), center(16, vision.CLIPMean, vision.CLIPStd), true},
		"trained from MAE's":   {trained(t, "vit_base_patch16_224.mae"), center(17, vision.ImageNetMean, vision.ImageNetStd), true},
		"trained from another": {trained(t, "vit"), vision.ImageNet(16), true},
	} {
		m, err := Load(c.fsys, LoadOptions{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(c.want, m.Preprocess); d != "" || m.PreprocessAssumed != c.assumed {
			t.Errorf("%s: assumed: %v, %s", name, m.PreprocessAssumed, d)
		}
	}
	if New(Tiny16(), 2, nil).PreprocessAssumed {
		t.Error("a new model")
	}
	dir := t.TempDir()
	m, _ := load(t, "tiny")
	if err := m.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	if again, err := Load(os.DirFS(dir), LoadOptions{}); err != nil || again.PreprocessAssumed {
		t.Errorf("a saved model: %v", err)
	}
}

// TestTrainedArchitecture takes from the name in a checkpoint what the weights do not tell, and refuses other architectures.
func TestTrainedArchitecture(t *testing.T) {
	m, err := Load(trained(t, "vit_base_patch32_clip_quickgelu_224.openai"), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if c := m.Config; c.HiddenAct != "quick_gelu" || c.LayerNormEps != 1e-5 || !c.AntialiasPositions {
		t.Errorf("found %+v", c)
	}
	_, err = Load(trained(t, "vit_base_patch16_sapiens2"), LoadOptions{})
	if err == nil || !strings.Contains(err.Error(), `last.safetensors: architecture: "vit_base_patch16_sapiens2" has queries that share keys`) {
		t.Errorf("found %v", err)
	}
}
