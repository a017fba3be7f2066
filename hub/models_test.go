package hub_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fovea-ml/fovea/hub"
	"github.com/fovea-ml/fovea/internal/test/hubtest"
	"github.com/fovea-ml/fovea/models/clip"
)

// TestOpenCLIP fetches a model as open_clip publishes it, with the vocabulary of OpenAI's code, and opens it.
func TestOpenCLIP(t *testing.T) {
	const tiny = "../models/clip/testdata/tiny"
	read := func(name string) []byte {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	config := []byte(`{"model_cfg": {"embed_dim": 10, "quick_gelu": true,
		"vision_cfg": {"layers": 2, "width": 16, "head_width": 8, "patch_size": 8, "image_size": 16, "mlp_ratio": 1.5},
		"text_cfg": {"width": 12, "heads": 3, "layers": 2, "vocab_size": 525, "context_length": 24, "mlp_ratio": 1.67}}}`)
	tokenizer, weights := read(filepath.Join(tiny, "tokenizer.json")), read(filepath.Join(tiny, "model.safetensors"))
	h := hubtest.New()
	t.Cleanup(h.Close)
	for name, files := range map[string]map[string][]byte{
		"owner/open": {"open_clip_config.json": config, "open_clip_model.safetensors": weights, "open_clip_pytorch_model.bin": []byte("left"), "tokenizer.json": tokenizer},
		"owner/both": {"config.json": read(filepath.Join(tiny, "config.json")), "model.safetensors": weights, "tokenizer.json": tokenizer,
			"open_clip_config.json": config, "open_clip_model.safetensors": []byte("left"), "open_clip_pytorch_model.bin": []byte("left")},
	} {
		commit := h.Add(name, files)
		o := hub.GetOptions{Endpoint: h.URL, Cache: t.TempDir(), Anonymous: true}
		dir, err := hub.Get(t.Context(), name, o)
		if err != nil {
			t.Fatal(err)
		}
		m, err := clip.Open(dir, clip.LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.EncodeTexts(t.Context(), "a cat"); err != nil {
			t.Error(err)
		}
		left, err := filepath.Glob(filepath.Join(dir, "*.bin"))
		if err != nil || len(left) != 0 {
			t.Errorf("%s: weights in a second form were fetched: %v, %v", name, left, err)
		}
		h.Requests()
		if _, err := hub.Get(t.Context(), name+"@"+commit, o); err != nil || len(h.Requests()) != 0 {
			t.Errorf("%s: the commit is in the cache, and was asked for: %v", name, err)
		}
	}
}
