package clip

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/vit"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/train/contrast"
	"github.com/fovea-ml/fovea/vision"
)

// Loss is a loss of pairs of images and texts.
type Loss string

// The losses of package contrast.
const (
	SoftmaxLoss Loss = "softmax" // CLIP's: symmetric InfoNCE
	SigmoidLoss Loss = "sigmoid" // SigLIP's, which needs Model.LogitBias
)

// TrainOptions say how [Model.Training] trains. The zero value trains all parameters as CLIP or SigLIP was trained.
type TrainOptions struct {
	// Loss is the loss. The default is SigmoidLoss for a model with a LogitBias, otherwise SoftmaxLoss.
	Loss Loss
	// Batches is the number of the loader's batches that share one loss; 0 means 1. With more, [contrast.Encode]'s
	// caching trains on batches larger than memory: the loader's batches are read and encoded twice, one at a time. The
	// last batches of an epoch, too few for one loss, are left out.
	Batches int

	// FreezeImages and FreezeTexts leave a tower and its projection as they are, as LiT does with that of images (Zhai
	// et al., arXiv 2111.07991). They set Parameter.Frozen.
	FreezeImages, FreezeTexts bool
	// PatchDropout is the share of patches that an image loses in training (FLIP, arXiv 2212.00794), 0 to below 1. It
	// sets that of the image tower, which must be a Vision Transformer for images of one size.
	PatchDropout float64
	// LayerDecay multiplies the learning rate once for each block between a parameter and the end of its tower; 0 means
	// 1.
	LayerDecay float64
	// WeightDecay applies to weights other than biases, gains and the class token; nil means 0.2, as in CLIP.
	WeightDecay *float64
	// Adam are the settings of AdamW. Its nil fields mean those of CLIP: Beta2 0.98 and Eps 1e-6, for ResNets
	// PyTorch's.
	Adam train.AdamOptions
	// MaxScale bounds the factor of similarities, which also stays at least 1. nil means 100 for SoftmaxLoss and no
	// bound for SigmoidLoss.
	MaxScale *float64
}

// Training prepares a run on pairs of images and captions:
//
//	pairs, err := vision.OpenPairs(os.DirFS(dir), "captions.csv", vision.PairOptions{})
//	…
//	loader := &vision.Loader{Data: pairs, Preprocess: model.Preprocess, BatchSize: 64, Shuffle: true, DropLast: true}
//	config, err := model.Training(loader, clip.TrainOptions{Batches: 16}) // 1,024 pairs share a loss
//	…
//	config.Epochs, config.Schedule = 30, train.Curve{Peak: 5e-4, Warmup: 1, Length: 30}.Cosine()
//	config.File, config.Start = "run.safetensors", train.ResumeIfPresent
//	result, err := train.Run(ctx, config)
//
// The Config has the Model, Optimizer, Data, Loss, Identity and the workers of the model; the rest is the caller's.
// pairs is a loader of a data set with captions, whose images are prepared to the model's size. When Batches is above
// 1, it must give a batch the same images each time.
//
// Parameters that are frozen before the call stay so. Where that leaves nothing to train in a tower and its projection,
// they run as in inference: without dropout, with running statistics, and once. Adapters are attached before (package
// nn/lora): the patterns "Vision.Encoder.Blocks.*.Attention.QKV" and "Text.Blocks.*.Attention.QKV", or
// "Text.Encoder.Layers.*.Attention.QKV" for [BERT], name the projections of both towers, and "LogitScale" in Train goes
// on training the factor.
//
// It returns an error for a model without a tokenizer, for options that do not fit the model, and for fewer batches
// than one loss takes.
func (m *Model) Training(pairs train.Source[*vision.Batch], o TrainOptions) (train.Config, error) {
	r := &trainer{model: m, source: pairs, feed: train.NewFeed(pairs), batches: max(1, o.Batches)}
	c, err := r.config(o)
	if err != nil {
		return train.Config{}, fmt.Errorf("clip: training: %w", err)
	}
	return c, nil
}

// trainer is the state of a run.
type trainer struct {
	model         *Model
	source        train.Source[*vision.Batch]
	feed          *train.Feed[*vision.Batch]
	loss          Loss
	batches       int
	images, texts bool           // the tower has something to train
	arena         autograd.Arena // of frozen towers
}

func (r *trainer) config(o TrainOptions) (train.Config, error) {
	m := r.model
	if err := r.check(&o); err != nil {
		return train.Config{}, err
	}
	for _, part := range []struct {
		freeze bool
		layers []any
		trains *bool
	}{
		{o.FreezeImages, []any{m.Vision, m.VisionProjection}, &r.images},
		{o.FreezeTexts, []any{m.Text, m.TextProjection}, &r.texts},
	} {
		for _, layer := range part.layers {
			for _, p := range nn.Parameters(layer) {
				p.Frozen = p.Frozen || part.freeze
				*part.trains = *part.trains || !p.Frozen
			}
		}
	}
	if e := encoderOf(m.Vision); e != nil {
		e.PatchDropout = o.PatchDropout
	}
	description, err := json.Marshal(m.Config)
	if err != nil {
		return train.Config{}, err
	}
	return train.Config{
		Model:     m,
		Optimizer: r.optimizer(o),
		Data:      shared{r.feed, r.batches},
		Loss:      r.lossOf,
		Tape:      m.tape(),
		Identity: map[string]string{
			"model": string(description), "loss": string(r.loss), "patch dropout": strconv.FormatFloat(o.PatchDropout, 'g', -1, 64),
		},
	}, nil
}

// check finds the loss and refuses options that do not fit the model.
func (r *trainer) check(o *TrainOptions) error {
	m := r.model
	r.loss = o.Loss
	if r.loss == "" {
		r.loss = SoftmaxLoss
		if m.LogitBias != nil {
			r.loss = SigmoidLoss
		}
	}
	switch {
	case m.Tokenizer == nil:
		return errors.New("the model has no tokenizer: set Model.Tokenizer")
	case r.loss != SoftmaxLoss && r.loss != SigmoidLoss:
		return fmt.Errorf("option Loss: expected %q or %q, found %q", SoftmaxLoss, SigmoidLoss, r.loss)
	case r.loss == SigmoidLoss && m.LogitBias == nil:
		return fmt.Errorf("option Loss: %q needs a model with a LogitBias, such as SigLIP", r.loss)
	case o.Batches < 0:
		return fmt.Errorf("option Batches: expected 0 or more, found %d", o.Batches)
	case r.source.Batches() < r.batches:
		return fmt.Errorf("option Batches: expected at most %d, those of an epoch, found %d", r.source.Batches(), r.batches)
	case !(o.PatchDropout >= 0 && o.PatchDropout < 1):
		return fmt.Errorf("option PatchDropout: expected 0 to below 1, found %v", o.PatchDropout)
	case o.PatchDropout > 0 && encoderOf(m.Vision) == nil:
		return errors.New("option PatchDropout: expected an image tower that is a Vision Transformer for images of one size")
	case o.MaxScale != nil && !(*o.MaxScale >= 1):
		return fmt.Errorf("option MaxScale: expected 1 or more, found %v", *o.MaxScale)
	}
	return nil
}

// encoderOf returns the Vision Transformer inside an image tower, or nil.
func encoderOf(tower ImageTower) *vit.Encoder {
	switch v := tower.(type) {
	case *VisionTransformer:
		return v.Encoder
	case *SigLIP:
		return v.Encoder
	}
	return nil
}

// optimizer returns AdamW as CLIP uses it (arXiv 2103.00020, tables 19 and 20), with the bound of the factor.
func (r *trainer) optimizer(o TrainOptions) train.Optimizer {
	m := r.model
	decay := 0.2
	if o.WeightDecay != nil {
		decay = *o.WeightDecay
	}
	if _, ok := m.Vision.(*ResNet); !ok {
		if o.Adam.Beta2 == nil {
			o.Adam.Beta2 = new(0.98)
		}
		if o.Adam.Eps == nil {
			o.Adam.Eps = new(1e-6)
		}
	}
	groups := train.GroupOptions{WeightDecay: decay, NoDecay: m.NoDecay}
	if o.LayerDecay != 0 {
		groups.LayerDecay, groups.Layers, groups.Layer = o.LayerDecay, m.Layers(), m.Layer
	}
	adam := train.NewAdamW(train.Groups(nn.Parameters(m), groups), o.Adam)
	bound := math.Inf(1)
	if r.loss == SoftmaxLoss {
		bound = contrast.MaxLogScale
	}
	if o.MaxScale != nil {
		bound = math.Log(*o.MaxScale)
	}
	if math.IsInf(bound, 0) {
		return adam
	}
	return contrast.ClampScale(adam, m.LogitScale, bound)
}

// shared is the data of a run in which several batches of a loader share a loss.
type shared struct {
	*train.Feed[*vision.Batch]
	batches int
}

func (s shared) Batches() int { return s.Feed.Batches() / s.batches }

func (s shared) Describe() map[string]string {
	d := s.Feed.Describe()
	if s.batches > 1 {
		d["batches of a loss"] = strconv.Itoa(s.batches)
	}
	return d
}

// lossOf is train.Config.Loss.
func (r *trainer) lossOf(ctx context.Context, t *autograd.Tape, b *train.Batch) (*autograd.Tensor, error) {
	m := r.model
	var images, texts []autograd.Operand
	for i := range r.batches {
		one := *b
		one.Index = b.Index*r.batches + i
		pairs, err := r.feed.Next(ctx, &one)
		if err != nil {
			return nil, err
		}
		if len(pairs.Captions) != pairs.Len() {
			return nil, errors.New("clip: training: the data set has no captions: expected a vision.Captioned one")
		}
		tokens, err := m.Tokenize(pairs.Captions...)
		if err != nil {
			return nil, fmt.Errorf("clip: training: batch %d of epoch %d: %w", one.Index, one.Epoch, err)
		}
		images = append(images, r.embedImages(ctx, t, pairs, &one))
		texts = append(texts, r.embed(ctx, t, r.texts, func(t *autograd.Tape) *autograd.Tensor { return m.EmbedTexts(t, tokens) }))
		b.Samples += pairs.Len()
	}
	x, y := autograd.Concat(0, images...), autograd.Concat(0, texts...)
	if r.loss == SigmoidLoss {
		return contrast.Sigmoid(x, y, m.LogitScale, m.LogitBias), nil
	}
	return contrast.Softmax(x, y, m.LogitScale), nil
}

// embedImages embeds the images of a batch, which lie in memory now and are read again when the tower runs again.
func (r *trainer) embedImages(ctx context.Context, t *autograd.Tape, pairs *vision.Batch, b *train.Batch) *autograd.Tensor {
	epoch, number, indices := b.Epoch, b.Index, slices.Clone(pairs.Indices)
	return r.embed(ctx, t, r.images, func(t *autograd.Tape) *autograd.Tensor {
		now := pairs
		pairs = nil // valid until the next batch
		if now != nil {
			return r.model.EmbedImages(t.Input(now.Pixels, now.Shape()...))
		}
		return r.model.EmbedImages(r.again(ctx, t, epoch, number, indices))
	})
}

// embed runs an encoder: once and recorded, or twice when several batches share a loss, or on a tape of its own when
// nothing in it is trained.
func (r *trainer) embed(ctx context.Context, t *autograd.Tape, trains bool, f func(t *autograd.Tape) *autograd.Tensor) *autograd.Tensor {
	switch {
	case !trains:
		apart := autograd.NewTape(autograd.Options{Workers: t.Workers(), Math: t.Math(), Context: ctx, Arena: &r.arena})
		defer apart.Reset()
		x := f(apart)
		return t.Input(x.Floats(nil), x.Shape()...)
	case r.batches == 1:
		return f(t)
	}
	return t.Recompute(func(*autograd.Tensor) *autograd.Tensor { return f(t) }, nil)
}

// again reads the images of a batch a second time. An error ends the pass.
func (r *trainer) again(ctx context.Context, t *autograd.Tape, epoch, number int, indices []int) *autograd.Tensor {
	err := fmt.Errorf("clip: training: epoch %d has no batch %d when it is read again", epoch, number)
	for pairs, failed := range r.source.EpochFrom(ctx, epoch, number) {
		switch {
		case failed != nil:
			err = failed
		case !slices.Equal(pairs.Indices, indices):
			err = fmt.Errorf("clip: training: batch %d of epoch %d has the images %d when it is read again, expected %d", number, epoch, pairs.Indices, indices)
		default:
			return t.Input(pairs.Pixels, pairs.Shape()...)
		}
		break
	}
	panic(&autograd.CanceledError{Cause: err})
}
