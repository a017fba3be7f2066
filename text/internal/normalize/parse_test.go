package normalize

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestGolden compares with results of the library.
func TestGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/normalize.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Texts []string `json:"texts"`
		Cases []struct {
			Normalizer json.RawMessage       `json:"normalizer"`
			Results    []*[2]json.RawMessage `json:"results"`
		} `json:"cases"`
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Cases) < 20 {
		t.Fatalf("%d cases", len(golden.Cases))
	}
	for _, c := range golden.Cases {
		n, err := Parse(c.Normalizer)
		if err != nil {
			t.Fatal(err)
		}
		for i, text := range golden.Texts {
			if c.Results[i] != nil {
				compareResult(t, string(c.Normalizer), text, n.Normalize(nil, New(text)), *c.Results[i])
			}
		}
	}
}

// compareResult compares s with a result of text_normalize.py.
func compareResult(t *testing.T, name, text string, s String, result [2]json.RawMessage) bool {
	t.Helper()
	var want string
	var at []int
	if err := json.Unmarshal(result[0], &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(result[1], &at); err != nil {
		t.Fatal(err)
	}
	places := characterPlaces(text, s)
	if s.Text() != want || !slices.Equal(places, at) {
		t.Errorf("%s: %+q becomes\n%+q at %v, want\n%+q at %v", name[:min(len(name), 300)], text, s.Text(), places, want, at)
		return false
	}
	return true
}

func TestParseErrors(t *testing.T) {
	if n, err := Parse([]byte(" null")); n != nil || err != nil {
		t.Errorf("null: %v, %v", n, err)
	}
	deep := strings.Repeat(`{"type": "Sequence", "normalizers": [`, 80) + `{"type": "NFC"}` + strings.Repeat("]}", 80)
	for _, c := range [][2]string{
		{`{"type": "Nfc"}`, `normalizer: unsupported type "Nfc"`},
		{`{}`, `normalizer: type: expected a value, found no such field`},
		{`{"type": 3}`, `normalizer: type: expected`},
		{`[]`, `normalizer: expected an object`},
		{`{"type": "NFC"`, `normalizer: `},
		{`{"type": "NFC", "form": 1}`, `normalizer: NFC: form: unsupported field`},
		{`{"type": "BertNormalizer", "clean_text": true}`, `normalizer: BertNormalizer: handle_chinese_chars: expected a value, found no such field`},
		{`{"type": "Strip", "strip_left": true, "strip_right": 1}`, `normalizer: Strip: strip_right: expected true or false`},
		{`{"type": "Replace", "pattern": "a", "content": ""}`, `normalizer: Replace: pattern: expected an object`},
		{`{"type": "Replace", "pattern": {}, "content": ""}`, `normalizer: Replace: pattern: expected one of`},
		{`{"type": "Replace", "pattern": {"Text": ""}, "content": ""}`, `normalizer: Replace: pattern: expected one of "String" and "Regex"`},
		{`{"type": "Replace", "pattern": {"Regex": "(a"}, "content": ""}`, `normalizer: Replace: pattern: `},
		{`{"type": "Sequence", "normalizers": [{"type": "NFC"}, null]}`, `normalizer: Sequence: normalizers[1]: expected an object`},
		{`{"type": "Precompiled", "precompiled_charsmap": "?"}`, `normalizer: Precompiled: precompiled_charsmap: illegal base64`},
		{`{"type": "Precompiled", "precompiled_charsmap": null}`, `normalizer: Precompiled: precompiled_charsmap: expected`},
		{`{"type": "Precompiled", "precompiled_charsmap": ""}`, `expected at least 4 bytes, found 0`},
		{`{"type": "Precompiled", "precompiled_charsmap": "AAAAAAAA"}`, `expected a trie of 4 to 2 bytes, found 0`},
		{`{"type": "Precompiled", "precompiled_charsmap": "/////wAA"}`, `expected a trie of 4 to 2 bytes, found 4294967292`},
		{`{"type": "Precompiled", "precompiled_charsmap": "BAAAAAAAAAD/"}`, `replacements: expected UTF-8`},
		{deep, `expected at most 64 levels`},
	} {
		if _, err := Parse([]byte(c[0])); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%.80s: %v; want %s", c[0], err, c[1])
		}
	}
}

// TestLinear normalizes texts that would take minutes in quadratic time.
func TestLinear(t *testing.T) {
	texts := []string{
		strings.Repeat("a", 1<<17), strings.Repeat("\u0301\u0316", 1<<16), strings.Repeat("e\u0301", 1<<16), strings.Repeat("\u0301", 1<<16) + strings.Repeat("\u0316", 1<<16),
		strings.Repeat("👩\u200d", 1<<14), strings.Repeat("क\u094d", 1<<14), strings.Repeat(" ", 1<<17), strings.Repeat("\u1100\u1161", 1<<14), strings.Repeat("\x00", 1<<17),
	}
	for _, config := range normalizers {
		n, err := Parse([]byte(config))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			s := n.Normalize(nil, New(text))
			if start, end := s.Original(0, s.Len()); start < 0 || end > len(text) || start > end {
				t.Errorf("%s: the whole is at %d to %d of %d bytes", config, start, end, len(text))
			}
		}
	}
}

// TestUnchanged checks that texts which need no change are not copied.
func TestUnchanged(t *testing.T) {
	var sc Scratch
	for config, text := range map[string]string{
		bertJSON: "plain text", `{"type": "NFC"}`: "Größe 中文 한국 naïve", `{"type": "NFD"}`: "a\u0301 中文", `{"type": "NFKC"}`: "Größe 中文",
		`{"type": "Lowercase"}`: "größe 中", `{"type": "Nmt"}`: "Größe 中", `{"type": "StripAccents"}`: "é", replaceJSON: "a▁b",
		`{"type": "Strip", "strip_left": true, "strip_right": true}`: "a b", `{"type": "ByteLevel"}`: "abc",
	} {
		n, err := Parse([]byte(config))
		if err != nil {
			t.Fatal(err)
		}
		s := n.Normalize(&sc, New(text)) // the first use reads the tables
		if s != New(text) {
			t.Errorf("%s: %q has become %q", config, text, s.Text())
		}
		if allocs := testing.AllocsPerRun(20, func() { sc.Reset(); n.Normalize(&sc, New(text)) }); allocs > 0 {
			t.Errorf("%s: %v allocations", config, allocs)
		}
	}
}
