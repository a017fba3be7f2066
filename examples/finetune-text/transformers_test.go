package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/oracle"
	"github.com/fovea-ml/fovea/models/bert"
	"github.com/fovea-ml/fovea/text"
)

// TestTransformers loads a trained folder with transformers, and compares tokens and logits.
func TestTransformers(t *testing.T) {
	data, dir := tickets(t), t.TempDir()
	model := filepath.Join(dir, modelName)
	reference := oracle.Command(t, "torch and transformers", "check_bert.py", model)
	if _, err := started(t, arguments(data, dir, "-epochs", "2")).do(t.Context()); err != nil {
		t.Fatal(err)
	}
	m, err := bert.Open(model, bert.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	list := []string{"Where is my INVOICE?", "pässword 猫 no. 12", ""}
	var tokens [][]int
	var types []int
	for _, s := range list {
		e, err := m.Tokenizer.Encode(s, text.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if tokens = append(tokens, e.IDs); types == nil {
			types = e.TypeIDs
		}
	}
	p, err := m.Classify(t.Context(), list[0])
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(map[string]any{"texts": list, "tokens": tokens, "ids": tokens[0], "types": types, "output": p[0].Logits})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(model, "want.json"), want, 0o666); err != nil {
		t.Fatal(err)
	}
	if out, err := reference.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
