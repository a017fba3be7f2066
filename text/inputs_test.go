package text

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestGives expects the inputs of the class, or of the field that replaces them.
func TestGives(t *testing.T) {
	vocabulary := []byte("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n")
	for config, want := range map[string]bool{
		`{"tokenizer_class": "BertTokenizer"}`:                                                                true,
		`{"tokenizer_class": "ElectraTokenizerFast"}`:                                                         true,
		`{"tokenizer_class": "DistilBertTokenizer"}`:                                                          false,
		`{"tokenizer_class": "BertTokenizer", "model_input_names": ["input_ids"]}`:                            false,
		`{"tokenizer_class": "DistilBertTokenizer", "model_input_names": ["input_ids", "token_type_ids"]}`:    true,
		`{"tokenizer_class": "BertTokenizerFast", "model_input_names": ["input_ids", "attention_mask"]}`:      false,
		`{"tokenizer_class": "BertTokenizerFast", "model_input_names": ["attention_mask", "token_type_ids"]}`: true,
	} {
		k, err := Open(fstest.MapFS{"vocab.txt": {Data: vocabulary}, "tokenizer_config.json": {Data: []byte(config)}}, OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(k.ModelInputs(), "token_type_ids"); got != want {
			t.Errorf("%s: token types %v, expected %v", config, got, want)
		}
		if strings.Contains(config, "model_input_names") {
			if got, want := slices.Contains(k.ModelInputs(), "attention_mask"), strings.Contains(config, "attention_mask"); got != want {
				t.Errorf("%s: mask %v, expected %v", config, got, want)
			}
		}
		data, err := k.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if bare, err := Parse(data); err != nil || !slices.Equal(bare.ModelInputs(), []string{"input_ids", "attention_mask"}) {
			t.Errorf("%s: without a class: %v", config, err)
		}
	}
	bad := fstest.MapFS{"vocab.txt": {Data: vocabulary}, "tokenizer_config.json": {Data: []byte(`{"tokenizer_class": "BertTokenizer", "model_input_names": "input_ids"}`)}}
	if _, err := Open(bad, OpenOptions{}); err == nil || !strings.Contains(err.Error(), "model_input_names") {
		t.Errorf("found error %v", err)
	}
}

// TestLowerCase leaves special tokens as they are, and keeps offsets in the original text.
func TestLowerCase(t *testing.T) {
	k, err := Open(fstest.MapFS{
		"vocab.txt":             {Data: []byte("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n")},
		"tokenizer_config.json": {Data: []byte(`{"tokenizer_class": "BertTokenizer", "do_lower_case": false}`)},
	}, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"A [MASK] B b": "[CLS] a [MASK] b b [SEP]", "[mask]": "[CLS] [UNK] [UNK] [UNK] [SEP]"} {
		e, err := k.Encode(text, Options{LowerCase: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(e.Tokens, " "); got != want {
			t.Errorf("%q: found %q, expected %q", text, got, want)
		}
		for i, at := range e.Offsets {
			if e.Tokens[i] == "b" && !strings.EqualFold(text[at[0]:at[1]], "b") {
				t.Errorf("%q: token %d lies at %v", text, i, at)
			}
		}
	}
}
