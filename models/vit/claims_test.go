package vit

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fovea-ml/fovea/checkpoint"
	"github.com/fovea-ml/fovea/models"
)

// folder is the tiny model with some fields of its configuration and some tensors replaced.
func folder(t *testing.T, fields map[string]any, replaced ...checkpoint.Entry) fstest.MapFS {
	t.Helper()
	config := map[string]any{}
	data, err := os.ReadFile("testdata/tiny/config.json")
	if err == nil {
		err = json.Unmarshal(data, &config)
	}
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range fields {
		config[k] = v
	}
	if data, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.Open("testdata/tiny/model.safetensors", checkpoint.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	entries := replaced
	gone := map[string]bool{}
	for _, e := range replaced {
		gone[e.Name] = true
	}
	for x := range f.Tensors() {
		if gone[x.Name] {
			continue
		}
		values := make([]float32, x.Len())
		if err := x.Floats(values); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, checkpoint.Entry{Name: x.Name, Shape: x.Shape, Floats: values})
	}
	var weights bytes.Buffer
	if err := checkpoint.Encode(&weights, entries, checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{"config.json": {Data: data}, "model.safetensors": {Data: weights.Bytes()}}
}

// TestClaims loads small folders that describe large models: each is an error, before memory is set aside.
func TestClaims(t *testing.T) {
	for _, c := range []struct {
		name   string
		fsys   fstest.MapFS
		expect string
	}{
		{"rows without width", folder(t, nil, checkpoint.Entry{Name: "classifier.weight", Shape: []int{1 << 30, 0}, Floats: []float32{}}), "[classes 32]"},
		{"narrow rows", folder(t, nil, checkpoint.Entry{Name: "classifier.weight", Shape: []int{5, 1}, Floats: make([]float32, 5)}), "[classes 32]"},
		{"blocks of one value", folder(t, map[string]any{
			"num_hidden_layers": 1 << 10, "hidden_size": 1, "intermediate_size": 1, "num_attention_heads": 1}), "describes a model"},
		{"many blocks", folder(t, map[string]any{"num_hidden_layers": 1_000_000}), "describes a model"},
		{"huge stride", folder(t, map[string]any{"model_type": "fovea_vit", "stem": StemConfig{Kind: convStem,
			Channels: slices.Repeat([]int{8}, 8), Kernels: slices.Repeat([]int{256}, 8)}}), "stem: kernels: expected a stride of at most 65536 pixels"},
		{"huge pooling", folder(t, map[string]any{"model_type": "fovea_vit", "pooling": AttentionPooling, "pool_intermediate_size": 1 << 20}), "the configuration describes a model"},
		{"many branches", folder(t, map[string]any{"model_type": "fovea_vit", "parallel_branches": 64}), "the configuration describes a model"},
		{"huge", folder(t, map[string]any{"hidden_size": 1_000_000}), "describes a model"},
	} {
		for _, lenient := range []bool{false, true} {
			expect := c.expect
			if !lenient && expect == "describes a model" {
				expect = "as in vit." // the field and the tensor
			}
			if _, err := Load(c.fsys, LoadOptions{Lenient: lenient}); err == nil || !strings.Contains(err.Error(), expect) {
				t.Errorf("%s: expected an error with %q, found %v", c.name, expect, err)
			}
		}
	}
	// Where the tensors that tell the sizes are missing, the number of values counts.
	few := folder(t, map[string]any{"hidden_size": 1 << 14, "num_attention_heads": 1}, checkpoint.Entry{Name: "vit.layernorm.weight", Shape: []int{32}, Floats: make([]float32, 32)})
	data := few["model.safetensors"].Data
	for _, name := range []string{"patch_embeddings.projection.weight", "layer.0.intermediate.dense.weight"} {
		data = bytes.ReplaceAll(data, []byte(name), []byte(strings.ToUpper(name)))
	}
	few["model.safetensors"].Data = data
	if _, err := Load(few, LoadOptions{}); err == nil || !strings.Contains(err.Error(), "describes a model") {
		t.Errorf("without the telling tensors: %v", err)
	}
}

// TestDisagreement names the field of a configuration that the weights contradict, and the tensor that does.
func TestDisagreement(t *testing.T) {
	const embeddings, block = "vit.embeddings.", "vit.encoder.layer.0."
	for _, c := range []struct {
		fields map[string]any
		want   string
	}{
		{map[string]any{"num_channels": 1}, "num_channels: expected 3, as in " + embeddings + "patch_embeddings.projection.weight, found 1"},
		{map[string]any{"patch_size": 12}, "patch_size: expected 8, as in " + embeddings + "patch_embeddings.projection.weight, found 12"},
		{map[string]any{"hidden_size": 64}, "hidden_size: expected 32, as in " + embeddings + "patch_embeddings.projection.weight, found 64"},
		{map[string]any{"hidden_size": nil}, "hidden_size: expected 32, as in " + embeddings + "patch_embeddings.projection.weight, found none, which means 768"},
		{map[string]any{"num_hidden_layers": 3}, "num_hidden_layers: expected 2, as in vit.encoder.layer.1.layernorm_before.weight, found 3"},
		{map[string]any{"intermediate_size": 128}, "intermediate_size: expected 64, as in " + block + "intermediate.dense.weight, found 128"},
		{map[string]any{"qkv_bias": false}, "qkv_bias: expected true, as in " + block + "attention.attention.query.bias, found false"},
		{map[string]any{"image_size": 48}, "image_size: expected 24, as in " + embeddings + "position_embeddings, found 48"},
		{map[string]any{"image_size": []int{24, 32}}, "image_size: expected 24, as in " + embeddings + "position_embeddings, found 24×32"},
		{map[string]any{"image_size": 24, "hidden_size": 64, "intermediate_size": 3}, "hidden_size: expected 32"},
		{map[string]any{"image_size": []int{8, 72}}, ""}, // as many patches
	} {
		fsys := folder(t, c.fields)
		for name, value := range c.fields {
			if value == nil {
				fsys["config.json"].Data = bytes.Replace(fsys["config.json"].Data, []byte(`"`+name+`":null,`), nil, 1)
			}
		}
		_, err := Load(fsys, LoadOptions{})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), "vit: config.json: "+c.want) {
			t.Errorf("%v: expected %q, found %v", c.fields, c.want, err)
		}
	}
	odd := inMemory(t, "odd")
	odd["config.json"].Data = bytes.Replace(odd["config.json"].Data, []byte(`"qkv_bias": false`), []byte(`"qkv_bias": true`), 1)
	want := "qkv_bias: expected false, as in " + block + "attention.attention.query.weight without a bias, found true"
	if _, err := Load(odd, LoadOptions{}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("expected %q, found %v", want, err)
	}
	// Positions of a grid that is not square tell the number of patches alone.
	table := checkpoint.Entry{Name: "vit.embeddings.position_embeddings", Shape: []int{1, 7, 32}, Floats: make([]float32, 7*32)}
	want = "image_size: expected an image of 6 patches of 8×8 pixels, as in vit.embeddings.position_embeddings, found 24"
	if _, err := Load(folder(t, nil, table), LoadOptions{}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("expected %q, found %v", want, err)
	}
}

// inMemory reads the files of a model into memory.
func inMemory(t *testing.T, name string) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	for _, file := range []string{"config.json", "model.safetensors"} {
		data, err := os.ReadFile("testdata/" + name + "/" + file)
		if err != nil {
			t.Fatal(err)
		}
		files[file] = &fstest.MapFile{Data: data}
	}
	return files
}

// TestLabelIDs reads label2id as transformers' fine-tuning script writes it: with the numbers in quotes.
func TestLabelIDs(t *testing.T) {
	names := map[string]string{"0": "a", "1": "b", "2": "c", "3": "d", "4": "e"}
	for _, ids := range []any{
		map[string]string{"a": "0", "b": "1", "c": "2", "d": "3", "e": "4"},
		map[string]int{"a": 0, "b": 1, "c": 2, "d": 3, "e": 4},
	} {
		m, err := Load(folder(t, map[string]any{"id2label": names, "label2id": ids}), LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(models.LabelIDs{"a": 0, "b": 1, "c": 2, "d": 3, "e": 4}, m.Config.Label2ID); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]string{"a", "b", "c", "d", "e"}, m.Config.Labels()); d != "" {
			t.Error(d)
		}
	}
	if _, err := Load(folder(t, map[string]any{"label2id": map[string]string{"a": "first"}}), LoadOptions{}); err == nil || !strings.Contains(err.Error(), "label2id") {
		t.Errorf("expected an error that names label2id, found %v", err)
	}
}

// TestPrefixedHead finds the classifier under the prefixes that the name table knows.
func TestPrefixedHead(t *testing.T) {
	f, err := checkpoint.Open("testdata/tiny/model.safetensors", checkpoint.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var entries []checkpoint.Entry
	for x := range f.Tensors() {
		values := make([]float32, x.Len())
		if err := x.Floats(values); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, checkpoint.Entry{Name: "module." + x.Name, Shape: x.Shape, Floats: values})
	}
	var weights bytes.Buffer
	if err := checkpoint.Encode(&weights, entries, checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	fsys := folder(t, nil)
	fsys["model.safetensors"] = &fstest.MapFile{Data: weights.Bytes()}
	m, err := Load(fsys, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if m.Head == nil || m.Head.Weight.Shape()[0] != 5 {
		t.Error("the classifier was not found")
	}
}
