package text

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/text/internal/component"
	"github.com/fovea-ml/fovea/text/internal/regex"
)

// decoder is a step from tokens to text. It makes a stage for each text.
type decoder interface {
	// start returns a stage that gives its results to out.
	start(out stage, m mode) stage
	// fuses reports whether its results are one token in pieces.
	fuses() bool
	// streams reports whether a stage can take one token in pieces.
	streams() bool
}

// mode says how a stage works.
type mode struct {
	live   bool // text is wanted as soon as it is complete
	pieces bool // all that is pushed is one token
}

// stage takes the tokens of one text. A token may come in pieces where the stage before fuses.
type stage interface {
	push(token string)
	flush()
}

// parseDecoder reads the "decoder" object of a tokenizer.json as a list of steps. For null it returns nil.
func parseDecoder(data []byte) ([]decoder, error) {
	return component.Parse(data, "decoder", decoderReader)
}

// decoderReader returns the reader of a type of decoders, or nil.
func decoderReader(typ string) component.Reader[[]decoder] {
	if typ == "Sequence" {
		return func(f *component.Fields, depth int) []decoder {
			return append([]decoder{}, slices.Concat(component.List(f, "decoders", depth, decoderReader)...)...)
		}
	}
	read := decoderReaders[typ]
	if read == nil {
		return nil
	}
	return func(f *component.Fields, _ int) []decoder { return []decoder{read(f)} }
}

// decoderReaders are those of the decoders without other decoders in them.
var decoderReaders = map[string]func(f *component.Fields) decoder{
	"BPEDecoder": func(f *component.Fields) decoder {
		return &suffixDecoder{suffix: component.Required[string](f, "suffix")}
	},
	"ByteLevel": func(f *component.Fields) decoder {
		component.Required[bool](f, "add_prefix_space") // of the pre-tokenizer of this name, as are the others
		component.Required[bool](f, "trim_offsets")
		component.Optional(f, "use_regex", true)
		return byteDecoder{}
	},
	"WordPiece": func(f *component.Fields) decoder {
		return &pieceDecoder{prefix: component.Required[string](f, "prefix"), cleanup: component.Required[bool](f, "cleanup")}
	},
	"Metaspace": parseMetaspace,
	"CTC": func(f *component.Fields) decoder {
		return &ctcDecoder{
			pad: component.Required[string](f, "pad_token"), delimiter: component.Required[string](f, "word_delimiter_token"),
			cleanup: component.Required[bool](f, "cleanup"),
		}
	},
	"Replace":      parseReplace,
	"Fuse":         func(*component.Fields) decoder { return fuseDecoder{} },
	"Strip":        parseStrip,
	"ByteFallback": func(*component.Fields) decoder { return fallbackDecoder{} },
}

// Limits of a list of decoders.
const (
	maxDecoders = 1 << 10 // each takes a call inside the call of the one before
	maxGrowth   = 1 << 16 // how many times longer than its tokens a text may be
)

// checkDecoders returns an error for decoders that could make a text grow without end.
func checkDecoders(list []decoder) error {
	if len(list) > maxDecoders {
		return fmt.Errorf("expected at most %d steps, found %d", maxDecoders, len(list))
	}
	growth := 1.0
	for _, d := range list {
		n := 1
		switch d := d.(type) {
		case *suffixDecoder:
			if d.suffix == "" {
				n = 2
			}
		case *ctcDecoder:
			if d.delimiter == "" {
				n = 2
			}
		case *replaceDecoder:
			n = 1 + len(d.content)/max(1, len(d.text))
			if d.text != "" && len(d.content) <= len(d.text) {
				n = 1
			}
		}
		growth *= float64(n)
	}
	if growth > maxGrowth {
		return fmt.Errorf("expected replacements that make a text at most %d times longer together, found more", maxGrowth)
	}
	return nil
}

// startAll connects the stages of a list of decoders to out.
func startAll(list []decoder, out stage, live bool) stage {
	pieces := make([]bool, len(list)+1) // whether a decoder gets one token in pieces
	gather := make([]bool, len(list))
	for i, d := range list {
		gather[i] = pieces[i] && !d.streams()
		pieces[i] = pieces[i] && d.streams()
		pieces[i+1] = pieces[i] || d.fuses()
	}
	for i := len(list) - 1; i >= 0; i-- {
		out = list[i].start(out, mode{live, pieces[i]})
		if gather[i] {
			out = &gatherStage{out: out}
		}
	}
	return out
}

// tokenwise is embedded by decoders that take and give whole tokens.
type tokenwise struct{}

func (tokenwise) fuses() bool   { return false }
func (tokenwise) streams() bool { return false }

// gatherStage makes one token from its pieces.
type gatherStage struct {
	out  stage
	text strings.Builder
}

func (s *gatherStage) push(piece string) { s.text.WriteString(piece) }
func (s *gatherStage) flush() {
	s.out.push(s.text.String())
	s.out.flush()
}

// eachStage changes tokens one by one. change gets the number of the token, and returns false to drop it.
type eachStage struct {
	out    stage
	change func(i int, token string) (string, bool)
	i      int
}

func (s *eachStage) push(token string) {
	if token, ok := s.change(s.i, token); ok {
		s.out.push(token)
	}
	s.i++
}
func (s *eachStage) flush() { s.out.flush() }

// suffixDecoder turns the suffix of words into spaces, except in the last token.
type suffixDecoder struct {
	tokenwise
	suffix string
}

func (d *suffixDecoder) start(out stage, _ mode) stage {
	return &suffixStage{out: out, suffix: d.suffix}
}

type suffixStage struct {
	out    stage
	suffix string
	last   *string
}

func (s *suffixStage) push(token string) {
	if s.last != nil {
		s.out.push(strings.ReplaceAll(*s.last, s.suffix, " "))
	}
	s.last = &token
}

func (s *suffixStage) flush() {
	if s.last != nil {
		s.out.push(strings.ReplaceAll(*s.last, s.suffix, ""))
	}
	s.out.flush()
}

// pieceDecoder joins WordPieces.
type pieceDecoder struct {
	tokenwise
	prefix  string
	cleanup bool
}

func (d *pieceDecoder) start(out stage, _ mode) stage {
	return &eachStage{out: out, change: func(i int, token string) (string, bool) {
		if i > 0 {
			rest, ok := strings.CutPrefix(token, d.prefix)
			if !ok {
				rest = " " + token
			}
			token = rest
		}
		if d.cleanup {
			token = cleanPiece(token)
		}
		return token, true
	}}
}

// cleanPiece takes out the spaces of tokenized English.
func cleanPiece(s string) string {
	if !strings.Contains(s, " ") {
		return s
	}
	for _, pair := range [][2]string{
		{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
		{" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
	} {
		s = strings.ReplaceAll(s, pair[0], pair[1])
	}
	return s
}

// metaspaceDecoder turns the sign for a space into a space, or drops it in the first token.
type metaspaceDecoder struct {
	tokenwise
	sign string
	drop bool
}

func parseMetaspace(f *component.Fields) decoder {
	d := &metaspaceDecoder{sign: component.Required[string](f, "replacement")}
	prefix := component.Optional[*bool](f, "add_prefix_space", nil)
	scheme := component.Optional(f, "prepend_scheme", "always")
	component.Optional[*bool](f, "split", nil)
	component.Optional[*string](f, "str_rep", nil) // the reference ignores it
	switch scheme {
	case "always", "first", "never":
	default:
		f.Fail(`prepend_scheme: expected "always", "first" or "never", found %q`, scheme)
	}
	if prefix != nil && !*prefix && scheme != "never" {
		f.Fail("add_prefix_space: expected true, as prepend_scheme is %q, found false", scheme)
	}
	if utf8.RuneCountInString(d.sign) != 1 {
		f.Fail("replacement: expected one character, found %q", d.sign)
	}
	d.drop = scheme != "never"
	return d
}

func (d *metaspaceDecoder) start(out stage, _ mode) stage {
	return &eachStage{out: out, change: func(i int, token string) (string, bool) {
		space := " "
		if i == 0 && d.drop {
			space = ""
		}
		return strings.ReplaceAll(token, d.sign, space), true
	}}
}

// ctcDecoder drops repeated tokens and the padding between them.
type ctcDecoder struct {
	tokenwise
	pad       string
	delimiter string
	cleanup   bool
}

func (d *ctcDecoder) start(out stage, _ mode) stage {
	last := ""
	return &eachStage{out: out, change: func(i int, token string) (string, bool) {
		if i > 0 && token == last {
			return "", false
		}
		last = token
		token = strings.ReplaceAll(token, d.pad, "")
		if d.cleanup {
			token = strings.ReplaceAll(cleanPiece(token), d.delimiter, " ")
		}
		return token, token != ""
	}}
}

// replaceDecoder replaces a pattern in every token.
type replaceDecoder struct {
	text    string // without pattern
	pattern *regex.Regexp
	content string
}

func parseReplace(f *component.Fields) decoder {
	d := &replaceDecoder{content: component.Required[string](f, "content")}
	pattern, isRegex := component.Pattern(f)
	if f.Err != nil {
		return nil
	}
	if !isRegex && pattern != "" {
		d.text = pattern
		return d
	}
	var err error
	if d.pattern, err = regex.Compile(pattern); err != nil {
		f.Fail("pattern: Regex: %w", err)
	}
	return d
}

// maxHeld is the longest text whose beginning is looked for at the end of every piece.
const maxHeld = 64

func (d *replaceDecoder) fuses() bool   { return false }
func (d *replaceDecoder) streams() bool { return d.pattern == nil && len(d.text) <= maxHeld }

func (d *replaceDecoder) start(out stage, m mode) stage {
	switch {
	case m.pieces:
		return &replaceStage{replaceDecoder: d, out: out}
	case d.pattern == nil:
		return &eachStage{out: out, change: func(_ int, token string) (string, bool) {
			return strings.ReplaceAll(token, d.text, d.content), true
		}}
	}
	return &eachStage{out: out, change: func(_ int, token string) (string, bool) { return d.replace(token), true }}
}

// replaceStage replaces a text in one token that comes in pieces. It holds the end of a piece where a match may begin.
type replaceStage struct {
	*replaceDecoder
	out  stage
	held string
}

func (s *replaceStage) push(piece string) {
	piece = s.held + piece
	i := strings.LastIndex(piece, s.text) + len(s.text)
	if i < len(s.text) {
		i = 0
	}
	n := min(len(s.text)-1, len(piece)-i)
	for !strings.HasPrefix(s.text, piece[len(piece)-n:]) {
		n--
	}
	s.held = piece[len(piece)-n:]
	s.out.push(strings.ReplaceAll(piece[:len(piece)-n], s.text, s.content))
}

func (s *replaceStage) flush() {
	s.out.push(s.held)
	s.out.flush()
}

// replace replaces the matches of the regular expression.
func (d *replaceDecoder) replace(token string) string {
	var b strings.Builder
	at := 0
	for start, end := range d.pattern.All(token) {
		b.WriteString(token[at:start])
		b.WriteString(d.content)
		at = end
	}
	return b.String() + token[at:]
}

// fuseDecoder makes one token of all.
type fuseDecoder struct{}

func (fuseDecoder) fuses() bool                   { return true }
func (fuseDecoder) streams() bool                 { return true }
func (fuseDecoder) start(out stage, _ mode) stage { return &passStage{out} }

type passStage struct{ out stage }

func (s *passStage) push(token string) { s.out.push(token) }
func (s *passStage) flush()            { s.out.flush() }
