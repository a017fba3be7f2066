package text

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/internal/strictjson"
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
func parseDecoder(data []byte, depth int) ([]decoder, error) {
	if strictjson.Null(data) {
		return nil, nil
	}
	typ, err := kind(data)
	if err != nil {
		return nil, err
	}
	var d decoder
	switch typ {
	case "BPEDecoder":
		c := new(suffixDecoder)
		d, err = c, decode(data, c, "type suffix", "")
	case "ByteLevel":
		d, err = byteDecoder{}, decode(data, &struct{}{}, "type add_prefix_space trim_offsets", "use_regex")
	case "WordPiece":
		c := new(pieceDecoder)
		d, err = c, decode(data, c, "type prefix cleanup", "")
	case "Metaspace":
		d, err = parseMetaspace(data)
	case "CTC":
		c := new(ctcDecoder)
		d, err = c, decode(data, c, "type pad_token word_delimiter_token cleanup", "")
	case "Replace":
		d, err = parseReplace(data)
	case "Fuse":
		d, err = fuseDecoder{}, decode(data, &struct{}{}, "type", "")
	case "Strip":
		d, err = parseStrip(data)
	case "ByteFallback":
		d, err = fallbackDecoder{}, decode(data, &struct{}{}, "type", "")
	case "Sequence":
		return parseDecoders(data, depth)
	default:
		return nil, fmt.Errorf("type: unsupported decoder %q", typ)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", typ, err)
	}
	return []decoder{d}, nil
}

func parseDecoders(data []byte, depth int) ([]decoder, error) {
	if depth == 0 {
		return nil, fmt.Errorf("decoders: expected at most %d levels", maxNested)
	}
	var c struct {
		Decoders []json.RawMessage `json:"decoders"`
	}
	if err := decode(data, &c, "type decoders", ""); err != nil {
		return nil, err
	}
	out := []decoder{}
	for i, data := range c.Decoders {
		d, err := parseDecoder(data, depth-1)
		if err == nil && d == nil {
			err = fmt.Errorf("expected an object, found null")
		}
		if err != nil {
			return nil, fmt.Errorf("decoders[%d]: %w", i, err)
		}
		out = append(out, d...)
	}
	return out, nil
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
			if d.Suffix == "" {
				n = 2
			}
		case *ctcDecoder:
			if d.Delimiter == "" {
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
	Suffix string `json:"suffix"`
}

func (d *suffixDecoder) start(out stage, _ mode) stage {
	return &suffixStage{out: out, suffix: d.Suffix}
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
	Prefix  string `json:"prefix"`
	Cleanup bool   `json:"cleanup"`
}

func (d *pieceDecoder) start(out stage, _ mode) stage {
	return &eachStage{out: out, change: func(i int, token string) (string, bool) {
		if i > 0 {
			rest, ok := strings.CutPrefix(token, d.Prefix)
			if !ok {
				rest = " " + token
			}
			token = rest
		}
		if d.Cleanup {
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

func parseMetaspace(data []byte) (decoder, error) {
	c := struct {
		Sign   string `json:"replacement"`
		Prefix *bool  `json:"add_prefix_space"`
		Scheme string `json:"prepend_scheme"`
		Split  *bool  `json:"split"`
	}{Scheme: "always"}
	if err := decode(data, &c, "type replacement", "add_prefix_space prepend_scheme split str_rep"); err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(c.Sign) != 1 {
		return nil, fmt.Errorf("replacement: expected one character, found %q", c.Sign)
	}
	switch c.Scheme {
	case "always", "first", "never":
	default:
		return nil, fmt.Errorf(`prepend_scheme: expected "always", "first" or "never", found %q`, c.Scheme)
	}
	if c.Prefix != nil && !*c.Prefix && c.Scheme != "never" {
		return nil, fmt.Errorf("add_prefix_space: expected true, as prepend_scheme is %q, found false", c.Scheme)
	}
	return &metaspaceDecoder{sign: c.Sign, drop: c.Scheme != "never"}, nil
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
	Pad       string `json:"pad_token"`
	Delimiter string `json:"word_delimiter_token"`
	Cleanup   bool   `json:"cleanup"`
}

func (d *ctcDecoder) start(out stage, _ mode) stage {
	last := ""
	return &eachStage{out: out, change: func(i int, token string) (string, bool) {
		if i > 0 && token == last {
			return "", false
		}
		last = token
		token = strings.ReplaceAll(token, d.Pad, "")
		if d.Cleanup {
			token = strings.ReplaceAll(cleanPiece(token), d.Delimiter, " ")
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

func parseReplace(data []byte) (decoder, error) {
	var c struct {
		Pattern json.RawMessage `json:"pattern"`
		Content string          `json:"content"`
	}
	if err := decode(data, &c, "type pattern content", ""); err != nil {
		return nil, err
	}
	var p struct {
		String *string `json:"String"`
		Regex  *string `json:"Regex"`
	}
	if err := decode(c.Pattern, &p, "", "String Regex"); err != nil {
		return nil, fmt.Errorf("pattern: %w", err)
	}
	d := &replaceDecoder{content: c.Content}
	switch {
	case (p.String == nil) == (p.Regex == nil):
		return nil, fmt.Errorf("pattern: expected one of String and Regex")
	case p.String != nil && *p.String != "":
		d.text = *p.String
		return d, nil
	}
	source := ""
	if p.Regex != nil {
		source = *p.Regex
	}
	var err error
	if d.pattern, err = regex.Compile(source); err != nil {
		return nil, fmt.Errorf("pattern: Regex: %w", err)
	}
	return d, nil
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
