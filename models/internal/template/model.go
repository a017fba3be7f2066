package template

import (
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/run"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
)

// Model is a classifier of sequences. Any number of goroutines may use it at once, as long as none changes its
// parameters. Exported fields that hold parameters stand in the order in which data meets them.
type Model struct {
	Config Config
	Embed  *nn.Linear // [width, features]
	Blocks nn.Stack
	Norm   *nn.BatchNorm // of the mean over the sequence
	Head   *nn.Linear    // [classes, width]

	// Workers runs Predict in parallel: all cores after New and Load; nil is serial.
	Workers *simd.Workers
	runner  *run.Runner
}

// New returns a model with weights drawn from rng, or of zeros, to be loaded, when rng is nil. It panics when the
// configuration is not valid.
func New(c Config, classes int, rng *rand.Rand) *Model {
	if err := c.Validate(); err != nil {
		panic("template: " + err.Error())
	}
	m := &Model{
		Config:  c,
		Embed:   nn.NewLinear(c.NumFeatures, c.HiddenSize, true),
		Blocks:  nn.NewStack(c.NumHiddenLayers, c.block()),
		Norm:    nn.NewBatchNorm(c.HiddenSize, true),
		Head:    nn.NewLinear(c.HiddenSize, classes, true),
		Workers: simd.NewWorkers(0),
		runner:  run.New(),
	}
	if rng != nil {
		for _, l := range nn.Layers[nn.Linear](m) {
			nn.XavierUniform(rng, l.Weight)
		}
	}
	return m
}

// Forward maps x, [n, length, features], to logits, [n, classes]. It panics with an autograd.ShapeError when x has
// another shape. A training step commits its tape, so that the running statistics of Norm follow.
func (m *Model) Forward(x *autograd.Tensor) *autograd.Tensor {
	x = m.Blocks.Forward(m.Embed.Forward(x), nn.AttentionInput{})
	return m.Head.Forward(m.Norm.Forward(autograd.Mean(x, false, 1)))
}
