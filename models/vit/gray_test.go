package vit

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"io/fs"
	"maps"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/vision"
)

// TestGray classifies and embeds a gray and a color image with models of one channel, and expects timm's logits: from a
// folder of timm's in all forms of its mean, without one, and after saving.
func TestGray(t *testing.T) {
	folder := os.DirFS("testdata/gray")
	data, err := fs.ReadFile(folder, "want.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]map[string][]float32
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	for _, name := range []string{"config.json", "model.safetensors"} {
		data, err := fs.ReadFile(folder, name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: data}
	}
	compact := &bytes.Buffer{}
	if err := json.Compact(compact, files["config.json"].Data); err != nil {
		t.Fatal(err)
	}
	config := compact.String()
	const one = `"mean":[0.449],"std":[0.226]`
	if !strings.Contains(config, one) {
		t.Fatalf("config.json has no %s: %s", one, config)
	}
	bare := config[:strings.Index(config, `,"pretrained_cfg"`)] + "}"
	var images []image.Image
	names := []string{"gray.png", "color.png"}
	for _, name := range names {
		img, err := vision.DecodeFile(folder, name, vision.DecodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, img)
	}
	for _, c := range []struct{ name, config, want string }{
		{"one mean", config, "imagenet"},
		{"three means", strings.Replace(config, one, `"mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225]`, 1), "imagenet"},
		{"three equal means", strings.Replace(config, one, `"mean":[0.5,0.5,0.5],"std":[0.5,0.5,0.5]`, 1), "half"},
		{"no means", strings.Replace(config, one+",", "", 1), "imagenet"},
		{"an architecture", bare, "imagenet"},
		{"another architecture", strings.Replace(bare, "deit_tiny", "vit_tiny", 1), "half"},
	} {
		fsys := maps.Clone(files)
		fsys["config.json"] = &fstest.MapFile{Data: []byte(c.config)}
		m, err := Load(fsys, LoadOptions{})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		all := map[string]*Model{"loaded": m}
		for _, layout := range []models.Layout{models.HuggingFace, models.Timm} {
			dir := t.TempDir()
			if err := m.Save(dir, SaveOptions{Layout: layout}); err != nil {
				t.Fatal(err)
			}
			if all[layout.String()], err = Open(dir, LoadOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		for how, m := range all {
			found, err := m.Classify(context.Background(), images...)
			if err != nil {
				t.Errorf("%s, %s: %v", c.name, how, err)
				continue
			}
			for i, name := range names {
				golden.Output(t, c.name+", "+how+", "+name, found[i].Logits, want[c.want][name])
			}
			if rows, err := m.Embed(context.Background(), images...); err != nil || len(rows) != 2 || len(rows[0]) != 64 {
				t.Errorf("%s, %s: embedded to %d rows, %v", c.name, how, len(rows), err)
			}
		}
	}
}

// TestGrayWithThreeMeans leaves three means of transformers', which cannot use them for one channel either.
func TestGrayWithThreeMeans(t *testing.T) {
	fsys := inMemory(t, "odd")
	fsys["preprocessor_config.json"] = &fstest.MapFile{Data: []byte(`{"size": 15, "image_mean": [0.1, 0.2, 0.3]}`)}
	m, err := Load(fsys, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Classify(context.Background(), image.NewGray(image.Rect(0, 0, 9, 9))); err == nil || !strings.Contains(err.Error(), "one mean") {
		t.Errorf("found %v", err)
	}
	m.Preprocess.Mean = [3]float32{0.1, 0.1, 0.1}
	m.Preprocess.Gray = true
	if _, err := m.Classify(context.Background(), image.NewGray(image.Rect(0, 0, 9, 9))); err != nil {
		t.Error(err)
	}
}
