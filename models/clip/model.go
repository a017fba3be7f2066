package clip

import (
	"math/rand/v2"

	"github.com/fovea-ml/fovea/autograd"
	"github.com/fovea-ml/fovea/models/internal/modelfolder"
	"github.com/fovea-ml/fovea/models/internal/run"
	"github.com/fovea-ml/fovea/nn"
	"github.com/fovea-ml/fovea/simd"
	"github.com/fovea-ml/fovea/text"
	"github.com/fovea-ml/fovea/train/contrast"
	"github.com/fovea-ml/fovea/vision"
)

// Model maps images and texts to vectors of one space, where a text is near the images it describes. It may be used by
// any number of goroutines at once, as long as none changes its parameters.
type Model struct {
	Config           Config
	Vision           ImageTower
	VisionProjection *nn.Linear // [projection, width], without a bias; nil where the tower's features are embeddings
	Text             TextTower
	TextProjection   *nn.Linear          // [projection, width], without a bias but in SigLIP
	LogitScale       *autograd.Parameter // [], the natural logarithm of the factor of similarities
	LogitBias        *autograd.Parameter // [], added to the similarities; nil but in SigLIP

	// Preprocess turns an image into the pixels the model was trained on.
	Preprocess vision.Preprocess
	// PreprocessAssumed says that the folder did not tell how images are prepared. Preprocess is then that of OpenAI's
	// models.
	PreprocessAssumed bool
	// MaxPatches is the most patches of an image in a [NaFlex] tower. More show finer detail and take longer. Load
	// takes the max_num_patches of the folder, as transformers' Siglip2ImageProcessor and its pipelines do.
	// Siglip2Processor takes 256 unless it is told otherwise, whatever the folder says.
	MaxPatches int
	// Tokenizer turns texts into tokens. It is nil after New, and where the folder has no vocabulary; the model then
	// encodes images only. An unreadable vocabulary is an error of Load.
	Tokenizer *text.Tokenizer
	// Workers runs the encoders in parallel: all cores after New and Load; nil is serial.
	Workers *simd.Workers
	// Math is the arithmetic of matrix products, as autograd.Options describes it: [simd.Strict] after New and Load, or
	// [simd.Int8] after Load of a quantized folder.
	Math simd.Math

	source source // of Tokenizer
	runner *run.Runner
}

// New returns a model with initial weights drawn from rng, or of zeros, to be loaded, when rng is nil. It has no
// tokenizer. It panics when the configuration is not valid.
func New(c Config, rng *rand.Rand) *Model {
	if err := c.Validate(); err != nil {
		panic("clip: " + err.Error())
	}
	m := &Model{
		Config:     c,
		LogitScale: autograd.ParameterOf([]float32{c.LogitScaleInit}),
		Preprocess: c.preprocess(),
		Workers:    simd.NewWorkers(0),
		runner:     run.New(),
	}
	switch t := c.Text; {
	case t.BERT != nil:
		m.Text, m.TextProjection = NewBERT(t), nn.NewLinear(t.BERT.features(), c.ProjectionDim, false)
	default:
		m.Text, m.TextProjection = NewTextTransformer(t), nn.NewLinear(t.HiddenSize, c.ProjectionDim, t.Bidirectional)
	}
	if c.Text.Bidirectional {
		m.LogitBias = autograd.ParameterOf([]float32{0})
	}
	switch v := c.Vision; {
	case v.ResNet != nil:
		m.Vision = NewResNet(v, c.ProjectionDim)
	case v.NumPatches != 0:
		m.Vision, m.MaxPatches = NewNaFlex(v), v.NumPatches
	case v.Pooled:
		m.Vision = NewSigLIP(v)
	default:
		m.Vision = NewVisionTransformer(c.Vision)
		m.VisionProjection = nn.NewLinear(c.Vision.HiddenSize, c.ProjectionDim, false)
	}
	if rng != nil {
		m.init(rng)
	}
	return m
}

// tape returns the options of the model's tapes.
func (m *Model) tape() autograd.Options { return autograd.Options{Workers: m.Workers, Math: m.Math} }

// preprocess is the preparation of images that is usual for a model.
func (c Config) preprocess() vision.Preprocess {
	if c.ModelType == chineseType {
		return chinesePreprocess(c.Vision)
	}
	return preprocess(c.Vision)
}

// preprocess is the preparation of images of OpenAI's models (_transform in clip.py), and that of SigLIP
// (SiglipImageProcessor in transformers).
func preprocess(c VisionConfig) vision.Preprocess {
	if c.Pooled {
		p := usualNaFlex(c)
		if c.NumPatches == 0 {
			p.Height, p.Width = c.Size()
			p.Filter = vision.Bicubic
		}
		return p
	}
	height, width := c.Size()
	p := vision.Preprocess{
		Backend: vision.Timm, Mode: vision.ShortSide, Width: width, Filter: vision.Bicubic,
		CropHeight: height, CropWidth: width, Mean: vision.CLIPMean, Std: vision.CLIPStd, Alpha: vision.AlphaDroppedLast,
	}
	if height != width { // open_clip's
		p.Mode, p.Height = vision.Cover, height
	}
	if c.NumChannels == 1 {
		p = modelfolder.Gray(p)
	}
	return p
}

// EmbedImages maps pixels, [n, channels, height, width], to embeddings, [n, Config.ProjectionDim], which are not
// normalized (CLIPModel.get_image_features).
func (m *Model) EmbedImages(pixels *autograd.Tensor) *autograd.Tensor {
	return m.project(m.Vision.Forward(pixels))
}

// project maps the features of images to embeddings.
func (m *Model) project(features *autograd.Tensor) *autograd.Tensor {
	if m.VisionProjection == nil {
		return features
	}
	return m.VisionProjection.Forward(features)
}

// EmbedTexts maps the tokens of texts to embeddings, [len(texts), Config.ProjectionDim], which are not normalized
// (CLIPModel.get_text_features). [Model.Tokenize] gives the tokens.
func (m *Model) EmbedTexts(t *autograd.Tape, texts [][]int) *autograd.Tensor {
	return m.TextProjection.Forward(m.Text.Forward(t, texts))
}

// Forward maps pixels, [n, channels, height, width], and the tokens of texts to logits, [n, len(texts)]: the cosine
// similarities of their embeddings times the factor exp(LogitScale) (arXiv 2103.00020, figure 3), plus LogitBias.
func (m *Model) Forward(pixels *autograd.Tensor, texts [][]int) *autograd.Tensor {
	return m.logits(m.EmbedImages(pixels), m.EmbedTexts(pixels.Tape(), texts))
}

// logits compares embeddings of images and of texts, which are not normalized.
func (m *Model) logits(images, texts *autograd.Tensor) *autograd.Tensor {
	factor := autograd.Exp(images.Tape().Use(m.LogitScale))
	logits := autograd.Mul(autograd.MatMulT(contrast.Normalize(images), contrast.Normalize(texts), false, true), factor)
	if m.LogitBias != nil {
		logits = autograd.Add(logits, m.LogitBias)
	}
	return logits
}
