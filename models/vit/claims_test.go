package vit

import (
	"bytes"
	"encoding/json"
	"os"
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
	} {
		for _, lenient := range []bool{false, true} {
			if _, err := Load(c.fsys, LoadOptions{Lenient: lenient}); err == nil || !strings.Contains(err.Error(), c.expect) {
				t.Errorf("%s: expected an error with %q, found %v", c.name, c.expect, err)
			}
		}
	}
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
