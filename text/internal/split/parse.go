package split

import (
	"github.com/fovea-ml/fovea/text/internal/chars"
	"github.com/fovea-ml/fovea/text/internal/component"
	"github.com/fovea-ml/fovea/text/internal/regex"
)

// Parse reads the field "pre_tokenizer" of a tokenizer.json. For null it returns nil. An error names the unsupported
// type, or the field that is wrong.
func Parse(data []byte) (Splitter, error) { return component.Parse(data, "pre_tokenizer", reader) }

type fields = component.Fields

// reader returns the reader of a type, or nil.
func reader(typ string) component.Reader[Splitter] {
	if typ == "Sequence" {
		return parseSequence
	}
	return readers[typ]
}

// readers are those of the splitters without other splitters in them.
var readers = map[string]component.Reader[Splitter]{
	"BertPreTokenizer":   fixed(bert{}),
	"ByteLevel":          parseByteLevel,
	"CharDelimiterSplit": func(f *fields, _ int) Splitter { return delimiter(character(f, "delimiter")) },
	"Digits":             parseDigits,
	"FixedLength":        parseFixedLength,
	"Metaspace":          parseMetaspace,
	"Punctuation":        parsePunctuation,
	"Split":              parseSplit,
	"UnicodeScripts":     fixed(scripts{}),
	"Whitespace":         fixed(whitespace{}),
	"WhitespaceSplit":    fixed(byClass{chars.Space, removed}),
}

func fixed(s Splitter) component.Reader[Splitter] { return func(*fields, int) Splitter { return s } }

// character reads a text of one character.
func character(f *fields, name string) rune {
	text := component.Required[string](f, name)
	if f.Err != nil {
		return 0
	}
	r, ok := oneRune(text)
	if !ok {
		f.Fail("%s: expected one character, found %q", name, text)
	}
	return r
}

func parseByteLevel(f *fields, _ int) Splitter {
	b := byteLevel{prefix: component.Required[bool](f, "add_prefix_space")}
	component.Required[bool](f, "trim_offsets") // of the post-processor of this name
	b.regex = component.Optional(f, "use_regex", true)
	return b
}

func parseDigits(f *fields, _ int) Splitter {
	if component.Required[bool](f, "individual_digits") {
		return byClass{chars.Number, isolated}
	}
	return byClass{chars.Number, contiguous}
}

func parseFixedLength(f *fields, _ int) Splitter {
	n := component.Optional(f, "length", 5)
	if n < 1 {
		f.Fail("length: expected 1 or more, found %d", n)
	}
	return fixedLength(n)
}

func parseMetaspace(f *fields, _ int) Splitter {
	m := metaspace{mark: character(f, "replacement")}
	prefix := component.Optional[*bool](f, "add_prefix_space", nil)
	name := component.Optional(f, "prepend_scheme", "always")
	m.scheme = component.Choice(f, "prepend_scheme", name, schemes)
	if prefix != nil && !*prefix { // the field of old files
		if m.scheme != never {
			f.Fail("add_prefix_space is false, prepend_scheme is %q", name)
		}
	}
	split := component.Optional[*bool](f, "split", nil)
	m.split = split == nil || *split
	component.Optional[*string](f, "str_rep", nil) // the reference ignores it
	return m
}

func parsePunctuation(f *fields, _ int) Splitter {
	return byClass{chars.Punctuation, component.Choice(f, "behavior", component.Optional(f, "behavior", "Isolated"), behaviors)}
}

func parseSequence(f *fields, depth int) Splitter {
	return sequence(component.List(f, "pretokenizers", depth, reader))
}

func parseSplit(f *fields, _ int) Splitter {
	source, isRegex := component.Pattern(f)
	b := byPattern{behavior: component.Choice(f, "behavior", component.Required[string](f, "behavior"), behaviors), invert: component.Required[bool](f, "invert")}
	if f.Err != nil {
		return nil
	}
	if !isRegex {
		source = quote(source)
	}
	var err error
	if b.regex, err = regex.Compile(source); err != nil {
		f.Fail("pattern: %w", err)
	}
	return b
}
