package text

import (
	"slices"
	"testing"
	"testing/fstest"
)

// TestCanonical pins the texts that open_clip's _clean_canonicalize makes.
func TestCanonical(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "",
		"A photo_of the &amp;amp; DOG!": "a photo of the dog",
		"  x\t\n_y_  (z) {}":            "x y z",
		"İstanbul — ΣΑΣ, 1,000 °C":      "i\u0307stanbul — σας 1000 °c",
		"!\"#$%&'()*+,-./:;<=>?@[\\]^`{|}~\x00\x7fé": "é",
		"a\u00a0b\u3000c":       "a b c",
		"“ﬁne” sÃ³ Ｘ’s e\u0301": "fine só xs é",
	} {
		if got := cleanCanonical(text); got != want {
			t.Errorf("%q: found %q, expected %q", text, got, want)
		}
	}
	files := fstest.MapFS{"tokenizer.json": {Data: []byte(`{"model": {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0, "the": 1, "dog": 2}},
		"pre_tokenizer": {"type": "Whitespace"}}`)}}
	tok, err := Open(files, OpenOptions{Canonical: true})
	if err != nil {
		t.Fatal(err)
	}
	e, err := tok.Encode("The DOG!", Options{})
	if err != nil || !slices.Equal(e.IDs, []int{1, 2}) {
		t.Errorf("%v, %v", e, err)
	}
	if _, err := tok.MarshalJSON(); err == nil {
		t.Error("saved a tokenizer.json, which cannot hold the rules")
	}
}

// TestWhitespace pins the texts that open_clip's _clean_whitespace makes.
func TestWhitespace(t *testing.T) {
	files := fstest.MapFS{"tokenizer.json": {Data: []byte(`{"model": {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 0, "The  dog": 1, "The & dog": 2, "": 3}}}`)}}
	tok, err := Open(files, OpenOptions{Whitespace: true})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{"The  dog": 0, " The\t&amp;amp;\u3000dog\n": 2, "the & dog": 0} {
		if e, err := tok.Encode(text, Options{}); err != nil || !slices.Equal(e.IDs, []int{want}) {
			t.Errorf("%q: expected %d, found %v, %v", text, want, e, err)
		}
	}
	if _, err := tok.MarshalJSON(); err == nil {
		t.Error("saved a tokenizer.json, which cannot hold the rules")
	}
}
