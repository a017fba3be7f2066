package text

import (
	"strings"

	"github.com/fovea-ml/fovea/text/internal/model"
)

// siglipDecoder is convert_tokens_to_string of SiglipTokenizer. Special tokens stand for themselves. The tokens between
// them are decoded by SentencePiece. A space goes before each run of tokens that a special token ends.
type siglipDecoder struct {
	*siglip
	special map[string]bool
}

func (d *siglipDecoder) fuses() bool   { return false }
func (d *siglipDecoder) streams() bool { return false }

func (d *siglipDecoder) start(out stage, _ mode) stage {
	out = &trimStage{out: out}
	return &siglipStage{siglipDecoder: d, out: out, run: pieceRun{siglip: d.siglip}}
}

// siglipStage holds a run behind a special token until it knows what ends it. White space at the beginning of a text
// does not count, so the first run need not wait.
type siglipStage struct {
	*siglipDecoder
	out   stage
	run   pieceRun
	held  strings.Builder
	later bool // a special token came before
	after bool // the last token is special
}

func (s *siglipStage) write(text string) {
	if s.later {
		s.held.WriteString(text)
	} else {
		s.out.push(text)
	}
}

func (s *siglipStage) push(token string) {
	if !s.special[token] {
		s.after = false
		s.write(s.run.push(token))
		return
	}
	s.write(s.run.end())
	if s.later && !s.after {
		s.out.push(" ")
	}
	s.out.push(s.held.String() + token)
	s.held.Reset()
	s.run = pieceRun{siglip: s.siglip}
	s.later, s.after = true, true
}

func (s *siglipStage) flush() {
	s.write(s.run.end())
	s.out.push(s.held.String())
	s.out.flush()
}

// pieceRun decodes pieces as SentencePiece does (sentencepiece_processor.cc, Decode).
type pieceRun struct {
	*siglip
	bytes   []byte
	written bool // the text is not empty
	dropped bool // the last piece lost a space
	inside  bool // pieces keep their spaces
}

// push returns the text that a piece adds.
func (r *pieceRun) push(piece string) string {
	id, ok := r.model.ID(piece)
	if !ok {
		id = r.model.Unknown()
	}
	if r.model.Kind(id) == model.BytePiece {
		b, _ := fallbackByte(piece)
		r.bytes = append(r.bytes, b)
		n := complete(r.bytes)
		text := eachInvalid(string(r.bytes[:n]))
		r.bytes = append(r.bytes[:0], r.bytes[n:]...)
		r.written = r.written || text != ""
		return text
	}
	text := r.end()
	r.inside = r.inside || r.written || r.dropped
	r.dropped = false
	switch kind := r.model.Kind(id); {
	case kind == model.ControlPiece:
		piece = ""
	case kind == model.UnknownPiece:
		if name, _ := r.model.Token(id); name == piece {
			piece = r.file.surface
		}
	default:
		if !r.inside && (r.file.dummy || r.file.squeeze) {
			rest, ok := strings.CutPrefix(piece, space)
			piece, r.dropped = rest, ok && !r.file.squeeze
		}
		piece = strings.ReplaceAll(piece, space, " ")
	}
	r.written = r.written || piece != ""
	return text + piece
}

// end returns the text of bytes that wait for more.
func (r *pieceRun) end() string {
	text := eachInvalid(string(r.bytes))
	r.bytes = r.bytes[:0]
	r.written = r.written || text != ""
	return text
}

// eachInvalid replaces every byte that is not UTF-8 by U+FFFD.
func eachInvalid(text string) string { return string([]rune(text)) }
