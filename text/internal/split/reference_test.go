package split

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/internal/test/oracle"
	"github.com/fovea-ml/fovea/text/internal/normalize"
)

// configurations returns pre-tokenizers of all types.
func configurations() []string {
	out := []string{
		`{"type": "BertPreTokenizer"}`, `{"type": "Whitespace"}`, `{"type": "WhitespaceSplit"}`, `{"type": "UnicodeScripts"}`,
		`{"type": "FixedLength", "length": 3}`, `{"type": "FixedLength"}`,
		`{"type": "CharDelimiterSplit", "delimiter": "a"}`, `{"type": "CharDelimiterSplit", "delimiter": "中"}`,
		`{"type": "Digits", "individual_digits": true}`, `{"type": "Digits", "individual_digits": false}`, `{"type": "Punctuation"}`,
		`{"type": "Metaspace", "replacement": "▁"}`,
		`{"type": "Metaspace", "replacement": "_", "add_prefix_space": true, "prepend_scheme": "first", "split": true}`,
		`{"type": "Metaspace", "replacement": "▁", "add_prefix_space": false, "prepend_scheme": "never", "split": null}`,
		`{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": false, "str_rep": "x"}`,
		`{"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"}]}`,
		`{"type": "Sequence", "pretokenizers": [{"type": "Whitespace"}, {"type": "Digits", "individual_digits": true}, {"type": "Punctuation"}]}`,
		`{"type": "Sequence", "pretokenizers": [{"type": "UnicodeScripts"}, {"type": "WhitespaceSplit"}]}`,
		`{"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": false}, {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}]}`,
		`{"type": "Sequence", "pretokenizers": [{"type": "Metaspace", "replacement": "中", "prepend_scheme": "always"}, {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true}]}`,
		`{"type": "Sequence", "pretokenizers": [{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true}, {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true}, {"type": "Punctuation"}]}`,
	}
	for _, prefix := range []bool{false, true} {
		for _, regex := range []bool{false, true} {
			out = append(out, fmt.Sprintf(`{"type": "ByteLevel", "add_prefix_space": %v, "trim_offsets": true, "use_regex": %v}`, prefix, regex))
		}
	}
	for name := range behaviors {
		out = append(out, fmt.Sprintf(`{"type": "Punctuation", "behavior": %q}`, name))
		for _, pattern := range []string{
			`{"String": " "}`, `{"String": "."}`, `{"String": ""}`, `{"String": "a.b-"}`, `{"Regex": "\\s"}`, `{"Regex": "\\s*"}`, `{"Regex": "a+|\\p{Han}"}`,
			`{"Regex": "\\d{1,3}(?=(?:\\d{3})*\\b)"}`, `{"Regex": "(?=[A-Z])"}`, `{"Regex": ""}`,
			`{"Regex": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}`,
		} {
			for _, invert := range []bool{false, true} {
				out = append(out, fmt.Sprintf(`{"type": "Split", "pattern": %s, "behavior": %q, "invert": %v}`, pattern, name, invert))
			}
		}
	}
	return out
}

// randomText returns a text of characters of all planes, with many of a few kinds.
func randomText(rng *rand.Rand) string {
	common := []rune("aabB  \n\t\r.,-'!#1234567890éßÜ中文字ひらカナーж한\u0301\u200d\u200c\u00a0\u2003\u3000\u0085\u2028▁_Ġ،।😀👩🏽𝐀٣½Ⅷ\u0000\ufeff\ufffd")
	ranges := [][2]rune{{0, 0x7F}, {0x80, 0x24F}, {0x300, 0x1FFF}, {0x2000, 0x2FFF}, {0x3000, 0xABFF}, {0xF900, 0x11FFF}, {0x12000, 0x1FFFF}, {0, 0x10FFFF}}
	var b strings.Builder
	for range rng.IntN(30) {
		r := common[rng.IntN(len(common))]
		if rng.IntN(3) == 0 {
			p := ranges[rng.IntN(len(ranges))]
			r = p[0] + rng.Int32N(p[1]-p[0]+1)
		}
		if !utf8.ValidRune(r) {
			continue
		}
		n := 1
		if rng.IntN(6) == 0 {
			n += rng.IntN(6)
		}
		b.WriteString(strings.Repeat(string(r), n))
	}
	return b.String()
}

type splitCase struct {
	PreTokenizer json.RawMessage `json:"pre_tokenizer"`
	Texts        []string        `json:"texts"`
}

type splitAnswer struct {
	Error  string    `json:"error"`
	Pieces [][][]any `json:"pieces"`
}

// ask runs the cases through tokenizers.
func ask(t *testing.T, cases []splitCase) []splitAnswer {
	t.Helper()
	data, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cases.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var answers []splitAnswer
	if err := json.Unmarshal(oracle.Run(t, "tokenizers", "check_split.py", path), &answers); err != nil {
		t.Fatal(err)
	}
	if len(answers) != len(cases) {
		t.Fatalf("%d answers for %d cases", len(answers), len(cases))
	}
	return answers
}

// TestReference compares all splitters with tokenizers, with the places of pieces, in characters of the original.
func TestReference(t *testing.T) {
	oracle.Needs(t, "tokenizers")
	const count = 150
	rng := rand.New(rand.NewPCG(1, 12))
	var cases []splitCase
	for _, c := range configurations() {
		s := splitCase{PreTokenizer: json.RawMessage(c), Texts: []string{"", " ", "a"}}
		for range count {
			s.Texts = append(s.Texts, randomText(rng))
		}
		cases = append(cases, s)
	}
	compare(t, cases, ask(t, cases))
}

// TestCharacters compares the class of every assigned character, alone and between letters.
func TestCharacters(t *testing.T) {
	oracle.Needs(t, "tokenizers")
	var texts []string
	var b strings.Builder
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if !utf8.ValidRune(r) || r > 0x33500 && r < 0xE0000 || r > 0xE1000 && r&0xFFF0 != 0xFFF0 {
			continue // nothing is assigned beyond
		}
		b.WriteString("a" + string(r) + "ж" + string(r))
		if b.Len() > 1<<14 {
			texts = append(texts, b.String())
			b.Reset()
		}
	}
	texts = append(texts, b.String())
	var cases []splitCase
	for _, c := range []string{
		`{"type": "BertPreTokenizer"}`, `{"type": "Whitespace"}`, `{"type": "UnicodeScripts"}`, `{"type": "Digits", "individual_digits": false}`,
		`{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}`,
	} {
		cases = append(cases, splitCase{json.RawMessage(c), texts})
	}
	compare(t, cases, ask(t, cases))
}

func compare(t *testing.T, cases []splitCase, answers []splitAnswer) {
	t.Helper()
	wrong := 0
	for i, a := range answers {
		splitter, err := Parse(cases[i].PreTokenizer)
		if err != nil || a.Error != "" {
			t.Errorf("%s: error %v; want %q", cases[i].PreTokenizer, err, a.Error)
			continue
		}
		sc := new(normalize.Scratch)
		for j, text := range cases[i].Texts {
			if a.Pieces[j] == nil {
				continue // a panic of the reference
			}
			characters := make([]int, len(text)+1) // number of characters before each byte
			n := 0
			for k := range text {
				characters[k] = n
				n++
			}
			characters[len(text)] = n
			var got, want []string
			for _, p := range splitter.Split(sc, nil, normalize.New(text)) {
				start, end := p.Original(0, p.Len())
				got = append(got, fmt.Sprintf("%q %d %d", p.Text(), characters[start], characters[end]))
			}
			for _, p := range a.Pieces[j] {
				want = append(want, fmt.Sprintf("%q %d %d", p[0], int(p[1].(float64)), int(p[2].(float64))))
			}
			sc.Reset()
			for k := range max(len(got), len(want)) {
				if k >= len(got) || k >= len(want) || got[k] != want[k] {
					shown := text
					if len(shown) > 300 {
						shown = shown[:300]
					}
					t.Errorf("%s in %q: piece %d:\n got %q\nwant %q", cases[i].PreTokenizer, shown, k, part(got, k), part(want, k))
					wrong++
					break
				}
			}
			if wrong > 20 {
				t.Fatal("too many differences")
			}
		}
	}
}

// part returns some pieces from one on.
func part(pieces []string, from int) []string {
	return pieces[min(from, len(pieces)):min(from+3, len(pieces))]
}
