package bert

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// edit replaces a text in a file of a folder.
func edit(t *testing.T, path, old, with string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte(old)) {
		t.Fatalf("%s lacks %s", path, old)
	}
	if err := os.WriteFile(path, bytes.Replace(data, []byte(old), []byte(with), 1), 0o666); err != nil {
		t.Fatal(err)
	}
}

// The tokenizer of DeBERTa-v3 gives token types, and the model has none.
func TestTypesOfDeBERTa(t *testing.T) {
	base := small(t, SequenceClassification, "no", "yes")
	c := tiny("deberta-v2")
	c.VocabSize, c.TypeVocabSize = base.Config.VocabSize, 0
	m := New(c, SequenceClassification, 2, rng())
	m.Tokenizer = base.Tokenizer
	if _, err := m.ClassifyPairs(context.Background(), Pair{"a cat", "a dog"}); err != nil {
		t.Error(err)
	}
}

// Folders of sentence-transformers keep the architecture of pre-training, such as MPNetForMaskedLM, without its heads.
func TestHeadsLeftOut(t *testing.T) {
	for _, name := range []string{"mpnet", "roberta", "bert"} {
		c := tiny(name)
		m := New(c, Features, 0, rng())
		dir := t.TempDir()
		if err := m.Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		edit(t, filepath.Join(dir, "config.json"), `Model"`, `ForMaskedLM"`)
		back, err := Open(dir, LoadOptions{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if back.Task != Features || back.Masked != nil {
			t.Errorf("%s: task %s, head %v", name, back.Task, back.Masked)
		}
	}
}

// sentence-transformers 6 writes the function of scores beside the prompts, and reads it before config.json.
func TestActivationFile(t *testing.T) {
	m := small(t, SequenceClassification, "score")
	dir := t.TempDir()
	if err := m.Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	score := func() float64 {
		back, err := Open(dir, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		ranked, err := back.Rerank(context.Background(), "a cat", "a dog")
		if err != nil {
			t.Fatal(err)
		}
		return float64(ranked[0].Score)
	}
	usual := score()
	for name, data := range map[string]string{
		sentencesName:   `{"model_type": "CrossEncoder", "activation_fn": "torch.nn.modules.linear.Identity"}`,
		"modules.json":  modules(`"": "Transformer"`),
		transformerFile: `{"transformer_task": "sequence-classification"}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if logit := score(); math.Abs(1/(1+math.Exp(-logit))-usual) > 1e-6 || logit == usual {
		t.Errorf("logit %v, score %v", logit, usual)
	}
}
