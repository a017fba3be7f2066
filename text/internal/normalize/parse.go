package normalize

import "github.com/fovea-ml/fovea/text/internal/component"

// A Normalizer changes a text. It is immutable, and goroutines may use it at once. The scratch may be nil.
type Normalizer interface {
	Normalize(sc *Scratch, s String) String
}

// Parse reads the field "normalizer" of a tokenizer.json. For null it returns nil. An error names the unsupported type,
// or the field that is wrong.
func Parse(data []byte) (Normalizer, error) { return component.Parse(data, "normalizer", reader) }

type fields = component.Fields

// reader returns the reader of a type, or nil.
func reader(typ string) component.Reader[Normalizer] {
	if typ == "Sequence" {
		return parseSequence
	}
	return readers[typ]
}

// readers are those of the normalizers without other normalizers in them.
var readers = map[string]component.Reader[Normalizer]{
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

// A sequence applies normalizers one after the other.
type sequence []Normalizer

func (n sequence) Normalize(sc *Scratch, s String) String {
	for _, step := range n {
		s = step.Normalize(sc, s)
	}
	return s
}

func parseSequence(f *fields, depth int) Normalizer {
	return sequence(component.List(f, "normalizers", depth, reader))
}

func parsePrepend(f *fields, _ int) Normalizer {
	return prepend(component.Required[string](f, "prepend"))
}

// prepend is a text that is put before every other.
type prepend string

func (n prepend) Normalize(sc *Scratch, s String) String { return s.Prepend(sc, string(n)) }
