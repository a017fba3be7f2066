package normalize

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/internal/test/oracle"
	"github.com/fovea-ml/fovea/text/internal/chars"
)

// alphabets are ranges of characters that texts are drawn from.
var alphabets = [][][2]rune{
	{{0, 0x7F}},
	{{'a', 'e'}, {'A', 'E'}, {' ', ' '}, {'.', '.'}},
	{{0x80, 0x24F}},
	{{'a', 'e'}, {0x300, 0x36F}, {0xC0, 0x17F}},
	{{'a', 'b'}, {0x300, 0x345}, {0x591, 0x5C7}, {0x610, 0x65F}, {0x1E00, 0x1EFF}, {0x1F00, 0x1FFF}},
	{{0x1100, 0x1112}, {0x1161, 0x1175}, {0x11A7, 0x11C2}, {0xAC00, 0xD7A3}, {0x300, 0x302}},
	{{0x3040, 0x30FF}, {0x3099, 0x309A}, {0xFF00, 0xFFEF}, {0x4E00, 0x4EFF}, {'a', 'c'}},
	{{0x4E00, 0x9FFF}, {0x3400, 0x4DBF}, {0x20000, 0x2FA1F}, {0xF900, 0xFAFF}},
	{{0x900, 0x9FF}, {0xB00, 0xBFF}, {0xE00, 0xFFF}, {0x300, 0x301}, {0x200C, 0x200D}},
	{{0x915, 0x920}, {0x93C, 0x94D}, {0x94D, 0x94D}, {0x200C, 0x200D}, {0x300, 0x301}},
	{{0x1F300, 0x1FAFF}, {0x200D, 0x200D}, {0xFE0F, 0xFE0F}, {0x1F1E6, 0x1F1FF}, {0xA9, 0xAE}, {0x1F3FB, 0x1F3FF}},
	{{0xA9, 0xA9}, {0x200D, 0x200D}, {0x300, 0x301}, {0x2139, 0x2139}, {0x600, 0x605}, {'a', 'a'}},
	{{0x2000, 0x206F}, {0x80, 0xA0}, {0, 0x20}, {0xFEFF, 0xFEFF}, {0xFFF0, 0xFFFF}, {0x3000, 0x3000}, {'x', 'x'}},
	{{0x130, 0x130}, {'I', 'I'}, {0x3A3, 0x3A3}, {0x1E9E, 0x1E9E}, {0x370, 0x52F}, {0x10A0, 0x10FF}, {0x1C90, 0x1CBF}, {0xA640, 0xA7FF}},
	{{0x10000, 0x12FFF}, {0x16A00, 0x16FFF}, {0x1D000, 0x1DFFF}, {0x1E000, 0x1EFFF}},
	{{0, 0xFFFF}},
	{{0, 0x10FFFF}},
	{{0xE0000, 0xE01FF}, {'a', 'b'}},
	{{0x2460, 0x24FF}, {0x2150, 0x218F}, {0x3200, 0x33FF}, {0xFB00, 0xFDFF}, {0x1D400, 0x1D7FF}},
}

// randomText returns a text of words from one to three alphabets, at times with long runs.
func randomText(rng *rand.Rand) string {
	var b strings.Builder
	for range 1 + rng.IntN(3) {
		ranges := alphabets[rng.IntN(len(alphabets))]
		for range rng.IntN(12) {
			part := ranges[rng.IntN(len(ranges))]
			r := part[0] + rng.Int32N(part[1]-part[0]+1)
			if !utf8.ValidRune(r) {
				continue
			}
			n := 1
			if rng.IntN(30) == 0 {
				n = 1 + rng.IntN(40)
			}
			for range n {
				b.WriteRune(r)
			}
		}
	}
	return b.String()
}

// charsmap returns a precompiled charsmap with the rules: a trie whose node of a byte string has its children in a
// block of its own.
func charsmap(rules map[string]string) []byte {
	var texts strings.Builder
	units := make([]uint32, 512)
	node := map[string]uint32{"": 0}
	base := map[string]uint32{}
	// The units of the children of a node are at base + byte; the leaf is at base itself.
	grow := func(prefix string) uint32 {
		if b, ok := base[prefix]; ok {
			return b
		}
		b := uint32(len(units))
		units = append(units, make([]uint32, 256)...)
		base[prefix] = b
		at := node[prefix]
		// Blocks begin at multiples of 256. The unit at has byte c: at = parent's base ^ c, so the offset has c as its
		// lowest byte.
		offset := at ^ b
		if offset >= 1<<21 {
			units[at] |= 1<<9 | offset>>8<<10
			if offset&0xFF != 0 {
				panic("the trie is too large")
			}
		} else {
			units[at] |= offset << 10
		}
		return b
	}
	for _, key := range slices.Sorted(maps.Keys(rules)) {
		for i := range len(key) {
			b := grow(key[:i])
			at := b ^ uint32(key[i])
			units[at] |= uint32(key[i])
			node[key[:i+1]] = at
		}
		b := grow(key)
		units[node[key]] |= 1 << 8
		units[b] = uint32(texts.Len())
		texts.WriteString(rules[key] + "\x00")
	}
	out := binary.LittleEndian.AppendUint32(nil, uint32(4*len(units)))
	for _, u := range units {
		out = binary.LittleEndian.AppendUint32(out, u)
	}
	return append(out, texts.String()...)
}

// randomCharsmap returns the JSON of a normalizer with random rules.
func randomCharsmap(rng *rand.Rand) string {
	rules := map[string]string{}
	for range 1 + rng.IntN(100) {
		key := []rune(randomText(rng))
		key = key[:min(len(key), 1+rng.IntN(2))]
		text := []rune(randomText(rng))
		text = text[:min(len(text), rng.IntN(4))]
		if len(key) > 0 && !slices.Contains(key, 0) {
			rules[string(key)] = strings.ReplaceAll(string(text), "\x00", "")
		}
	}
	for _, r := range "aé中\u0301\u200d" {
		if rng.IntN(2) == 0 {
			rules[string(r)] = strings.Repeat("x", rng.IntN(3))
		}
	}
	return fmt.Sprintf(`{"type": "Precompiled", "precompiled_charsmap": %q}`, base64.StdEncoding.EncodeToString(charsmap(rules)))
}

const (
	bertJSON    = `{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true}`
	prependJSON = `{"type": "Prepend", "prepend": "▁"}`
	replaceJSON = `{"type": "Replace", "pattern": {"String": " "}, "content": "▁"}`
)

// normalizers are configurations that tests compare.
var normalizers = []string{
	bertJSON,
	`{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": false, "strip_accents": true, "lowercase": false}`,
	`{"type": "BertNormalizer", "clean_text": false, "handle_chinese_chars": true, "strip_accents": false, "lowercase": true}`,
	`{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": false, "lowercase": false}`,
	`{"type": "NFC"}`, `{"type": "NFD"}`, `{"type": "NFKC"}`, `{"type": "NFKD"}`, `{"type": "Lowercase"}`, `{"type": "Nmt"}`, `{"type": "StripAccents"}`,
	`{"type": "Strip", "strip_left": true, "strip_right": true}`, `{"type": "Strip", "strip_left": false, "strip_right": true}`,
	`{"type": "Strip", "strip_left": true, "strip_right": false}`, `{"type": "ByteLevel"}`,
	prependJSON, replaceJSON, `{"type": "Prepend", "prepend": ""}`, `{"type": "Replace", "pattern": {"String": "a"}, "content": ""}`,
	`{"type": "Replace", "pattern": {"String": ""}, "content": "x"}`, `{"type": "Prepend", "prepend": "é中x"}`,
	`{"type": "Sequence", "normalizers": [` + prependJSON + `, ` + replaceJSON + `]}`,
	`{"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}`, `{"type": "Replace", "pattern": {"Regex": "^|b*"}, "content": "é"}`,
	`{"type": "Replace", "pattern": {"Regex": "(?<=[a-c])\\p{L}|$"}, "content": ""}`,
	`{"type": "Sequence", "normalizers": [{"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}, {"type": "NFC"}]}`,
	`{"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Nmt"}, {"type": "Strip", "strip_left": true, "strip_right": true}, {"type": "ByteLevel"}]}`,
	`{"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "NFC"}, {"type": "NFKD"}, {"type": "NFKC"}, ` + prependJSON + `, ` + bertJSON + `]}`,
	// Text without a source, and what changes beside it:
	`{"type": "Sequence", "normalizers": [{"type": "Replace", "pattern": {"String": ""}, "content": "▁"}, {"type": "StripAccents"}]}`,
	`{"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": ""}, {"type": "NFC"}]}`,
	`{"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": ""}, {"type": "NFD"}, {"type": "StripAccents"}]}`,
	`{"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": ""}, {"type": "Strip", "strip_left": true, "strip_right": true}, {"type": "ByteLevel"}]}`,
	`{"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": ""}, ` + bertJSON + `, ` + prependJSON + `]}`,
}

// characterPlaces turns the places of the runes of a normalized text into characters of the original.
func characterPlaces(original string, s String) []int {
	character := make([]int, len(original)+1)
	n := -1
	for i := range len(original) {
		if utf8.RuneStart(original[i]) {
			n++
		}
		character[i] = n
	}
	character[len(original)] = n + 1
	var at []int
	for i, r := range s.Text() {
		// A slice and its own places, as pre-tokenizers use them.
		piece := s.Slice(i, i+utf8.RuneLen(r))
		start, end := piece.Original(0, piece.Len())
		at = append(at, character[start], character[end])
	}
	return at
}

// TestNormalizeOracle compares texts and places with those of the library, on random texts.
func TestNormalizeOracle(t *testing.T) {
	rng := rand.New(rand.NewPCG(12, 1))
	cases := slices.Clone(normalizers)
	for range 20 {
		cases = append(cases, randomCharsmap(rng))
	}
	cases = append(cases, `{"type": "Sequence", "normalizers": [`+randomCharsmap(rng)+`, {"type": "NFKC"}, `+randomCharsmap(rng)+`, `+bertJSON+`]}`)
	compareWithLibrary(t, cases, func(int) []string {
		texts := []string{""}
		for range 2000 {
			texts = append(texts, randomText(rng))
		}
		return texts
	})
}

// compareWithLibrary normalizes the texts of each case with the library and with this package.
func compareWithLibrary(t *testing.T, cases []string, texts func(i int) []string) {
	type line struct {
		Normalizer json.RawMessage `json:"normalizer"`
		Texts      []string        `json:"texts"`
	}
	var in bytes.Buffer
	var lines []line
	for i, config := range cases {
		lines = append(lines, line{json.RawMessage(config), texts(i)})
		data, err := json.Marshal(lines[i])
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(data, '\n'))
	}
	file := filepath.Join(t.TempDir(), "in.jsonl")
	if err := os.WriteFile(file, in.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	out := json.NewDecoder(bytes.NewReader(oracle.Run(t, "tokenizers", "check_text_normalize.py", file)))
	var sc Scratch
	compared, panics := 0, 0
	for i, line := range lines {
		n, err := Parse(line.Normalizer)
		if err != nil {
			t.Fatal(err)
		}
		var results []*[2]json.RawMessage
		if err := out.Decode(&results); err != nil {
			t.Fatal(err)
		}
		bad := 0
		for k, text := range line.Texts {
			sc.Reset()
			got := n.Normalize(&sc, New(text))
			if results[k] == nil {
				panics++
				continue
			}
			compared++
			if !compareResult(t, cases[i], text, got, *results[k]) {
				if bad++; bad > 3 {
					t.Fatal("too many texts differ")
				}
			}
		}
	}
	t.Logf("%d texts compared; the library panicked on %d others", compared, panics)
}

// TestEveryCharacterOracle compares each character of planes 0 to 2 and 14, alone and between a letter and a mark. Of
// large blocks of alike characters it takes a part.
func TestEveryCharacterOracle(t *testing.T) {
	var alone, between, decomposed []string
	var b, c strings.Builder
	n := 0
	for r := rune(0); r < 0x110000; r++ {
		switch {
		case !utf8.ValidRune(r):
			continue
		case (r > 0x3400 && r < 0x9F00 || r > 0xAC00 && r < 0xD700 || r > 0xE000 && r < 0xF800 || r > 0x17000 && r < 0x18C00 || r > 0x20000) && r%61 != 0 &&
			(r < 0x2F800 || r > 0x2FA20) && (r < 0xE0000 || r > 0xE0200):
			continue
		}
		b.WriteString(string(r) + ".")
		c.WriteString("a" + string(r) + "\u0316\u0301")
		if n++; n%64 == 0 {
			alone, between = append(alone, b.String()), append(between, c.String())
			b.Reset()
			c.Reset()
		}
		if d := chars.Decompose(nil, r, false); len(d) > 1 && n%8 == 0 || len(d) > 1 && r < 0x3400 {
			decomposed = append(decomposed, string(d)+string(d[1:])+"\u0316\u0301"+string(d))
		}
	}
	// Grapheme boundaries show where a rule for the first byte swallows what follows.
	rules := map[string]string{"\xcc": "Q", "a": "P"}
	for b := 0xC2; b < 0xF5; b++ {
		rules[string([]byte{byte(b)})] = "R"
	}
	cases := []string{
		bertJSON, `{"type": "NFC"}`, `{"type": "NFD"}`, `{"type": "NFKC"}`, `{"type": "NFKD"}`, `{"type": "Lowercase"}`, `{"type": "Nmt"}`, `{"type": "StripAccents"}`,
		fmt.Sprintf(`{"type": "Precompiled", "precompiled_charsmap": %q}`, base64.StdEncoding.EncodeToString(charsmap(rules))),
	}
	compareWithLibrary(t, cases, func(int) []string { return slices.Concat(alone, between, decomposed) })
}
