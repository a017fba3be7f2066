package split

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/fovea-ml/fovea/internal/strictjson"
	"github.com/fovea-ml/fovea/text/internal/chars"
	"github.com/fovea-ml/fovea/text/internal/regex"
)

// maxDepth is the greatest depth of sequences in sequences.
const maxDepth = 32

// Parse reads the field "pre_tokenizer" of a tokenizer.json. For null it returns nil. An error names the unsupported type, or the
// field that is wrong.
func Parse(data []byte) (Splitter, error) {
	if strictjson.Null(data) {
		return nil, nil
	}
	s, err := parse(data, 0)
	if err != nil {
		return nil, fmt.Errorf("pre_tokenizer: %w", err)
	}
	return s, nil
}

// types are the splitters by name.
var types map[string]func(f *fields, depth int) Splitter

func init() {
	fixed := func(s Splitter) func(*fields, int) Splitter { return func(*fields, int) Splitter { return s } }
	types = map[string]func(f *fields, depth int) Splitter{
		"BertPreTokenizer":   fixed(bert{}),
		"ByteLevel":          parseByteLevel,
		"CharDelimiterSplit": func(f *fields, _ int) Splitter { return delimiter(f.character("delimiter")) },
		"Digits":             parseDigits,
		"FixedLength":        parseFixedLength,
		"Metaspace":          parseMetaspace,
		"Punctuation":        parsePunctuation,
		"Sequence":           parseSequence,
		"Split":              parseSplit,
		"UnicodeScripts":     fixed(scripts{}),
		"Whitespace":         fixed(whitespace{}),
		"WhitespaceSplit":    fixed(byClass{chars.Space, removed}),
	}
}

func parse(data []byte, depth int) (Splitter, error) {
	f := fields{values: map[string][]byte{}}
	if err := strictjson.Object(data, func(key string, value []byte) { f.values[key] = value }); err != nil {
		return nil, err
	}
	name := required[string](&f, "type")
	if f.err != nil {
		return nil, f.err
	}
	read := types[name]
	if read == nil {
		return nil, fmt.Errorf("unsupported type %q", name)
	}
	s := read(&f, depth)
	if f.err == nil && len(f.values) > 0 {
		var names []string
		for name := range f.values {
			names = append(names, name)
		}
		f.err = fmt.Errorf("unknown field %q", slices.Min(names))
	}
	if f.err != nil {
		return nil, fmt.Errorf("%s: %w", name, f.err)
	}
	return s, nil
}

// fields are the fields of a splitter that were not read yet, and the first error.
type fields struct {
	values map[string][]byte
	err    error
}

// required reads a field that must be there.
func required[T any](f *fields, name string) T {
	if _, ok := f.values[name]; !ok && f.err == nil {
		f.err = fmt.Errorf("no field %q", name)
	}
	var zero T
	return optional(f, name, zero)
}

// optional reads a field. An absent one has the value v.
func optional[T any](f *fields, name string, v T) T {
	value, ok := f.values[name]
	if !ok || f.err != nil {
		return v
	}
	delete(f.values, name)
	if err := strictjson.Decode(value, &v); err != nil {
		f.err = fmt.Errorf("%s: %w", name, err)
	}
	return v
}

// character reads a text of one character.
func (f *fields) character(name string) rune {
	text := required[string](f, name)
	if f.err != nil {
		return 0
	}
	r, ok := oneRune(text)
	if !ok {
		f.err = fmt.Errorf("%s: expected one character, found %q", name, text)
	}
	return r
}

// choice looks up the value of a field.
func choice[T any](f *fields, name, value string, choices map[string]T) T {
	v, ok := choices[value]
	if !ok && f.err == nil {
		f.err = fmt.Errorf("%s: unsupported value %q", name, value)
	}
	return v
}

func parseByteLevel(f *fields, _ int) Splitter {
	b := byteLevel{prefix: required[bool](f, "add_prefix_space")}
	required[bool](f, "trim_offsets") // of the post-processor of this name
	b.regex = optional(f, "use_regex", true)
	return b
}

func parseDigits(f *fields, _ int) Splitter {
	if required[bool](f, "individual_digits") {
		return byClass{chars.Number, isolated}
	}
	return byClass{chars.Number, contiguous}
}

func parseFixedLength(f *fields, _ int) Splitter {
	n := optional(f, "length", 5)
	if n < 1 && f.err == nil {
		f.err = fmt.Errorf("length: expected 1 or more, found %d", n)
	}
	return fixedLength(n)
}

func parseMetaspace(f *fields, _ int) Splitter {
	m := metaspace{mark: f.character("replacement")}
	prefix := optional[*bool](f, "add_prefix_space", nil)
	name := optional(f, "prepend_scheme", "always")
	m.scheme = choice(f, "prepend_scheme", name, schemes)
	if prefix != nil && !*prefix { // the field of old files
		if m.scheme != never && f.err == nil {
			f.err = fmt.Errorf("add_prefix_space is false, prepend_scheme is %q", name)
		}
	}
	split := optional[*bool](f, "split", nil)
	m.split = split == nil || *split
	optional[*string](f, "str_rep", nil) // the reference ignores it
	return m
}

func parsePunctuation(f *fields, _ int) Splitter {
	return byClass{chars.Punctuation, choice(f, "behavior", optional(f, "behavior", "Isolated"), behaviors)}
}

func parseSequence(f *fields, depth int) Splitter {
	if depth == maxDepth {
		f.err = fmt.Errorf("more than %d nested sequences", maxDepth)
		return nil
	}
	var q sequence
	for i, value := range required[[]json.RawMessage](f, "pretokenizers") {
		s, err := parse(value, depth+1)
		if err != nil {
			f.err = fmt.Errorf("pretokenizers.%d: %w", i, err)
			return nil
		}
		q = append(q, s)
	}
	return q
}

func parseSplit(f *fields, _ int) Splitter {
	pattern := required[map[string]string](f, "pattern")
	b := byPattern{behavior: choice(f, "behavior", required[string](f, "behavior"), behaviors), invert: required[bool](f, "invert")}
	if f.err != nil {
		return nil
	}
	source, isRegex := pattern["Regex"]
	if text, isText := pattern["String"]; len(pattern) != 1 || !isRegex && !isText {
		f.err = errors.New(`pattern: expected one of "String" and "Regex"`)
		return nil
	} else if isText {
		source = quote(text)
	}
	var err error
	if b.regex, err = regex.Compile(source); err != nil {
		f.err = fmt.Errorf("pattern: %w", err)
	}
	return b
}
