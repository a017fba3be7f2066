package text

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/text/internal/model"
	"github.com/fovea-ml/fovea/text/internal/normalize"
	"github.com/fovea-ml/fovea/text/internal/split"
)

// components are the parts of a pipeline as JSON, for saving.
type components struct {
	normalizer, splitter, processor, decoder json.RawMessage
}

// config holds the settings of a folder that are not part of the pipeline.
type config struct {
	cleanUp    bool   // take out spaces after decoding
	suffix     string // becomes a space after decoding, which then loses the spaces at its ends; "" for none
	openAI     bool   // clean the text as OpenAI's code for CLIP does
	canonical  bool   // clean the text as open_clip does for SigLIP
	whitespace bool   // clean the text as open_clip does for tokenizers of transformers
	plain      bool   // special tokens in texts are ordinary text
	maxLength  int    // 0: no limit
	special    map[string]string
}

// Parse reads a tokenizer.json as the library tokenizers does. A component or field that is not supported is an error that names
// it. Ids of added tokens follow from the model and the order of the list, as in the reference.
func Parse(data []byte) (*Tokenizer, error) {
	t, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	return t, nil
}

func parse(data []byte) (*Tokenizer, error) {
	b := new(builder)
	if err := b.parse(data); err != nil {
		return nil, err
	}
	return b.build()
}

// builder holds the parts of a tokenizer before it is complete.
type builder struct {
	components
	model      model.Model
	added      [][]AddedToken // in the order in which they are added
	truncation *Truncation
	padding    *Padding
	config     config
	code       *siglip // in the place of the components, nil for none
	// late makes the post-processor when the ids of its tokens are known. It is nil where processor has it.
	late func(id func(string) (int, error)) (json.RawMessage, error)
}

// parse reads a tokenizer.json into b.
func (b *builder) parse(data []byte) error {
	fields := map[string]json.RawMessage{}
	var unknown error
	known := []string{"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model"}
	err := strictjson.Object(data, func(key string, value []byte) {
		fields[key] = value
		if unknown == nil && !slices.Contains(known, key) {
			unknown = fmt.Errorf("%s: unsupported field", key)
		}
	})
	if err == nil {
		err = unknown
	}
	if err != nil {
		return err
	}
	for _, key := range known[1:] {
		if fields[key] == nil {
			fields[key] = json.RawMessage("null")
		}
	}
	if v := fields["version"]; v != nil && string(v) != `"1.0"` {
		return fmt.Errorf(`version: expected "1.0", found %s`, v)
	}
	b.components = components{fields["normalizer"], fields["pre_tokenizer"], fields["post_processor"], fields["decoder"]}
	if b.truncation, err = parseTruncation(fields["truncation"]); err != nil {
		return fmt.Errorf("truncation: %w", err)
	}
	if b.padding, err = parsePadding(fields["padding"]); err != nil {
		return fmt.Errorf("padding: %w", err)
	}
	added, err := parseAdded(fields["added_tokens"])
	if err != nil {
		return fmt.Errorf("added_tokens: %w", err)
	}
	b.added = append(b.added, added)
	if strictjson.Null(fields["model"]) {
		return fmt.Errorf("model: expected an object, found none")
	}
	b.model, err = model.Parse(fields["model"])
	return err
}

// build makes the tokenizer.
func (b *builder) build() (*Tokenizer, error) {
	t := &Tokenizer{model: b.model, raw: b.components, truncation: b.truncation, padding: b.padding, config: b.config}
	var err error
	if t.normalizer, err = normalize.Parse(b.normalizer); err != nil {
		return nil, err
	}
	if t.splitter, err = split.Parse(b.splitter); err != nil {
		return nil, err
	}
	if t.decoders, err = parseDecoder(b.decoder, maxNested); err == nil {
		err = checkDecoders(t.decoders)
	}
	if err != nil {
		return nil, fmt.Errorf("decoder: %w", err)
	}
	t.added = newVocabulary(t.model)
	for _, tokens := range b.added {
		if err := t.added.add(tokens, t.normalizer); err != nil {
			return nil, err
		}
	}
	t.added.build()
	if b.code != nil {
		return t, b.code.attach(t)
	}
	if b.late != nil {
		if t.raw.processor, err = b.late(t.mustID); err != nil {
			return nil, err
		}
	}
	if t.processor, err = parseProcessor(t.raw.processor, maxNested); err != nil {
		return nil, fmt.Errorf("post_processor: %w", err)
	}
	return t, nil
}

// mustID returns the id of a token that a post-processor adds.
func (t *Tokenizer) mustID(token string) (int, error) {
	id, ok := t.added.id(token)
	if !ok {
		return 0, fmt.Errorf("expected a vocabulary with the special token %q, found none", token)
	}
	return id, nil
}

// Defaults returns options with the truncation and padding that belong to the tokenizer, for use with [Tokenizer.Encode]. After
// [Parse] they are those of the file. After [Open] they cut to the maximum length of the model, and pad to the longest, on the
// sides that the folder states. Each is nil where nothing is stated.
func (t *Tokenizer) Defaults() Options {
	var o Options
	if t.truncation != nil {
		o.Truncation = new(*t.truncation)
	}
	if t.padding != nil {
		o.Padding = new(*t.padding)
	}
	return o
}

func parseTruncation(data []byte) (*Truncation, error) {
	if strictjson.Null(data) {
		return nil, nil
	}
	c := struct {
		Direction string `json:"direction"`
		Max       int    `json:"max_length"`
		Strategy  string `json:"strategy"`
		Stride    int    `json:"stride"`
	}{Direction: "Right"}
	if err := decode(data, &c, "max_length strategy stride", "direction"); err != nil {
		return nil, err
	}
	strategy := slices.Index(strategies, c.Strategy)
	switch {
	case c.Direction != "Right" && c.Direction != "Left":
		return nil, fmt.Errorf("direction: expected Left or Right, found %q", c.Direction)
	case strategy < 0:
		return nil, fmt.Errorf("strategy: expected one of %v, found %q", strategies, c.Strategy)
	case c.Max < 0 || c.Stride < 0:
		return nil, fmt.Errorf("max_length, stride: expected at least 0, found %d and %d", c.Max, c.Stride)
	}
	return &Truncation{Max: c.Max, Strategy: Strategy(strategy), Stride: c.Stride, Left: c.Direction == "Left", Overflow: true}, nil
}

// strategies are the names of the strategies in tokenizer.json.
var strategies = []string{"LongestFirst", "OnlyFirst", "OnlySecond"}

func parsePadding(data []byte) (*Padding, error) {
	if strictjson.Null(data) {
		return nil, nil
	}
	var c struct {
		Strategy  json.RawMessage `json:"strategy"`
		Direction string          `json:"direction"`
		Multiple  *int            `json:"pad_to_multiple_of"`
		ID        int             `json:"pad_id"`
		TypeID    int             `json:"pad_type_id"`
		Token     string          `json:"pad_token"`
	}
	if err := decode(data, &c, "strategy direction pad_id pad_type_id pad_token", "pad_to_multiple_of"); err != nil {
		return nil, err
	}
	p := &Padding{ID: c.ID, TypeID: c.TypeID, Token: c.Token, Left: c.Direction == "Left"}
	if c.Multiple != nil {
		p.Multiple = *c.Multiple
	}
	if string(c.Strategy) != `"BatchLongest"` {
		var fixed struct {
			Length int `json:"Fixed"`
		}
		if err := decode(c.Strategy, &fixed, "Fixed", ""); err != nil {
			return nil, fmt.Errorf("strategy: %w", err)
		}
		p.Length = fixed.Length
	}
	switch {
	case c.Direction != "Right" && c.Direction != "Left":
		return nil, fmt.Errorf("direction: expected Left or Right, found %q", c.Direction)
	case p.Length < 0 || p.Multiple < 0:
		return nil, fmt.Errorf("length, pad_to_multiple_of: expected at least 0, found %d and %d", p.Length, p.Multiple)
	}
	if err := checkID("pad_type_id", p.TypeID); err != nil {
		return nil, err
	}
	return p, checkID("pad_id", p.ID)
}

// parseAdded reads the list "added_tokens".
func parseAdded(data []byte) ([]AddedToken, error) {
	var list []json.RawMessage
	if err := strictjson.Decode(data, &list); err != nil {
		return nil, err
	}
	out := make([]AddedToken, len(list))
	for i, data := range list {
		if err := out[i].read(data); err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return out, nil
}

// addedFields are the fields of an added token.
var addedFields = []string{"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"}

// read fills t from an object that has every field. It takes one pass, because lists of added tokens can be long.
func (t *AddedToken) read(data []byte) error {
	var first error
	found := 0
	err := strictjson.Object(data, func(key string, value []byte) {
		var err error
		at := slices.Index(addedFields, key)
		switch flag := string(value) == "true"; at {
		case 0:
			if err = strictjson.Decode(value, &t.ID); err == nil {
				err = checkID("id", t.ID)
			}
		case 1:
			err = strictjson.Decode(value, &t.Content)
		case -1:
			err = fmt.Errorf("unsupported field")
		default:
			if !flag && string(value) != "false" {
				err = fmt.Errorf("expected true or false, found %.40s", value)
			}
			*[]*bool{&t.SingleWord, &t.LStrip, &t.RStrip, &t.Normalized, &t.Special}[at-2] = flag
		}
		if err != nil && first == nil {
			first = fmt.Errorf("%s: %w", key, err)
		}
		found |= 1 << max(at, 0)
	})
	if err == nil {
		err = first
	}
	for i, name := range addedFields {
		if err == nil && found&(1<<i) == 0 {
			err = fmt.Errorf("%s: expected a value, found no such field", name)
		}
	}
	return err
}
