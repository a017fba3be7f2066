package text

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/oracle"
)

// TestOpenCLIP compares with the tokenizer of open_clip on random texts, and with its texts for other tokenizers. It
// needs FOVEA_PYTHON; FOVEA_SEED chooses other texts.
func TestOpenCLIP(t *testing.T) {
	folder, seed := t.TempDir(), "5"
	if s := os.Getenv("FOVEA_SEED"); s != "" {
		seed = s
	}
	out := oracle.Run(t, "open_clip", "text_ftfy.py", "clip", folder, seed, "1000")
	tok, err := OpenDir(folder, OpenOptions{OpenAI: true})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range bytes.Lines(out) {
		var text, whitespace, canonical string
		var ids []int
		if err := json.Unmarshal(line, &[]any{&text, &ids, &whitespace, &canonical}); err != nil {
			t.Fatal(err)
		}
		n++
		e, err := tok.Encode(text, Options{NoSpecial: true})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(e.IDs, ids) {
			t.Errorf("%+q: expected %v, found %v %q", text, ids, e.IDs, e.Tokens)
		}
		if got := cleanWhitespace(text); got != whitespace {
			t.Errorf("whitespace of %+q: expected %+q, found %+q", text, whitespace, got)
		}
		if got := cleanCanonical(text); got != canonical {
			t.Errorf("canonicalize of %+q: expected %+q, found %+q", text, canonical, got)
		}
	}
	if n != 1000 {
		t.Errorf("compared %d texts", n)
	}
}
