package bert_test

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"strings"
	"testing/fstest"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/bert"
	"github.com/fovea-ml/fovea/text"
	"github.com/fovea-ml/fovea/train"
)

// Two sequences go through a small model that is not trained. The second has the result that it has alone.
func ExampleEncoder() {
	c := bert.MiniLM()
	c.VocabSize, c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize = 100, 32, 2, 4, 64
	m := bert.New(c, bert.Features, 0, rand.New(rand.NewPCG(1, 2)))
	tape := autograd.NewTape(autograd.Options{})
	both := m.Encoder.Forward(tape, bert.Pack([]int{1, 7, 2}, []int{1, 9, 9, 8, 2}))
	alone := m.Encoder.Forward(tape, bert.Pack([]int{1, 9, 9, 8, 2}))
	fmt.Println(both.Shape(), both.Floats(nil)[3*32] == alone.Floats(nil)[0])
	// Output: [8 32] true
}

// A model learns which texts match. Each text of a batch is a negative for the others, beside those given.
func ExampleModel_SentenceTraining() {
	words := []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "capital", "of", "france", "spain", "italy", "paris", "madrid", "rome"}
	tokenizer, err := text.Open(fstest.MapFS{
		"vocab.txt":             {Data: []byte(strings.Join(words, "\n"))},
		"tokenizer_config.json": {Data: []byte(`{"tokenizer_class": "BertTokenizer"}`)},
	}, text.OpenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	c := bert.MiniLM()
	c.VocabSize, c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize = len(words), 32, 2, 4, 64
	m := bert.New(c, bert.Features, 0, rand.New(rand.NewPCG(1, 2)))
	m.Tokenizer = tokenizer

	config, err := m.SentenceTraining([]bert.Match{
		{Anchor: "capital of France", Positive: "Paris", Negatives: []string{"France"}},
		{Anchor: "capital of Spain", Positive: "Madrid", Negatives: []string{"Spain"}},
		{Anchor: "capital of Italy", Positive: "Rome", Negatives: []string{"Italy"}},
	}, bert.SentenceOptions{MicroBatch: 2})
	if err != nil {
		log.Fatal(err)
	}
	config.Epochs, config.Schedule = 60, train.Curve{Peak: 2e-3, Length: 60}.Linear()
	result, err := train.Run(context.Background(), config)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Losses[0] > 1, result.Losses[59] < 0.1)
	// Output: true true
}
