// Package normalize changes a text before it is tokenized, and knows the place in the original of every byte:
//
//	n, err := normalize.Parse([]byte(`{"type": "NFD"}`))
//	s := n.Normalize(nil, normalize.New("é!"))
//	s.Text()         // "é!", now of 4 bytes
//	s.Original(3, 4) // 2, 3: the "!" is byte 2 of the original
//
// The normalizers and the places are those of the library tokenizers 0.23.3 of Hugging Face, on every text. This
// includes what may surprise: the place of a mark that NFC moves is that of its neighbor, and text that was put before
// everything may have no source.
//
// A [String] holds no places as long as its runes keep their lengths. Otherwise it holds 4 bytes for each byte of text.
// Slices share memory, so pre-tokenizers cut a text into many Strings at little cost. A normalizer returns a text that
// needs no change as it is.
//
// An [Editor] makes all changes. A [Scratch] gives them memory; with it, a text causes no allocations once the scratch
// has grown.
//
// The properties of characters come from package chars, because the library has Unicode tables of several versions, and
// the tables of Go change with a release.
package normalize
