package text

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/text/internal/model"
)

// wordPiece makes the model from tokenizer.json or vocab.txt.
func (f *folder) wordPiece() error {
	unknown := f.name("unk_token")
	if f.tokenizer != nil {
		m, err := f.fileModel("WordPiece")
		if err != nil {
			return err
		}
		return f.setModel(object{"type": "WordPiece", "unk_token": unknown, "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": m.Vocab})
	}
	data, err := f.must("vocab.txt")
	if err != nil {
		return err
	}
	entries, err := readVocabulary(data)
	if err != nil {
		return fmt.Errorf("vocab.txt: %w", err)
	}
	f.model, err = model.NewWordPiece(model.WordPieceOptions{Vocabulary: entries, Unknown: &unknown})
	if err != nil {
		return fmt.Errorf("vocab.txt: %w", err)
	}
	return nil
}

// fileModel are the fields of the model in tokenizer.json that a class takes over.
type fileModel struct {
	Type   *string         `json:"type"`
	Vocab  json.RawMessage `json:"vocab"`
	Merges json.RawMessage `json:"merges"`
	parsed model.Model
}

// fileModel reads the model in tokenizer.json, and keeps what the class takes from the rest of the file.
func (f *folder) fileModel(typ string) (*fileModel, error) {
	var b builder
	if err := b.parse(f.tokenizer); err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	f.json, f.truncation, f.padding = b.processor, b.truncation, b.padding
	if err := f.findCharsmap(b.normalizer); err != nil {
		return nil, fmt.Errorf("tokenizer.json: normalizer: %w", err)
	}
	var c struct {
		Model fileModel `json:"model"`
	}
	if err := strictjson.Decode(f.tokenizer, &c); err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	if found := fmt.Sprintf("%T", b.model); found != "*model."+typ {
		return nil, fmt.Errorf("tokenizer.json: model: expected %s for class %s, found %s", typ, f.class, found[len("*model."):])
	}
	c.Model.parsed = b.model
	return &c.Model, nil
}

// findCharsmap keeps the charsmap of the first Precompiled normalizer, which may be in a sequence.
func (f *folder) findCharsmap(data []byte) error {
	if strictjson.Null(data) {
		return nil
	}
	var c struct {
		Type string            `json:"type"`
		List []json.RawMessage `json:"normalizers"`
		Map  *string           `json:"precompiled_charsmap"`
	}
	if err := strictjson.Decode(data, &c); err != nil {
		return err
	}
	if c.Type != "Sequence" {
		c.List = []json.RawMessage{data}
	}
	for _, data := range c.List {
		var one struct {
			Type string  `json:"type"`
			Map  *string `json:"precompiled_charsmap"`
		}
		if err := strictjson.Decode(data, &one); err != nil {
			return err
		}
		if one.Type == "Precompiled" && one.Map != nil {
			f.charsmap = *one.Map
			return nil
		}
	}
	return nil
}

// setModel makes the model from its fields, as JSON has them.
func (f *folder) setModel(m object) error {
	vocab, listed := m["vocab"].(map[string]int)
	if merges, ok := m["merges"].([][2]string); ok && listed {
		return f.setBPE(m, vocab, merges)
	}
	data, err := marshal(m)
	if err == nil {
		f.model, err = model.Parse(data)
	}
	return err
}

// setBPE makes a BPE model from lists. The text of all merges of a hostile SentencePiece model can be far longer than
// its file, so they are not written as JSON.
func (f *folder) setBPE(m object, vocab map[string]int, merges [][2]string) (err error) {
	o := model.BPEOptions{Merges: merges}
	for _, token := range slices.Sorted(maps.Keys(vocab)) {
		o.Vocabulary = append(o.Vocabulary, model.Entry{Token: token, ID: vocab[token]})
	}
	if name, ok := m["unk_token"].(string); ok {
		o.Unknown = &name
	}
	o.Prefix, _ = m["continuing_subword_prefix"].(string)
	o.Suffix, _ = m["end_of_word_suffix"].(string)
	o.FuseUnknown, _ = m["fuse_unk"].(bool)
	o.ByteFallback, _ = m["byte_fallback"].(bool)
	if f.model, err = model.NewBPE(o); err != nil {
		err = fmt.Errorf("model BPE: %w", err)
	}
	return err
}
