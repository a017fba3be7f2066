package text

import (
	"strings"
	"unicode/utf8"
)

// DecodeOptions says how tokens are turned into text. The zero value keeps special tokens.
type DecodeOptions struct {
	SkipSpecial bool // leave out special tokens
	// KeepSpaces keeps spaces before punctuation where the folder asks to take them out
	// (clean_up_tokenization_spaces).
	KeepSpaces bool
}

// Decode returns the text of tokens. Ids without a token are left out, as in the reference.
func (t *Tokenizer) Decode(ids []int, o DecodeOptions) string {
	s := t.stream(o, false)
	for _, id := range ids {
		s.push(id)
	}
	s.first.flush()
	return s.out.text.String()
}

// Stream turns tokens into text while they are generated. A Stream may be used by one goroutine at a time. Call Flush
// after the last token.
type Stream struct {
	t       *Tokenizer
	options DecodeOptions
	first   stage
	out     *textStage
}

// NewStream returns a stream. The pieces that it gives make up the text of [Tokenizer.Decode]. There is one difference:
// where bytes that follow each other as single tokens (<0xE2>) are not UTF-8, the stream has given complete characters
// before it can see the invalid byte, and Decode replaces all bytes of the run.
func (t *Tokenizer) NewStream(o DecodeOptions) *Stream { return t.stream(o, true) }

func (t *Tokenizer) stream(o DecodeOptions, live bool) *Stream {
	s := &Stream{t: t, options: o, out: new(textStage)}
	var out stage = s.out
	if t.config.cleanUp && !o.KeepSpaces {
		out = &cleanStage{out: out}
	}
	if t.config.suffix != "" {
		out = &trimStage{out: out}
		out = (&replaceDecoder{text: t.config.suffix, content: " "}).start(out, mode{live, true})
	}
	if t.decoders == nil {
		out = &spaceStage{out: out}
	}
	s.first = startAll(t.decoders, out, live)
	return s
}

// Push returns the text that a token completes: whole characters, or nothing. It takes constant time on average.
func (s *Stream) Push(id int) string {
	s.push(id)
	return s.out.take()
}

// Flush returns the rest of the text. The stream is empty afterwards and begins a new text.
func (s *Stream) Flush() string {
	s.first.flush()
	rest := s.out.take()
	*s = *s.t.stream(s.options, true)
	return rest
}

func (s *Stream) push(id int) {
	token, ok := s.t.added.token(id)
	if !ok || s.options.SkipSpecial && s.t.added.special[token] {
		return
	}
	s.first.push(token)
}

// textStage collects the text.
type textStage struct{ text strings.Builder }

func (s *textStage) push(text string) { s.text.WriteString(text) }
func (s *textStage) flush()           {}

func (s *textStage) take() string {
	text := s.text.String()
	s.text.Reset()
	return text
}

// spaceStage puts spaces between tokens.
type spaceStage struct {
	out   stage
	begun bool
}

func (s *spaceStage) push(token string) {
	if s.begun {
		s.out.push(" ")
	}
	s.begun = true
	s.out.push(token)
}
func (s *spaceStage) flush() { s.out.flush() }

// cleanStage takes spaces out of a text as clean_up_tokenization of transformers does. It holds the end of the text
// back, as far as what follows can change it.
type cleanStage struct {
	out  stage
	held []byte
	next int // the length of held at which it is looked at again
}

// maxLooked is the length of held text up to which every token is a reason to look at it again. Longer text has to
// double.
const maxLooked = 64

func (s *cleanStage) push(text string) {
	s.held = append(s.held, text...)
	if len(s.held) < s.next {
		return
	}
	held := string(s.held)
	n := len(held)
	for n > 0 && !cleanable(held, n) {
		n--
	}
	s.out.push(clean(held[:n]))
	s.held = append(s.held[:0], held[n:]...)
	if s.next = 0; len(s.held) > maxLooked {
		s.next = 2 * len(s.held)
	}
}

func (s *cleanStage) flush() {
	s.out.push(clean(string(s.held)))
	s.out.flush()
}

// cleanable reports whether no replacement can reach over byte n. The patterns begin with a space and have at most four
// bytes; one replacement can bring the text of another together. A space before another letter than theirs begins none.
func cleanable(text string, n int) bool {
	if n < len(text) && !utf8.RuneStart(text[n]) {
		return false
	}
	for i := max(0, n-2*utf8.UTFMax); i < n; i++ {
		if text[i] == ' ' && (i+1 == len(text) || strings.IndexByte(" .?!,'n", text[i+1]) >= 0) {
			return false
		}
	}
	return true
}

// clean is clean_up_tokenization of transformers 5.23 (tokenization_utils_base.py).
func clean(s string) string {
	for _, pair := range [][2]string{
		{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"},
		{" 've", "'ve"}, {" 're", "'re"},
	} {
		s = strings.ReplaceAll(s, pair[0], pair[1])
	}
	return s
}

// trimStage drops the white space at both ends of a text, as str.strip of Python does.
type trimStage struct {
	out   stage
	begun bool
	held  []byte
}

func (s *trimStage) push(text string) {
	if !s.begun {
		text = strings.TrimLeftFunc(text, pythonSpace)
		s.begun = text != ""
	}
	if kept := strings.TrimRightFunc(text, pythonSpace); kept != "" {
		s.out.push(string(s.held) + kept)
		s.held = append(s.held[:0], text[len(kept):]...)
	} else if s.begun {
		s.held = append(s.held, text...)
	}
}
func (s *trimStage) flush() { s.out.flush() }
