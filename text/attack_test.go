package text

import (
	"fmt"
	"strings"
	"testing"
)

// TestSuffixBytes cuts a suffix into bytes, which have no place in the text: their offsets lie at its end. The reference gives
// offsets beyond the text there.
func TestSuffixBytes(t *testing.T) {
	var b strings.Builder
	for i := range 256 {
		fmt.Fprintf(&b, `"<0x%02X>":%d,`, i, i)
	}
	for normalizer, want := range map[string]string{
		"null":                             "[[0 2] [0 2] [2 3] [3 3] [3 3] [3 3] [3 3]]",
		`{"type":"Prepend","prepend":"é"}`: "[[0 2] [0 2] [0 2] [0 2] [2 3] [3 3] [3 3] [3 3] [3 3]]",
		`{"type":"Strip","strip_left":true,"strip_right":true}`: "[[0 2] [0 2] [2 3] [3 3] [3 3] [3 3] [3 3]]",
	} {
		tok, err := Parse([]byte(`{"normalizer":` + normalizer + `,"model":{"type":"BPE","byte_fallback":true,"end_of_word_suffix":"</w>","vocab":{` +
			b.String() + `"a":256},"merges":[]}}`))
		if err != nil {
			t.Fatal(err)
		}
		e, err := tok.Encode("éx", Options{})
		if err != nil || fmt.Sprint(e.Offsets) != want {
			t.Errorf("%s: %v, %v; expected offsets %s", normalizer, e, err, want)
		}
		for _, text := range []string{"", " ", "é 🙂", "\xff\x00"} {
			use(t, tok, text)
		}
	}
}
