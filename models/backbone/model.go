package backbone

import (
	"math"
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/run"
	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

// Model is a classifier of images with a convolutional body. Any number of goroutines may use it at once, as long as none
// changes its parameters.
type Model struct {
	Config Config
	Body   Body
	Final  *nn.ConvNorm // 1×1, before the mean, or nil
	Head   *nn.Linear   // [classes, Config.FeatureSize()]; nil in a model without a classifier

	// Preprocess turns an image into the pixels the model was trained on.
	Preprocess vision.Preprocess
	// PreprocessAssumed says that the folder did not tell how images are prepared. Preprocess is then [vision.ImageNet], and
	// predictions may be slightly worse: compare it with the model's documentation.
	PreprocessAssumed bool
	// Workers runs Classify, Embed and Evaluate in parallel: all cores after New and Load; nil is serial.
	Workers *simd.Workers
	// Math is the arithmetic of matrix products, as autograd.Options describes it: [simd.Strict] after New and Load, or
	// [simd.Int8] after Load of a quantized folder.
	Math simd.Math

	runner *run.Runner
}

// New returns a model with initial weights drawn from rng, or of zeros, to be loaded, when rng is nil. With classes 0 it has
// no head. Convolutions are drawn as torchvision draws those of a ResNet: normal values, √(2/fan-out) (arXiv 1502.01852). It
// panics when the configuration is not valid.
func New(c Config, classes int, rng *rand.Rand) *Model {
	if err := c.Validate(); err != nil {
		panic("backbone: " + err.Error())
	}
	if c.ModelType == vdType {
		panic("backbone: model_type: " + vdType + " is the body of a detector, which NewBody makes, and no classifier")
	}
	m := &Model{Config: c, Body: NewBody(c), Preprocess: vision.ImageNet(imageSize), Workers: simd.NewWorkers(0), runner: run.New()}
	m.Preprocess.Gray = c.NumChannels == 1
	if c.FinalSize > 0 {
		m.Final = nn.NewConvNorm(c.HiddenSizes[len(c.HiddenSizes)-1], c.FinalSize, 1, c.act(), autograd.Conv2dOptions{})
	}
	if classes > 0 {
		m.Head = nn.NewLinear(c.FeatureSize(), classes, true)
	}
	if rng != nil {
		Init(m, rng)
		m.initHead(rng)
	}
	return m
}

// tape returns the options of the model's tapes.
func (m *Model) tape() autograd.Options { return autograd.Options{Workers: m.Workers, Math: m.Math} }

// imageSize is the side of the images that the published networks are trained on. They take any size.
const imageSize = 224

// Init draws the convolutions of a network from rng, as [New] says.
func Init(network any, rng *rand.Rand) {
	for _, c := range nn.Layers[nn.Conv2d](network) {
		nn.KaimingNormal(rng, c.Weight, true)
	}
}

func (m *Model) initHead(rng *rand.Rand) {
	if m.Head != nil {
		nn.KaimingUniform(rng, m.Head.Weight, math.Sqrt(5))
		nn.Uniform(rng, m.Head.Bias, 1/math.Sqrt(float64(m.Config.FeatureSize())))
	}
}

// NewHead replaces the classifier by a new one for the labels, or adds one to a model without a head. It is drawn as PyTorch
// draws a linear layer. Config then has these classes and no Problem. The new parameters are not frozen, also where the
// body's are. Make groups for optimizers afterwards: they would still hold the old ones. It panics without labels or rng.
func (m *Model) NewHead(labels []string, rng *rand.Rand) {
	if len(labels) == 0 || rng == nil {
		panic("backbone: a new head needs labels and a random number generator")
	}
	m.Config.Classes = models.Classes{}
	m.Config.SetLabels(labels)
	m.Head = nn.NewLinear(m.Config.FeatureSize(), len(labels), true)
	m.initHead(rng)
	nn.LimitAdded(m)
}

// Forward maps pixels, [n, channels, height, width], to logits, [n, classes]. It panics with an autograd.ShapeError when the
// channels are not the model's, and with an autograd.UseError in a model without a head.
func (m *Model) Forward(pixels *autograd.Tensor) *autograd.Tensor {
	if m.Head == nil {
		panic(&autograd.UseError{Op: "backbone", Reason: "the model has no head; use Pooled"})
	}
	return m.Head.Forward(m.Pooled(pixels))
}

// Pooled maps pixels, [n, channels, height, width], to one vector an image, [n, Config.FeatureSize()], which the head
// classifies: the mean over the last level. Images may have any size; for DLA, whose poolings cut, sides are multiples of
// 32.
func (m *Model) Pooled(pixels *autograd.Tensor) *autograd.Tensor {
	levels := m.Body.Forward(pixels)
	x := levels[len(levels)-1]
	if m.Final != nil {
		x = x.Tape().Segment(m.Final.Forward, x)
	}
	return autograd.Mean(x, false, 2, 3)
}

// Layers returns the number of stages: train.GroupOptions.Layers for [Model.Layer].
func (m *Model) Layers() int { return len(m.Body.Channels()) }

// Layer returns the number of the layer a parameter belongs to, for layer-wise learning-rate decay: 0 for the stem, i+1 for
// stage i, and one more for what follows. path is one that nn.Parameters yields. The method serves as
// train.GroupOptions.Layer.
func (m *Model) Layer(path string) int {
	stack := "Body.Stages"
	if m.Config.ModelType == dlaType {
		stack = "Body.Trees"
	}
	return tower.Layer(path, stack, m.Layers(), "Body.Stem", "Body.Levels")
}
