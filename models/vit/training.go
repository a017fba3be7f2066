package vit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/train"
	"github.com/fovea-ml/fovea/vision"
)

// TrainOptions are the settings of [Model.Training]. The zero value is a recipe for fine-tuning a pretrained model on a few
// hundred to some ten thousand images, without augmentation.
type TrainOptions struct {
	Epochs    int      // 0 means 30
	BatchSize int      // 0 means 32
	Rate      *float64 // the highest learning rate; nil means 5e-4
	// Warmup is the share of the run in which the rate rises; then it falls to 0 along a cosine. nil means 0.1. A run of one
	// step has none.
	Warmup *float64
	// WeightDecay applies to weights other than biases, those of norms, learned tokens and positions; nil means 0.05.
	WeightDecay *float64
	// LayerDecay multiplies the rate once for each layer between a parameter and the head: 1 gives all the same rate, and 0
	// means 0.75 (arXiv 2111.06377, table 9). With adapters 0 means 1, as in PEFT: they start from nothing in all layers, and
	// have nothing to preserve in the lower ones.
	LayerDecay float64
	// Freeze is the number of first blocks to freeze, with the embeddings and learned rotary positions; 0 freezes nothing, -1 everything but the head.
	Freeze int
	// DropPath is the probability of dropping a residual branch in the last block; it falls linearly to 0 in the first, unless
	// Config.ConstantDropPath is set. nil leaves that of the model.
	DropPath *float32
	// Smoothing is the share of a target that is spread over all classes (arXiv 1512.00567, section 7).
	Smoothing float32
	// ClassWeights multiply the losses of the classes, as in PyTorch's cross_entropy; nil means 1 each. See [data.ClassWeights].
	ClassWeights []float32
	// Weights draw images with different probabilities; nil means each once in an epoch. See [vision.Loader].
	Weights []float32
	// Distillation, if not nil, adds the answers of a teacher. The classifier of the distillation token learns from them, where
	// the model has one, and the head from the labels (DeiT); else the head learns both.
	Distillation *train.Distillation
	Augment      *vision.Augment // nil for none
	Mix          *vision.Mix     // Mixup and CutMix, nil for none
	Seed         uint64
	Adam         train.AdamOptions
}

// Training returns the configuration of a run that trains the classifier on the images of a data set, whose classes are
// those of the head: AdamW with layer-wise decay, a cosine schedule with a warm-up, and gradients clipped at a norm of 1. You may change it before
// train.Run gets it:
//
//	model.NewHead(images.Classes(), rng)
//	config, err := model.Training(images, vit.TrainOptions{Augment: &vision.Augment{Flip: 0.5}, Smoothing: 0.1})
//	…
//	config.File, config.Start = "run.safetensors", train.ResumeIfPresent
//	config.EMA = train.NewEMA(nn.Parameters(model), nn.Buffers(model), train.EMAOptions{Decay: new(0.999)})
//	config.Tape.Recompute = true // gradient checkpointing: less memory, a third more work
//	result, err := train.Run(ctx, config)
//
// Adapters are attached before (package nn/lora); the base weights are then frozen, and a rate of some 1e-3 suits. Freeze
// and DropPath change the model.
//
// It returns an error for a model without a classifier or for labels that do not exclude each other, for other classes than
// the head's, without images, and for an option out of its range.
func (m *Model) Training(images vision.Dataset, o TrainOptions) (train.Config, error) {
	c, err := m.training(images, o)
	if err != nil {
		return train.Config{}, fmt.Errorf("vit: training: %w", err)
	}
	return c, nil
}

func (m *Model) training(images vision.Dataset, o TrainOptions) (train.Config, error) {
	if err := m.checkTraining(images, o); err != nil {
		return train.Config{}, err
	}
	if err := m.freeze(o.Freeze); err != nil {
		return train.Config{}, err
	}
	if o.DropPath != nil {
		m.dropPath(*o.DropPath)
	}
	mix := o.Mix
	if mix != nil && o.Smoothing != 0 {
		mix = new(*o.Mix)
		mix.Smoothing = o.Smoothing
	}
	feed := train.NewFeed(&vision.Loader{
		Data: images, Preprocess: m.Preprocess, Augment: o.Augment, Mix: mix, Weights: o.Weights,
		BatchSize: o.BatchSize, Shuffle: true, Seed: o.Seed, Goroutines: m.Workers.Limit(),
	})
	epochs, warmup := cmp.Or(o.Epochs, 30), value(o.Warmup, 0.1)
	if epochs*feed.Batches() == 1 {
		warmup = 0 // the only step would have a rate of 0
	}
	groups := train.Groups(nn.Parameters(m), train.GroupOptions{
		WeightDecay: value(o.WeightDecay, 0.05), NoDecay: m.NoDecay,
		LayerDecay: cmp.Or(o.LayerDecay, m.layerDecay()), Layers: len(m.Encoder.Blocks), Layer: m.Layer,
	})
	return train.Config{
		Model: m, Optimizer: train.NewAdamW(groups, o.Adam),
		Schedule: train.Curve{Peak: value(o.Rate, 5e-4), Warmup: warmup * float64(epochs), Length: float64(epochs)}.Cosine(),
		Epochs:   epochs, Data: feed, ClipNorm: 1, Seed: o.Seed, Tape: m.tape(),
		Loss: func(ctx context.Context, t *autograd.Tape, b *train.Batch) (*autograd.Tensor, error) {
			images, err := feed.Next(ctx, b)
			if err != nil {
				return nil, err
			}
			pixels := t.Input(images.Pixels, images.Shape()...)
			if o.Distillation == nil {
				return o.loss(m.Forward(pixels), images), nil
			}
			logits, distilled := m.ForwardHeads(pixels)
			if distilled == nil {
				distilled = logits
			}
			return o.Distillation.Loss(o.loss(logits, images), distilled, pixels), nil
		},
		Identity: map[string]string{
			"model": m.Config.ModelType, "smoothing": strconv.FormatFloat(float64(o.Smoothing), 'g', -1, 32),
			"distillation":  o.distillation(),
			"class weights": fmt.Sprint(o.ClassWeights), "patch dropout": fmt.Sprint(m.Encoder.PatchDropout),
			"drop path": fmt.Sprint(m.Encoder.Blocks[len(m.Encoder.Blocks)-1].DropPath),
		},
	}, nil
}

// layerDecay is the standard for the rates of layers.
func (m *Model) layerDecay() float64 {
	for _, l := range nn.Layers[nn.Linear](m) {
		if len(l.Adapter) > 0 {
			return 1
		}
	}
	return 0.75
}

// loss is that of a batch by its labels, or by its targets where images are mixed.
func (o TrainOptions) loss(logits *autograd.Tensor, images *vision.Batch) *autograd.Tensor {
	if o.Mix == nil {
		return autograd.CrossEntropy(logits, images.Labels, autograd.CrossEntropyOptions{Smoothing: o.Smoothing, Weight: o.ClassWeights})
	}
	if w := o.ClassWeights; w != nil { // as PyTorch's cross_entropy does with probabilities
		for i := range images.Targets {
			images.Targets[i] *= w[i%len(w)]
		}
	}
	targets := logits.Tape().Input(images.Targets, images.Len(), len(images.Targets)/images.Len())
	return autograd.SoftCrossEntropy(logits, targets, 0)
}

// distillation describes the teacher's part for resuming.
func (o TrainOptions) distillation() string {
	d := o.Distillation
	if d == nil {
		return "none"
	}
	return fmt.Sprintf("hard %v, temperature %v, alpha %v, per class %v", d.Hard, cmp.Or(d.Temperature, 1), value(d.Alpha, 0.5), d.PerClass)
}

// checkTraining returns an error for images and options that do not fit the model.
func (m *Model) checkTraining(images vision.Dataset, o TrainOptions) error {
	if m.Head == nil {
		return errors.New("the model has no classifier: call NewHead")
	}
	classes := m.Head.Weight.Shape()[0]
	if p := m.Config.Problem.Of(classes); p != models.SingleLabel {
		return fmt.Errorf("expected a model whose classes exclude each other, found the problem %v", p)
	}
	switch {
	case len(images.Classes()) != classes:
		return fmt.Errorf("the data set has %d classes, the head %d", len(images.Classes()), classes)
	case images.Len() == 0:
		return vision.ErrNoImages
	case o.Epochs < 0:
		return fmt.Errorf("option Epochs: expected 0 or more, found %d", o.Epochs)
	case o.BatchSize < 0:
		return fmt.Errorf("option BatchSize: expected 0 or more, found %d", o.BatchSize)
	case !(o.Smoothing >= 0 && o.Smoothing < 1):
		return fmt.Errorf("option Smoothing: expected 0 to 1, found %v", o.Smoothing)
	case o.Distillation != nil && o.Distillation.Teacher == nil:
		return errors.New("option Distillation: expected a Teacher, found none")
	case o.Distillation != nil && o.Distillation.Err() != nil:
		return fmt.Errorf("option Distillation: %w", o.Distillation.Err())
	case o.Mix != nil && o.Mix.Smoothing != 0 && o.Smoothing != 0:
		return errors.New("options Smoothing and Mix.Smoothing: expected one of them")
	case o.DropPath != nil && !(*o.DropPath >= 0 && *o.DropPath < 1):
		return fmt.Errorf("option DropPath: expected 0 to 1, found %v", *o.DropPath)
	case o.ClassWeights != nil && len(o.ClassWeights) != classes:
		return fmt.Errorf("option ClassWeights: expected %d, found %d", classes, len(o.ClassWeights))
	case o.Weights != nil && len(o.Weights) != images.Len():
		return fmt.Errorf("option Weights: expected %d, one for each image, found %d", images.Len(), len(o.Weights))
	}
	for i, w := range o.ClassWeights {
		if !(w >= 0) || math.IsInf(float64(w), 1) {
			return fmt.Errorf("option ClassWeights: class %d: expected a finite number of 0 or more, found %v", i, w)
		}
	}
	return nil
}

// freeze freezes the embeddings and some blocks, or all but the head.
func (m *Model) freeze(blocks int) error {
	n := len(m.Encoder.Blocks)
	if blocks < -1 || blocks > n {
		return fmt.Errorf("option Freeze: expected -1 to %d, found %d", n, blocks)
	}
	for path, p := range nn.Parameters(m) {
		head := strings.HasPrefix(path, "Head.") || strings.HasPrefix(path, "DistillationHead.")
		first := m.Layer(path) <= blocks || path == "Encoder.RopeFrequencies" || strings.HasPrefix(path, "Encoder.Relative.") // which blocks share, and frozen ones need as they are
		if blocks > 0 && first || blocks == -1 && !head {
			p.Frozen = true
		}
	}
	return nil
}

// dropPath sets the probabilities of the blocks, as [NewEncoder] does.
func (m *Model) dropPath(last float32) {
	m.Config.DropPathRate = last
	for i, b := range m.Encoder.Blocks {
		b.DropPath = 0
		if n := len(m.Encoder.Blocks); m.Config.ConstantDropPath {
			b.DropPath = last
		} else if n > 1 {
			b.DropPath = last * float32(i) / float32(n-1)
		}
	}
}

// value returns *v, or standard where v is nil.
func value[T any](v *T, standard T) T {
	if v == nil {
		return standard
	}
	return *v
}
