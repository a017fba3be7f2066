package text

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/text/internal/component"
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
	cleanUp    bool     // take out spaces after decoding
	suffix     string   // becomes a space after decoding, which then loses the spaces at its ends; "" for none
	openAI     bool     // clean the text as OpenAI's code for CLIP does
	canonical  bool     // clean the text as open_clip does for SigLIP
	whitespace bool     // clean the text as open_clip does for tokenizers of transformers
	plain      bool     // special tokens in texts are ordinary text
	maxLength  int      // 0: no limit
	inputs     []string // what transformers gives a model; nil means ids and the mask
	special    map[string]string
}

// Parse reads a tokenizer.json as the library tokenizers does. A component or field that is not supported is an error
// that names it. Ids of added tokens follow from the model and the order of the list, as in the reference.
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
	if t.decoders, err = parseDecoder(b.decoder); err != nil {
		return nil, err
	}
	if err = checkDecoders(t.decoders); err != nil {
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
	if t.processor, err = parseProcessor(t.raw.processor); err != nil {
		return nil, err
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

// Defaults returns options with the truncation and padding that belong to the tokenizer, for use with
// [Tokenizer.Encode]. After [Parse] they are those of the file. After [Open] they cut to the maximum length of the
// model, and pad to the longest, on the sides that the folder states. Truncation is nil where neither a limit nor the
// left side is stated, and Padding is nil without a padding token: check before you change their fields.
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
	f := component.Object(data)
	t := &Truncation{Max: component.Required[int](f, "max_length"), Stride: component.Required[int](f, "stride"), Overflow: true}
	name := component.Required[string](f, "strategy")
	strategy := slices.Index(strategies, name)
	if t.Left = isLeft(f, component.Optional(f, "direction", "Right")); strategy < 0 {
		f.Fail("strategy: expected one of %v, found %q", strategies, name)
	}
	if t.Max < 0 || t.Stride < 0 {
		f.Fail("max_length, stride: expected at least 0, found %d and %d", t.Max, t.Stride)
	}
	t.Strategy = Strategy(max(0, strategy))
	return t, f.End()
}

// isLeft reports whether the field "direction" says left.
func isLeft(f *component.Fields, direction string) bool {
	if direction != "Right" && direction != "Left" {
		f.Fail("direction: expected Left or Right, found %q", direction)
	}
	return direction == "Left"
}

// strategies are the names of the strategies in tokenizer.json.
var strategies = []string{"LongestFirst", "OnlyFirst", "OnlySecond"}

func parsePadding(data []byte) (*Padding, error) {
	if strictjson.Null(data) {
		return nil, nil
	}
	f := component.Object(data)
	p := &Padding{
		ID: requiredID(f, "pad_id"), TypeID: requiredID(f, "pad_type_id"), Token: component.Required[string](f, "pad_token"),
		Left: isLeft(f, component.Required[string](f, "direction")),
	}
	if multiple := component.Optional[*int](f, "pad_to_multiple_of", nil); multiple != nil {
		p.Multiple = *multiple
	}
	if strategy := f.Raw("strategy"); f.Err == nil && string(strategy) != `"BatchLongest"` {
		g := component.Object(strategy)
		p.Length = component.Required[int](g, "Fixed")
		if err := g.End(); err != nil {
			f.Fail("strategy: %w", err)
		}
	}
	if p.Length < 0 || p.Multiple < 0 {
		f.Fail("length, pad_to_multiple_of: expected at least 0, found %d and %d", p.Length, p.Multiple)
	}
	return p, f.End()
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
