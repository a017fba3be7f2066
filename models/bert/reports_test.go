package bert

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/text"
)

// The tests of this file stand for public reports about other libraries, with inputs of their own.

// TestPositionsAfterPadding limits a RoBERTa whose padding token is 3 to the positions that are left
// (rinnakk/japanese-pretrained-models#3, transformers#15292).
func TestPositionsAfterPadding(t *testing.T) {
	c := tiny("roberta")
	c.PadTokenID = new(3)
	m := New(c, Features, 0, rng())
	if m.MaxTokens != 16 {
		t.Fatalf("%d tokens, expected 16 of 20 positions", m.MaxTokens)
	}
	tape := autograd.NewTape(autograd.Options{})
	ids := make([]int, 17)
	for i := range ids {
		ids[i] = 5 + i
	}
	m.Hidden(tape, Pack(ids[:16]))
	err := tape.Try(func() error { m.Hidden(tape, Pack(ids)); return nil })
	if shape := (*autograd.ShapeError)(nil); !errors.As(err, &shape) {
		t.Errorf("17 tokens: found %v", err)
	}
}

// TestFirstWord finds an answer that begins with the first word of the context, in the middle of a word, and none where
// there is no context (FARM#552, transformers#2623).
func TestFirstWord(t *testing.T) {
	e, err := minilm(t).Tokenizer.EncodePair("Which city?", "Unbelievableville is large.", text.Options{})
	if err != nil {
		t.Fatal(err)
	}
	logits := make([]float32, 2*e.Len())
	first := 0
	for i, s := range e.Sequences {
		if s == 1 {
			first = i
			break
		}
	}
	logits[2*(first+1)], logits[2*(first+1)+1] = 20, 20 // a piece of the word
	logits[2*1], logits[2*1+1] = 40, 40                 // the question cannot be an answer
	found, none := spans(e, logits, AnswerOptions{Top: 1, MaxTokens: 15})
	if a := found[0]; a.Start != 0 || a.End != len("Unbelievableville") || a.Score < 0.99 || none > 0.01 {
		t.Errorf("found %+v, no answer %v", a, none)
	}
}

// TestSaturated keeps the order of texts whose scores all round to 1 (haiku.rag#529).
func TestSaturated(t *testing.T) {
	ranked := rank([]float32{18, 25, -3, 30}, autograd.ActSigmoid)
	for i, want := range []int{3, 1, 0, 2} {
		if ranked[i].Index != want {
			t.Errorf("found %v", ranked)
			break
		}
	}
	if ranked[0].Score != 1 || ranked[1].Score != 1 {
		t.Errorf("found %v, expected scores of 1", ranked)
	}
}

// TestPairTypes gives the two texts of a pair types of their own: the same texts in one sequence have another result
// (hugot#41).
func TestPairTypes(t *testing.T) {
	m := small(t, SequenceClassification, "no", "yes")
	ctx := context.Background()
	pair, err := m.ClassifyPairs(ctx, Pair{"a dog", "a cat"})
	if err != nil {
		t.Fatal(err)
	}
	one, err := m.Classify(ctx, "a dog [SEP] a cat")
	if err != nil {
		t.Fatal(err)
	}
	if pair[0].Logits[0] == one[0].Logits[0] {
		t.Error("the types of the tokens do not count")
	}
}

// TestLeftPadding refuses embeddings where a batch of sentence-transformers would move the positions of short texts.
func TestLeftPadding(t *testing.T) {
	for modelType, refused := range map[string]bool{"bert": true, "roberta": false, "modernbert": false} {
		dir := t.TempDir()
		if err := New(tiny(modelType), Features, 0, rng()).Save(dir, SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		for name, data := range map[string]string{
			"vocab.txt":             "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n",
			"tokenizer_config.json": `{"tokenizer_class": "BertTokenizer", "padding_side": "left", "model_input_names": ["input_ids"]}`,
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		m, err := Open(dir, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.Embed(context.Background(), "a b")
		if found := err != nil && strings.Contains(err.Error(), `padding_side: expected right, found left`); found != refused {
			t.Errorf("%s: found %v", modelType, err)
		}
	}
}

// TestOldestFolder reads a folder without a model_type and with a vocab.txt alone, such as prajjwal1/bert-tiny.
func TestOldestFolder(t *testing.T) {
	dir := t.TempDir()
	if err := New(tiny("bert"), Features, 0, rng()).Save(dir, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"vocab.txt": "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n",
		"config.json": `{"hidden_size": 16, "hidden_act": "gelu", "initializer_range": 0.02, "vocab_size": 40, "hidden_dropout_prob": 0.1,
			"num_attention_heads": 2, "type_vocab_size": 2, "max_position_embeddings": 20, "num_hidden_layers": 2, "intermediate_size": 24,
			"attention_probs_dropout_prob": 0.1}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	m, err := Open(dir, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Embed(context.Background(), "A b"); err != nil || !m.usesTypes() {
		t.Error(err, m.usesTypes())
	}
}
