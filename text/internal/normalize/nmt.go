package normalize

// nmt removes control characters and turns other white space to spaces, as the normalizer of SentencePiece's rule nmt.
type nmt struct{}

func (nmt) Normalize(sc *Scratch, s String) String {
	s = s.Filter(sc, func(r rune) bool {
		return !(r >= 0x01 && r <= 0x08 || r == 0x0B || r >= 0x0E && r <= 0x1F || r == 0x7F || r == 0x8F || r == 0x9F)
	})
	return s.Map(sc, func(r rune) rune {
		switch {
		case r > ' ' && r < 0x1680:
			return r
		case r == '\t', r == '\n', r == '\f', r == '\r', r == 0x1680, r >= 0x200B && r <= 0x200F, r == 0x2028, r == 0x2029, r == 0x2581,
			r == 0xFEFF, r == 0xFFFD:
			return ' '
		}
		return r
	})
}
