package bert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/text"
	"github.com/fovea-ml/fovea/train"
)

// Example is a text or a pair of texts with what a classifier should say.
type Example struct {
	Text string
	Pair string // the second text of a pair; "" for one text
	// Class is the index of the class, for a model whose classes exclude each other.
	Class int
	// Values has a value for each class, for other models: 0 or 1, or the value that a regression should give.
	Values []float32
}

// TrainOptions are the settings of [Model.Training]. The zero value is the recipe of BERT's paper for fine-tuning.
type TrainOptions struct {
	Epochs    int      // 0 means 3
	BatchSize int      // 0 means 16
	Rate      *float64 // the highest learning rate; nil means 2e-5. Adapters want some 2e-4.
	// Warmup is the share of the run in which the rate rises; then it falls to 0 along a line. nil means 0.1. A run of one step
	// has none.
	Warmup *float64
	// WeightDecay applies to weights other than biases and those of norms; nil means 0.01.
	WeightDecay *float64
	// LayerDecay multiplies the rate once for each layer between a parameter and the head; 0 means 1.
	LayerDecay float64
	// Freeze is the number of first layers to freeze, with the embeddings; 0 freezes nothing, -1 the whole encoder.
	Freeze int
	// ClassWeights multiply the losses of the classes, for rare ones to count more; nil means 1 each. Classes must
	// exclude each other.
	ClassWeights []float32
	// MaxTokens cuts texts; 0 means that of the model.
	MaxTokens int
	Seed      uint64
	Adam      train.AdamOptions
}

// Training returns the configuration of a run that trains the classifier of a model for sequences, and its encoder, on
// examples: AdamW, a linear schedule with a warm-up, and gradients clipped at a norm of 1. Unlike
// [Model.SentenceTraining], it sets Epochs and Schedule too. You may change it before train.Run gets it, for example to
// add File, Validate or KeepBest. Give a loaded model a head with [Model.NewHead] first, and adapters with lora.Attach.
// Freeze sets Parameter.Frozen.
//
// It returns an error for a model of another task or without a tokenizer, without examples, and for an option out of
// its range. An example whose Class or Values do not fit the model is an error that names it by its position.
func (m *Model) Training(examples []Example, o TrainOptions) (train.Config, error) {
	c, err := m.training(examples, o)
	if err != nil {
		return train.Config{}, fmt.Errorf("bert: training: %w", err)
	}
	return c, nil
}

// A labeled batch is tokens and their targets, by slot until it is finished.
type labeled struct {
	encodings []*text.Encoding
	targets   []Targets
	in        Input
	want      Targets
}

func (m *Model) training(examples []Example, o TrainOptions) (train.Config, error) {
	if m.Task != SequenceClassification {
		return train.Config{}, fmt.Errorf("expected a model of the task %q, found %q: call NewHead", SequenceClassification, m.Task)
	}
	switch {
	case m.Tokenizer == nil:
		return train.Config{}, errors.New("expected a model with a tokenizer")
	case len(examples) == 0:
		return train.Config{}, errors.New("expected at least one example")
	case o.Epochs < 0:
		return train.Config{}, fmt.Errorf("option Epochs: expected 0 or more, found %d", o.Epochs)
	case o.BatchSize < 0:
		return train.Config{}, fmt.Errorf("option BatchSize: expected 0 or more, found %d", o.BatchSize)
	case o.MaxTokens < 0:
		return train.Config{}, fmt.Errorf("option MaxTokens: expected 0 or more, found %d", o.MaxTokens)
	}
	classes := m.Classifier.Out.Weight.Shape()[0]
	single := m.Config.Problem.Of(classes) == models.SingleLabel
	if o.ClassWeights != nil && (!single || len(o.ClassWeights) != classes) {
		return train.Config{}, fmt.Errorf("option ClassWeights: expected %d, for classes that exclude each other, found %d", classes, len(o.ClassWeights))
	}
	for i, w := range o.ClassWeights {
		if !(w >= 0) || math.IsInf(float64(w), 1) {
			return train.Config{}, fmt.Errorf("option ClassWeights: class %d: expected a finite number of 0 or more, found %v", i, w)
		}
	}
	for i, e := range examples {
		switch {
		case single && (e.Class < 0 || e.Class >= classes):
			return train.Config{}, fmt.Errorf("example %d: expected a class of 0 to %d, found %d", i, classes-1, e.Class)
		case !single && len(e.Values) != classes:
			return train.Config{}, fmt.Errorf("example %d: expected %d values, found %d", i, classes, len(e.Values))
		}
	}
	if err := m.freeze(o.Freeze); err != nil {
		return train.Config{}, err
	}
	most := m.MaxTokens
	if o.MaxTokens > 0 {
		most = min(most, o.MaxTokens)
	}
	loader := &data.Loader[labeled]{
		Len: len(examples), BatchSize: cmp.Or(o.BatchSize, 16), Shuffle: true, Seed: o.Seed,
		Name: func(item int) string { return "example " + strconv.Itoa(item) },
		Reset: func(b *labeled, n int) {
			b.encodings, b.targets = slices.Grow(b.encodings[:0], n)[:n], slices.Grow(b.targets[:0], n)[:n]
		},
		Prepare: func(b *labeled, slot, item int, _ *data.Rand) error {
			e := examples[item]
			encoded, err := m.encode(context.Background(), []text.Input{e.input()}, limit{tokens: most, cut: true})
			if err != nil {
				return err
			}
			b.encodings[slot] = encoded[0]
			if single {
				b.targets[slot] = Targets{Classes: []int{e.Class}}
			} else {
				b.targets[slot] = Targets{Values: e.Values}
			}
			return nil
		},
		Finish: func(b *data.Batch[labeled], slots []int, _ *data.Rand) {
			v := &b.Value
			v.in, v.want = m.pack(v.encodings), Targets{Weights: o.ClassWeights}
			for _, slot := range slots {
				v.want.Classes = append(v.want.Classes, v.targets[slot].Classes...)
				v.want.Values = append(v.want.Values, v.targets[slot].Values...)
			}
		},
	}
	feed := train.NewFeed(loader)
	epochs := cmp.Or(o.Epochs, 3)
	rate, warmup, decay := 2e-5, 0.1, 0.01
	if o.Rate != nil {
		rate = *o.Rate
	}
	if o.Warmup != nil {
		warmup = *o.Warmup
	}
	if o.WeightDecay != nil {
		decay = *o.WeightDecay
	}
	if epochs*feed.Batches() == 1 {
		warmup = 0 // the only step would have a rate of 0
	}
	groups := train.Groups(nn.Parameters(m), train.GroupOptions{
		WeightDecay: decay, LayerDecay: o.LayerDecay, Layers: len(m.Encoder.Layers), Layer: m.Layer,
	})
	return train.Config{
		Model: m, Optimizer: train.NewAdamW(groups, o.Adam),
		Schedule: train.Curve{Peak: rate, Warmup: warmup * float64(epochs), Length: float64(epochs)}.Linear(),
		Epochs:   epochs, Data: feed, ClipNorm: 1, Seed: o.Seed, Tape: m.tape(),
		Loss: func(ctx context.Context, t *autograd.Tape, b *train.Batch) (*autograd.Tensor, error) {
			batch, err := feed.Next(ctx, b)
			if err != nil {
				return nil, err
			}
			return m.Loss(t, batch.Value.in, batch.Value.want)
		},
		Identity: map[string]string{
			"model": m.Config.ModelType, "problem": fmt.Sprint(m.Config.Problem.Of(classes)), "max tokens": strconv.Itoa(most),
			"class weights": fmt.Sprint(o.ClassWeights),
		},
	}, nil
}

// freeze freezes the embeddings and some layers, or the whole encoder.
func (m *Model) freeze(layers int) error {
	n := len(m.Encoder.Layers)
	switch {
	case layers < -1 || layers > n:
		return fmt.Errorf("option Freeze: expected -1 to %d, found %d", n, layers)
	case layers == 0:
		return nil
	case layers == -1:
		layers = n
	}
	for path, p := range nn.Parameters(m) {
		if m.Layer(path) <= layers {
			p.Frozen = true
		}
	}
	return nil
}
