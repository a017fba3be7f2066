package normalize

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fovea-ml/fovea/internal/strictjson"
)

// A Normalizer changes a text. It is immutable, and goroutines may use it at once. The scratch may be nil.
type Normalizer interface {
	Normalize(sc *Scratch, s String) String
}

// maxDepth is the greatest depth of sequences in sequences.
const maxDepth = 32

// Parse reads the field "normalizer" of a tokenizer.json. For null it returns nil. An error names the unsupported type, or the
// field that is wrong.
func Parse(data []byte) (Normalizer, error) {
	if strictjson.Null(data) {
		return nil, nil
	}
	n, err := parse(data, 0)
	if err != nil {
		return nil, fmt.Errorf("normalizer: %w", err)
	}
	return n, nil
}

// types are the normalizers by name.
var types = map[string]func(f *fields, depth int) Normalizer{
	"Bert":           parseBERT,
	"BertNormalizer": parseBERT,
	"ByteLevel":      func(*fields, int) Normalizer { return byteLevel{} },
	"Lowercase":      func(*fields, int) Normalizer { return lowercase{} },
	"NFC":            func(*fields, int) Normalizer { return nfc },
	"NFD":            func(*fields, int) Normalizer { return nfd },
	"NFKC":           func(*fields, int) Normalizer { return nfkc },
	"NFKD":           func(*fields, int) Normalizer { return nfkd },
	"Nmt":            func(*fields, int) Normalizer { return nmt{} },
	"Precompiled":    parsePrecompiled,
	"Prepend":        parsePrepend,
	"Replace":        parseReplace,
	"Strip":          parseStrip,
	"StripAccents":   func(*fields, int) Normalizer { return stripAccents{} },
}

func parse(data []byte, depth int) (Normalizer, error) {
	f := fields{values: map[string][]byte{}}
	if err := strictjson.Object(data, func(key string, value []byte) { f.values[key] = value }); err != nil {
		return nil, err
	}
	name := required[string](&f, "type")
	if f.err != nil {
		return nil, f.err
	}
	make := types[name]
	if name == "Sequence" {
		make = parseSequence
	}
	if make == nil {
		return nil, fmt.Errorf("unsupported type %q", name)
	}
	n := make(&f, depth)
	if f.err == nil && len(f.values) > 0 {
		var names []string
		for name := range f.values {
			names = append(names, name)
		}
		slices.Sort(names)
		f.err = fmt.Errorf("unknown field %q", names[0])
	}
	if f.err != nil {
		return nil, fmt.Errorf("%s: %w", name, f.err)
	}
	return n, nil
}

// fields are the fields of a normalizer that were not read yet, and the first error.
type fields struct {
	values map[string][]byte
	err    error
}

// required reads a field that must be there.
func required[T any](f *fields, name string) T {
	if _, ok := f.values[name]; !ok && f.err == nil {
		f.err = fmt.Errorf("no field %q", name)
	}
	return optional[T](f, name)
}

// optional reads a field. Its value is zero if it is absent.
func optional[T any](f *fields, name string) (v T) {
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

// A sequence applies normalizers one after the other.
type sequence []Normalizer

func (n sequence) Normalize(sc *Scratch, s String) String {
	for _, step := range n {
		s = step.Normalize(sc, s)
	}
	return s
}

func parseSequence(f *fields, depth int) Normalizer {
	if depth == maxDepth {
		f.err = fmt.Errorf("sequences are nested deeper than %d", maxDepth)
		return nil
	}
	var n sequence
	for i, data := range required[[]json.RawMessage](f, "normalizers") {
		step, err := parse(data, depth+1)
		if err != nil {
			f.err = fmt.Errorf("%d: %w", i, err)
			return nil
		}
		n = append(n, step)
	}
	return n
}

func parsePrepend(f *fields, _ int) Normalizer { return prepend(required[string](f, "prepend")) }

// prepend is a text that is put before every other.
type prepend string

func (n prepend) Normalize(sc *Scratch, s String) String { return s.Prepend(sc, string(n)) }
