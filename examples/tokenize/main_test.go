package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/internal/test/golden"
	"github.com/fovea-ml/fovea/text"
)

// vocabulary is that of a small BERT.
const vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nwho\n?\nada\n.\nun\n##believ\n##able\n狮\n"

// byteLevel is a tokenizer.json with three bytes as GPT-2 writes them.
const byteLevel = `{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
	"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
	"post_processor": null, "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
	"model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
	"fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": {"h": 0, "i": 1, "Ã": 2, "©": 3, "hi": 4, "Ċ": 5}, "merges": [["h", "i"]]}}`

// write writes a file to a new folder and returns its path.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// output runs the program and returns its standard output.
func output(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := command(args, strings.NewReader(stdin), &stdout, &stderr); status != 0 || stderr.Len() > 0 {
		t.Fatalf("%q: status %d: %s", args, status, &stderr)
	}
	return stdout.String()
}

// TestText checks what people see.
func TestText(t *testing.T) {
	bert, bytes := write(t, "vocab.txt", vocabulary), write(t, "any.json", byteLevel)
	for _, c := range []struct {
		stdin string
		args  []string
		want  string
	}{
		{"", []string{"-model", bert, "-pair", "Who?", "ada, 狮"}, `
[Who][?]
[ada][,] [狮]

   id  piece    bytes  text
0   2  [CLS]           special
1   5  who    1: 0..3  "Who"
2   6  ?      1: 3..4  "?"
3   3  [SEP]           special
4   7  ada    2: 0..3  "ada"
5   1  [UNK]  2: 3..4  ","
6  12  狮     2: 5..8  "狮"
7   3  [SEP]           special

8 tokens
`},
		{"unbelievable\r\n", []string{"-model", filepath.Dir(bert), "-no-special"}, `
[un][believ][able]

   id  piece     bytes  text
0   9  un         0..2  "un"
1  10  ##believ   2..8  "believ"
2  11  ##able    8..12  "able"

3 tokens
`},
		{"hi\né\n", []string{"-model", bytes}, `
[hi][↵
][é][·]

   id  piece  bytes  text
0   4  hi      0..2  "hi"
1   5  Ċ       2..3  "\n"
2   2  Ã       3..5  "é"
3   3  ©       3..5  "é"

4 tokens
`},
		{"", []string{"-model", bytes, "-ids", "[4, 2", "3]"}, "\nhié\n"},
		{"4 5", []string{"-model", bytes, "-ids", "-json"}, "\n" + `{"ids":[4,5],"tokens":["hi","Ċ"],"text":"hi\n"}` + "\n"},
		{"", []string{"-model", bytes, "-json", "i\xff"}, "\n" +
			`[{"text":"i\udcff","ids":[1],"tokens":["i"],"offsets":[[0,1]],"type_ids":[0],"words":[0],"sequences":[0],"special":[false]}]` + "\n"},
	} {
		if got := output(t, c.stdin, c.args...); "\n"+got != c.want {
			t.Errorf("%q: found\n%s\nexpected%s", c.args, got, c.want)
		}
	}
}

// TestColors checks the pieces of a terminal, and that texts cannot control it.
func TestColors(t *testing.T) {
	tok, err := text.Parse([]byte(byteLevel))
	if err != nil {
		t.Fatal(err)
	}
	const whole = "hii\x1b[31m"
	e, err := tok.Encode(whole, text.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	printer{colors: true}.pieces(&b, whole, 0, e)
	if want := "\x1b[30;48;5;153mhi\x1b[0m\x1b[30;48;5;223mi\x1b[0m\\x1b[31m\n"; b.String() != want {
		t.Errorf("found %q, expected %q", b.String(), want)
	}
	if got, want := plain("a\tb\nc\x1b\xff\n"), "a\tb\nc\\x1b\\xff\n"; got != want {
		t.Errorf("found %q, expected %q", got, want)
	}
}

// TestReference compares with the ids that transformers gives for BERT.
func TestReference(t *testing.T) {
	data := golden.SharedData(t, "tokenizers")
	vocabulary := filepath.Join(data, "bert-base-uncased-vocab.txt")
	lines, err := os.ReadFile(filepath.Join(data, "bert_uncased.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	type encoding struct {
		Text    string
		IDs     []int
		Tokens  []string
		Offsets [][2]int
	}
	args, want := []string{"-json", "-model", vocabulary, "--"}, []encoding{}
	for line := range bytes.Lines(lines) {
		var e encoding
		if json.Unmarshal(line, &e) == nil && len(want) < 100 {
			args, want = append(args, e.Text), append(want, e)
		}
	}
	var got []encoding
	if err := json.Unmarshal([]byte(output(t, "", args...)), &got); err != nil || len(got) != len(want) {
		t.Fatalf("found %d texts, expected %d: %v", len(got), len(want), err)
	}
	for i, g := range got {
		for _, o := range g.Offsets { // those of the reference count characters
			if !strings.HasPrefix(g.Text[o[0]:], g.Text[o[0]:o[1]]) {
				t.Fatalf("%q: offsets %v", g.Text, o)
			}
		}
		for k, o := range g.Offsets {
			g.Offsets[k] = [2]int{utf8.RuneCountInString(g.Text[:o[0]]), utf8.RuneCountInString(g.Text[:o[1]])}
		}
		if !reflect.DeepEqual(g, want[i]) {
			t.Errorf("found %v, expected %v", g, want[i])
		}
	}
}

// TestCount counts files, their lines and standard input.
func TestCount(t *testing.T) {
	model := write(t, "tokenizer.json", byteLevel)
	first, second := write(t, "first.txt", "hi\nhié"), write(t, "second.txt", "i\r\n")
	for _, c := range []struct {
		stdin string
		args  []string
		want  string
	}{
		{"", []string{first, second}, "tokens  characters  a token  file\n" +
			"     5           6     1.20  " + first + "\n     2           3     1.50  " + second + "\n     7           9     1.29  total\n"},
		{"", []string{"-lines", "-threads", "1", second}, "tokens  characters  a token  file\n     1           3     3.00  " + second + "\n"},
		{"é", []string{"-json"}, `{"files":[{"file":"-","tokens":2,"characters":1,"bytes":2}],"tokens":2,"characters":1,"bytes":2}` + "\n"},
	} {
		if got := output(t, c.stdin, append([]string{"-model", model, "-count"}, c.args...)...); got != c.want {
			t.Errorf("%q: found\n%s\nexpected\n%s", c.args, got, c.want)
		}
	}
}

// TestTrain trains with each kind, from files and from standard input, and encodes with the result.
func TestTrain(t *testing.T) {
	corpus := strings.Repeat("low lower lowest\nnew newer newest\n", 20)
	file := write(t, "corpus.txt", corpus)
	for _, kind := range []string{"bpe", "wordpiece", "unigram"} {
		out := filepath.Join(t.TempDir(), "tokenizer.json")
		args := []string{"-json", "-train", "300", "-kind", kind, "-out", out}
		first := output(t, "", append(args, "-threads", "1", file)...)
		saved, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if second := output(t, corpus, args...); second != first || !strings.HasPrefix(first, `{"out":"`) {
			t.Errorf("found %s and %s", first, second)
		}
		again, err := os.ReadFile(out)
		if err != nil || !bytes.Equal(saved, again) {
			t.Errorf("%s: standard input gives another tokenizer than the file: %v", kind, err)
		}
		if text := output(t, "", "-model", out, "lower newest"); !strings.HasPrefix(text, "[lo") {
			t.Errorf("found %s", text)
		}
	}
}

// TestBroken names the files that cannot be counted, counts the others, and gives status 1.
func TestBroken(t *testing.T) {
	good := write(t, "good.txt", "hi")
	missing := filepath.Join(t.TempDir(), "missing.txt")
	var stdout, stderr bytes.Buffer
	status := command([]string{"-model", write(t, "tokenizer.json", byteLevel), "-count", "-json", missing, good, filepath.Dir(good)}, strings.NewReader(""), &stdout, &stderr)
	lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
	if status != 1 || len(lines) != 3 || !strings.Contains(lines[0], missing) || lines[2] != "tokenize: 2 of 3 files could not be counted" {
		t.Errorf("status %d, %q", status, lines)
	}
	var got struct{ Files []struct{ File string } }
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil || len(got.Files) != 1 || got.Files[0].File != good {
		t.Errorf("%v: %s", err, &stdout)
	}
}

// TestFails expects one error line and status 1.
func TestFails(t *testing.T) {
	model := write(t, "tokenizer.json", byteLevel)
	fails(t, "-model", "text")
	fails(t, "no-such-folder", "-model", "no-such-folder", "text")
	fails(t, "weights.bin", "-model", write(t, "weights.bin", ""), "text")
	fails(t, "any.json", "-model", write(t, "any.json", "{"), "text")
	fails(t, "tokenizer.model: protobuf", "-model", write(t, "any.model", "x"), "text")
	fails(t, "two texts", "-model", model, "-pair", "one")
	fails(t, "no token 99", "-model", model, "-ids", "99")
	fails(t, `"x"`, "-model", model, "-ids", "1", "x")
	fails(t, "-ids and -count", "-model", model, "-ids", "-count", "1")
	fails(t, "-lines needs", "-model", model, "-lines", "text")
	fails(t, "-threads", "-model", model, "-threads", "-1", "text")
	fails(t, "-train", "-train", "0", "-kind", "bpe", "-out", "x")
	fails(t, "-kind", "-train", "10", "-kind", "x", "-out", "x")
	fails(t, "-out", "-train", "10", "-kind", "bpe")
	fails(t, "-model and -train", "-train", "10", "-kind", "bpe", "-model", model)
	fails(t, "need -train", "-model", model, "-kind", "bpe", "text")
	fails(t, "missing.txt", "-train", "10", "-kind", "bpe", "-out", filepath.Join(t.TempDir(), "x"), "missing.txt")
	fails(t, "nonsense", "-nonsense")
}

func fails(t *testing.T, want string, args ...string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := command(args, strings.NewReader(""), &stdout, &stderr)
	line := stderr.String()
	if status != 1 || stdout.Len() > 0 || !strings.HasPrefix(line, "tokenize: ") || strings.Count(line, "\n") != 1 || !strings.Contains(line, want) {
		t.Errorf("%q: status %d, expected one line with %q, found %q and %q", args, status, want, line, &stdout)
	}
}

// TestHelp checks that -h goes to standard output.
func TestHelp(t *testing.T) {
	if got := output(t, "", "-h"); !strings.Contains(got, "-count") {
		t.Errorf("found %q", got)
	}
	if got := console.Width("a狮́"); got != 3 {
		t.Errorf("width %d, expected 3", got)
	}
}
