package text

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/text/internal/component"
)

// specialNames are the special tokens that every class has, in the order in which they are added.
var specialNames = []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}

// spec is a token of a configuration: an added token with its flags, or its text alone.
type spec struct {
	AddedToken
	plain bool // a text alone
	loose bool // Normalized is not stated: it is true unless the token is special
}

// text returns a spec of a text alone. Where it is added, it is special.
func text(content string) *spec { return &spec{AddedToken: AddedToken{Content: content}, plain: true} }

// settings are the fields of tokenizer_config.json, and of the older files beside it.
type settings struct {
	fields  map[string]json.RawMessage
	order   []string         // of the fields
	special map[string]*spec // nil for a token that is null
	own     []string         // names of special tokens that only this model has
	extra   []*spec          // nil: not stated
	added   []AddedToken     // added_tokens_decoder, by id
}

// refused are fields of tokenizer_config.json that change the ids in ways that are not supported.
var refused = strictjson.Fields{
	{Name: "fix_mistral_regex", Use: strictjson.Refused, Reason: "a pattern other than the one in the file is unsupported", Same: []string{"null", "false"}},
	{Name: "fast_tokenizer_files", Use: strictjson.Refused, Reason: "files for versions of transformers are unsupported", Same: []string{"null"}},
	{Name: "vocab", Use: strictjson.Refused, Reason: "a vocabulary in the configuration is unsupported", Same: []string{"null"}},
	{Name: "merges", Use: strictjson.Refused, Reason: "merges in the configuration are unsupported", Same: []string{"null"}},
	{Name: "post_processor", Use: strictjson.Refused, Reason: "a post-processor in the configuration is unsupported", Same: []string{"null"}},
	{Name: "tokenizer_object", Use: strictjson.Refused, Reason: "a tokenizer in the configuration is unsupported", Same: []string{"null"}},
	{Name: "gguf_file", Use: strictjson.Refused, Reason: "GGUF is unsupported", Same: []string{"null"}},
	{Name: "language", Use: strictjson.Refused, Reason: "a language token is unsupported", Same: []string{"null"}},
	{Name: "task", Use: strictjson.Refused, Reason: "a task token is unsupported", Same: []string{"null"}},
}

// readSettings reads tokenizer_config.json. The other files are read where it has no added_tokens_decoder; nil is a
// file that is missing. It follows PreTrainedTokenizerBase._from_pretrained of transformers.
func readSettings(config, specialMap, addedTokens, tokenizer []byte) (*settings, error) {
	s := &settings{fields: map[string]json.RawMessage{}, special: map[string]*spec{}}
	if config != nil {
		if err := refused.Check(config); err != nil {
			return nil, fmt.Errorf("tokenizer_config.json: %w", err)
		}
		err := strictjson.Object(config, s.set)
		if err != nil {
			return nil, fmt.Errorf("tokenizer_config.json: %w", err)
		}
	}
	if err := s.readAdded(specialMap, addedTokens, tokenizer); err != nil {
		return nil, err
	}
	if err := s.readSpecial(); err != nil {
		return nil, fmt.Errorf("tokenizer_config.json: %w", err)
	}
	return s, nil
}

func (s *settings) set(key string, value []byte) {
	if _, ok := s.fields[key]; !ok {
		s.order = append(s.order, key)
	}
	s.fields[key] = value
}

// readAdded reads the added tokens.
func (s *settings) readAdded(specialMap, addedTokens, tokenizer []byte) error {
	s.renameExtra()
	if data, ok := s.fields["added_tokens_decoder"]; ok {
		return readDecoder(data, func(t AddedToken) { s.added = append(s.added, t) })
	}
	if specialMap != nil {
		err := strictjson.Object(specialMap, s.setSpecial)
		if err != nil {
			return fmt.Errorf("special_tokens_map.json: %w", err)
		}
	}
	byID := map[int]AddedToken{}
	if addedTokens != nil {
		if err := s.readAddedFile(addedTokens, byID); err != nil {
			return fmt.Errorf("added_tokens.json: %w", err)
		}
	}
	if tokenizer != nil {
		var c struct {
			Added json.RawMessage `json:"added_tokens"`
		}
		err := strictjson.Decode(tokenizer, &c)
		var list []AddedToken
		if err == nil && c.Added != nil {
			list, err = parseAdded(c.Added)
		}
		if err != nil {
			return fmt.Errorf("tokenizer.json: added_tokens: %w", err)
		}
		for _, t := range list {
			byID[t.ID] = t
		}
	}
	for _, t := range byID {
		s.added = append(s.added, t)
	}
	slices.SortFunc(s.added, func(a, b AddedToken) int { return cmp.Compare(a.ID, b.ID) })
	return nil
}

// renameExtra moves additional_special_tokens, the older name, to extra_special_tokens where that states nothing. A
// list that special_tokens_map.json gives under the older name comes later and keeps it: pieces of a SentencePiece
// model replace it.
func (s *settings) renameExtra() {
	older, ok := s.fields["additional_special_tokens"]
	if !ok {
		return
	}
	switch string(bytes.TrimSpace(s.fields["extra_special_tokens"])) {
	case "", "null", "[]", "{}":
		s.set("extra_special_tokens", older)
		delete(s.fields, "additional_special_tokens")
	}
}

// statesExtra reports whether the configuration lists extra special tokens under their newer name.
func (s *settings) statesExtra() bool {
	value, ok := s.fields["extra_special_tokens"]
	return ok && !bytes.HasPrefix(value, []byte("{"))
}

// setSpecial sets a field of special_tokens_map.json. Lists of extra special tokens are joined.
func (s *settings) setSpecial(key string, value []byte) {
	if key != "extra_special_tokens" {
		s.set(key, marked(value))
		return
	}
	var old, list []json.RawMessage
	if strictjson.Decode(value, &list) != nil || list == nil {
		s.set(key, value)
		return
	}
	if s.statesExtra() {
		_ = strictjson.Decode(s.fields[key], &old) // readSpecial reports errors
	}
	for _, t := range list {
		t = marked(t)
		if !slices.ContainsFunc(old, func(o json.RawMessage) bool { return bytes.Equal(o, t) }) {
			old = append(old, t)
		}
	}
	if data, err := marshal(old); err == nil {
		s.set(key, data)
	}
}

// marked marks an object of special_tokens_map.json as an added token that is special.
func marked(value []byte) json.RawMessage {
	if len(value) == 0 || value[0] != '{' {
		return value
	}
	fields := map[string]json.RawMessage{}
	_ = strictjson.Object(value, func(key string, value []byte) { fields[key] = value }) // the syntax is checked
	fields["special"], fields["__type"] = json.RawMessage("true"), json.RawMessage(`"AddedToken"`)
	data, err := marshal(fields)
	if err != nil {
		return value
	}
	return data
}

// readDecoder reads added_tokens_decoder, and gives its tokens by ascending id.
func readDecoder(data []byte, add func(AddedToken)) error {
	var list []AddedToken
	var first error
	err := strictjson.Object(data, func(key string, value []byte) {
		id, err := strconv.Atoi(key)
		var t AddedToken
		if err != nil {
			err = fmt.Errorf("expected an id, found %q", key)
		} else if t, err = parseToken(value); err != nil {
			err = fmt.Errorf("%s: %w", key, err)
		}
		if err != nil && first == nil {
			first = err
		}
		t.ID = id
		list = append(list, t)
	})
	if err == nil {
		err = first
	}
	if err != nil {
		return fmt.Errorf("tokenizer_config.json: added_tokens_decoder: %w", err)
	}
	slices.SortFunc(list, func(a, b AddedToken) int { return cmp.Compare(a.ID, b.ID) })
	for _, t := range list {
		add(t)
	}
	return nil
}

// parseToken reads an added token with the defaults of Python's AddedToken.
func parseToken(data []byte) (AddedToken, error) {
	f := component.Object(data)
	t := AddedToken{
		Content: component.Required[string](f, "content"), SingleWord: component.Optional(f, "single_word", false),
		LStrip: component.Optional(f, "lstrip", false), RStrip: component.Optional(f, "rstrip", false), Special: component.Optional(f, "special", false),
	}
	normalized := component.Optional[*bool](f, "normalized", nil)
	f.Skip("__type", "id")
	if t.Normalized = !t.Special; normalized != nil {
		t.Normalized = *normalized
	}
	return t, f.End()
}

// readAddedFile reads added_tokens.json: ids by token. Tokens that are also special tokens are special.
func (s *settings) readAddedFile(data []byte, byID map[int]AddedToken) error {
	var ids map[string]int
	if err := strictjson.Decode(data, &ids); err != nil {
		return err
	}
	special := map[string]bool{}
	for _, name := range specialNames {
		if t, err := parseSpec(s.fields[name]); err == nil && t != nil {
			special[t.Content] = true
		}
	}
	var list []json.RawMessage
	if strictjson.Decode(s.fields["extra_special_tokens"], &list) == nil {
		for _, data := range list {
			if t, err := parseSpec(data); err == nil && t != nil {
				special[t.Content] = true
			}
		}
	}
	for token, id := range ids {
		byID[id] = AddedToken{ID: id, Content: token, Normalized: !special[token], Special: special[token]}
	}
	return nil
}

// readSpecial reads the special tokens. A token that is also an added token has the flags of that.
func (s *settings) readSpecial() error {
	flags := map[string]AddedToken{}
	for _, t := range s.added {
		flags[t.Content] = t
	}
	for _, key := range s.order {
		value := s.fields[key]
		known := slices.Contains(specialNames, key)
		if !known && !strings.HasSuffix(key, "_token") {
			continue
		}
		if !known && (len(value) == 0 || value[0] != '"' && value[0] != '{') {
			continue // such as add_bos_token
		}
		t, err := parseSpec(value)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if known && t != nil {
			if f, ok := flags[t.Content]; ok {
				t = &spec{AddedToken: f}
			}
		}
		if s.special[key] = t; !known {
			s.own = append(s.own, key)
		}
	}
	for _, name := range []string{"extra_special_tokens", "additional_special_tokens"} {
		value := s.fields[name]
		if value == nil || strictjson.Null(value) || name == "additional_special_tokens" && s.statesExtra() {
			continue
		}
		if value[0] == '{' {
			if err := s.readNamed(value); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			continue
		}
		var list []json.RawMessage
		if err := strictjson.Decode(value, &list); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for i, data := range list {
			t, err := parseSpec(data)
			if err == nil && t == nil {
				err = fmt.Errorf("expected a token, found null")
			}
			if err != nil {
				return fmt.Errorf("%s[%d]: %w", name, i, err)
			}
			s.extra = append(s.extra, t)
		}
	}
	return nil
}

// readNamed reads extra_special_tokens where it has names.
func (s *settings) readNamed(data []byte) error {
	var first error
	err := strictjson.Object(data, func(key string, value []byte) {
		t, err := parseSpec(value)
		if err == nil && t == nil {
			err = fmt.Errorf("expected a token, found null")
		}
		if err != nil && first == nil {
			first = fmt.Errorf("%s: %w", key, err)
		}
		if s.special[key] == nil {
			s.own = append(s.own, key)
		}
		s.special[key] = t
	})
	if err == nil {
		err = first
	}
	return err
}

// parseSpec reads a special token: a text, an object with its flags, or null.
func parseSpec(data []byte) (*spec, error) {
	if len(data) == 0 || strictjson.Null(data) {
		return nil, nil
	}
	if data[0] == '"' {
		var content string
		if err := strictjson.Decode(data, &content); err != nil {
			return nil, err
		}
		return text(content), nil
	}
	var mark struct {
		Type string `json:"__type"`
	}
	if err := strictjson.Decode(data, &mark); err != nil {
		return nil, fmt.Errorf("expected a token: %w", err)
	}
	if mark.Type != "AddedToken" {
		return nil, fmt.Errorf(`__type: expected "AddedToken", found %q`, mark.Type)
	}
	t, err := parseToken(data)
	if err != nil {
		return nil, err
	}
	loose := true
	err = strictjson.Object(data, func(key string, value []byte) {
		if key == "normalized" && !strictjson.Null(value) {
			loose = false
		}
	})
	return &spec{AddedToken: t, loose: loose}, err
}

// setting returns a field of tokenizer_config.json, or its standard where it is absent.
func setting[T any](s *settings, name string, standard T) (T, error) {
	value, ok := s.fields[name]
	if !ok {
		return standard, nil
	}
	target := struct {
		Value T `json:"value"`
	}{standard}
	if err := strictjson.Decode(fmt.Appendf(nil, `{"value": %s}`, value), &target); err != nil {
		return standard, fmt.Errorf("tokenizer_config.json: %s%s", name, strings.TrimPrefix(err.Error(), "value"))
	}
	return target.Value, nil
}
