package hub

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		name, there, patterns, want, err string
	}{
		{"safetensors first", "config.json model.safetensors model.safetensors.index.json pytorch_model.bin", "", "config.json | | model.safetensors", ""},
		{"index", "model.safetensors.index.json pytorch_model.bin tokenizer.json", "", "tokenizer.json | model.safetensors.index.json |", ""},
		{"bin", "pytorch_model.bin pytorch_model.bin.index.json vocab.txt tf_model.h5", "", "vocab.txt | | pytorch_model.bin", ""},
		{"bin index", "pytorch_model.bin.index.json", "", "| pytorch_model.bin.index.json |", ""},
		{"sentence-transformers", "modules.json config.json model.safetensors pytorch_model.bin 1_Pooling/config.json 2_Dense/config.json 2_Dense/model.safetensors 2_Dense/pytorch_model.bin onnx/config.json", "",
			"config.json modules.json 1_Pooling/config.json 2_Dense/config.json | | model.safetensors 2_Dense/model.safetensors", ""},
		{"modules below", "modules.json 0_Transformer/config.json 0_Transformer/vocab.txt 0_Transformer/pytorch_model.bin", "",
			"modules.json 0_Transformer/config.json 0_Transformer/vocab.txt | | 0_Transformer/pytorch_model.bin", ""},
		{"settings of sentence-transformers", "modules.json config_sentence_transformers.json sentence_xlm-roberta_config.json config.json model.safetensors sentencepiece.bpe.model 1_Pooling/config.json README.md", "",
			"config.json sentencepiece.bpe.model modules.json config_sentence_transformers.json sentence_xlm-roberta_config.json 1_Pooling/config.json | | model.safetensors", ""},
		{"CLIP of sentence-transformers", "modules.json 0_CLIPModel/config.json 0_CLIPModel/merges.txt 0_CLIPModel/model.safetensors 0_CLIPModel/preprocessor_config.json 0_CLIPModel/vocab.json", "",
			"modules.json 0_CLIPModel/config.json 0_CLIPModel/preprocessor_config.json 0_CLIPModel/vocab.json 0_CLIPModel/merges.txt | | 0_CLIPModel/model.safetensors", ""},
		{"open_clip beside transformers", "config.json open_clip_config.json model.safetensors open_clip_model.safetensors open_clip_pytorch_model.bin tokenizer.json vocab.json merges.txt", "",
			"config.json open_clip_config.json tokenizer.json vocab.json merges.txt | | model.safetensors", ""},
		{"open_clip alone", "open_clip_config.json open_clip_pytorch_model.bin open_clip_model.safetensors pytorch_model.bin bpe_simple_vocab_16e6.txt.gz", "",
			"open_clip_config.json bpe_simple_vocab_16e6.txt.gz | | open_clip_model.safetensors", ""},
		{"open_clip as pickle", "open_clip_config.json open_clip_pytorch_model.bin", "", "open_clip_config.json | | open_clip_pytorch_model.bin", ""},
		{"SentencePiece", "model.safetensors spm.model spiece.model sentencepiece.model sentencepiece.bpe.model tokenizer.model other.model", "",
			"tokenizer.model spiece.model spm.model sentencepiece.model sentencepiece.bpe.model | | model.safetensors", ""},
		{"not sentence-transformers", "model.safetensors 1_x/config.json", "", "| | model.safetensors", ""},
		{"none", "config.json tf_model.h5 README.md", "", "", `but "tf_model.h5"`},
		{"empty", "", "", "", "expected weights"},
		{"patterns", "config.json mae.pth other.pth a/b.pth", "*.pth config.json", "config.json | | mae.pth other.pth", ""},
		{"pattern without a match", "config.json", "*.pth", "", `nothing matches "*.pth"`},
		{"bad name", "../x.pth", "../*.pth", "", "stays inside"},
		{"device", "con.pth", "*.pth", "", "device"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := choose(strings.Fields(c.there), strings.Fields(c.patterns))
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("expected an error with %q, found %v", c.err, err)
				}
				return
			}
			text := strings.Join(got.small, " ") + " | " + strings.Join(got.indexes, " ") + " | " + strings.Join(got.weights, " ")
			if err != nil || strings.Join(strings.Fields(text), " ") != c.want {
				t.Errorf("chose %q, %v; expected %q", text, err, c.want)
			}
		})
	}
}

func TestShards(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	h.Add("a/b", sharded())
	var last Progress
	dir, err := options(h, cache, onProgress(func(p Progress) { last = p })).get(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	want := sharded()
	delete(want, "consolidated.safetensors")
	expectFiles(t, dir, want)
	if last.Done != last.Total || last.Total < 110_000 {
		t.Errorf("progress ended at %d of %d bytes", last.Done, last.Total)
	}
	if count(h.Requests(), "GET", "/resolve/") != 4 {
		t.Error("expected one request a content")
	}

	// A snapshot without one of its shards is incomplete.
	if _, err := options(h, cache, offline).get(t.Context(), "a/b"); err != nil {
		t.Errorf("offline: %v", err)
	}
	os.Remove(filepath.Join(dir, "model-00002-of-00002.safetensors"))
	_, err = options(h, cache, offline).get(t.Context(), "a/b")
	if !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), "model-00002-of-00002") {
		t.Errorf("offline without a shard: %v", err)
	}
	if _, err := options(h, cache).get(t.Context(), "a/b@"+filepath.Base(dir)); err != nil {
		t.Error(err)
	}
	expectFiles(t, dir, want)
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	files := map[string][]byte{"mae_pretrain_vit_base.pth": content(1000, 1), "README.md": []byte("x"), "config.json": []byte("{}")}
	commit := h.Add("a/b", files)
	_, err := options(h, cache).get(t.Context(), "a/b")
	if !errors.Is(err, ErrNoFile) || !strings.Contains(err.Error(), "mae_pretrain_vit_base.pth") {
		t.Errorf("a model without known weights: %v", err)
	}
	dir, err := options(h, cache, matching("*.pth", "config.json")).get(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	expectFiles(t, dir, pick(files, "mae_pretrain_vit_base.pth", "config.json"))
	h.Requests()
	for _, o := range [][]change{{matching("config.json")}, {offline, matching("*.pth")}} {
		if _, err := options(h, cache, o...).get(t.Context(), "a/b@"+commit); err != nil {
			t.Error(err)
		}
	}
	if r := h.Requests(); len(r) != 0 {
		t.Errorf("requests for what is there: %+v", r)
	}
	if _, err := options(h, cache, matching("[")).get(t.Context(), "a/b"); err == nil {
		t.Error("a pattern that is none was accepted")
	}
}

// TestWeightsAlone expects that offline a snapshot without a configuration is no model, unless the cache shows that
// the model has none.
func TestWeightsAlone(t *testing.T) {
	t.Parallel()
	h, cache := newHub(t), t.TempDir()
	commit := h.Add("a/b", vit())
	if _, err := options(h, cache, matching("model.safetensors")).get(t.Context(), "a/b"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a/b", "a/b@" + commit} {
		_, err := options(h, cache, offline).get(t.Context(), name)
		if !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), cache) || !strings.Contains(err.Error(), "config.json") || !strings.Contains(err.Error(), "HF_HUB_OFFLINE") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := options(h, cache, offline, matching("model.safetensors")).get(t.Context(), name); err != nil {
			t.Errorf("%s, weights asked for: %v", name, err)
		}
	}
	h.Add("a/bare", pick(vit(), "model.safetensors"))
	if _, err := options(h, cache).get(t.Context(), "a/bare"); err != nil {
		t.Fatal(err)
	}
	if _, err := options(h, cache, offline).get(t.Context(), "a/bare"); err != nil {
		t.Errorf("a model without a configuration: %v", err)
	}
}
