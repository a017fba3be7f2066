package model

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestParseErrors names the field and the cause of every refusal.
func TestParseErrors(t *testing.T) {
	tests := []struct{ file, want string }{
		{`[]`, `model: expected an object, found array`},
		{`{"vocab": {"a": 0`, `invalid JSON`},
		{`{"type": "Foo"}`, `type: expected BPE, WordPiece, WordLevel or Unigram, found "Foo"`},
		{`{"type": null, "vocab": {}}`, `type: expected text, found null`},
		{`{"unk_token": "a"}`, `type: expected BPE, WordPiece, WordLevel or Unigram, found none`},
		{`{"type": "WordLevel", "vocab": {}, "unk_token": "a", "merges": []}`, `model WordLevel: merges: unsupported field`},
		{`{"type": "WordLevel", "vocab": {"a": 0}}`, `model WordLevel: unk_token: expected a value, found no such field`},
		{`{"type": "WordLevel", "vocab": {"a": -1}, "unk_token": "a"}`, `id of token "a": expected a whole number from 0 to 4294967295, found "-1"`},
		{`{"type": "WordLevel", "vocab": {"a": 4294967296}, "unk_token": "a"}`, `found "4294967296"`},
		{`{"type": "WordLevel", "vocab": {"a": 2.0}, "unk_token": "a"}`, `found "2.0"`},
		{`{"type": "WordLevel", "vocab": {"\ud800": 2}, "unk_token": "a"}`, `model: expected a pair of surrogates at byte 33, found one`},
		{`{"type": "WordLevel", "vocab": {"\uD800\u0061": 2}, "unk_token": "a"}`, `expected a pair of surrogates`},
		{`{"type": "WordPiece", "vocab": {}, "unk_token": "a", "continuing_subword_prefix": "", "max_input_chars_per_word": -1}`, `max_input_chars_per_word: expected a whole number of at least 0, found -1`},
		{`{"type": "WordPiece", "vocab": {}, "unk_token": null, "continuing_subword_prefix": "", "max_input_chars_per_word": 1}`, `unk_token: expected text, found null`},
		{`{"type": "BPE", "vocab": {}}`, `merges: expected a value, found no such field`},
		{`{"type": "BPE", "vocab": {}, "merges": null}`, `merges: expected a list, found null`},
		{`{"type": "BPE", "vocab": {}, "merges": [], "dropout": 0.1}`, `dropout: merges that are left out at random are unsupported`},
		{`{"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "b"]]}`, `merge 0 of "a" and "b": "b" is not in the vocabulary`},
		{`{"type": "BPE", "vocab": {"a": 0}, "merges": ["a a"]}`, `merge 0 of "a" and "a": "aa" is not in the vocabulary`},
		{`{"type": "BPE", "vocab": {"a": 0}, "merges": ["aa"]}`, `merge 0: expected two tokens with a space between them, found "aa"`},
		{`{"type": "BPE", "vocab": {"a": 0}, "merges": [["a"]]}`, `merge 0: expected two tokens, found 1`},
		{`{"type": "BPE", "vocab": {"a": 0}, "merges": ["a a", ["a", "a"]]}`, `merges`},
		{`{"type": "BPE", "vocab": {"a": 0}, "continuing_subword_prefix": "##", "merges": [["a", "a"]]}`, `expected the prefix "##"`},
		{`{"type": "Unigram", "vocab": null}`, `vocab: expected a list, found null`},
		{`{"type": "Unigram", "vocab": [["a"]]}`, `expected a token and a score, found 1 values`},
		{`{"type": "Unigram", "vocab": [["a", NaN]]}`, `score of token "a": expected a finite number, found "NaN"`},
		{`{"type": "Unigram", "vocab": [["a", 1e309]]}`, `found "1e309"`},
		{`{"type": "Unigram", "vocab": [["a", 1]], "unk_id": 1}`, `unk_id: expected the id of one of 1 pieces, found 1`},
		{`{"type": "Unigram", "vocab": [["a", 1]], "unk_id": -1}`, `unk_id: expected a whole number of at least 0`},
		{`{"type": "Unigram", "vocab": [["a", 1]], "byte_fallback": null}`, `byte_fallback: expected true or false`},
		{`{"type": "Unigram", "vocab": [["a", 1]], "alpha": 0.1}`, `alpha: segmentations drawn at random are unsupported`},
	}
	for _, test := range tests {
		m, err := Parse([]byte(test.file))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %T, error %v, expected %s", test.file, m, err, test.want)
		}
	}
}

// TestParseLegacy finds the type of files without one, and takes what the reference takes.
func TestParseLegacy(t *testing.T) {
	tests := []struct{ file, want string }{
		{`{"vocab": {"a": 0}, "merges": []}`, "*model.BPE"},
		{`{"vocab": {"a": 0}, "unk_token": "a", "continuing_subword_prefix": "", "max_input_chars_per_word": 1}`, "*model.WordPiece"},
		{`{"vocab": {"a": 0}, "unk_token": "a"}`, "*model.WordLevel"},
		{`{"vocab": [["a", 0]]}`, "*model.Unigram"},
		{`{"type": "BPE", "vocab": {"a": 0}, "merges": [], "fuse_unk": null, "unk_token": null, "cache_capacity": 10, "dropout": 0.0}`, "*model.BPE"},
		{`{"type": "BPE", "vocab": {"a": 0, "a": 7, "😀": 1, "\ud83d\ude00": 2, "\\ud800": 3}, "merges": []}`, "*model.BPE"},
	}
	for _, test := range tests {
		m, err := Parse([]byte(test.file))
		if got := fmt.Sprintf("%T", m); err != nil || got != test.want {
			t.Errorf("%s: %s, %v, expected %s", test.file, got, err, test.want)
		}
	}
}

// TestVocabulary reads equal tokens, equal ids and ids with holes.
func TestVocabulary(t *testing.T) {
	m, err := NewWordLevel(WordLevelOptions{Vocabulary: []Entry{{"a", 9}, {"b", 2}, {"c", 2}, {"a", 4}, {"", 1 << 31}, {"b", 2}}})
	if err != nil {
		t.Fatal(err)
	}
	if m.Size() != 4 {
		t.Errorf("%d tokens, expected 4", m.Size())
	}
	for token, want := range map[string]int{"a": 4, "b": 2, "c": 2, "": 1 << 31} {
		if id, ok := m.ID(token); id != want || !ok {
			t.Errorf("id of %q: %d, %v, expected %d", token, id, ok, want)
		}
	}
	for id, want := range map[int]string{4: "a", 1 << 31: ""} {
		if token, ok := m.Token(id); token != want || !ok {
			t.Errorf("token %d: %q, %v, expected %q", id, token, ok, want)
		}
	}
	for _, id := range []int{-1, 0, 3, 9, 1 << 40} {
		if token, ok := m.Token(id); ok {
			t.Errorf("token %d: %q, expected none", id, token)
		}
	}
	for _, entries := range [][]Entry{{{"a", -1}}, {{"a", 1 << 32}}, {{"\xff", 0}}} {
		if _, err := NewWordLevel(WordLevelOptions{Vocabulary: entries}); err == nil {
			t.Errorf("%v: no error", entries)
		}
	}
}

// testModels returns a model of each kind for words of the letters a to d.
func testModels(t testing.TB) map[string]Model {
	t.Helper()
	files := map[string]string{
		"wordpiece": `{"type": "WordPiece", "unk_token": "u", "continuing_subword_prefix": "#", "max_input_chars_per_word": 100000000,
			"vocab": {"u": 0, "a": 1, "b": 2, "ab": 3, "#a": 4, "#b": 5, "#c": 6, "#aab": 7, "#cc": 8}}`,
		"bpe": `{"type": "BPE", "unk_token": "u", "vocab": {"u": 0, "a": 1, "b": 2, "ab": 3, "aa": 4, "aab": 5, "c": 6, "cc": 7, "aaaa": 8},
			"merges": [["a", "a"], ["aa", "aa"], ["a", "b"], ["a", "ab"], ["c", "c"]]}`,
		"unigram":   `{"type": "Unigram", "unk_id": 0, "vocab": [["u", 0], ["a", -1], ["b", -1.5], ["ab", -1.75], ["aaa", -2], ["cc", -3], ["c", -1]]}`,
		"wordlevel": `{"type": "WordLevel", "unk_token": "u", "vocab": {"u": 0, "ab": 1}}`,
	}
	out := map[string]Model{}
	for name, file := range files {
		m, err := Parse([]byte(file))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = m
	}
	return out
}

// TestLongWord cuts words of a megabyte in a time that shows no quadratic step.
func TestLongWord(t *testing.T) {
	const n = 1 << 20
	words := []string{strings.Repeat("a", n), "a" + strings.Repeat("abcc", n/4), strings.Repeat("é", n/2), "aa" + strings.Repeat("aaab", n/4)}
	for name, m := range testModels(t) {
		for _, w := range words {
			start := time.Now()
			got, err := m.Append(nil, w)
			if err != nil {
				t.Fatal(err)
			}
			if last := got[len(got)-1]; last.End != len(w) {
				t.Errorf("%s: the last token ends at %d of %d", name, last.End, len(w))
			}
			// Quadratic time would be minutes.
			if d := time.Since(start); d > 20*time.Second {
				t.Errorf("%s: %v for %d bytes", name, d, len(w))
			}
		}
	}
}

// TestLongToken reads a vocabulary with a token of a megabyte, which no word of 100 characters has. Where words may be
// longer, a token of 1,024 bytes is the longest.
func TestLongToken(t *testing.T) {
	long := strings.Repeat("ab", 1<<19)
	if _, err := NewWordPiece(WordPieceOptions{Vocabulary: Entries([]string{"[UNK]", long})}); err != nil {
		t.Error(err)
	}
	if _, err := NewWordPiece(WordPieceOptions{Vocabulary: Entries([]string{"[UNK]", long}), MaxChars: new(1 << 30)}); err == nil || !strings.Contains(err.Error(), "at most 1024 bytes") {
		t.Errorf("found %v", err)
	}
	long = long[:1<<10]
	m, err := NewWordPiece(WordPieceOptions{Vocabulary: Entries([]string{"[UNK]", long, "ab", "##ab"}), MaxChars: new(1 << 30)})
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Append(nil, long+"ab")
	if want := []Token{{ID: 1, End: len(long)}, {ID: 3, Start: len(long), End: len(long) + 2}}; err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v, %v, expected %v", got, err, want)
	}
}

// poolsKeep says that a sync.Pool keeps values until the garbage collector runs.
var poolsKeep = true

// TestAllocations: a word costs no allocation, whether or not it is known.
func TestAllocations(t *testing.T) {
	if !poolsKeep {
		t.Skip("the race detector empties pools")
	}
	for name, m := range testModels(t) {
		for _, w := range []string{"ab", "aabccb", strings.Repeat("aab", 20), strings.Repeat("aab", 200)} {
			dst, err := m.Append(nil, w)
			if err != nil {
				t.Fatal(err)
			}
			// Less than one: the garbage collector may empty a pool.
			if n := testing.AllocsPerRun(200, func() { dst, _ = m.Append(dst[:0], w) }); n >= 1 {
				t.Errorf("%s: %v allocations for %d bytes", name, n, len(w))
			}
		}
	}
}

// TestCache fills the cache from several goroutines with more words than it holds.
func TestCache(t *testing.T) {
	m := testModels(t)["bpe"]
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			var got []Token
			for i := range 3 * cacheSets * cacheWays {
				w := strings.NewReplacer("0", "a", "1", "b").Replace(fmt.Sprintf("%b", i))
				var err error
				if got, err = m.Append(got[:0], w); err != nil || got[len(got)-1].End != len(w) {
					t.Errorf("%q: %v, %v", w, got, err)
					return
				}
			}
		})
	}
	group.Wait()
}

// TestNoUnknown returns an error that callers can recognize as text.
func TestNoUnknown(t *testing.T) {
	m, err := NewWordPiece(WordPieceOptions{Vocabulary: Entries([]string{"a"})})
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Append(nil, "b")
	if !errors.Is(err, errNoUnknown) || err.Error() != `word "b": the vocabulary lacks the unknown token "[UNK]"` {
		t.Error(err)
	}
}

// TestParseMerges reads the lines of a merges.txt.
func TestParseMerges(t *testing.T) {
	got, err := ParseMerges("#version: 0.2\r\na b\r\nab c\n")
	if want := [][2]string{{"a", "b"}, {"ab", "c"}}; err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v, %v, expected %v", got, err, want)
	}
	for _, text := range []string{"a b c\n", "a\n", "a b\n\n"} {
		if _, err := ParseMerges(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

// TestSharedSaved saves tokens with one id: all of them, or an error where a merge needs the one that the id does not
// stand for.
func TestSharedSaved(t *testing.T) {
	m, err := Parse([]byte(`{"type": "WordLevel", "vocab": {"c": 7, "a": 0, "?": 1, "b": 0}, "unk_token": "?"}`))
	if err != nil {
		t.Fatal(err)
	}
	again := reread(t, m)
	for token, want := range map[string]int{"a": 0, "b": 0, "?": 1, "c": 7} {
		if id, ok := again.ID(token); !ok || id != want {
			t.Errorf("%s: found id %d, %v, expected %d", token, id, ok, want)
		}
	}
	if token, _ := again.Token(0); token != "b" {
		t.Errorf("found %q for id 0, expected b", token)
	}
	if m, err = Parse([]byte(`{"type": "BPE", "vocab": {"a": 0, "b": 0, "c": 1, "ac": 2}, "merges": [["a", "c"]]}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.MarshalJSON(); err == nil || !strings.Contains(err.Error(), `merge 0: tokens with one id cannot be told apart`) {
		t.Errorf("found error %v", err)
	}
}
