package text

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestRepair has the results of Python's bytes.decode("utf-8", "replace"), with x for U+FFFD.
func TestRepair(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"a\xffb":                   "axb",
		"\xff\xfe":                 "xx",
		"\xe2\x82":                 "x",
		"\xe2\x82a":                "xa",
		"\xe2a\x82":                "xax",
		"\xe2\x82\xe2\x82\xac":     "x€",
		"\xe0\x80\x80":             "xxx",
		"\xed\xa0\x80":             "xxx",
		"\xf0\x9f\x98":             "x",
		"\xf0\x9f\x98\xf0\x9f":     "xx",
		"\xf0\x8f\x80":             "xxx",
		"\xf4\x90\x80\x80":         "xxxx",
		"\xc0\xaf":                 "xx",
		"é\x80\xc3":                "éxx",
		"\xf5\xf1\x80\x80\xed\x9f": "xxx",
	} {
		got, fixes := repair(in)
		if want := strings.ReplaceAll(want, "x", replacement); got != want {
			t.Errorf("%q: expected %q, found %q", in, want, got)
		}
		if utf8.ValidString(in) != (fixes == nil) {
			t.Errorf("%q: found %v", in, fixes)
		}
		s := source{texts: []string{got}, repaired: [][]fix{fixes}}
		for at := range got { // boundaries map to boundaries, in order, and equal text to itself
			offsets := [][2]int{{at, len(got)}}
			s.original(offsets, []int{0})
			from, to := offsets[0][0], offsets[0][1]
			if to != len(in) || from > to || got[at] < utf8.RuneSelf && in[from] != got[at] {
				t.Errorf("%q: byte %d of %q is at [%d, %d)", in, at, got, from, to)
			}
		}
	}
}
