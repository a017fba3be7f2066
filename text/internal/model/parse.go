package model

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/text/internal/component"
)

// Parse reads the "model" object of a tokenizer.json. An object without a type is, as in the reference, that of the
// first of BPE, WordPiece, WordLevel and Unigram whose fields it has. A field that the type does not know is an error
// that names it.
func Parse(data []byte) (Model, error) {
	if at := loneSurrogate(data); at >= 0 {
		return nil, fmt.Errorf("model: expected a pair of surrogates at byte %d, found one", at)
	}
	f := component.Object(data)
	kind := kindOf(f)
	if f.Err != nil {
		return nil, fmt.Errorf("model: %w", f.Err)
	}
	if slices.ContainsFunc(refused[kind], func(field strictjson.Field) bool { return f.Has(field.Name) }) {
		if err := refused[kind].Check(data); err != nil {
			return nil, fmt.Errorf("model %s: %w", kind, err)
		}
		for _, field := range refused[kind] {
			f.Skip(field.Name)
		}
	}
	m := parsers[kind](f)
	if err := f.End(); err != nil {
		return nil, fmt.Errorf("model %s: %w", kind, err)
	}
	return m, nil
}

type fields = component.Fields

var parsers = map[string]func(*fields) Model{
	"BPE": parseBPE, "WordPiece": parseWordPiece, "WordLevel": parseWordLevel, "Unigram": parseUnigram,
}

// refused lists the fields of each type that were never used, or change nothing.
var refused = map[string]strictjson.Fields{
	"BPE": {
		{Name: "dropout", Use: strictjson.Refused, Reason: "merges that are left out at random are unsupported", Same: []string{"null", "0"}},
		{Name: "cache_capacity", Use: strictjson.Harmless, Reason: "the cache has its own bound"},
	},
	"Unigram": {
		{Name: "alpha", Use: strictjson.Refused, Reason: "segmentations drawn at random are unsupported", Same: []string{"null", "0"}},
		{Name: "nbest_size", Use: strictjson.Refused, Reason: "segmentations drawn at random are unsupported", Same: []string{"null", "0"}},
	},
}

// kindOf reads the type of a model.
func kindOf(f *fields) string {
	has := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(n string) bool { return !f.Has(n) })
	}
	switch {
	case f.Err != nil:
		return ""
	case has("type"):
		kind := component.Required[string](f, "type")
		if parsers[kind] == nil {
			f.Fail("type: expected BPE, WordPiece, WordLevel or Unigram, found %q", kind)
		}
		return kind
	case has("vocab", "merges"):
		return "BPE"
	case has("vocab", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word"):
		return "WordPiece"
	case has("vocab", "unk_token"):
		return "WordLevel"
	case has("vocab"):
		return "Unigram"
	}
	f.Fail("type: expected BPE, WordPiece, WordLevel or Unigram, found none")
	return ""
}

// keep passes a model on, and puts its error into the fields.
func keep(f *fields, m Model, err error) Model {
	if err != nil {
		f.Fail("%w", err)
	}
	return m
}

// readVocabulary reads an object of tokens and ids.
func readVocabulary(f *fields) []Entry {
	var entries []Entry
	data := f.Raw("vocab")
	if f.Err != nil {
		return nil
	}
	err := strictjson.Members(data, func(token string, value []byte) {
		id, err := strconv.ParseUint(string(value), 10, 32)
		if err != nil {
			f.Fail("vocab: id of token %s: expected a whole number from 0 to %d, found %s", short(token), uint32(math.MaxUint32), short(string(value)))
		}
		entries = append(entries, Entry{Token: token, ID: int(id)})
	})
	if err != nil {
		f.Fail("vocab: %w", err)
	}
	return entries
}

func parseWordPiece(f *fields) Model {
	o := WordPieceOptions{
		Unknown: new(component.Required[string](f, "unk_token")), Prefix: new(component.Required[string](f, "continuing_subword_prefix")),
		MaxChars: new(component.Required[int](f, "max_input_chars_per_word")), Vocabulary: readVocabulary(f),
	}
	if *o.MaxChars < 0 {
		f.Fail("max_input_chars_per_word: expected a whole number of at least 0, found %d", *o.MaxChars)
	}
	if f.Err != nil {
		return nil
	}
	m, err := NewWordPiece(o)
	return keep(f, m, err)
}

func parseWordLevel(f *fields) Model {
	o := WordLevelOptions{Unknown: new(component.Required[string](f, "unk_token")), Vocabulary: readVocabulary(f)}
	if f.Err != nil {
		return nil
	}
	m, err := NewWordLevel(o)
	return keep(f, m, err)
}

func parseBPE(f *fields) Model {
	flag := func(name string) bool {
		v := component.Optional[*bool](f, name, nil)
		return v != nil && *v
	}
	text := func(name string) string {
		if v := component.Optional[*string](f, name, nil); v != nil {
			return *v
		}
		return ""
	}
	o := BPEOptions{
		Unknown: component.Optional[*string](f, "unk_token", nil), Prefix: text("continuing_subword_prefix"), Suffix: text("end_of_word_suffix"),
		FuseUnknown: flag("fuse_unk"), ByteFallback: flag("byte_fallback"), IgnoreMerges: flag("ignore_merges"),
		Vocabulary: readVocabulary(f), Merges: readMerges(f),
	}
	if f.Err != nil {
		return nil
	}
	m, err := NewBPE(o)
	return keep(f, m, err)
}

// readMerges reads a list of merges: all of them pairs of tokens, or all of them texts with a space between two tokens.
func readMerges(f *fields) [][2]string {
	var lines []string
	var pairs [][2]string
	var bad error
	data := f.Raw("merges")
	if f.Err != nil {
		return nil
	}
	err := strictjson.Elements(data, func(value []byte) {
		if bad != nil {
			return
		}
		if value[0] != '[' {
			var line string
			if line, bad = strictjson.Text(value); bad == nil {
				lines = append(lines, line)
			}
			return
		}
		var pair []string
		if pair, bad = textList(value); bad != nil {
			return
		}
		if len(pair) != 2 {
			bad = fmt.Errorf("merge %d: expected two tokens, found %d", len(pairs), len(pair))
			return
		}
		pairs = append(pairs, [2]string(pair))
	})
	if err = cmp.Or(err, bad); err == nil && len(lines) > 0 {
		if len(pairs) > 0 {
			err = fmt.Errorf("expected pairs or texts, found %d pairs and %d texts", len(pairs), len(lines))
		} else {
			pairs, err = splitMerges(lines)
		}
	}
	if err != nil {
		f.Fail("merges: %w", err)
	}
	return pairs
}

// textList reads a list of texts.
func textList(value []byte) ([]string, error) {
	out := make([]string, 0, 2)
	var bad error
	err := strictjson.Elements(value, func(value []byte) {
		text, err := strictjson.Text(value)
		bad = cmp.Or(bad, err)
		out = append(out, text)
	})
	return out, cmp.Or(err, bad)
}

func parseUnigram(f *fields) Model {
	o := UnigramOptions{ByteFallback: component.Optional(f, "byte_fallback", false), Unknown: component.Optional[*int](f, "unk_id", nil)}
	data := f.Raw("vocab")
	if f.Err != nil {
		return nil
	}
	var bad error
	err := strictjson.Elements(data, func(value []byte) {
		if bad == nil {
			var p Piece
			p, bad = parsePiece(value)
			o.Pieces = append(o.Pieces, p)
		}
	})
	if err = cmp.Or(err, bad); err != nil {
		f.Fail("vocab: %w", err)
	}
	if o.Unknown != nil && *o.Unknown < 0 {
		f.Fail("unk_id: expected a whole number of at least 0, found %d", *o.Unknown)
	}
	if f.Err != nil {
		return nil
	}
	m, err := NewUnigram(o)
	return keep(f, m, err)
}

// parsePiece reads a list of a token and a score.
func parsePiece(value []byte) (Piece, error) {
	var p Piece
	var bad error
	n := 0
	err := strictjson.Elements(value, func(value []byte) {
		var err error
		switch n++; n {
		case 1:
			p.Token, err = strictjson.Text(value)
		case 2:
			p.Score, err = parseScore(string(value))
		}
		bad = cmp.Or(bad, err)
	})
	switch err = cmp.Or(err, bad); {
	case err == nil && n != 2:
		err = fmt.Errorf("expected a token and a score, found %d values", n)
	case err != nil && p.Token != "":
		err = fmt.Errorf("score of token %s: %w", short(p.Token), err)
	}
	return p, err
}

// loneSurrogate returns the place of an escaped half of a surrogate pair that lacks the other half, or -1. The
// reference refuses it; other readers put U+FFFD in its place.
func loneSurrogate(data []byte) int {
	for at := 0; ; {
		i := bytes.IndexByte(data[at:], '\\')
		if i < 0 {
			return -1
		}
		at += i
		switch unit := escapedUnit(data[at:]); {
		case unit < 0:
			at += 2
			if at > len(data) {
				return -1
			}
		case unit&0xf800 != 0xd800:
			at += 6
		case unit < 0xdc00 && escapedUnit(data[at+6:])&^0x3ff == 0xdc00:
			at += 12
		default:
			return at
		}
	}
}

// escapedUnit returns the UTF-16 unit of an escape such as \u00e9 at the start of data, or -1.
func escapedUnit(data []byte) int {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return int(n)
}
