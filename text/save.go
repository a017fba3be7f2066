package text

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
)

// MarshalJSON returns a tokenizer.json, which tokenizers loads to equal ids. Rules that no tokenizer.json can hold are
// an error: those of OpenAI's code and of open_clip, and of the class SiglipTokenizer.
//
// It leaves out the settings of tokenizer_config.json: the names for [Tokenizer.Special], the inputs for
// [Tokenizer.ModelInputs], the cleaning of decoded text (also of CLIP's </w>), and split_special_tokens.
func (t *Tokenizer) MarshalJSON() ([]byte, error) {
	if t.config.openAI || t.config.canonical || t.config.whitespace {
		return nil, errors.New("a tokenizer.json cannot hold the rules of OpenAI's code for CLIP, nor of open_clip")
	}
	m, err := t.model.MarshalJSON()
	if err != nil {
		return nil, err
	}
	added := []AddedToken{}
	for _, id := range slices.Sorted(maps.Keys(t.added.tokens)) {
		added = append(added, t.added.tokens[id])
	}
	return marshal(struct {
		Version    string          `json:"version"`
		Truncation json.RawMessage `json:"truncation"`
		Padding    json.RawMessage `json:"padding"`
		Added      []AddedToken    `json:"added_tokens"`
		Normalizer json.RawMessage `json:"normalizer"`
		Splitter   json.RawMessage `json:"pre_tokenizer"`
		Processor  json.RawMessage `json:"post_processor"`
		Decoder    json.RawMessage `json:"decoder"`
		Model      json.RawMessage `json:"model"`
	}{
		"1.0", t.truncation.json(), t.padding.json(), added, bytes.Clone(t.raw.normalizer), bytes.Clone(t.raw.splitter),
		bytes.Clone(t.raw.processor), bytes.Clone(t.raw.decoder), m,
	})
}

func (t *Truncation) json() json.RawMessage {
	if t == nil {
		return json.RawMessage("null")
	}
	data, _ := json.Marshal(struct {
		Direction string `json:"direction"`
		Max       int    `json:"max_length"`
		Strategy  string `json:"strategy"`
		Stride    int    `json:"stride"`
	}{direction(t.Left), t.Max, strategies[t.Strategy], t.Stride})
	return data
}

func (p *Padding) json() json.RawMessage {
	if p == nil {
		return json.RawMessage("null")
	}
	var strategy any = "BatchLongest"
	if p.Length > 0 {
		strategy = map[string]int{"Fixed": p.Length}
	}
	var multiple *int
	if p.Multiple > 0 {
		multiple = &p.Multiple
	}
	data, _ := marshal(struct {
		Strategy  any    `json:"strategy"`
		Direction string `json:"direction"`
		Multiple  *int   `json:"pad_to_multiple_of"`
		ID        int    `json:"pad_id"`
		TypeID    int    `json:"pad_type_id"`
		Token     string `json:"pad_token"`
	}{strategy, direction(p.Left), multiple, p.ID, p.TypeID, p.Token})
	return data
}

func direction(left bool) string {
	if left {
		return "Left"
	}
	return "Right"
}
