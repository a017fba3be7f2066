package vit

import (
	"context"
	"image"
	"os"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// TestLabels names classes by numbers with gaps, and by numbers that no class has.
func TestLabels(t *testing.T) {
	for _, c := range []struct {
		ids  map[string]string
		want []string
	}{
		{nil, nil},
		{map[string]string{"0": "cat", "1": "dog"}, []string{"cat", "dog"}},
		{map[string]string{"0": "cat", "3": "dog"}, []string{"cat", "", "", "dog"}},
		{map[string]string{"1": "cat", "-7": "x", "y": "z", "999999999999": "far", "99999999999999999999": "further"}, []string{"", "cat"}},
		{map[string]string{"-1": "x"}, nil},
	} {
		if d := cmp.Diff(c.want, Config{ID2Label: c.ids}.Labels()); d != "" {
			t.Errorf("%v: %s", c.ids, d)
		}
	}
}

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
	if err := m.Save(dir); err != nil {
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
