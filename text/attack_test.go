package text

import (
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

// TestSuffixBytes cuts a suffix into bytes, which have no place in the text: their offsets lie at its end. The
// reference gives offsets beyond the text there.
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

// attack returns a small tokenizer.json with fields of an attacker, which end in commas.
func attack(fields string) []byte {
	return []byte(`{` + fields + `"model":{"type":"WordLevel","vocab":{"?":0,"a":1},"unk_token":"?"}}`)
}

// TestExtremeLimits gives limits that no text has: an error that names them, without the memory they ask for.
func TestExtremeLimits(t *testing.T) {
	tok, err := Parse(attack(`"pre_tokenizer":{"type":"Split","pattern":{"Regex":"."},"behavior":"Isolated","invert":false},`))
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("a", 5000)
	for want, o := range map[string]Options{
		"a length and a multiple of at most 4194304": {Padding: &Padding{Length: 1 << 40}},
		"found 0 and 1099511627776":                  {Padding: &Padding{Multiple: 1 << 40}},
		"found 9223372036854775807 and":              {Padding: &Padding{Length: math.MaxInt, Multiple: math.MaxInt - 1}},
		"at least 0, found -1 and 0":                 {Padding: &Padding{Length: -1}},
		"at least 0, found 0 and -1":                 {Padding: &Padding{Multiple: -1}},
		"found -9223372036854775808":                 {Truncation: &Truncation{Max: math.MinInt}},
		"a stride of at least 0, found -9":           {Truncation: &Truncation{Max: 9, Stride: -9}},
		"a stride below 4, the tokens left":          {Truncation: &Truncation{Max: 9, Stride: math.MaxInt}},
		"one of the strategies, found 200":           {Truncation: &Truncation{Max: 9, Strategy: 200}},
		"windows of at most 134217728 tokens":        {Truncation: &Truncation{Max: 8, Stride: 3, Overflow: true}},
	} {
		_, err := tok.EncodeBatch(t.Context(), []Input{{Text: long, Pair: &Input{Text: long}}}, o)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected %q, found %v", want, err)
		}
	}
	e, err := tok.Encode("a", Options{Truncation: &Truncation{Max: math.MaxInt, Stride: math.MaxInt, Overflow: true}, Padding: &Padding{Multiple: 3}})
	if err != nil || e.Len() != 3 {
		t.Errorf("%v, %v", e, err)
	}
	ids := []int{-1, math.MinInt, math.MaxInt, 1 << 32, 1<<32 + 1, 2, 0, 1}
	if text := tok.Decode(ids, DecodeOptions{}); text != "? a" {
		t.Errorf("decoded %q", text)
	}
}

// TestTemplateBombs multiplies the tokens of a text by a template.
func TestTemplateBombs(t *testing.T) {
	const text, token = `{"Sequence":{"id":"A","type_id":0}},`, `{"SpecialToken":{"id":"x","type_id":0}},`
	template := func(pieces, ids string) []byte {
		return attack(`"post_processor":{"type":"TemplateProcessing","single":[` + strings.TrimSuffix(pieces, ",") + `],"pair":[],"special_tokens":{"x":{"id":"x","ids":[` +
			strings.TrimSuffix(ids, ",") + `],"tokens":[` + strings.TrimSuffix(strings.ReplaceAll(ids, "1", `"a"`), ",") + `]}}},`)
	}
	if _, err := Parse(template(strings.Repeat(token, 1000), strings.Repeat("1,", 1000))); err == nil || !strings.Contains(err.Error(), "single: expected at most 65536 special tokens") {
		t.Error(err)
	}
	if _, err := Parse(template(strings.Repeat(text, 1000), "")); err == nil || !strings.Contains(err.Error(), "single: expected texts in at most 16 places") {
		t.Error(err)
	}
	tok, err := Parse(template(strings.Repeat(text, 16), ""))
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Split(strings.Repeat("a ", 20), " ")
	if _, err := tok.EncodeWords(words, Options{Truncation: &Truncation{Max: 2, Overflow: true}}); err == nil || !strings.Contains(err.Error(), "windows of at most") {
		t.Error(err)
	}
}

// TestGrowth puts steps one after the other that make a text longer. The file and the text are small.
func TestGrowth(t *testing.T) {
	repeat := func(list, step string, n int) string {
		return `{"type":"Sequence","` + list + `":[` + strings.TrimSuffix(strings.Repeat(step+",", n), ",") + `]}`
	}
	const twice = `{"type":"Replace","pattern":{"String":"a"},"content":"aa"}`
	const pattern = `{"type":"Replace","pattern":{"Regex":""},"content":"bb"}`
	prefix := `{"type":"Prepend","prepend":"` + strings.Repeat("p", 100_000) + `"}`
	long := `{"type":"Replace","pattern":{"Regex":"a"},"content":"` + strings.Repeat("p", 100_000) + `"}`
	for name, fields := range map[string]string{
		"String":    `"normalizer":` + repeat("normalizers", twice, 64),
		"Regex":     `"normalizer":` + repeat("normalizers", pattern, 64),
		"Prepend":   `"normalizer":` + repeat("normalizers", prefix, 64),
		"once":      `"normalizer":` + long,
		"ByteLevel": `"normalizer":` + repeat("normalizers", `{"type":"ByteLevel"}`, 64),
		"split":     `"pre_tokenizer":` + repeat("pretokenizers", `{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true}`, 64),
	} {
		tok, err := Parse(attack(fields + ","))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for range 2 {
			_, err = tok.EncodeBatch(t.Context(), []Input{{Text: strings.Repeat("a é", 100)}, {Words: strings.Split(strings.Repeat("a é", 100), " ")}}, Options{})
			if err == nil || !strings.Contains(err.Error(), "pre-tokenizers that write at most") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := tok.Encode("", Options{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	added := `"added_tokens":[{"id":2,"content":"a","single_word":false,"lstrip":false,"rstrip":false,"normalized":true,"special":false}],`
	if _, err := Parse(attack(added + `"normalizer":` + repeat("normalizers", twice, 64) + `,`)); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Error(err)
	}
	for want, decoder := range map[string]string{
		"at most 65536 times longer":  repeat("decoders", twice, 64),
		"65536 times longer":          repeat("decoders", pattern, 64),
		"times longer together":       long,
		"expected at most 1024 steps": repeat("decoders", `{"type":"Fuse"}`, 100_000),
	} {
		if _, err := Parse(attack(`"decoder":` + decoder + `,`)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestLongPieces reads SentencePiece models of BPE with one long piece, and with every beginning of a long piece: the
// merges of those have far more text than the file.
func TestLongPieces(t *testing.T) {
	model := func(texts ...string) []byte {
		var m, trainer protoMessage
		for _, text := range append([]string{"<unk>", "<s>", "</s>", "▁"}, texts...) {
			var p protoMessage
			p.bytes(1, []byte(text))
			m.bytes(1, p)
		}
		trainer.number(3, 2)
		m.bytes(2, trainer)
		return m
	}
	var all []string
	for n := 1; n < 400; n++ {
		all = append(all, strings.Repeat("a", n))
	}
	for _, pieces := range [][]byte{model(strings.Repeat("a", 500_000), "a"), model(all...)} {
		files := fstest.MapFS{"config.json": {Data: []byte(`{"model_type":"llama"}`)}, "tokenizer.model": {Data: pieces}}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		tok, err := Open(files, OpenOptions{})
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20+500*uint64(len(pieces)) {
			t.Errorf("%d bytes for a file of %d", used, len(pieces))
		}
		use(t, tok, "aaa aab")
	}
}

// TestManySpaces gives long runs of white space to tokens that take it, and to the stages of decoding that wait for its
// end. Quadratic methods would not end.
func TestManySpaces(t *testing.T) {
	const n = 300_000
	var added []string
	for i, content := range []string{" ", "\\t"} {
		added = append(added, fmt.Sprintf(`{"id":%d,"content":"%s","single_word":false,"lstrip":%v,"rstrip":%v,"normalized":false,"special":false}`, i+2, content, i == 1, i == 0))
	}
	tok, err := Parse(attack(`"added_tokens":[` + strings.Join(added, ",") + `],`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, want string }{
		{"a  \ta", "[1 2 2 1]"}, {"\t\t\ta", "[3 3 3 1]"}, {" \t a", "[2 2 1]"}, {"\t ", "[3 2]"}, // the reference panics for the third
	} {
		e, err := tok.Encode(c.text, Options{})
		if err != nil || fmt.Sprint(e.IDs) != c.want {
			t.Errorf("%q: %v, %v; expected %s", c.text, e, err, c.want)
		}
	}
	for _, text := range []string{strings.Repeat(" ", n), strings.Repeat("\t", n), strings.Repeat(" \t", n/2)} {
		e, err := tok.Encode("a"+text+"a", Options{})
		if err != nil || len(e.IDs) < n/2 || len(e.Tokens[1]) < 1 {
			t.Errorf("%q: %v", text[:2], err)
		}
	}
	tok.config.cleanUp, tok.config.suffix = true, "</w>"
	for _, text := range []string{" ", " .", " '", "\t", "a"} {
		var text1, text2 textStage
		first := &cleanStage{out: &trimStage{out: &text1}}
		second := &trimStage{out: &cleanStage{out: &text2}}
		first.push("x")
		second.push("x")
		for range n {
			first.push(text)
			second.push(text)
		}
		for _, s := range []stage{first, second} {
			s.push("y")
			s.flush()
		}
		want := clean("x" + strings.Repeat(text, n) + "y")
		if text1.take() != want || text2.take() != want {
			t.Errorf("%q: a stage gave another text than at once", text)
		}
	}
}

// TestGoroutines uses one tokenizer of each family in goroutines at once; run with -race it finds unguarded memory.
func TestGoroutines(t *testing.T) {
	inputs := []Input{{Text: "Hello <x> wörld 🙂 \xff"}, {Words: []string{"a", "", "b\x00"}}, {Text: "one", Pair: &Input{Text: "two  words"}}, {Text: strings.Repeat("ab é ", 50)}}
	for name, c := range readReference(t).Tokenizers {
		tok, err := Parse(c.JSON)
		if err != nil {
			t.Fatal(err)
		}
		var want []*Encoding
		for _, in := range inputs {
			e, err := tok.encode(in, Options{})
			if err != nil {
				e = nil
			}
			want = append(want, e)
		}
		var group sync.WaitGroup
		for g := range 4 {
			group.Go(func() {
				for i := range 8 {
					k := (g + i) % len(inputs)
					if want[k] == nil {
						continue
					}
					list, err := tok.EncodeBatch(t.Context(), []Input{inputs[k], inputs[k]}, Options{})
					if err != nil {
						t.Errorf("%s: %v", name, err)
						return
					}
					for _, e := range list {
						if !reflect.DeepEqual(e, want[k]) {
							t.Errorf("%s: %v, expected %v", name, e, want[k])
						}
					}
					tok.Decode(want[k].IDs, DecodeOptions{})
				}
			})
		}
		group.Wait()
	}
}
