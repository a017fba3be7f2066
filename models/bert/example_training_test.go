package bert_test

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"strings"
	"testing/fstest"

	"github.com/fovea-ml/fovea/models/bert"
	"github.com/fovea-ml/fovea/text"
	"github.com/fovea-ml/fovea/train"
)

// reviewer returns a small model, and a head for two classes, that are not trained.
func reviewer() *bert.Model {
	words := strings.Fields("[PAD] [UNK] [CLS] [SEP] [MASK] a the is good bad fine dull film story end")
	tokenizer, err := text.Open(fstest.MapFS{
		"vocab.txt":             {Data: []byte(strings.Join(words, "\n"))},
		"tokenizer_config.json": {Data: []byte(`{"tokenizer_class": "BertTokenizer"}`)},
	}, text.OpenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	c := bert.MiniLM()
	c.VocabSize, c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize = len(words), 16, 1, 2, 32
	m := bert.New(c, bert.Features, 0, rand.New(rand.NewPCG(1, 2)))
	m.Tokenizer = tokenizer
	m.NewHead(bert.SequenceClassification, []string{"bad", "good"}, rand.New(rand.NewPCG(3, 4)))
	return m
}

// A classifier learns from six texts. A trained one is saved for transformers with Model.Save.
func ExampleModel_Training() {
	ctx := context.Background()
	m := reviewer()
	run, err := m.Training([]bert.Example{
		{Text: "a good film", Class: 1}, {Text: "a good story", Class: 1}, {Text: "a fine end", Class: 1},
		{Text: "a bad film", Class: 0}, {Text: "a bad story", Class: 0}, {Text: "a dull end", Class: 0},
	}, bert.TrainOptions{Epochs: 40, BatchSize: 6, Rate: new(1e-2)})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := train.Run(ctx, run); err != nil {
		log.Fatal(err)
	}
	answers, err := m.Classify(ctx, "a fine film", "the story is dull")
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range answers {
		fmt.Println(a.Top[0].Label, a.Top[0].Probability > 0.9)
	}
	// Output:
	// good true
	// bad true
}

// Each text gets all classes, the most probable first.
func ExampleModel_Classify() {
	m := reviewer()
	answers, err := m.Classify(context.Background(), "a good film", "a bad film")
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range answers {
		p := a.Top
		fmt.Println(len(p), p[0].Probability >= p[1].Probability, len(a.Logits))
	}
	// Output:
	// 2 true 2
	// 2 true 2
}
