package vit

import (
	"context"
	"image"
	"os"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// TestLabelGaps keeps the names of a configuration that leaves some out, when it classifies and when it saves.
func TestLabelGaps(t *testing.T) {
	fsys := weights(t, nil)
	fsys["config.json"] = &fstest.MapFile{Data: []byte(`{"image_size": 16, "patch_size": 8, "hidden_size": 64, "num_hidden_layers": 1,
		"num_attention_heads": 2, "intermediate_size": 96, "id2label": {"1": "cat", "4": "dog", "70": "far"}}`)}
	m, err := Load(fsys, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	found, err := m.Classify(context.Background(), image.NewGray(image.Rect(0, 0, 9, 9)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range found[0].Top {
		if want := map[int]string{1: "cat", 4: "dog"}[c.Index]; c.Label != want {
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
