package text

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"
)

// use encodes and decodes, and checks what must hold of every encoding.
func use(t *testing.T, tok *Tokenizer, text string) {
	t.Helper()
	for _, o := range []Options{{}, {NoSpecial: true}, {Truncation: &Truncation{Max: 6, Stride: 1, Overflow: len(text) < 50}, Padding: &Padding{Multiple: 4}}} {
		e, err := tok.EncodePair(text, "b "+text, o)
		if err != nil {
			continue
		}
		for _, e := range append(e.Overflow, e) {
			n := e.Len()
			if len(e.TypeIDs) != n || len(e.Tokens) != n || len(e.Offsets) != n || len(e.Words) != n || len(e.Sequences) != n || len(e.Attention) != n || len(e.Special) != n {
				t.Fatalf("lists of different lengths: %+v", e)
			}
			for i, at := range e.Offsets {
				if at[0] < 0 || at[0] > at[1] || at[1] > len(text)+2 {
					t.Fatalf("offsets %v of token %q in %q", at, e.Tokens[i], text)
				}
			}
		}
		again, err := tok.EncodePair(text, "b "+text, o)
		if err != nil || !slices.Equal(e.IDs, again.IDs) {
			t.Fatalf("%q: first %v, then %v %v", text, e.IDs, again, err)
		}
		d := DecodeOptions{SkipSpecial: true}
		whole := tok.Decode(e.IDs, d)
		s := tok.NewStream(d)
		var b strings.Builder
		for _, id := range e.IDs {
			b.WriteString(s.Push(id))
		}
		b.WriteString(s.Flush())
		if b.String() != whole && !strings.Contains(whole, replacement) {
			t.Fatalf("%q: stream %q, decoded %q", text, b.String(), whole)
		}
		if utf8.ValidString(text) && !utf8.ValidString(whole) {
			t.Fatalf("%q: decoded %q", text, whole)
		}
	}
}

// FuzzParse reads hostile tokenizer.json files.
func FuzzParse(f *testing.F) {
	for _, c := range readReference(f).Tokenizers {
		f.Add([]byte(c.JSON), "Hello <x> wörld 🙂")
	}
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		if len(text) > 1000 {
			return
		}
		tok, err := Parse(data)
		if err != nil {
			return
		}
		use(t, tok, text)
		saved, err := tok.MarshalJSON()
		if err != nil {
			if !strings.Contains(err.Error(), "cannot be told apart") {
				t.Fatal(err)
			}
			return
		}
		again, err := Parse(saved)
		if err != nil {
			t.Fatalf("saved: %v\n%s", err, saved)
		}
		a, first := tok.Encode(text, Options{})
		b, second := again.Encode(text, Options{})
		if (first == nil) != (second == nil) || first == nil && len(tok.added.tokens) == 0 && !slices.Equal(a.IDs, b.IDs) {
			t.Fatalf("%q: %v %v, after saving %v %v", text, a, first, b, second)
		}
	})
}

// FuzzEncode encodes hostile texts with tokenizers of all families.
func FuzzEncode(f *testing.F) {
	var tokenizers []*Tokenizer
	for _, c := range readReference(f).Tokenizers {
		tok, err := Parse(c.JSON)
		if err != nil {
			f.Fatal(err)
		}
		tokenizers = append(tokenizers, tok)
		for i := range c.Cases {
			f.Add(c.Cases[i].Text)
		}
	}
	for _, text := range []string{"\xff\xc3\x00", "e\u0301\xf0\x9f", strings.Repeat("a", 3000), "\u2028\ufeff\u200d", "<x> <y>\xe2\x80<z>"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 5000 {
			return
		}
		for _, tok := range tokenizers {
			use(t, tok, text)
		}
	})
}

// FuzzDecode decodes hostile ids.
func FuzzDecode(f *testing.F) {
	var tokenizers []*Tokenizer
	for _, c := range readReference(f).Tokenizers {
		tok, err := Parse(c.JSON)
		if err != nil {
			f.Fatal(err)
		}
		tokenizers = append(tokenizers, tok)
		for i := range c.Cases {
			var data []byte
			for _, id := range c.Cases[i].Decode {
				data = append(data, byte(id>>8), byte(id))
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var ids []int
		for i := 0; i+1 < len(data); i += 2 {
			ids = append(ids, int(data[i])<<8|int(data[i+1]))
		}
		for _, tok := range tokenizers {
			for _, o := range []DecodeOptions{{}, {SkipSpecial: true}} {
				whole := tok.Decode(ids, o)
				s := tok.NewStream(o)
				var b strings.Builder
				for _, id := range ids {
					piece := s.Push(id)
					if !utf8.ValidString(piece) {
						t.Fatalf("%v: half a character in %q", ids, piece)
					}
					b.WriteString(piece)
				}
				b.WriteString(s.Flush())
				if b.String() != whole && !strings.Contains(whole, replacement) {
					t.Fatalf("%v: stream %q, decoded %q", ids, b.String(), whole)
				}
			}
		}
	})
}

// FuzzOpen reads hostile files of every kind in folders of every class.
func FuzzOpen(f *testing.F) {
	var names []string
	for name := range pipelines {
		names = append(names, name)
	}
	slices.Sort(names)
	for i := range names {
		f.Add(i, []byte(`{"model_max_length": 5, "mask_token": {"__type": "AddedToken", "content": "<m>"}, "extra_special_tokens": ["<e>"]}`),
			[]byte(`{"pad_token": "<pad>"}`), []byte(`{"<a>": 4}`), []byte("[PAD]\n[UNK]\n[CLS]\n[SEP]\na"), []byte(`{"a": 0, "b": 1, "ab": 2}`),
			[]byte("#version: 0.2\na b\n"), smallPieces())
	}
	f.Fuzz(func(t *testing.T, class int, config, special, added, words, vocab, merges, pieces []byte) {
		files := fstest.MapFS{"config.json": {Data: []byte(`{"tokenizer_class": "` + strings.TrimPrefix(names[uint(class)%uint(len(names))], "-") + `"}`)}}
		for name, data := range map[string][]byte{
			"tokenizer_config.json": config, "special_tokens_map.json": special, "added_tokens.json": added, "vocab.txt": words,
			"vocab.json": vocab, "merges.txt": merges, "spiece.model": pieces, "sentencepiece.bpe.model": pieces, clipMerges: pieces,
		} {
			if len(data) > 0 {
				files[name] = &fstest.MapFile{Data: data}
			}
		}
		if class&1 == 0 {
			files["tokenizer.model"] = &fstest.MapFile{Data: pieces}
		}
		if tok, err := Open(files, OpenOptions{OpenAI: class&2 == 0}); err == nil {
			use(t, tok, "ab a<e> b")
		}
	})
}

// FuzzPieces reads hostile SentencePiece models.
func FuzzPieces(f *testing.F) {
	f.Add(smallPieces())
	for _, folder := range readReference(f).Siglip {
		f.Add(fsOf(f, folder.Files)["spiece.model"].Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parsePieces(data)
		if err != nil {
			return
		}
		if len(m.pieces) > len(data) {
			t.Fatalf("%d pieces in %d bytes", len(m.pieces), len(data))
		}
		pieceMerges(m.pieces)
		s, err := newSiglip(m, "<unk>", "</s>", true, false)
		if err != nil {
			return
		}
		b := builder{model: s.model, code: s, added: [][]AddedToken{{{Content: "</s>", Special: true, LStrip: true, RStrip: true}}}}
		if err := b.put(nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		tok, err := b.build()
		if err != nil {
			t.Fatal(err)
		}
		use(t, tok, "A low, ﬁne é e\u0301 \u200b</s> 中\xff▁🙂")
	})
}
