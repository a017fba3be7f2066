package vit

import (
	"context"
	"encoding/json"
	"image"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/nn"
)

// TestLabelGaps keeps the names of a configuration that leaves some out, when it classifies and when it saves.
func TestLabelGaps(t *testing.T) {
	fsys := weights(t, nil)
	fsys["config.json"] = &fstest.MapFile{Data: []byte(`{"image_size": 16, "patch_size": 8, "hidden_size": 64, "num_hidden_layers": 1,
		"num_attention_heads": 2, "intermediate_size": 96, "id2label": {"1": "cat", "4": "dog"}}`)}
	m, err := Load(fsys, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	found, err := m.Classify(context.Background(), image.NewGray(image.Rect(0, 0, 9, 9)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range found[0].Top {
		if want := []string{"LABEL_0", "cat", "LABEL_2", "LABEL_3", "dog"}[c.Index]; c.Label != want {
			t.Errorf("class %d: expected %q, found %q", c.Index, want, c.Label)
		}
	}
	dir := t.TempDir()
	if err := m.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	saved, err := ReadConfig(os.DirFS(dir), "config.json")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"LABEL_0", "cat", "LABEL_2", "LABEL_3", "dog"}, saved.Labels()); d != "" {
		t.Error(d)
	}
}

// TestTimmLabels saves names for timm as a list, in order. transformers would take the keys of an object for the names.
func TestTimmLabels(t *testing.T) {
	m, _ := load(t, "tiny")
	m.Config.LayerNormEps = 1e-6 // timm's
	m.Config.ID2Label = models.LabelNames{"1": "cat", "10": "dog"}
	m.NewHead([]string{"k", "j", "i", "h", "g", "f", "e", "d", "c", "b", "a"}, rand.New(rand.NewPCG(1, 2)))
	dir := t.TempDir()
	if err := m.Save(dir, SaveOptions{Layout: models.Timm}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Names []string `json:"label_names"`
	}
	if err := json.Unmarshal(data, &c); err != nil || strings.Join(c.Names, "") != "kjihgfedcba" {
		t.Errorf("found %q, %v", c.Names, err)
	}
}

// TestLabelsOfAnother never shows or saves names of more classes than the head has, nor names in a model without a head.
func TestLabelsOfAnother(t *testing.T) {
	many := models.Classes{}
	many.SetLabels(strings.Fields(strings.Repeat("tench ", 1000)))
	far := models.Classes{ID2Label: models.LabelNames{"1": "cat", "70": "far"}, Label2ID: models.LabelIDs{"cat": 1, "far": 70}}
	want := []string{"LABEL_0", "LABEL_1"}
	for name, classes := range map[string]models.Classes{"many": many, "far": far} {
		m, _ := load(t, "tiny")
		m.Config.LayerNormEps = 1e-6 // timm's
		m.Config.Classes = classes
		m.Head = nn.NewLinear(m.Config.HiddenSize, 2, true)
		found, err := m.Classify(context.Background(), image.NewGray(image.Rect(0, 0, 9, 9)))
		if err != nil {
			t.Fatal(err)
		}
		if c := found[0].Top; c[0].Label != want[c[0].Index] || c[1].Label != want[c[1].Index] {
			t.Errorf("%s: shown: %+v", name, c)
		}
		for _, layout := range []models.Layout{models.HuggingFace, models.Timm} {
			for _, headless := range []bool{false, true} {
				want := want
				if headless {
					m.Head, want = nil, nil
				}
				dir := t.TempDir()
				if err := m.Save(dir, SaveOptions{Layout: layout}); err != nil {
					t.Fatal(err)
				}
				data, err := os.ReadFile(filepath.Join(dir, "config.json"))
				if err != nil || strings.Contains(string(data), "tench") || strings.Contains(string(data), "far") {
					t.Errorf("%s, %v: saved: %s, %v", name, layout, data, err)
				}
				back, err := Open(dir, LoadOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(want, back.Config.Labels()); d != "" {
					t.Errorf("%s, %v, headless %v: %s", name, layout, headless, d)
				}
			}
			m.Head = nn.NewLinear(m.Config.HiddenSize, 2, true)
		}
	}
}

// TestLoadLabelsOfAnother refuses names that a folder has for another classifier than the one in its weights, and drops them
// when it is lenient.
func TestLoadLabelsOfAnother(t *testing.T) {
	for config, want := range map[string]string{
		`{"image_size": 16, "patch_size": 8, "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 96,
			"id2label": {"1": "cat", "5": "far"}, "label2id": {"cat": 1, "far": 5}}`: "vit: config.json: id2label: expected names of the 5 classes in the weights, found one of class 5",
		`{"architecture": "vit_tiny_patch16_224", "model_args": {"num_heads": 2, "embed_dim": 64}, "label_names": ["a", "b", "c", "d", "e", "f"]}`: "vit: config.json: label_names: expected names of the 5 classes in the weights, found one of class 5",
	} {
		fsys := weights(t, nil)
		fsys["config.json"] = &fstest.MapFile{Data: []byte(config)}
		if _, err := Load(fsys, LoadOptions{}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("found %v, expected %s", err, want)
		}
		m, err := Load(fsys, LoadOptions{Lenient: true})
		if err != nil {
			t.Fatal(err)
		}
		if m.Config.ID2Label != nil || m.Config.Label2ID != nil {
			t.Errorf("found %v, %v", m.Config.ID2Label, m.Config.Label2ID)
		}
	}
}
