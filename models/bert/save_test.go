package bert

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/internal/test/modeltest"
	"github.com/fovea-ml/fovea/internal/test/oracle"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/nn"
)

// scatter gives every parameter a random value.
func scatter(model any, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	for _, p := range nn.Parameters(model) {
		p.Update(func(values []float32) {
			for i := range values {
				values[i] += float32(rng.NormFloat64()) * 0.2
			}
		})
	}
}

// TestSaveLoad writes every variant with every task and reads it back.
func TestSaveLoad(t *testing.T) {
	var folders []string
	for n, modelType := range modelTypes {
		for i, task := range append([]Task{Features, MaskedWords}, tasks...) {
			c := tiny(modelType)
			c.TieWordEmbeddings = i != 1 // a head for masked words with a decoder of its own
			if c.supports(task) != nil {
				continue
			}
			m := New(c, task, 3, rng())
			scatter(m, uint64(n))
			dir := filepath.Join(t.TempDir(), modelType+string(task))
			if err := m.Save(dir, SaveOptions{}); err != nil {
				t.Fatal(err)
			}
			back, err := Open(dir, LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if back.Task != task {
				t.Errorf("%s: the task is %q", dir, back.Task)
			}
			c.Architectures, back.Config.Classes = []string{architecture(modelType, task)}, models.Classes{}
			if d := cmp.Diff(c, back.Config); d != "" {
				t.Error(d)
			}
			ids := []int{5, 6, 7, 8, 9, 10}
			want := result(m, ids)
			same(t, dir, result(back, ids), want)
			data, _ := json.Marshal(map[string]any{"ids": ids, "types": nil, "output": want})
			if err := os.WriteFile(filepath.Join(dir, "want.json"), data, 0o666); err != nil {
				t.Fatal(err)
			}
			folders = append(folders, dir)
		}
	}
	modeltest.Python(t, "check_bert.py", folders...)
}

// result returns what a model gives for a sequence: the logits of its task, or hidden states.
func result(m *Model, ids []int) []float32 {
	tape, in := autograd.NewTape(autograd.Options{}), Pack(ids)
	switch {
	case m.Task == Features:
		return m.Hidden(tape, in).Floats(nil)
	case m.Task == PreTraining && m.Replaced != nil:
		return m.Replaced.Forward(m.Hidden(tape, in)).Floats(nil)
	case m.Task == PreTraining:
		return m.WordLogits(m.Hidden(tape, in)).Floats(nil)
	}
	return m.Forward(tape, in).Floats(nil)
}

// TestSentenceFolders saves models with all modules of sentence-transformers and loads them again, here and there.
func TestSentenceFolders(t *testing.T) {
	base := minilm(t)
	c := tiny("bert")
	c.VocabSize, c.MaxPositionEmbeddings = base.Config.VocabSize, 64
	dense := &Dense{Linear: nn.NewLinear(16, 12, true), Act: autograd.ActTanh}
	residual := &Dense{Linear: nn.NewLinear(16, 12, false), Act: autograd.ActNone, Residual: true, Project: nn.NewLinear(16, 12, false)}
	prompts := map[string]string{"query": "query: ", "passage": "passage: "}
	list := []string{"A dog runs in the park.", "", "One", strings.Repeat("The cat sat on the mat. ", 30)}
	var folders []string
	for i, s := range []Sentences{
		{Pooling: []Pooling{PoolMean}, Modules: []Module{Normalize{}, Dropout{0.3}}, Preprocess: Preprocess{MaxTokens: 20}},
		{Pooling: []Pooling{PoolFirst}},
		{Pooling: []Pooling{PoolFirst, PoolMax, PoolMean, PoolMeanSqrt, PoolWeightedMean, PoolLast}},
		{Pooling: []Pooling{PoolLast, PoolMax}, Dim: 7},
		{Pooling: []Pooling{PoolMean}, Modules: []Module{dense, nn.NewLayerNorm(12, 1e-5), Normalize{}}, Preprocess: Preprocess{Prompts: prompts, DefaultPrompt: "passage"}},
		{Pooling: []Pooling{PoolMean}, Modules: []Module{residual}, Preprocess: Preprocess{LowerCase: true}},
		{Pooling: []Pooling{PoolWeightedMean, PoolMax, PoolFirst}, Preprocess: Preprocess{Prompts: prompts}, ExcludePrompt: true},
	} {
		if oracle.Short() && i != 0 && i != 4 {
			continue
		}
		m := New(c, Features, 0, rng())
		m.Tokenizer, m.tokenizerFiles, m.Sentences = base.Tokenizer, base.tokenizerFiles, &s
		scatter(m, uint64(i))
		dir := filepath.Join(t.TempDir(), fmt.Sprint(i))
		if err := m.Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		back, err := Open(dir, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, prompt := range []string{"", "query"} {
			if prompt != "" && s.Prompts == nil {
				continue
			}
			from, err := m.Embedder(EmbedOptions{PromptName: prompt})
			if err != nil {
				t.Fatal(err)
			}
			want, err := from.Embed(context.Background(), list...)
			if err != nil {
				t.Fatal(err)
			}
			to, err := back.Embedder(EmbedOptions{PromptName: prompt})
			if err != nil {
				t.Fatal(err)
			}
			got, err := to.Embed(context.Background(), list...)
			if err != nil {
				t.Fatal(err)
			}
			for j := range want {
				same(t, dir, got[j], want[j])
			}
			if len(want[0]) != to.Width() {
				t.Errorf("%s: vectors of %d values, expected %d", dir, len(want[0]), to.Width())
			}
			data, _ := json.Marshal(map[string]any{"texts": list, "embeddings": want, "prompt": prompt})
			where := dir
			if prompt != "" {
				where += prompt
				if err := m.Save(where, SaveOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(where, "want.json"), data, 0o666); err != nil {
				t.Fatal(err)
			}
			folders = append(folders, where)
		}
	}
	for _, s := range []struct {
		act string
		p   Preprocess
	}{
		{}, {act: "torch.nn.modules.linear.Identity"},
		{p: Preprocess{Prompts: map[string]string{"web": "Search: "}, DefaultPrompt: "web", MaxTokens: 16, LowerCase: true}},
	} {
		m := New(c, SequenceClassification, 1, rng())
		m.Tokenizer, m.tokenizerFiles, m.Reranking = base.Tokenizer, base.tokenizerFiles, s.p
		if s.act != "" {
			m.Config.CrossEncoder = &CrossEncoder{ActivationFn: s.act, Version: "5.0.0"}
		}
		scatter(m, 9)
		ranked, err := m.Rerank(context.Background(), "Who?", list...)
		if err != nil {
			t.Fatal(err)
		}
		scores, ids := make([]float32, len(list)), make([][]int, len(list))
		for _, r := range ranked {
			scores[r.Index] = r.Score
		}
		for i, s := range list {
			e, err := m.encode(context.Background(), texts([]string{s}), limit{tokens: 64, cut: true})
			if err != nil {
				t.Fatal(err)
			}
			ids[i] = e[0].IDs
		}
		dir := t.TempDir()
		if err := m.Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		back, err := Open(dir, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(s.p, back.Reranking); d != "" {
			t.Error(d)
		}
		data, _ := json.Marshal(map[string]any{"query": "Who?", "texts": list[:3], "scores": scores[:3], "tokens": ids[:3]})
		if err := os.WriteFile(filepath.Join(dir, "want.json"), data, 0o666); err != nil {
			t.Fatal(err)
		}
		folders = append(folders, dir)
	}
	modeltest.Python(t, "check_bert.py", folders...)
}

// TestPyTorchFile reads the first conversions' form of a model: PyTorch's format, gamma and beta, and tensors that
// share memory.
func TestPyTorchFile(t *testing.T) {
	m, _ := load(t, "testdata/bert-ForPreTraining")
	back, err := Open("testdata/bin", LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "a .bin file", result(back, []int{5, 6, 7}), result(m, []int{5, 6, 7}))
}

// TestLegacyNames reads a file with the names of the first conversions, with and without a prefix.
func TestLegacyNames(t *testing.T) {
	m, _ := load(t, "testdata/bert-ForPreTraining")
	want := result(m, []int{5, 6, 7})
	for _, prefix := range []string{"", "module."} {
		dir := t.TempDir()
		config, err := os.ReadFile("testdata/bert-ForPreTraining/config.json")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o666); err != nil {
			t.Fatal(err)
		}
		f, err := checkpoint.Open("testdata/bert-ForPreTraining/model.safetensors", checkpoint.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var entries []checkpoint.Entry
		for x := range f.Tensors() {
			e := x.Entry()
			e.Name = prefix + strings.NewReplacer("LayerNorm.weight", "LayerNorm.gamma", "LayerNorm.bias", "LayerNorm.beta").Replace(e.Name)
			entries = append(entries, e)
		}
		entries = append(entries, checkpoint.Entry{Name: prefix + "bert.embeddings.position_ids", Shape: []int{1, 20}, Floats: make([]float32, 20)},
			checkpoint.Entry{Name: prefix + "cls.predictions.decoder.weight", Shape: []int{40, 16}, Floats: make([]float32, 640)})
		if err := checkpoint.Write(filepath.Join(dir, "model.safetensors"), entries, checkpoint.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		back, err := Open(dir, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		same(t, prefix, result(back, []int{5, 6, 7}), want)
	}
}

// TestBadFolder expects one clear error from each broken folder.
func TestBadFolder(t *testing.T) {
	const from = "testdata/roberta-ForSequenceClassification"
	for _, c := range []struct{ field, value, want string }{
		{"model_type", `"gpt2"`, `model_type: expected one of "bert", "roberta"`},
		{"model_type", `"vit"`, `found "vit", which package models/vit loads`},
		{"hidden_size", "24", "hidden_size: expected 16"},
		{"num_hidden_layers", "3", "num_hidden_layers: expected 2"},
		{"num_hidden_layers", "1000000", "num_hidden_layers: expected 2"},
		{"num_attention_heads", "3", "num_attention_heads: expected a divisor of hidden_size 16, found 3"},
		{"vocab_size", "1000000", "the configuration describes a model of at least"},
		{"vocab_size", "41", "word_embeddings"},
		{"max_position_embeddings", "2", "max_position_embeddings: expected more than pad_token_id+1 = 2, found 2"},
		{"max_position_embeddings", "21", "position_embeddings"},
		{"pad_token_id", "null", "pad_token_id: expected a number"},
		{"pad_token_id", "40", "pad_token_id: expected 0 to 39, found 40"},
		{"hidden_act", `"swoosh"`, "hidden_act: expected an activation"},
		{"is_decoder", "true", "is_decoder: decoders are not supported"},
		{"position_embedding_type", `"relative_key"`, "position_embedding_type: relative positions are not supported"},
		{"architectures", `["RobertaModel"]`, `unexpected: "classifier.dense.bias"`},
		{"architectures", `["RobertaForQuestionAnswering"]`, `unexpected: "classifier.dense.bias"`},
		{"architectures", `["RobertaForMaskedLM"]`, `unexpected: "classifier.dense.bias"`},
		{"architectures", `["RobertaForPreTraining"]`, `the model_type "roberta" has no task "ForPreTraining"`},
		{"layer_norm_eps", `"x"`, "layer_norm_eps: expected a number"},
		{"initializer_range", "-1", "initializer_range"},
	} {
		dir := t.TempDir()
		data, err := os.ReadFile(from + "/config.json")
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(data, &fields); err != nil {
			t.Fatal(err)
		}
		fields[c.field] = json.RawMessage(c.value)
		data, _ = json.Marshal(fields)
		weights, err := os.ReadFile(from + "/model.safetensors")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "config.json"), data, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "model.safetensors"), weights, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, LoadOptions{}); err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "bert: ") {
			t.Errorf("%s %s: expected an error with %q, found %v", c.field, c.value, c.want, err)
		}
	}
}

const transformerFile = "sentence_bert_config.json"

// modules returns a modules.json with paths and the names of classes.
func modules(list ...string) string {
	var parts []string
	for i, m := range list {
		path, class, _ := strings.Cut(m, ": ")
		parts = append(parts, fmt.Sprintf(`{"name": "%d", "path": %s, "type": "sentence_transformers.models.%s}`, i, path, class[1:]))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// TestBadSentences expects an error of Embed that names the file, and a model that takes ids all the same.
func TestBadSentences(t *testing.T) {
	m := New(tiny("bert"), Features, 0, rng())
	m.Sentences.Modules = []Module{Normalize{}}
	for _, c := range []struct{ file, text, want string }{
		{"modules.json", "[", "modules.json"},
		{"modules.json", modules(`"": "Transformer"`), "expected a module Pooling"},
		{"modules.json", modules(`"": "WordEmbeddings"`), "expected a module Transformer, found none at the beginning"},
		{"modules.json", modules(`"": "Transformer"`, `"1_Dense": "Dense"`), `expected Transformer and then Pooling, found "Dense"`},
		{"modules.json", modules(`"": "Transformer"`, `"1_Pooling": "Pooling"`, `"c": "CNN"`), `module 2: "CNN" is not supported`},
		{"modules.json", modules(`"": "Transformer"`, `"../1_Pooling": "Pooling"`), `module 1: path: expected a path inside the folder, found "../1_Pooling"`},
		{"modules.json", modules(`"0_Transformer": "Transformer"`), `module 0: path: expected the model in the folder itself, found "0_Transformer"`},
		{"modules.json", `[{"type": "custom.Transformer"}]`, `module 0: type: expected a class of sentence_transformers, found "custom.Transformer"`},
		{"modules.json", `[{"name": "a", "type": "sentence_transformers.Transformer"}, {"name": "a", "type": "sentence_transformers.Pooling"}]`, "module 1: name"},
		{"1_Pooling/config.json", `{"pooling_mode": "median"}`, "1_Pooling/config.json: pooling_mode: expected one of"},
		{"1_Pooling/config.json", `{"pooling_mode_sum": true}`, "1_Pooling/config.json: pooling_mode_sum: an unknown field"},
		{"2_Normalize/config.json", `{"module_input_name": "token_embeddings"}`, "2_Normalize/config.json: module_input_name: expected"},
		{"2_Normalize/config.json", `{"module_output_name": "x"}`, "module_output_name: expected"},
		{"config_sentence_transformers.json", `{"truncate_dim": 17}`, "truncate_dim: expected 1 to 16, found 17"},
		{"config_sentence_transformers.json", `{"prompts": {"a": null}, "default_prompt_name": "a"}`, "default_prompt_name"},
		{transformerFile, `{"max_seq_length": 0}`, "max_seq_length: expected at least 1, found 0"},
		{transformerFile, `{"max_seq_len": 10}`, transformerFile + ": max_seq_len: an unknown field"},
		{transformerFile, `{"query_length": 32}`, "query_length: the lengths of queries are not supported"},
		{transformerFile, `{"transformer_task": "fill-mask"}`, `transformer_task: expected "feature-extraction", found "fill-mask"`},
		{transformerFile, `{"tokenizer_args": {"model_max_length": -1}}`, "model_max_length: expected at least 1, found -1"},
		{transformerFile, `{"tokenizer_args": {"strip_accents": true}}`, "tokenizer_args: strip_accents: an unknown field"},
		{transformerFile, `{"config_args": {"hidden_size": 7}}`, "config_args: hidden_size: an unknown field"},
		{transformerFile, `{"model_args": {"variant": "x"}}`, "model_args: variant: an unknown field"},
		{transformerFile, `{"processing_kwargs": {"text": {"truncation": false}}}`, "processing_kwargs.text: truncation: other ways to cut"},
		{transformerFile, `{"processing_kwargs": {"common": {"add_special_tokens": false}}}`, "processing_kwargs.common: add_special_tokens"},
		{transformerFile, `{"modality_config": {"message": {}}}`, "modality_config: message: templates of chats"},
		{transformerFile, `{"modality_config": {"text": {"method": "forward", "method_output_name": "pooler_output"}}}`, "modality_config: text: expected the method forward"},
		{transformerFile, `{"modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}, "module_output_name": "x"}`, "module_output_name: expected"},
	} {
		dir := t.TempDir()
		if err := m.Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, c.file)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.text), 0o666); err != nil {
			t.Fatal(err)
		}
		back, err := Open(dir, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := back.Embed(context.Background(), "a"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: expected %q, found %v", c.file, c.want, err)
		}
		if !slices.Equal(result(back, []int{5}), result(m, []int{5})) {
			t.Error("the hidden states changed")
		}
	}
}
