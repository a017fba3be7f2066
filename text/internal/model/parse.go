package model

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/fovea-ml/fovea/internal/strictjson"
)

// Parse reads the "model" object of a tokenizer.json. An object without a type is, as in the reference, that of the first
// of BPE, WordPiece, WordLevel and Unigram whose fields it has. A field that the type does not know is an error that names
// it.
func Parse(data []byte) (Model, error) {
	if at := loneSurrogate(data); at >= 0 {
		return nil, fmt.Errorf("model: expected a pair of surrogates at byte %d, found one", at)
	}
	o := object{}
	if err := strictjson.Object(data, func(key string, value []byte) { o[key] = value }); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	kind, err := o.kind()
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if o.has("dropout") || o.has("alpha") || o.has("nbest_size") {
		err = fields[kind].Check(data)
	}
	var m Model
	if err == nil {
		m, err = parsers[kind](o)
	}
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", kind, err)
	}
	return m, nil
}

var parsers = map[string]func(object) (Model, error){
	"BPE": parseBPE, "WordPiece": parseWordPiece, "WordLevel": parseWordLevel, "Unigram": parseUnigram,
}

// fields lists the fields of each type, and the fields that were never used or change nothing.
var fields = map[string]strictjson.Fields{
	"BPE": {
		{Name: "type"}, {Name: "unk_token"}, {Name: "continuing_subword_prefix"}, {Name: "end_of_word_suffix"},
		{Name: "fuse_unk"}, {Name: "byte_fallback"}, {Name: "ignore_merges"}, {Name: "vocab"}, {Name: "merges"},
		{Name: "dropout", Use: strictjson.Refused, Reason: "merges that are left out at random are unsupported", Same: []string{"null", "0"}},
		{Name: "cache_capacity", Use: strictjson.Harmless, Reason: "the cache has its own bound"},
	},
	"WordPiece": {
		{Name: "type"}, {Name: "unk_token"}, {Name: "continuing_subword_prefix"}, {Name: "max_input_chars_per_word"}, {Name: "vocab"},
	},
	"WordLevel": {{Name: "type"}, {Name: "unk_token"}, {Name: "vocab"}},
	"Unigram": {
		{Name: "type"}, {Name: "unk_id"}, {Name: "vocab"}, {Name: "byte_fallback"},
		{Name: "alpha", Use: strictjson.Refused, Reason: "segmentations drawn at random are unsupported", Same: []string{"null", "0"}},
		{Name: "nbest_size", Use: strictjson.Refused, Reason: "segmentations drawn at random are unsupported", Same: []string{"null", "0"}},
	},
}

// object holds the texts of the fields of a JSON object.
type object map[string][]byte

func (o object) has(names ...string) bool {
	return !slices.ContainsFunc(names, func(n string) bool { return o[n] == nil })
}

// kind returns the type of a model and checks the names of its fields.
func (o object) kind() (string, error) {
	kind := ""
	switch {
	case o.has("type"):
		if err := o.read("type", &kind); err != nil {
			return "", err
		}
		if parsers[kind] == nil {
			return "", fmt.Errorf("type: expected BPE, WordPiece, WordLevel or Unigram, found %q", kind)
		}
	case o.has("vocab", "merges"):
		kind = "BPE"
	case o.has("vocab", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word"):
		kind = "WordPiece"
	case o.has("vocab", "unk_token"):
		kind = "WordLevel"
	case o.has("vocab"):
		kind = "Unigram"
	default:
		return "", errors.New("type: expected BPE, WordPiece, WordLevel or Unigram, found none")
	}
	names := make([]string, 0, len(o))
	for name := range o {
		names = append(names, name)
	}
	slices.Sort(names)
	if unknown := fields[kind].Missing(names); len(unknown) > 0 {
		return "", fmt.Errorf("%s: unknown field of the model %s", strconv.Quote(unknown[0]), kind)
	}
	return kind, nil
}

// read fills target from a field. An absent field leaves it as it is.
func (o object) read(name string, target any) error {
	value, ok := o[name]
	if !ok {
		return nil
	}
	if err := strictjson.Decode(value, target); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// need returns an error that names the first absent field.
func (o object) need(names ...string) error {
	for _, n := range names {
		if !o.has(n) {
			return fmt.Errorf("%s: expected the field, found none", n)
		}
	}
	return nil
}

// number reads a whole number that is not negative.
func (o object) number(name string) (int, error) {
	n, err := strconv.ParseInt(string(o[name]), 10, strconv.IntSize)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s: expected a whole number of at least 0, found %s", name, short(string(o[name])))
	}
	return int(n), nil
}

// vocabulary reads an object of tokens and ids.
func (o object) vocabulary() ([]Entry, error) {
	var entries []Entry
	var bad error
	err := strictjson.Members(o["vocab"], func(token string, value []byte) {
		id, err := strconv.ParseUint(string(value), 10, 32)
		if err != nil && bad == nil {
			bad = fmt.Errorf("vocab: id of token %s: expected a whole number from 0 to %d, found %s", short(token), uint32(math.MaxUint32), short(string(value)))
		}
		entries = append(entries, Entry{Token: token, ID: int(id)})
	})
	if err != nil {
		return nil, fmt.Errorf("vocab: %w", err)
	}
	return entries, bad
}

func parseWordPiece(o object) (Model, error) {
	var unknown, prefix string
	if err := o.need("unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"); err != nil {
		return nil, err
	}
	if err := errors.Join(o.read("unk_token", &unknown), o.read("continuing_subword_prefix", &prefix)); err != nil {
		return nil, err
	}
	most, err := o.number("max_input_chars_per_word")
	if err != nil {
		return nil, err
	}
	entries, err := o.vocabulary()
	if err != nil {
		return nil, err
	}
	return NewWordPiece(WordPieceOptions{Vocabulary: entries, Unknown: &unknown, Prefix: &prefix, MaxChars: &most})
}

func parseWordLevel(o object) (Model, error) {
	var unknown string
	if err := o.need("unk_token", "vocab"); err != nil {
		return nil, err
	}
	if err := o.read("unk_token", &unknown); err != nil {
		return nil, err
	}
	entries, err := o.vocabulary()
	if err != nil {
		return nil, err
	}
	return NewWordLevel(WordLevelOptions{Vocabulary: entries, Unknown: &unknown})
}

func parseBPE(o object) (Model, error) {
	if err := o.need("vocab", "merges"); err != nil {
		return nil, err
	}
	var prefix, suffix *string
	var fuse, fallback, ignore *bool
	options := BPEOptions{}
	err := cmp.Or(o.read("unk_token", &options.Unknown),
		o.read("continuing_subword_prefix", &prefix), o.read("end_of_word_suffix", &suffix),
		o.read("fuse_unk", &fuse), o.read("byte_fallback", &fallback), o.read("ignore_merges", &ignore))
	if err != nil {
		return nil, err
	}
	options.Prefix, options.Suffix = value(prefix), value(suffix)
	options.FuseUnknown, options.ByteFallback, options.IgnoreMerges = value(fuse), value(fallback), value(ignore)
	if options.Vocabulary, err = o.vocabulary(); err != nil {
		return nil, err
	}
	if options.Merges, err = o.merges(); err != nil {
		return nil, err
	}
	return NewBPE(options)
}

// value returns the value at p, or zero.
func value[T any](p *T) T {
	if p == nil {
		return *new(T)
	}
	return *p
}

// merges reads a list of merges: all of them pairs of tokens, or all of them texts with a space between two tokens.
func (o object) merges() ([][2]string, error) {
	var lines []string
	var pairs [][2]string
	var bad error
	err := strictjson.Elements(o["merges"], func(value []byte) {
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
		return nil, fmt.Errorf("merges: %w", err)
	}
	return pairs, nil
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

func parseUnigram(o object) (Model, error) {
	if err := o.need("vocab"); err != nil {
		return nil, err
	}
	var options UnigramOptions
	if err := o.read("byte_fallback", &options.ByteFallback); err != nil {
		return nil, err
	}
	var bad error
	err := strictjson.Elements(o["vocab"], func(value []byte) {
		if bad == nil {
			var p Piece
			p, bad = parsePiece(value)
			options.Pieces = append(options.Pieces, p)
		}
	})
	if err = cmp.Or(err, bad); err != nil {
		return nil, fmt.Errorf("vocab: %w", err)
	}
	if o.has("unk_id") && !strictjson.Null(o["unk_id"]) {
		id, err := o.number("unk_id")
		if err != nil {
			return nil, err
		}
		options.Unknown = &id
	}
	return NewUnigram(options)
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

// loneSurrogate returns the place of an escaped half of a surrogate pair that lacks the other half, or -1. The reference
// refuses it; other readers put U+FFFD in its place.
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
