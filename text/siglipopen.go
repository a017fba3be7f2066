package text

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/internal/strictjson"
)

// siglip is SiglipTokenizer, which reads a SentencePiece model alone.
func (f *folder) siglip() error {
	f.standard(plain("eos_token", "</s>", "unk_token", "<unk>", "pad_token", "</s>"))
	if err := f.needs("eos_token", "unk_token"); err != nil {
		return err
	}
	lower, err := setting(f.settings, "do_lower_case", true)
	if err != nil {
		return err
	}
	legacy, err := setting(f.settings, "legacy", true)
	if err != nil {
		return err
	}
	whole, err := setting(f.settings, "split_special_tokens", false)
	if err != nil {
		return err
	}
	if value, ok := f.fields["sp_model_kwargs"]; ok && !strictjson.Null(value) && string(value) != "{}" {
		return fmt.Errorf("tokenizer_config.json: sp_model_kwargs: expected {}, found %s: options of SentencePiece are unsupported", value)
	}
	extra := f.extra
	m, err := f.sentencePiece()
	if err == nil && m == nil {
		_, err = f.must(pieceFiles[f.class])
	}
	if err != nil {
		return err
	}
	f.extra = extra // pieces of the model are not added tokens here
	m.dummy = m.dummy && legacy
	if f.code, err = newSiglip(m, f.name("unk_token"), f.name("eos_token"), lower, whole); err != nil {
		return fmt.Errorf("spiece.model: %w", err)
	}
	if _, ok := f.fields["model_max_length"]; !ok {
		f.fields["model_max_length"] = []byte("64")
	}
	f.model = f.code.model
	if err := f.put(nil, nil, nil); err != nil {
		return err
	}
	return f.addSiglipTokens()
}

// addSiglipTokens adds the tokens as the constructor of PythonBackend does (tokenization_python.py): a token is special
// where it is named, whatever its flag says. It refuses flags and ids that would need other rules for finding tokens.
func (f *folder) addSiglipTokens() error {
	var names []string
	for _, name := range slices.Concat(specialNames, f.own) {
		if t := f.special[name]; t != nil {
			names = append(names, t.Content)
		}
	}
	for _, t := range f.extra {
		names = append(names, t.Content)
	}
	var list []AddedToken
	known := map[string]bool{}
	next := f.model.Size()
	for _, t := range f.settings.added {
		id, ok := f.model.ID(t.Content)
		if !ok {
			id = next
			next++
		}
		if t.ID != id {
			return fmt.Errorf("tokenizer_config.json: added_tokens_decoder: expected id %d for token %q, found %d, unsupported for class SiglipTokenizer", id, t.Content, t.ID)
		}
		known[t.Content] = true
		list = append(list, AddedToken{Content: t.Content, LStrip: t.LStrip, RStrip: t.RStrip, SingleWord: t.SingleWord, Special: slices.Contains(names, t.Content)})
	}
	beyond := next > f.model.Size()
	for _, name := range names {
		if known[name] || name == "" {
			continue
		}
		if _, ok := f.model.ID(name); !ok && beyond {
			return fmt.Errorf("tokenizer_config.json: added_tokens_decoder: expected the special token %q, found none: unsupported for class SiglipTokenizer", name)
		}
		known[name] = true
		list = append(list, AddedToken{Content: name, Special: true})
	}
	contents := make([]string, len(list))
	for i, t := range list {
		contents[i] = t.Content
		if t.SingleWord {
			return fmt.Errorf("added token %q: single_word is unsupported for class SiglipTokenizer", t.Content)
		}
		if t.Content == "" || strings.Contains(t.Content, space) || strings.ContainsFunc(t.Content, pythonSpace) {
			return fmt.Errorf("added token %q: a token with spaces, or without text, is unsupported for class SiglipTokenizer", t.Content)
		}
	}
	// Python's search for added tokens has rules of its own where one is inside another.
	inside := newMatcher(contents)
	for _, c := range contents {
		if len(c) > 2 && len(inside.find(nil, c[1:len(c)-1])) > 0 {
			return fmt.Errorf("added token %q: a token with another token in it is unsupported for class SiglipTokenizer", c)
		}
	}
	f.builder.added = [][]AddedToken{list}
	return nil
}

// attach makes t a SiglipTokenizer.
func (s *siglip) attach(t *Tokenizer) error {
	id, err := t.mustID(s.eos)
	if err != nil {
		return err
	}
	t.code = s
	t.processor = &endProcessor{specialToken{s.eos, id}}
	t.decoders = []decoder{&siglipDecoder{s, t.added.special}}
	return nil
}

// endProcessor adds a token at the end of each text, unless it is there. All types are 0.
type endProcessor struct{ end specialToken }

func (p *endProcessor) added(texts int) int { return texts }

func (p *endProcessor) process(parts []*part, special bool) ([]*part, error) {
	out := make([]*part, len(parts))
	for i, q := range parts {
		q = q.clone()
		for _, o := range append([]*part{q}, q.over...) {
			o.setType(0)
		}
		out[i] = q
		if special {
			out[i] = p.append(q, i)
			for j, o := range q.over {
				out[i].over[j] = p.append(o, i)
			}
		}
	}
	return out, nil
}

// append returns text i with the token at its end.
func (p *endProcessor) append(q *part, i int) *part {
	if n := q.len(); n > 0 && q.ids[n-1] == p.end.id {
		same := *q
		same.setSequence(i)
		return &same
	}
	return wrap(nil, q, p.end.run(0), i)
}
