package chars

// Jamo and syllables of Hangul, section 3.12 of the Unicode standard.
const (
	firstSyllable = 0xAC00
	lastSyllable  = 0xD7A3
	firstL        = 0x1100
	firstV        = 0x1161
	firstT        = 0x11A7 // stands for no T
	countL        = 19
	countV        = 21
	countT        = 28
)

// Class returns the combining class of r. It is 0 for a starter.
func Class(r rune) uint8 {
	if r < 0x300 {
		return 0
	}
	return get().class[r]
}

// Decompose appends the full decomposition of r, canonical or with compatibility, to dst.
func Decompose(dst []rune, r rune, compatible bool) []rune {
	if r < 0x80 {
		return append(dst, r)
	}
	if r >= firstSyllable && r <= lastSyllable {
		s := r - firstSyllable
		dst = append(dst, firstL+s/(countV*countT), firstV+s/countT%countV)
		if t := s % countT; t > 0 {
			dst = append(dst, firstT+t)
		}
		return dst
	}
	t := get()
	if compatible {
		if to, ok := t.compatible[r]; ok {
			return append(dst, to...)
		}
	}
	if to, ok := t.canonical[r]; ok {
		return append(dst, to...)
	}
	return append(dst, r)
}

// Compose returns the character that a followed by b is composed to in NFC.
func Compose(a, b rune) (rune, bool) {
	if b < 0x300 {
		return 0, false
	}
	if l, v := a-firstL, b-firstV; l >= 0 && l < countL && v >= 0 && v < countV {
		return firstSyllable + (l*countV+v)*countT, true
	}
	if s, t := a-firstSyllable, b-firstT; s >= 0 && a <= lastSyllable && s%countT == 0 && t > 0 && t < countT {
		return a + t, true
	}
	r, ok := get().composed[[2]rune{a, b}]
	return r, ok
}
