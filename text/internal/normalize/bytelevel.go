package normalize

import "unicode/utf8"

// byteLevel turns every byte into a printable character.
type byteLevel struct{}

// ByteRunes holds the character for each byte: the byte itself where it is a printable Latin-1 character, otherwise one
// from U+0100 on (bytes_to_unicode of GPT-2).
var ByteRunes = func() (runes [256]rune) {
	next := rune(0x100)
	for b := range runes {
		if b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE {
			runes[b] = rune(b)
		} else {
			runes[b] = next
			next++
		}
	}
	return runes
}()

func (byteLevel) Normalize(sc *Scratch, s String) String { return s.Bytes(sc) }

// Bytes returns s with a printable character for each byte, as ByteRunes has it.
func (s String) Bytes(sc *Scratch) String {
	i := 0
	for i < len(s.text) && s.text[i] > ' ' && s.text[i] < 0x7F {
		i++
	}
	if i == len(s.text) {
		return s
	}
	e := s.Edit(sc)
	var buffer [2 * utf8.UTFMax]byte
	kept := 0
	for i < len(s.text) {
		if b := s.text[i]; b > ' ' && b < 0x7F {
			i++
			continue
		}
		e.Keep(kept, i)
		_, size := utf8.DecodeRuneInString(s.text[i:])
		out := buffer[:0]
		for _, b := range []byte(s.text[i : i+size]) {
			out = utf8.AppendRune(out, ByteRunes[b])
		}
		e.Swap(i, i+size, out)
		i += size
		kept = i
	}
	e.Keep(kept, len(s.text))
	return e.String()
}
