package text

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// protoMessage writes a protobuf.
type protoMessage []byte

func (m *protoMessage) bytes(n int, data []byte) {
	*m = binary.AppendUvarint(*m, uint64(n)<<3|2)
	*m = append(binary.AppendUvarint(*m, uint64(len(data))), data...)
}

func (m *protoMessage) number(n int, v uint64) {
	*m = binary.AppendUvarint(binary.AppendUvarint(*m, uint64(n)<<3), v)
}

func (m *protoMessage) float(n int, v float32) {
	*m = binary.LittleEndian.AppendUint32(binary.AppendUvarint(*m, uint64(n)<<3|5), math.Float32bits(v))
}

// smallPieces is a SentencePiece model.
func smallPieces() []byte {
	var m, trainer, normalizer protoMessage
	for i, text := range []string{"<unk>", "<s>", "</s>", "▁", "a", "b", "▁a", "ab", "▁ab"} {
		var p protoMessage
		p.bytes(1, []byte(text))
		p.float(2, -float32(i))
		p.number(3, []uint64{2, 3, 3, 1, 1, 1, 1, 1, 1}[i])
		m.bytes(1, p)
	}
	trainer.number(3, 2)
	trainer.number(40, 0)
	trainer.bytes(45, []byte("<unk>"))
	normalizer.bytes(1, []byte("identity"))
	m.bytes(2, trainer)
	m.bytes(3, normalizer)
	return m
}

// TestPiecesCut cuts a model everywhere: between pieces it is a shorter model, elsewhere an error that says where.
func TestPiecesCut(t *testing.T) {
	whole := smallPieces()
	if m, err := parsePieces(whole); err != nil || len(m.pieces) != 9 || m.kind != 2 || m.pieces[8] != (piece{"▁ab", -8, 1}) {
		t.Fatalf("%+v, %v", m, err)
	}
	errors := 0
	for n := range whole {
		if _, err := parsePieces(whole[:n]); err != nil {
			if errors++; n > 0 && !strings.Contains(err.Error(), "protobuf: expected a whole field at byte") {
				t.Errorf("%d of %d bytes: %v", n, len(whole), err)
			}
		}
	}
	if errors < len(whole)*3/4 {
		t.Errorf("%d errors for %d cuts", errors, len(whole))
	}
	var folders []map[string]string
	reference := readReference(t)
	for _, r := range reference.Folders {
		folders = append(folders, r.Files)
	}
	for _, r := range reference.Siglip {
		folders = append(folders, r.Files)
	}
	for _, contents := range folders {
		for name, content := range contents {
			if !strings.HasSuffix(name, ".model") {
				continue
			}
			files := fsOf(t, contents)
			data := fsOf(t, map[string]string{name: content})[name].Data
			for i := range 16 {
				files[name] = &fstest.MapFile{Data: data[:len(data)*i/16]}
				if tok, err := Open(files, OpenOptions{}); err == nil {
					_, _ = tok.Encode("a text", Options{})
				} else if !strings.Contains(err.Error(), name) && !strings.Contains(err.Error(), "token") {
					t.Errorf("%s cut at %d/16: %v", name, i, err)
				}
			}
		}
	}
}

// large is the number of times that tests of size are larger with FOVEA_LARGE, which asks for minutes and gigabytes.
func large(times int) int {
	if os.Getenv("FOVEA_LARGE") == "" {
		return 1
	}
	return times
}

// TestManyTokens reads a list of added tokens that a quadratic method would not end: a million with FOVEA_LARGE.
func TestManyTokens(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"model": {"type": "WordLevel", "vocab": {"?": 0}, "unk_token": "?"}, "added_tokens": [`)
	n := 100_000 * large(10)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"content":"<%d>","single_word":false,"lstrip":false,"rstrip":false,"normalized":%v,"special":false}`, i+1, i, i%2 == 0)
	}
	b.WriteString(`]}`)
	tok, err := Parse([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	e, err := tok.Encode(fmt.Sprintf("x<%d><0>", n-1), Options{})
	if err != nil || len(e.IDs) != 3 || e.IDs[1] != n || e.IDs[2] != 1 {
		t.Errorf("%+v, %v", e, err)
	}
}

// TestLongTexts encodes texts without a place to cut them, and one of 64 MB with FOVEA_LARGE. A quadratic method would
// not end.
func TestLongTexts(t *testing.T) {
	if testing.Short() {
		t.Skip("slow")
	}
	r := readReference(t)
	tokenizers := map[string]*Tokenizer{}
	for _, name := range []string{"bert", "roberta", "clip", "llama", "qwen", "t5", "xlmr", "ctc"} {
		tok, err := Parse(r.Tokenizers[name].JSON)
		if err != nil {
			t.Fatal(name, err)
		}
		tokenizers[name] = tok
	}
	tok, err := Open(fsOf(t, r.Siglip[0].Files), OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	tokenizers["siglip"] = tok
	for name, tok := range tokenizers {
		t.Run(name, func(t *testing.T) {
			for _, unit := range []string{"a", "é", "word ", "<x>", "\u0301"} {
				checkLong(t, tok, unit)
			}
		})
	}
}

// checkLong encodes a text of one unit again and again.
func checkLong(t *testing.T, tok *Tokenizer, unit string) {
	n := 1 << 16
	if unit == "word " {
		n *= large(1 << 10)
	}
	text := strings.Repeat(unit, n/len(unit))
	start := time.Now()
	e, err := tok.Encode(text, Options{NoSpecial: true})
	if err != nil {
		t.Fatalf("%q: %v", unit, err)
	}
	if n >= 1<<20 {
		t.Logf("%d bytes, %d tokens: %v, %d MB", n, e.Len(), time.Since(start).Round(time.Millisecond), peak()>>20)
	}
	for i, o := range e.Offsets {
		if o[0] > o[1] || o[1] > len(text) || i > 0 && o[0] < e.Offsets[i-1][0] {
			t.Fatalf("%q: token %d has offsets %v", unit, i, o)
		}
	}
}

// peak returns the memory that the process has taken from the system, in bytes.
func peak() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys
}

// TestLongTokens refuses tokens that would make the time the product of two lengths.
func TestLongTokens(t *testing.T) {
	long := strings.Repeat("a", 2000)
	for _, m := range []string{
		`{"type": "Unigram", "unk_id": 0, "vocab": [["?", 0], ["a", -1], ["` + long + `", -9]]}`,
		`{"type": "WordPiece", "unk_token": "?", "continuing_subword_prefix": "##", "max_input_chars_per_word": 1000000, "vocab": {"?": 0, "` + long + `": 3}}`,
	} {
		if _, err := Parse([]byte(`{"model": ` + m + `}`)); err == nil || !strings.Contains(err.Error(), "at most 1024 bytes, found 2000") {
			t.Errorf("%.20s: %v", m, err)
		}
	}
	tok, err := Parse([]byte(`{"model": {"type": "WordPiece", "unk_token": "?", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": {"?": 0, "` + long + `": 3}}}`))
	if err != nil || tok.Size() != 2 {
		t.Error(err)
	}
}

// TestParseErrors names the field.
func TestParseErrors(t *testing.T) {
	const model = `"model": {"type": "WordLevel", "vocab": {"?": 0}, "unk_token": "?"}`
	for data, want := range map[string]string{
		``:                                  "tokenizer.json: invalid JSON",
		`{}`:                                "model: expected an object, found none",
		`{"other": 1, ` + model + `}`:       "other: unsupported field",
		`{"version": "2.0", ` + model + `}`: `version: expected "1.0", found "2.0"`,
		`{"added_tokens": [{"id": 1}], ` + model + `}`:                                                                                 "added_tokens: [0]: content: expected a value",
		`{"truncation": {"max_length": 1, "strategy": "Both", "stride": 0}, ` + model + `}`:                                            "truncation: strategy: expected one of",
		`{"padding": {"strategy": {"Fixed": -1}, "direction": "Left", "pad_id": 0, "pad_type_id": 0, "pad_token": ""}, ` + model + `}`: "at least 0, found -1",
		`{"normalizer": {"type": "Magic"}, ` + model + `}`:                                                                             `tokenizer.json: normalizer: unsupported type "Magic"`,
		`{"pre_tokenizer": {"type": "Magic"}, ` + model + `}`:                                                                          `tokenizer.json: pre_tokenizer: unsupported type "Magic"`,
		`{"decoder": {"type": "Magic"}, ` + model + `}`:                                                                                `tokenizer.json: decoder: unsupported type "Magic"`,
		`{"decoder": {"type": "Fuse", "x": 1}, ` + model + `}`:                                                                         "decoder: Fuse: x: unsupported field",
		`{"decoder": {"type": "Replace", "pattern": {"Regex": "("}, "content": ""}, ` + model + `}`:                                    "decoder: Replace: pattern: Regex",
		`{"decoder": {"type": "Metaspace", "replacement": "__"}, ` + model + `}`:                                                       "replacement: expected one character",
		`{"decoder": ` + strings.Repeat(`{"type": "Sequence", "decoders": [`, 200) + strings.Repeat("]}", 200) + `, ` + model + `}`:    "at most 64 levels",
		`{"model": {"type": "Magic"}}`:                                                                                                 "Magic",
		`{"model": ` + strings.Repeat("[", 5000):                                                                                       "at most 900 values",
	} {
		_, err := Parse([]byte(data))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.80s: expected %q, found %v", data, want, err)
		}
	}
}

// TestOpenErrors names the file and the field.
func TestOpenErrors(t *testing.T) {
	const bert = `{"model_type": "bert"}`
	for _, c := range []struct {
		files map[string]string
		want  string
	}{
		{map[string]string{}, "tokenizer.json"},
		{map[string]string{"config.json": bert}, "expected a tokenizer.json, or vocab.txt for class BertTokenizer"},
		{map[string]string{"config.json": `{"model_type": 3}`}, "config.json: model_type: expected text"},
		{map[string]string{"config.json": `{"model_type": "canine"}`}, "unsupported class CanineTokenizer"},
		{map[string]string{"config.json": bert, "tokenizer_config.json": `[]`}, "tokenizer_config.json: expected an object"},
		{map[string]string{"config.json": bert, "vocab.txt": "[UNK]", "tokenizer_config.json": `{"do_lower_case": 1}`},
			"tokenizer_config.json: do_lower_case: expected true or false, found number 1"},
		{map[string]string{"config.json": bert, "vocab.txt": "[UNK]", "tokenizer_config.json": `{"cls_token": null}`}, "cls_token: expected a token, found none"},
		{map[string]string{"config.json": bert, "vocab.txt": "[UNK]", "tokenizer_config.json": `{"cls_token": {"content": "x"}}`}, `cls_token: __type: expected "AddedToken"`},
		{map[string]string{"config.json": bert, "vocab.txt": "[UNK]", "tokenizer_config.json": `{"padding_side": "top"}`}, "padding_side: expected left or right"},
		{map[string]string{"config.json": bert, "vocab.txt": "[UNK]", "tokenizer_config.json": `{"fix_mistral_regex": true}`}, "fix_mistral_regex"},
		{map[string]string{"config.json": bert, "vocab.txt": "\xff"}, "vocab.txt: expected UTF-8"},
		{map[string]string{"config.json": bert, "vocab.txt": "[UNK]", "added_tokens.json": `{"a": "b"}`}, "added_tokens.json: expected a whole number"},
		{map[string]string{"config.json": `{"model_type": "gpt2"}`, "vocab.json": `{"a": 0}`}, "merges.txt"},
		{map[string]string{"config.json": `{"model_type": "gpt2"}`, "vocab.json": `{"a": 0}`, "merges.txt": "a b c"}, "merges.txt: merge 0"},
		{map[string]string{"config.json": `{"model_type": "gpt2"}`, "vocab.json": `{"a": 0}`, "merges.txt": "a b"}, "b"},
		{map[string]string{"config.json": `{"model_type": "llama"}`, "tokenizer.model": ""}, "tokenizer.model: expected a SentencePiece model, found no pieces"},
		{map[string]string{clipMerges: "x"}, clipMerges},
		{map[string]string{"config.json": `{"model_type": "llama"}`, "tokenizer.model": "IQ== 0\nIg== 1\n"}, "tokenizer.model: a vocabulary of tiktoken is unsupported"},
		{map[string]string{"config.json": `{"model_type": "llama"}`, "tiktoken.model": "IQ== 0\nIg== 1\n"}, "tiktoken.model: a vocabulary of tiktoken is unsupported"},
	} {
		files := fstest.MapFS{}
		for name, content := range c.files {
			files[name] = &fstest.MapFile{Data: []byte(content)}
		}
		_, err := Open(files, OpenOptions{})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: expected %q, found %v", c.files, c.want, err)
		}
	}
}
