package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/data"
	"github.com/fovea-ml/fovea/models/backbone"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
	"github.com/fovea-ml/fovea/vision/boxes"
)

// TrainOptions are the settings of [Model.Training]. The zero value is a recipe for fine-tuning a loaded model on a few
// hundred to some ten thousand images, without augmentation.
type TrainOptions struct {
	Epochs    int      // 0 means 30
	BatchSize int      // 0 means 8
	Rate      *float64 // the highest learning rate; nil means 2e-4. 1e-3 suits a model from scratch.
	// Warmup is the share of the run in which the rate rises from a thousandth, as in torchvision; then it falls to 0 along a
	// cosine. nil means 0.05.
	Warmup *float64
	// WeightDecay applies to weights other than biases and those of norms; nil means 1e-4.
	WeightDecay *float64
	// BackboneRate multiplies the rate of the backbone, such as by 0.1 for one that was trained before; nil means 1.
	BackboneRate *float64
	// Freeze is the number of first stages of the backbone to freeze, with the stem and their normalizations; 0 freezes
	// nothing, -1 the whole backbone. Only a ResNet has stages to count.
	Freeze int
	// FreezeNorms keeps the statistics of all batch normalizations, which small batches estimate badly, and their
	// gains. It suits a model that was trained before.
	FreezeNorms bool
	// Sizes are sizes of images as [Model.Prepare] takes them. Each batch draws one. None means that of the configuration.
	Sizes []int
	// SkipDifficult leaves out objects that evaluations leave out too.
	SkipDifficult bool
	Augment       *boxes.Augment // nil for none
	// Weights draw images with different probabilities; nil means each once in an epoch. See [data.Loader].
	Weights []float32
	OnError data.ErrorPolicy // about an image that cannot be read
	// OnLosses, if not nil, is called with the parts of the loss of every batch.
	OnLosses func(*train.Batch, Losses)
	Seed     uint64
	Adam     train.AdamOptions
}

func (o *TrainOptions) batchSize() int { return cmp.Or(o.BatchSize, 8) }

// Training returns the configuration of a run that trains the model on a data set, whose classes are told by their
// names: AdamW, a cosine schedule with a warm-up, and gradients clipped at a norm of 1. You may change it before
// train.Run gets it:
//
//	err := model.NewHead(images.Classes(), rng)
//	…
//	config, err := model.Training(images, detect.TrainOptions{Augment: &boxes.Augment{Flip: 0.5, Crop: 0.5}})
//	…
//	config.File, config.Start = "run.safetensors", train.ResumeIfPresent
//	config.EMA = train.NewEMA(nn.Parameters(model), nn.Buffers(model), train.EMAOptions{Decay: new(0.999)})
//	config.Validate = func(ctx context.Context, epoch int) (float64, error) { … } // with DetectDataset and metrics.COCO
//	result, err := train.Run(ctx, config)
//
// Crowds do not count as objects, as in the training of torchvision (references/detection/coco_utils.py), of detectron2
// (DatasetMapper) and of transformers (DetrImageProcessor). In evaluations a crowd may be found any number of times, or
// not at all: see metrics.Object. Freeze and FreezeNorms change the model. Do not call Training twice for one model: it would
// freeze what is frozen.
//
// It returns an error for a network without a loss, without images, for a data set with a class that the model does not
// have, and for an option out of its range.
func (m *Model) Training(images *boxes.Dataset, o TrainOptions) (train.Config, error) {
	c, err := m.newTraining(images, o)
	if err != nil {
		return train.Config{}, fmt.Errorf("detect: training: %w", err)
	}
	return c, nil
}

func (m *Model) newTraining(images *boxes.Dataset, o TrainOptions) (train.Config, error) {
	if err := m.checkTraining(images, o); err != nil {
		return train.Config{}, err
	}
	loader, err := m.loader(images, o)
	if err != nil {
		return train.Config{}, err
	}
	if err := m.freeze(o.Freeze); err != nil {
		return train.Config{}, err
	}
	if o.FreezeNorms {
		backbone.FreezeNorms(m)
	}
	feed := train.NewFeed(loader)
	body := parametersOf(m.bodies()...)
	paths := map[string]bool{}
	for path, p := range nn.Parameters(m) {
		paths[path] = body[p]
	}
	groups := train.Groups(nn.Parameters(m), train.GroupOptions{
		WeightDecay: value(o.WeightDecay, 1e-4),
		LayerDecay:  value(o.BackboneRate, 1),
		Layer: func(path string) int { // 0 has the rate times LayerDecay, 1 the rate
			if paths[path] {
				return 0
			}
			return 1
		},
	})
	epochs, peak := cmp.Or(o.Epochs, 30), value(o.Rate, 2e-4)
	return train.Config{
		Model: m, Optimizer: train.NewAdamW(groups, o.Adam),
		Schedule: train.Curve{Peak: peak, Start: peak / 1000, Warmup: value(o.Warmup, 0.05) * float64(epochs), Length: float64(epochs)}.Cosine(),
		Epochs:   epochs, Data: feed, ClipNorm: 1, Seed: o.Seed, Tape: m.tape(),
		Loss: func(ctx context.Context, t *autograd.Tape, b *train.Batch) (*autograd.Tensor, error) {
			samples, err := feed.Next(ctx, b)
			if err != nil {
				return nil, err
			}
			parts, err := m.Losses(samples.Batch(t), rand.New(rand.NewPCG(b.Seed, b.Key)))
			if err != nil {
				return nil, err
			}
			if o.OnLosses != nil {
				o.OnLosses(b, parts)
			}
			return parts.Sum(), nil
		},
		Identity: map[string]string{
			"model": m.Config.ModelType, "freeze": strconv.Itoa(o.Freeze), "freeze norms": strconv.FormatBool(o.FreezeNorms),
		},
	}, nil
}

// checkTraining returns an error for images and options that do not fit the model.
func (m *Model) checkTraining(images *boxes.Dataset, o TrainOptions) error {
	if _, err := m.trainable(); err != nil {
		return err
	}
	if _, err := m.ClassesOf(images.Classes()); err != nil {
		return err
	}
	switch {
	case images.Len() == 0:
		return vision.ErrNoImages
	case o.Epochs < 0:
		return fmt.Errorf("option Epochs: expected 0 or more, found %d", o.Epochs)
	case o.BatchSize < 0:
		return fmt.Errorf("option BatchSize: expected 0 or more, found %d", o.BatchSize)
	case o.BackboneRate != nil && !(*o.BackboneRate > 0 && *o.BackboneRate <= 1):
		return fmt.Errorf("option BackboneRate: expected a number above 0 and at most 1, found %v; Freeze is for 0", *o.BackboneRate)
	case o.Weights != nil && len(o.Weights) != images.Len():
		return fmt.Errorf("option Weights: expected %d, one for each image, found %d", images.Len(), len(o.Weights))
	}
	for _, size := range o.Sizes {
		if size == 0 {
			return errors.New("option Sizes: expected sizes above 0, found 0")
		}
		if err := m.checkSize(size); err != nil {
			return fmt.Errorf("option Sizes: %w", err)
		}
	}
	if o.Augment != nil {
		return o.Augment.Validate()
	}
	return nil
}

// bodies returns the convolutional backbones of the network.
func (m *Model) bodies() (all []any) {
	for _, b := range nn.Layers[backbone.ResNet](m) {
		all = append(all, b)
	}
	for _, b := range nn.Layers[backbone.ShuffleNetV2](m) {
		all = append(all, b)
	}
	for _, b := range nn.Layers[backbone.DLA](m) {
		all = append(all, b)
	}
	for _, b := range nn.Layers[backbone.PlainNet](m) {
		all = append(all, b)
	}
	return all
}

// parametersOf returns the parameters of layers.
func parametersOf(layers ...any) map[*autograd.Parameter]bool {
	all := map[*autograd.Parameter]bool{}
	for _, p := range nn.Parameters(layers) {
		all[p] = true
	}
	return all
}

// freeze freezes the first stages of the backbone, or all of it.
func (m *Model) freeze(stages int) error {
	if stages == 0 {
		return nil
	}
	frozen := m.bodies()
	if len(frozen) == 0 {
		return fmt.Errorf("option Freeze: the model_type %s has no backbone to freeze", m.Config.ModelType)
	}
	if stages != -1 {
		body, ok := frozen[0].(*backbone.ResNet)
		if !ok || stages < 0 || stages > len(body.Stages) {
			return fmt.Errorf("option Freeze: expected -1, 0, or a number of stages of a ResNet, found %d", stages)
		}
		frozen = []any{body.Stem, body.Stages[:stages]}
	}
	for p := range parametersOf(frozen...) {
		p.Frozen = true
	}
	backbone.FreezeNorms(frozen)
	return nil
}

// value returns *v, or standard where v is nil.
func value[T any](v *T, standard T) T {
	if v == nil {
		return standard
	}
	return *v
}
