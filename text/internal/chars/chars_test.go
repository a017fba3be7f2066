package chars

import (
	"strings"
	"testing"
)

func TestASCII(t *testing.T) {
	for i, info := range ASCII {
		r := rune(i)
		if got := Of(r); got != info {
			t.Errorf("%q: ASCII has %#x, the tables %#x", r, info, got)
		}
		first, second := Lower(r)
		if want := strings.ToLower(string(r)); string(first) != want || second != 0 {
			t.Errorf("%q: lower-case %q, %d", r, first, second)
		}
	}
}

func TestOf(t *testing.T) {
	for _, c := range []struct {
		r    rune
		want Info
	}{
		{'a', 0}, {'A', Lowers}, {'É', Lowers | NotNFD | NotNFKD}, {'é', NotNFD | NotNFKD}, {'\u3000', Space | NotNFKC | NotNFKD}, {'\u0085', Space | Control},
		{'\u0301', Nonspacing | Mark | NotNFC | NotNFD | NotNFKC | NotNFKD}, {'中', CJK}, {'か', 0}, {'が', NotNFD | NotNFKD},
		{'한', NotNFD | NotNFKD}, {'\u1161', NotNFC | NotNFKC}, {'、', Punctuation}, {'②', Number | NotNFKC | NotNFKD},
		{'\uFFFD', 0}, {'\uE000', Control}, {0x10FFFF, 0}, {0x10FFFD, Control}, {-1, 0}, {0x110000, 0}, {'\u0378', 0},
	} {
		if got := Of(c.r) & (graphemeBit - 1); got != c.want {
			t.Errorf("%U: %#x, want %#x", c.r, got, c.want)
		}
	}
}

func TestDecompose(t *testing.T) {
	for _, c := range []struct {
		r                     rune
		canonical, compatible string
	}{
		{'a', "a", "a"}, {'é', "e\u0301", "e\u0301"}, {'ﬁ', "ﬁ", "fi"}, {'각', "\u1100\u1161\u11a8", "\u1100\u1161\u11a8"}, {'가', "\u1100\u1161", "\u1100\u1161"},
		{'ǖ', "u\u0308\u0304", "u\u0308\u0304"}, {'\u212B', "A\u030A", "A\u030A"}, {'\u1E9B', "\u017f\u0307", "s\u0307"},
	} {
		if got := string(Decompose(nil, c.r, false)); got != c.canonical {
			t.Errorf("%q: %q, want %q", c.r, got, c.canonical)
		}
		if got := string(Decompose(nil, c.r, true)); got != c.compatible {
			t.Errorf("%q: %q, want %q with compatibility", c.r, got, c.compatible)
		}
	}
}

func TestCompose(t *testing.T) {
	for _, c := range []struct{ a, b, want rune }{
		{'e', 0x301, 'é'}, {'ü', 0x304, 'ǖ'}, {0x1100, 0x1161, '가'}, {'가', 0x11A8, '각'}, {'가', 0x11A7, 0}, {'각', 0x11A8, 0}, {'A', 0x30A, 'Å'},
		{'か', 0x3099, 'が'}, {'x', 0x301, 0}, {'a', 'b', 0}, {0x915, 0x93C, 0},
	} {
		if got, ok := Compose(c.a, c.b); got != c.want || ok != (c.want != 0) {
			t.Errorf("%U and %U: %U, want %U", c.a, c.b, got, c.want)
		}
	}
}

func TestClass(t *testing.T) {
	for r, want := range map[rune]uint8{'a': 0, 0x301: 230, 0x327: 202, 0x345: 240, 0x93C: 7, 0x10FFFF: 0} {
		if got := Class(r); got != want {
			t.Errorf("%U: class %d, want %d", r, got, want)
		}
	}
}

func TestGrapheme(t *testing.T) {
	for text, want := range map[string]int{
		"a": 1, "ab": 1, "\r\n": 2, "\n\r": 1, "a\u0301\u0301b": 5, "é中": 2, "\u0301a": 2, "©\u200d©a": 7, "©\u0300\u200d©": 9, "a\u200d©": 4,
		"한국": 3, "\u1100\u1161\u11a8가": 9, "가\u11a8": 6, "각\u1161": 3, "क्क": 9, "क\u200d्क": 12, "क\u200c्क": 9, "का": 6, "\u0600a": 3, "\u0600\n": 2, "\u200b\u0301": 3,
	} {
		if got := Grapheme(text); got != want {
			t.Errorf("%+q: %d, want %d", text, got, want)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := parse(tablesText); err != nil {
			b.Fatal(err)
		}
	}
}
