package vit

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/golden"
)

// TestTrainingCheckpoints loads what training programs leave, each file alone in its folder, and expects timm's logits.
func TestTrainingCheckpoints(t *testing.T) {
	const dir = "testdata/checkpoints/"
	data, err := os.ReadFile(dir + "want.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string][]float32
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		file, logits string
		root         []string
	}{
		{"model_best.pth.tar", "average", nil},
		{"model_best.pth.tar", "average", []string{"state_dict_ema"}},
		{"model_best.pth.tar", "trained", []string{"state_dict"}},
		{"last.ckpt", "trained", nil},
		{"compiled.pth", "trained", nil},
	} {
		data, err := os.ReadFile(dir + c.file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Load(fstest.MapFS{c.file: {Data: data}, "args.yaml": {}, "summary.csv": {}}, LoadOptions{Root: c.root})
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		x := autograd.NewTape(autograd.Options{}).Input(want["image"], 1, 3, 16, 16)
		golden.Output(t, c.file, m.Forward(x).Floats(nil), want[c.logits])
	}
	f, err := checkpoint.Open(dir+"model_best.pth.tar", checkpoint.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	roots := [][]string{{"state_dict"}, {"state_dict_ema"}}
	if !slices.Equal(f.Root(), roots[1]) || !slices.EqualFunc(f.Roots(), roots, slices.Equal) {
		t.Errorf("expected the root %q of %q, found %q of %q", roots[1], roots, f.Root(), f.Roots())
	}
	_, err = Load(os.DirFS(dir), LoadOptions{})
	if err == nil || !strings.Contains(err.Error(), "choose one by LoadOptions.File: compiled.pth, last.ckpt, model_best.pth.tar") {
		t.Errorf("expected a list of files, found %v", err)
	}
}
