package model

import (
	"os"
	"testing"
	"unicode/utf8"
)

func goldens(f *testing.F) []referenceCase {
	f.Helper()
	data, err := os.ReadFile("testdata/models.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	return referenceCases(f, data)
}

// FuzzParseModel reads any file and cuts a word with what it reads. A model that can be saved is the same model when it
// is read again.
func FuzzParseModel(f *testing.F) {
	for _, c := range goldens(f) {
		if len(c.Words) > 0 {
			f.Add([]byte(c.Model), c.Words[0])
		}
	}
	f.Fuzz(func(t *testing.T, file []byte, word string) {
		m, err := Parse(file)
		if err != nil || !utf8.ValidString(word) {
			return
		}
		checkAppend(t, m, word)
		if sharedIDs(m) {
			return
		}
		again := reread(t, m)
		a, aErr := m.Append(nil, word)
		b, bErr := again.Append(nil, word)
		if (aErr != nil) != (bErr != nil) || len(a) != len(b) {
			t.Fatalf("%v, %v; saved %v, %v", a, aErr, b, bErr)
		}
		for i := range a {
			if a[i] != b[i] {
				t.Fatalf("%v; saved %v", a, b)
			}
		}
	})
}

// FuzzAppend cuts any word with the models of the golden.
func FuzzAppend(f *testing.F) {
	var list []Model
	for _, c := range goldens(f) {
		if c.Want == nil {
			continue
		}
		m, err := Parse([]byte(c.Model))
		if err != nil {
			f.Fatal(err)
		}
		list = append(list, m)
		f.Add(uint(len(list)), c.Words[0])
	}
	f.Fuzz(func(t *testing.T, which uint, word string) {
		if word != "" {
			checkAppend(t, list[which%uint(len(list))], word)
		}
	})
}

// checkAppend checks that tokens exist, are in order, and, apart from BPE's own count of bytes, lie in the word.
func checkAppend(t *testing.T, m Model, word string) {
	t.Helper()
	tokens, err := m.Append(nil, word)
	if err != nil {
		return
	}
	_, bpe := m.(*BPE)
	for i, k := range tokens {
		if _, ok := m.Token(k.ID); !ok {
			t.Fatalf("%q: token %d does not exist", word, k.ID)
		}
		if k.Start > k.End || i > 0 && k.Start < tokens[i-1].Start || k.End > len(word) && !bpe {
			t.Fatalf("%q: tokens at %v", word, tokens)
		}
		m.Text(word, k)
	}
}
