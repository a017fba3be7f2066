package template

import (
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/run"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

// Model is a classifier of images. Any number of goroutines may use it at once, as long as none changes its parameters.
// Exported fields that hold parameters stand in the order in which data meets them.
type Model struct {
	Config Config
	Patch  *nn.PatchEmbed
	Blocks nn.Stack
	Norm   *nn.BatchNorm // of the mean of the tokens
	Head   *nn.Linear    // [classes, width]; nil in a model without a classifier

	// Preprocess turns an image into the pixels the model was trained on.
	Preprocess vision.Preprocess
	// PreprocessAssumed says that the folder did not tell how images are prepared. Preprocess is then [vision.ImageNet].
	PreprocessAssumed bool
	// Workers runs Classify in parallel: all cores after New and Load; nil is serial.
	Workers *simd.Workers
	// Math is the arithmetic of matrix products, as autograd.Options describes it: [simd.Strict] after New and Load, or
	// [simd.Int8] after Load of a quantized folder.
	Math simd.Math

	runner *run.Runner
}

// New returns a model with weights drawn from rng, or of zeros, to be loaded, when rng is nil. With classes 0 it has no
// head. It panics when the configuration is not valid.
func New(c Config, classes int, rng *rand.Rand) *Model {
	if err := c.Validate(); err != nil {
		panic("template: " + err.Error())
	}
	m := &Model{
		Config:     c,
		Patch:      nn.NewPatchEmbed(c.NumChannels, c.PatchSize, c.HiddenSize),
		Blocks:     nn.NewStack(c.NumHiddenLayers, c.block()),
		Norm:       nn.NewBatchNorm(c.HiddenSize, true),
		Preprocess: vision.ImageNet(c.ImageSize),
		Workers:    simd.NewWorkers(0),
		runner:     run.New(),
	}
	if classes > 0 {
		m.Head = nn.NewLinear(c.HiddenSize, classes, true)
	}
	if rng != nil {
		nn.XavierUniform(rng, m.Patch.Weight)
		for _, l := range nn.Layers[nn.Linear](m) {
			nn.XavierUniform(rng, l.Weight)
		}
	}
	return m
}

// tape returns the options of the model's tapes.
func (m *Model) tape() autograd.Options { return autograd.Options{Workers: m.Workers, Math: m.Math} }

// Forward maps pixels, [n, channels, height, width], to logits, [n, classes]. It panics with an autograd.ShapeError when
// the channels are not the model's or a side is no multiple of the patch, and with an autograd.UseError in a model without
// a head. A training step commits its tape, so that the running statistics of Norm follow.
func (m *Model) Forward(pixels *autograd.Tensor) *autograd.Tensor {
	if m.Head == nil {
		panic(&autograd.UseError{Op: "template", Reason: "the model has no head"})
	}
	x := m.Blocks.Forward(m.Patch.Forward(pixels), nn.AttentionInput{})
	return m.Head.Forward(m.Norm.Forward(autograd.Mean(x, false, 1)))
}
