package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/examples/internal/console"
	"github.com/fovea-ml/fovea/examples/internal/fetch"
	"github.com/fovea-ml/fovea/models/bert"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/nn/lora"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/text"
)

// recipe holds the defaults that depend on the model.
type recipe struct {
	epochs int
	rate   float64
}

// make makes the model to train: that of -model or a new one, with a new head, and with adapters if -lora asks for
// them.
func (r *run) make(ctx context.Context) (err error) {
	s := &r.settings
	rng := rand.New(rand.NewPCG(s.Seed, 0))
	if s.Model == "" {
		r.recipe = recipe{15, 1e-3}
		r.model, err = scratch(ctx, r.corpus.train.list, rng)
	} else {
		r.recipe = recipe{4, 5e-5}
		r.model, err = open(ctx, s.Model, r.console)
	}
	if err != nil {
		return err
	}
	m := r.model
	m.NewHead(bert.SequenceClassification, r.corpus.classes, rng)
	m.Truncate, m.Workers, m.Math = true, simd.NewWorkers(s.Threads), s.Math
	if s.Tokens > 0 {
		m.MaxTokens = min(m.MaxTokens, s.Tokens)
	}
	if s.Rank > 0 {
		r.recipe.rate = 5e-4
		if err := lora.Attach(m, adapters(m, s.Rank), rng); err != nil {
			return fmt.Errorf("-lora: %w", err)
		}
	}
	if s.Epochs > 0 {
		r.recipe.epochs = s.Epochs
	}
	if s.Rate > 0 {
		r.recipe.rate = s.Rate
	}
	return nil
}

// open loads the model of -model, with the tokenizer of its folder.
func open(ctx context.Context, name string, out *console.Console) (*bert.Model, error) {
	dir, err := fetch.Model(ctx, name, out)
	if err != nil {
		return nil, fmt.Errorf("-model: %w", err)
	}
	m, err := bert.Open(dir, bert.LoadOptions{Unmapped: true})
	if err != nil {
		return nil, fmt.Errorf("-model %s: %w", name, err)
	}
	if m.Tokenizer == nil {
		_, err := m.Embed(ctx, "") // it says why
		return nil, fmt.Errorf("-model %s: %w", name, err)
	}
	return m, nil
}

// scratch returns a small BERT with random weights, and a tokenizer made of the texts for training.
func scratch(ctx context.Context, list []string, rng *rand.Rand) (*bert.Model, error) {
	each := func(yield func(string, error) bool) {
		for _, s := range list {
			if !yield(s, nil) {
				return
			}
		}
	}
	tokenizer, err := text.Train(ctx, each, text.TrainOptions{Kind: text.WordPiece, Size: 4096, Lowercase: true})
	if err != nil {
		return nil, err
	}
	c := bert.Base()
	c.VocabSize, c.MaxPositionEmbeddings = tokenizer.Size(), 128
	c.HiddenSize, c.NumHiddenLayers, c.NumAttentionHeads, c.IntermediateSize = 128, 2, 2, 512
	m := bert.New(c, bert.Features, 0, rng)
	m.Tokenizer = tokenizer
	return m, nil
}

// adapters returns the options of adapters on queries and values, as in the paper of LoRA, with a trained head.
func adapters(m *bert.Model, rank int) lora.Options {
	o := lora.Options{Rank: rank, Alpha: float64(2 * rank), Train: []string{"Heads.Classifier.*"}}
	if m.Pooler != nil {
		o.Train = append(o.Train, "Heads.Pooler.*")
	}
	o.Layers = []string{"Encoder.Layers.*.QKV"} // of ModernBERT
	for range nn.Layers[nn.MultiHeadAttention](m) {
		o.Layers = []string{"Encoder.Layers.*.Attention.QKV.Query", "Encoder.Layers.*.Attention.QKV.Value"}
	}
	return o
}
