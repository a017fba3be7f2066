// Package chars has the properties of characters, as the library tokenizers 0.23.3 knows them:
//
//	chars.Of('é').Is(chars.Punctuation) // false
//	first, second := chars.Lower('İ')   // 'i', U+0307
//	chars.Compose('e', 0x301)           // 'é', true
//
// Parts of the library have tables of different Unicode versions, and none is that of a given Go release. So the
// package has tables of its own, in tables.txt. A script asked the library about every code point. The tables are read
// at the first use of a character beyond ASCII.
package chars

import "unicode/utf8"

// Info is a set of properties of a character.
type Info uint16

const (
	Space       Info = 1 << iota // white space: char::is_whitespace of Rust, the Unicode property White_Space
	Control                      // BERT's clean_text removes it; neither NUL nor U+FFFD, nor an unassigned character
	Nonspacing                   // a mark that BERT's strip_accents removes after NFD: category Mn
	Mark                         // the normalizer StripAccents removes it: category M
	Punctuation                  // the pre-tokenizers BertPreTokenizer and Punctuation isolate it
	Number                       // char::is_numeric of Rust: category N
	CJK                          // BERT's handle_chinese_chars puts spaces around it
	Lowers                       // Lower changes it
	NotNFC                       // it may change, compose or move in NFC
	NotNFD
	NotNFKC
	NotNFKD
	graphemeBit // the rest is the class of grapheme.go
)

// Is reports whether the character has one of the properties.
func (i Info) Is(properties Info) bool { return i&properties != 0 }

// Of returns the properties of r.
func Of(r rune) Info {
	if uint32(r) > utf8.MaxRune {
		return 0
	}
	return get().pages[r>>8][r&0xFF]
}

// ASCII holds the properties of the characters below 128.
var ASCII = ascii()

// ascii knows the properties without the tables; a test compares them.
func ascii() (info [128]Info) {
	for r := range info {
		switch {
		case r >= '\t' && r <= '\r':
			info[r] = Space
		case r == ' ':
			info[r] = Space
		case r >= '0' && r <= '9':
			info[r] = Number
		case r >= 'A' && r <= 'Z':
			info[r] = Lowers
		case r >= 'a' && r <= 'z':
		case r > ' ' && r < 0x7F:
			info[r] = Punctuation
		}
		if r > 0 && r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7F {
			info[r] |= Control
		}
		if r < ' ' || r == 0x7F {
			info[r] |= Info(breakControl) * graphemeBit
		}
	}
	return info
}

// Lower returns the lower-case form of r. It has a second rune for U+0130 alone; otherwise second is 0.
func Lower(r rune) (first, second rune) {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r, 0
	}
	if !Of(r).Is(Lowers) {
		return r, 0
	}
	to := get().lower[r]
	return to[0], to[1]
}
