package bert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/text"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/train/contrast"
)

// Match is a sample of [Model.SentenceTraining]: a text, one that should be near it, and texts that look alike and
// should not, which may be none.
type Match struct {
	Anchor, Positive string
	Negatives        []string // hard negatives
}

// SentenceOptions say how [Model.SentenceTraining] trains. The zero value trains as sentence-transformers does by
// default.
type SentenceOptions struct {
	BatchSize int // matches that share a loss; 0 means 32
	// MicroBatch, when it is not 0, is the number of texts that are encoded at a time: gradient caching, for batches
	// larger than memory ([contrast.Encode]). Texts are then encoded twice.
	MicroBatch int
	Scale      float32 // of cosine similarities; 0 means [contrast.RankingScale], 20
	Seed       uint64  // of the order of matches, which is a new one in each epoch

	// Anchors and Candidates say how the texts become vectors: their prompts, and the Dim that is compared.
	Anchors, Candidates EmbedOptions

	WeightDecay float64           // of weights other than biases and gains
	LayerDecay  float64           // multiplies the learning rate once for each layer below the last; 0 means 1
	Adam        train.AdamOptions // of AdamW
}

// SentenceTraining prepares a run that makes the vectors of matching texts similar, by the loss of in-batch and hard
// negatives (contrast.Ranking, sentence-transformers' MultipleNegativesRankingLoss):
//
//	matches := []bert.Match{{Anchor: "capital of France", Positive: "Paris is the capital of France."}, …}
//	config, err := model.SentenceTraining(matches, bert.SentenceOptions{BatchSize: 512, MicroBatch: 32})
//	…
//	config.Epochs, config.Schedule = 1, train.Curve{Peak: 5e-5, Warmup: 0.1, Length: 1}.Linear()
//	config.File, config.Start = "run.safetensors", train.ResumeIfPresent
//	result, err := train.Run(ctx, config)
//	err = model.Save(dir, bert.SaveOptions{})
//
// The Config has the Model, Optimizer, Data, Loss, Identity and the workers of the model; the rest is the caller's.
// Every text of a batch is a negative for all anchors but its own. So a batch should not hold a positive twice, and the
// last batch of an epoch, which may be small, is left out where there is another. Texts that are too long are cut.
//
// Parameters that are frozen before the call stay so. Adapters are attached before (package nn/lora).
//
// It returns an error for a model without a tokenizer or a pipeline for sentences, and for options out of range.
func (m *Model) SentenceTraining(matches []Match, o SentenceOptions) (train.Config, error) {
	c, err := m.sentenceTraining(matches, o)
	if err != nil {
		return train.Config{}, fmt.Errorf("bert: training: %w", err)
	}
	return c, nil
}

func (m *Model) sentenceTraining(matches []Match, o SentenceOptions) (train.Config, error) {
	o.BatchSize, o.Scale = cmp.Or(o.BatchSize, 32), cmp.Or(o.Scale, contrast.RankingScale)
	switch {
	case len(matches) == 0:
		return train.Config{}, errors.New("expected at least one match, found none")
	case o.BatchSize < 0:
		return train.Config{}, fmt.Errorf("option BatchSize: expected 0 or more, found %d", o.BatchSize)
	case o.MicroBatch < 0:
		return train.Config{}, fmt.Errorf("option MicroBatch: expected 0 or more, found %d", o.MicroBatch)
	case !(o.Scale > 0):
		return train.Config{}, fmt.Errorf("option Scale: expected 0 or more, found %v", o.Scale)
	}
	anchors, err := m.embedder(o.Anchors)
	if err != nil {
		return train.Config{}, fmt.Errorf("option Anchors: %w", err)
	}
	candidates, err := m.embedder(o.Candidates)
	if err != nil {
		return train.Config{}, fmt.Errorf("option Candidates: %w", err)
	}
	if anchors.width != candidates.width {
		return train.Config{}, fmt.Errorf("option Candidates: expected vectors of %d values as of Anchors, found %d", anchors.width, candidates.width)
	}
	if _, err := anchors.tokens(context.Background(), []string{matches[0].Anchor}); err != nil {
		return train.Config{}, err
	}
	loader := &data.Loader[[]Match]{
		Len: len(matches), BatchSize: o.BatchSize, Shuffle: true, Seed: o.Seed, DropLast: len(matches) >= o.BatchSize, Goroutines: 1,
		Reset:   func(b *[]Match, n int) { *b = slices.Grow((*b)[:0], n)[:n] },
		Prepare: func(b *[]Match, slot, item int, _ *data.Rand) error { (*b)[slot] = matches[item]; return nil },
	}
	feed := train.NewFeed(loader)
	groups := train.GroupOptions{WeightDecay: o.WeightDecay}
	if o.LayerDecay != 0 {
		groups.LayerDecay, groups.Layers, groups.Layer = o.LayerDecay, len(m.Encoder.Layers), m.Layer
	}
	s := &sentenceTrainer{anchors: anchors, candidates: candidates, size: o.MicroBatch, scale: o.Scale}
	return train.Config{
		Model:     m,
		Optimizer: train.NewAdamW(train.Groups(nn.Parameters(m), groups), o.Adam),
		Data:      feed,
		Loss: func(ctx context.Context, t *autograd.Tape, b *train.Batch) (*autograd.Tensor, error) {
			batch, err := feed.Next(ctx, b)
			if err != nil {
				return nil, err
			}
			return s.loss(ctx, t, batch.Value)
		},
		Tape: m.tape(),
		Identity: map[string]string{
			"model":       m.Config.ModelType,
			"micro-batch": strconv.Itoa(o.MicroBatch),
			"scale":       strconv.FormatFloat(float64(o.Scale), 'g', -1, 32),
			"prompts":     strconv.Quote(anchors.prompt) + " " + strconv.Quote(candidates.prompt),
			"dim":         strconv.Itoa(anchors.width),
		},
	}, nil
}

// sentenceTrainer computes the losses of a run.
type sentenceTrainer struct {
	anchors, candidates *Embedder
	size                int
	scale               float32
}

func (s *sentenceTrainer) loss(ctx context.Context, t *autograd.Tape, matches []Match) (*autograd.Tensor, error) {
	var anchors, positives, negatives []string
	for _, m := range matches {
		anchors, positives, negatives = append(anchors, m.Anchor), append(positives, m.Positive), append(negatives, m.Negatives...)
	}
	x, err := s.encode(ctx, t, s.anchors, anchors)
	if err != nil {
		return nil, err
	}
	y, err := s.encode(ctx, t, s.candidates, positives)
	if err != nil {
		return nil, err
	}
	if len(negatives) == 0 {
		return contrast.Ranking(s.scale, x, y), nil
	}
	z, err := s.encode(ctx, t, s.candidates, negatives)
	if err != nil {
		return nil, err
	}
	return contrast.Ranking(s.scale, x, y, z), nil
}

// encode returns the vectors of texts, [texts, width].
func (s *sentenceTrainer) encode(ctx context.Context, t *autograd.Tape, e *Embedder, list []string) (*autograd.Tensor, error) {
	encodings, err := e.tokens(ctx, list)
	if err != nil {
		return nil, fmt.Errorf("bert: training: %w", err)
	}
	return contrast.Encode(t, len(encodings), s.size, func(from, to int) *autograd.Tensor {
		return e.encode(t, encodings[from:to])
	}), nil
}

// encode returns the vectors of encoded texts on a tape, [texts, Width].
func (e *Embedder) encode(t *autograd.Tape, encodings []*text.Encoding) *autograd.Tensor {
	in := e.model.pack(encodings)
	return e.vectors(e.model.Hidden(t, in), in.Starts)
}
