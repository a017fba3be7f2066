package text

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/text/internal/component"
)

// stripDecoder takes a character off both ends of every token, some times at most.
type stripDecoder struct {
	content string
	first   int // most at the start
	last    int // most at the end
}

func parseStrip(f *component.Fields) decoder {
	d := &stripDecoder{component.Required[string](f, "content"), component.Required[int](f, "start"), component.Required[int](f, "stop")}
	if r, size := utf8.DecodeRuneInString(d.content); size == 0 || size != len(d.content) {
		f.Fail("content: expected one character, found %q", d.content)
	} else {
		d.content = string(r)
	}
	if d.first < 0 || d.last < 0 {
		f.Fail("start, stop: expected at least 0, found %d and %d", d.first, d.last)
	}
	return d
}

func (d *stripDecoder) fuses() bool   { return false }
func (d *stripDecoder) streams() bool { return true }

func (d *stripDecoder) start(out stage, m mode) stage {
	if m.pieces {
		return &stripStage{stripDecoder: d, out: out}
	}
	return &eachStage{out: out, change: func(_ int, token string) (string, bool) {
		for n := 0; n < d.first && strings.HasPrefix(token, d.content); n++ {
			token = token[len(d.content):]
		}
		for n := 0; n < d.last && strings.HasSuffix(token, d.content); n++ {
			token = token[:len(token)-len(d.content)]
		}
		return token, true
	}}
}

// stripStage strips one token that comes in pieces. It holds the characters that the end may lose.
type stripStage struct {
	*stripDecoder
	out     stage
	dropped int
	begun   bool // the start is behind
	held    int  // characters to be stripped, if nothing follows
}

func (s *stripStage) push(piece string) {
	for !s.begun && piece != "" {
		if s.dropped == s.first || !strings.HasPrefix(piece, s.content) {
			s.begun = true
			break
		}
		piece = piece[len(s.content):]
		s.dropped++
	}
	rest := piece
	n := 0
	for strings.HasSuffix(rest, s.content) && s.last > 0 {
		rest = rest[:len(rest)-len(s.content)]
		n++
	}
	if rest == "" {
		s.held += n
		return
	}
	s.out.push(strings.Repeat(s.content, s.held) + rest)
	s.held = n
}

func (s *stripStage) flush() {
	s.out.push(strings.Repeat(s.content, max(s.held-s.last, 0)))
	s.out.flush()
}

// byteDecoder turns the letters of ByteLevel into bytes, and all of them into one text. A token with another letter
// stands for itself.
type byteDecoder struct{}

func (byteDecoder) fuses() bool                   { return true }
func (byteDecoder) streams() bool                 { return false }
func (byteDecoder) start(out stage, _ mode) stage { return &byteStage{out: out} }

type byteStage struct {
	out     stage
	pending []byte // the beginning of a character
}

func (s *byteStage) push(token string) {
	n := len(s.pending)
	for _, r := range token {
		b, ok := byteOf(r)
		if !ok {
			s.pending = append(s.pending[:n], token...)
			break
		}
		s.pending = append(s.pending, b)
	}
	n = complete(s.pending)
	if n == 0 {
		return
	}
	text, _ := repair(string(s.pending[:n]))
	s.pending = append(s.pending[:0], s.pending[n:]...)
	s.out.push(text)
}

func (s *byteStage) flush() {
	if len(s.pending) > 0 {
		text, _ := repair(string(s.pending))
		s.out.push(text)
	}
	s.out.flush()
}

// complete returns the number of bytes before a character that has only begun.
func complete(b []byte) int {
	for i := len(b) - 1; i >= 0 && i >= len(b)-utf8.UTFMax+1; i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				return i
			}
			break
		}
	}
	return len(b)
}

// byteOf returns the byte that a letter of ByteLevel stands for: printable bytes of Latin-1 for themselves, the others
// for the letters from U+0100 on, in their order (bytes_to_unicode in the encoder of GPT-2).
func byteOf(r rune) (byte, bool) {
	switch {
	case r >= '!' && r <= '~', r >= 0xA1 && r <= 0xAC, r >= 0xAE && r <= 0xFF:
		return byte(r), true
	case r >= 0x100 && r <= 0x120:
		return byte(r - 0x100), true
	case r >= 0x121 && r <= 0x142:
		return byte(r - 0x121 + 0x7F), true
	case r == 0x143:
		return 0xAD, true
	}
	return 0, false
}

// fallbackDecoder turns runs of tokens such as <0xE2> into text. A run that is not UTF-8 is a replacement character for
// each of its tokens. A live stage gives characters as soon as they are complete, so only its incomplete bytes can
// become replacement characters.
type fallbackDecoder struct{}

func (fallbackDecoder) fuses() bool   { return false }
func (fallbackDecoder) streams() bool { return false }
func (fallbackDecoder) start(out stage, m mode) stage {
	return &fallbackStage{out: out, live: m.live}
}

type fallbackStage struct {
	out   stage
	live  bool
	bytes []byte
}

func (s *fallbackStage) push(token string) {
	b, ok := fallbackByte(token)
	if !ok {
		s.end()
		s.out.push(token)
		return
	}
	s.bytes = append(s.bytes, b)
	if n := complete(s.bytes); s.live && n > 0 {
		rest := slices.Clone(s.bytes[n:])
		s.bytes = s.bytes[:n]
		s.end()
		s.bytes = append(s.bytes, rest...)
	}
}

func (s *fallbackStage) flush() {
	s.end()
	s.out.flush()
}

// end gives the run.
func (s *fallbackStage) end() {
	if len(s.bytes) == 0 {
		return
	}
	if utf8.Valid(s.bytes) {
		s.out.push(string(s.bytes))
	} else {
		for range s.bytes {
			s.out.push(replacement)
		}
	}
	s.bytes = s.bytes[:0]
}

// fallbackByte reads a token such as <0xE2>. The reference allows a plus sign in the place of the first digit.
func fallbackByte(token string) (byte, bool) {
	if len(token) != 6 || !strings.HasPrefix(token, "<0x") || token[5] != '>' {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(token[3:5], "+"), 16, 8)
	return byte(n), err == nil
}
