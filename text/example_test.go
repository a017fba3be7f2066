package text_test

import (
	"context"
	"fmt"
	"testing/fstest"

	"github.com/fovea-ml/fovea/text"
)

// folder is a model folder of BERT with a tiny vocabulary.
var folder = fstest.MapFS{
	"config.json":           {Data: []byte(`{"model_type": "bert"}`)},
	"tokenizer_config.json": {Data: []byte(`{"model_max_length": 8}`)},
	"vocab.txt":             {Data: []byte("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\n##s\nsit\n.\n")},
}

func Example() {
	t, err := text.Open(folder, text.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	e, err := t.EncodePair("The cats sit.", "The [MASK]", text.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(e.Tokens)
	fmt.Println(e.IDs)
	fmt.Println(e.TypeIDs)
	fmt.Println(e.Offsets)
	fmt.Println(t.Decode(e.IDs, text.DecodeOptions{SkipSpecial: true}))
	// Output:
	// [[CLS] the cat ##s sit . [SEP] the [MASK] [SEP]]
	// [2 5 6 7 8 9 3 5 4 3]
	// [0 0 0 0 0 0 0 1 1 1]
	// [[0 0] [0 3] [4 7] [7 8] [9 12] [12 13] [0 0] [0 3] [4 10] [0 0]]
	// the cats sit. the
}

// A batch for a model: cut to its maximum length, and padded to one length.
func ExampleTokenizer_EncodeBatch() {
	t, err := text.Open(folder, text.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	batch, err := t.EncodeBatch(context.Background(), []text.Input{{Text: "the cats sit. the cats sit."}, {Text: "the cat"}}, t.Defaults())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range batch {
		fmt.Println(e.IDs, e.Attention)
	}
	// Output:
	// [2 5 6 7 8 9 5 3] [true true true true true true true true]
	// [2 5 6 3 0 0 0 0] [true true true true false false false false]
}

// A long text in windows that overlap by two tokens.
func ExampleEncoding() {
	t, err := text.Open(folder, text.OpenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	o := t.Defaults()
	o.Truncation.Overflow, o.Truncation.Stride = true, 2
	e, err := t.Encode("the cats sit. the cat", o)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, window := range append([]*text.Encoding{e}, e.Overflow...) {
		fmt.Println(window.Tokens)
	}
	// Output:
	// [[CLS] the cat ##s sit . the [SEP]]
	// [[CLS] . the cat [SEP] [PAD] [PAD] [PAD]]
}

// A vocabulary from a few lines, saved as a tokenizer.json.
func ExampleTrain() {
	lines := func(yield func(string, error) bool) {
		for _, line := range []string{"low lower lowest", "new newer newest", "wide wider widest"} {
			if !yield(line, nil) {
				return
			}
		}
	}
	t, err := text.Train(context.Background(), lines, text.TrainOptions{Kind: text.WordPiece, Size: 60, MinFrequency: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	data, err := t.MarshalJSON()
	if err != nil {
		fmt.Println(err)
		return
	}
	again, err := text.Parse(data) // or os.WriteFile("tokenizer.json", data, 0o666)
	if err != nil {
		fmt.Println(err)
		return
	}
	e, err := again.Encode("the lowest", text.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(e.Tokens, again.Size())
	// Output: [[CLS] [UNK] lowest [SEP]] 40
}

// A stream gives whole characters as soon as they are complete.
func ExampleTokenizer_NewStream() {
	t, err := text.Parse([]byte(`{
		"decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true},
		"model": {"type": "BPE", "vocab": {"caf": 0, "Ã": 1, "©": 2, "!": 3}, "merges": []}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	s := t.NewStream(text.DecodeOptions{})
	for id := range 4 {
		fmt.Printf("%q ", s.Push(id))
	}
	fmt.Printf("%q\n", s.Flush())
	// Output: "caf" "" "é" "!" ""
}
