package vit

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models"
	"github.com/fovea-ml/fovea/models/internal/run"
	"github.com/fovea-ml/fovea/models/internal/tower"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/vision"
)

// Model is a Vision Transformer that classifies images. It may be used by any number of goroutines at
// once, as long as none changes its parameters.
type Model struct {
	Config   Config
	Encoder  *Encoder
	PoolNorm *nn.LayerNorm  // of the mean of the patch tokens; nil but with MeanPooling
	Pool     *AttentionPool // nil but with AttentionPooling
	Head     *nn.Linear     // [classes, Config.FeatureSize()]; nil in a model that only encodes
	// DistillationHead classifies the distillation token, [classes, width], or is nil. The logits are the average of both.
	DistillationHead *nn.Linear

	// Preprocess turns an image into the pixels the model was trained on.
	Preprocess vision.Preprocess
	// PreprocessAssumed says that the folder did not tell how images are prepared. Preprocess is then the usual one of
	// such models, as [Load] says, and predictions may be wrong: compare it with the model's documentation.
	PreprocessAssumed bool
	// Workers runs Classify, Embed and Evaluate in parallel: all cores after New and Load; nil is serial.
	Workers *simd.Workers
	// Math is the arithmetic of matrix products, as autograd.Options describes it: [simd.Strict] after New and Load, or
	// [simd.Int8] after Load of a quantized folder.
	Math simd.Math

	runner *run.Runner
}

// New returns a model with initial weights drawn from rng, or of zeros, to be loaded, when rng is nil. With
// classes 0 it has no head. Preprocess is that of the first ViTs, [vision.Half]. It panics when the configuration
// is not valid.
func New(c Config, classes int, rng *rand.Rand) *Model {
	m := &Model{Config: c, Encoder: NewEncoder(c), Preprocess: vision.Half(c.ImageSize), Workers: simd.NewWorkers(0), runner: run.New()}
	m.Preprocess.Height, m.Preprocess.Width = c.Size()
	m.Preprocess.Gray = c.NumChannels == 1
	switch {
	case c.Pooling == MeanPooling && !c.NoFinalNorm:
		m.PoolNorm = nn.NewLayerNorm(c.HiddenSize, c.LayerNormEps)
	case c.Pooling == AttentionPooling:
		m.Pool = NewAttentionPool(c.poolBlock())
	}
	if classes > 0 {
		m.Head = nn.NewLinear(c.FeatureSize(), classes, true)
		if c.DistillationToken {
			m.DistillationHead = nn.NewLinear(c.HiddenSize, classes, true)
		}
	}
	if rng != nil {
		m.Encoder.Init(rng, c.InitializerRange)
		if m.Pool != nil {
			nn.TruncatedNormal(rng, m.Pool.Probe, c.InitializerRange, -2, 2)
			for _, l := range nn.Layers[nn.Linear](m.Pool) {
				nn.TruncatedNormal(rng, l.Weight, c.InitializerRange, -2, 2)
			}
		}
		for _, l := range []*nn.Linear{m.Head, m.DistillationHead} {
			if l != nil {
				nn.TruncatedNormal(rng, l.Weight, c.InitializerRange, -2, 2)
			}
		}
	}
	return m
}

// tape returns the options of the model's tapes.
func (m *Model) tape() autograd.Options { return autograd.Options{Workers: m.Workers, Math: m.Math} }

// NewHead replaces the classifier by a new one for the labels, or adds one to a model without a head. It is drawn as
// transformers draws a missing classifier: normal values with the deviation Config.InitializerRange, and a bias of zeros.
// timm draws the same, with 0.02.
//
// Config then has these classes and no Problem: set that afterwards for classes that do not exclude each other, or for
// regression. An adapter of the old head goes with it; other layers keep theirs. The new parameters are not frozen, also
// where the old ones were. Make optimizers afterwards: they would still hold the old ones. It panics without labels or rng.
func (m *Model) NewHead(labels []string, rng *rand.Rand) {
	if len(labels) == 0 || rng == nil {
		panic("vit: a new head needs labels and a random number generator")
	}
	m.Config.Classes = models.Classes{}
	m.Config.SetLabels(labels)
	if m.Config.Pooling == DistillationPooling { // each of the two classifiers has a token
		m.Config.Pooling = ""
	}
	m.Head = nn.NewLinear(m.Config.FeatureSize(), len(labels), true)
	nn.TruncatedNormal(rng, m.Head.Weight, m.Config.InitializerRange, -2, 2)
	if m.Config.DistillationToken {
		m.DistillationHead = nn.NewLinear(m.Config.HiddenSize, len(labels), true)
		nn.TruncatedNormal(rng, m.DistillationHead.Weight, m.Config.InitializerRange, -2, 2)
	}
	nn.LimitAdded(m)
}

// Forward maps pixels, [n, channels, height, width], to logits, [n, classes]. Images may have another size than
// the configured one, as [Encoder.Forward] says, which also lists the panics. A model without a head panics with
// an autograd.UseError.
func (m *Model) Forward(pixels *autograd.Tensor) *autograd.Tensor {
	logits, distilled := m.ForwardHeads(pixels)
	if distilled == nil {
		return logits
	}
	return autograd.Scale(autograd.Add(logits, distilled), 0.5)
}

// ForwardHeads is [Model.Forward] with the logits of both classifiers, [n, classes] each, for train.Distillation: the
// first learns the labels, and the second, that of the distillation token, learns from a teacher. In a model without a
// DistillationHead the second is nil.
func (m *Model) ForwardHeads(pixels *autograd.Tensor) (logits, distilled *autograd.Tensor) {
	if m.Head == nil {
		panic(&autograd.UseError{Op: "vit", Reason: "the model has no head; use Pooled"})
	}
	if m.DistillationHead == nil {
		return m.Head.Forward(m.Pooled(pixels)), nil
	}
	x := m.Encoder.First(pixels, 2)
	return m.Head.Forward(token(x, 0)), m.DistillationHead.Forward(token(x, 1))
}

// Pooled maps pixels, [n, channels, height, width], to one vector an image, [n, Config.FeatureSize()], which the head
// classifies. With a DistillationHead, or with DistillationPooling, it is the average of class token and distillation token, as in
// timm. It panics as [Encoder.Forward] does, and with FlattenPooling for images of another size than the configured one.
func (m *Model) Pooled(pixels *autograd.Tensor) *autograd.Tensor {
	first := m.pooled()
	x := m.Encoder.First(pixels, first)
	patches := func() *autograd.Tensor { return autograd.Slice(x, 1, m.Encoder.Prefix(), x.Dim(1)) }
	switch m.Config.Pooling {
	case FlattenPooling:
		return autograd.Reshape(patches(), x.Dim(0), m.Config.FeatureSize())
	case ClassMeanPooling:
		return autograd.Concat(1, token(x, 0), autograd.Mean(patches(), false, 1))
	case AttentionPooling:
		if m.Config.PoolPrefix {
			return m.Pool.Images(x)
		}
		return m.Pool.Images(patches())
	case MeanPooling, NormMeanPooling:
		x = autograd.Mean(patches(), false, 1)
		if m.PoolNorm != nil {
			x = m.PoolNorm.Forward(x)
		}
		return x
	}
	if first == 2 {
		return autograd.Scale(autograd.Add(token(x, 0), token(x, 1)), 0.5)
	}
	return token(x, 0)
}

// pooled returns how many tokens are pooled, the first ones, or 0 for all.
func (m *Model) pooled() int {
	switch {
	case m.Config.Pooling != "" && m.Config.Pooling != DistillationPooling:
		return 0
	case m.DistillationHead != nil || m.Config.Pooling == DistillationPooling:
		return 2
	}
	return 1
}

// token returns one token of each image, [n, width], of tokens, [n, length, width].
func token(x *autograd.Tensor, at int) *autograd.Tensor {
	return autograd.Reshape(autograd.Slice(x, 1, at, at+1), x.Dim(0), x.Dim(2))
}

// Layer returns the number of the layer a parameter belongs to, for layer-wise learning-rate decay: 0 for
// the embeddings, i+1 for block i, and len(blocks)+1 for the norm and head after them, as MAE and BEiT do it. timm puts
// the final norm in the layer of the last block. path is one that nn.Parameters yields. The method serves as
// train.GroupOptions.Layer.
func (m *Model) Layer(path string) int {
	return tower.Layer(path, "Encoder.Blocks", len(m.Encoder.Blocks),
		"Encoder.Stem", "Encoder.Patch", "Encoder.ClassToken", "Encoder.Distillation", "Encoder.Registers", "Encoder.Positions", "Encoder.PreNorm")
}

// NoDecay reports whether a parameter is trained without weight decay although it has several dimensions: the learned tokens
// and the positions (no_weight_decay of timm's VisionTransformer). path is one that nn.Parameters yields. The method
// serves as train.GroupOptions.NoDecay.
func (m *Model) NoDecay(path string) bool {
	if strings.HasSuffix(path, ".Relative.Table") {
		return true
	}
	return slices.Contains([]string{"Encoder.ClassToken", "Encoder.Distillation", "Encoder.Registers", "Encoder.Positions", "Encoder.RopeFrequencies"}, path)
}
