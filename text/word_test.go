package text

import (
	"strconv"
	"strings"
	"testing"

	"github.com/fovea-ml/fovea/internal/test/oracle"
)

// TestWords asks tokenizers about every character: does it join a single word?
func TestWords(t *testing.T) {
	out := oracle.Run(t, "tokenizers", "text_words.py")
	words := map[rune]bool{}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		from, err := strconv.ParseInt(f[0], 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		to, err := strconv.ParseInt(f[1], 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		for r := rune(from); r <= rune(to); r++ {
			words[r] = true
		}
	}
	if len(words) < 100_000 {
		t.Fatalf("found %d characters", len(words))
	}
	for r := range rune(0x110000) {
		if (r < 0xD800 || r >= 0xE000) && r != '§' && words[r] != isWord(r) {
			t.Errorf("%U: %v, expected %v", r, isWord(r), words[r])
		}
	}
}
